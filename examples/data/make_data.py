"""Makes the small data files of the examples, so that trying them needs no other data set.

Run it from the root of the repository: ``python -m examples.data.make_data``. It needs numpy and
the Debian package ``dataset-fashion-mnist``, and writes next to this file:

* ``fashion_calibration.npz``: a seeded choice of training images, as many from every class as
  possible (the classes' counts differ by at most one);
* ``fashion_test.npz``: the first test images, in the order of the data set.

Both hold ``x``, float32 (samples, 1, 28, 28) with values k/255, and ``y``, the labels as uint8.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SOURCE = Path("/usr/share/datasets/fashion-mnist")
CALIBRATION_IMAGES = 512
CALIBRATION_SEED = 2026
TEST_IMAGES = 2000
CLASSES = 10


def read(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels as uint8 (N, 1, 28, 28) and the labels of "train" or "t10k"."""
    with gzip.open(SOURCE / f"{split}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(SOURCE / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels, labels


def scale(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels as the networks take them: float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)


def choose_balanced(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return ``count`` positions in random order, drawn evenly from the classes."""
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(labels))
    per_class = [shuffled[labels[shuffled] == label] for label in range(CLASSES)]
    quotas = [count // CLASSES + (label < count % CLASSES) for label in range(CLASSES)]
    chosen = [places[:quota] for places, quota in zip(per_class, quotas, strict=True)]
    return generator.permutation(np.concatenate(chosen))


def save(name: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Write one data set and print its size."""
    path = FOLDER / name
    np.savez_compressed(path, x=scale(pixels), y=labels)
    print(f"{name}: {len(labels)} images, {path.stat().st_size} bytes")


def main() -> None:
    """Write both data sets."""
    pixels, labels = read("train")
    chosen = choose_balanced(labels, CALIBRATION_IMAGES, CALIBRATION_SEED)
    save("fashion_calibration.npz", pixels[chosen], labels[chosen])
    pixels, labels = read("t10k")
    save("fashion_test.npz", pixels[:TEST_IMAGES], labels[:TEST_IMAGES])


if __name__ == "__main__":
    main()
