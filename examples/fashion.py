"""Keeps the data handling and export that the Fashion-MNIST examples share in one place.

The images come from the Debian package ``dataset-fashion-mnist``. A network sees raw pixels
scaled to [0, 1] with shape (N, 1, 28, 28); no normalisation happens outside of the network.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from examples.data.make_data import read, scale

SPLITS = ("train", "t10k")


def load(split: str) -> tuple[Tensor, Tensor]:
    """Return the pixels, float32 (N, 1, 28, 28) in [0, 1], and the labels of "train" or "t10k"."""
    pixels, labels = read(split)
    return torch.from_numpy(scale(pixels)), torch.from_numpy(labels.astype(np.int64))
