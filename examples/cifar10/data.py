"""Reads the CIFAR-10 images that the examples are trained and tested with.

They are JPEG files in a folder ``{train,test}/{class}/{number}.jpg``, 5,000 a class to train and 500 to test:
Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, encoded once more with a slight loss. The
environment variable ``CIFAR10`` names the folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SPLITS = ("train", "test")


def read(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels uint8 (images, 3, 32, 32) and labels int64 (images,), class after class."""
    folder = Path(os.environ.get("CIFAR10", "cifar10")) / split
    pixels, labels = [], []
    for label, name in enumerate(CLASSES):
        for path in sorted((folder / name).glob("*.jpg")):
            pixels.append(np.asarray(Image.open(path)).transpose(2, 0, 1))
            labels.append(label)
    if not pixels:
        raise SystemExit(f"no images in {folder}: let CIFAR10 name a folder with train/ and test/")
    return np.stack(pixels), np.array(labels, np.int64)


def load(split: str) -> tuple[Tensor, Tensor]:
    """Return pixels float32 in [0, 1] and labels of "train" or "test"."""
    pixels, labels = read(split)
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(255)), torch.from_numpy(labels)


def load_bytes(split: str) -> tuple[Tensor, Tensor]:
    """Return pixels float32 from 0 to 255 and labels of "train" or "test"."""
    pixels, labels = read(split)
    return torch.from_numpy(pixels.astype(np.float32)), torch.from_numpy(labels)
