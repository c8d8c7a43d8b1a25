"""Places of cores in dataflow order on the meshes of one or more chips."""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array

from .limits import TrueNorthLimits


def places(count: int, limits: TrueNorthLimits) -> tuple[Array, Array]:
    """(x, y) of cores in dataflow order, int32: row by row, chip by chip.

    Chips stand in a square of up to four by four, whose cores are all within 255 of each other; beyond, in rows of
    four chips.
    """
    chip, core = np.divmod(np.arange(count), limits.cores)
    row, column = np.divmod(core, limits.mesh)
    chips = (limits.distance + 1) // limits.mesh
    side = min(max(int(np.ceil(np.sqrt(-(-count // limits.cores)))), 1), chips)
    chip_y, chip_x = np.divmod(chip, side)
    x, y = chip_x * limits.mesh + column, chip_y * limits.mesh + row
    return x.astype(np.int32), y.astype(np.int32)
