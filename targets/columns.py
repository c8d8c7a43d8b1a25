"""Arrays of a stated dtype: what a program's file holds, and what reading it back insists on."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from snnc.graph.operators.base import Array

Bool = Annotated[Array, np.bool_]
Int8 = Annotated[Array, np.int8]
Int16 = Annotated[Array, np.int16]
Int32 = Annotated[Array, np.int32]
Int64 = Annotated[Array, np.int64]
Uint8 = Annotated[Array, np.uint8]
Float64 = Annotated[Array, np.float64]
