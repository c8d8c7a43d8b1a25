"""Samples that stand in for calibration data where the user gives none."""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array, Shape


def dead_leaves(shape: Shape, count: int, seed: int) -> Array:
    """Images (count, *shape) float32 in [0, 1] of opaque shapes that cover each other.

    The dead leaves model (Matheron 1968) has the edges, flat regions and range of sizes of photographs (Lee,
    Mumford and Huang 2001), which noise has not: filters that look for edges respond as strongly as to real
    images. Leaves are boxes and ellipses over the last two axes (the last one of a vector), a value for each
    channel; half of the backgrounds are black.
    """
    rng = np.random.default_rng(seed)
    axes = min(2, max(1, len(shape) - 1))
    space = shape[len(shape) - axes :]
    channels = shape[: len(shape) - axes]
    grid = np.meshgrid(*(np.linspace(0, 1, size) for size in space), indexing="ij")
    images = np.empty((count, *shape), np.float32)
    for image in images:
        image[...] = rng.random() * (rng.random() < 0.5)
        for _ in range(rng.integers(1, 12)):
            distances = [abs(axis - rng.random()) / (0.05 + 0.5 * rng.random()) for axis in grid]
            is_box = rng.random() < 0.5
            reach = np.maximum.reduce(distances) if is_box else np.hypot.reduce(distances)
            image[..., reach < 1] = rng.random((*channels, 1))
    return images
