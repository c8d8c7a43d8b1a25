"""Places cores on the meshes of one or more chips, neighbours in the dataflow near each other."""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array

from .limits import TrueNorthLimits

_BAND = 8
"""Rows of a chip that are filled together, column by column."""


def places(count: int, limits: TrueNorthLimits) -> tuple[Array, Array]:
    """(x, y) of cores in dataflow order, int32.

    A chip is filled in bands of eight rows, to and fro, so that cores that follow each other are neighbours and a
    layer is compact. Chips stand in a square of up to four by four, whose cores are all within 255 of each other;
    beyond, in rows of four chips.
    """
    number = np.arange(count)
    chip, core = np.divmod(number, limits.cores)
    band, rest = np.divmod(core, _BAND * limits.mesh)
    column, row = np.divmod(rest, _BAND)
    column = np.where(band % 2 == 0, column, limits.mesh - 1 - column)
    chips = (limits.distance + 1) // limits.mesh
    side = min(max(int(np.ceil(np.sqrt(-(-count // limits.cores)))), 1), chips)
    chip_y, chip_x = np.divmod(chip, side)
    x = chip_x * limits.mesh + column
    y = chip_y * limits.mesh + band * _BAND + row
    return x.astype(np.int32), y.astype(np.int32)
