"""Values that are written to files: what JSON can hold, and arrays beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snnc.graph.operators.base import Array


@dataclass(frozen=True, eq=False)
class Packed:
    """A program or a graph as plain data for a file.

    Attributes:
        header: values that JSON can hold.
        arrays: everything else.
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, Array]
