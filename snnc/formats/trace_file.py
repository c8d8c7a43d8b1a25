"""Runs as ``.npz`` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snnc.graph.operators.base import Array
from snnc.simulate.trace import Trace

from .files import replaced_file


def write_trace(path: Path, trace: Trace) -> tuple[str, ...]:
    """Write a trace as a whole or not at all.

    The arrays are ``output`` (``output:NAME`` where there are several), ``output_by_tick`` likewise if recorded,
    ``spike_counts:NAME`` a population, and ``spikes:NAME``, ``voltage:NAME`` and so on a recorded population, shaped as
    in ``Trace``.

    Returns:
        The names of the arrays.

    Raises:
        ArtifactError: A201 to A203, the file cannot be written.
    """
    arrays: dict[str, Array] = {}
    for kind, outputs in (("output", trace.outputs), ("output_by_tick", trace.outputs_by_tick)):
        alone = len(outputs) == 1
        arrays |= {kind if alone else f"{kind}:{name}": values for name, values in outputs.items()}
    arrays |= {f"spike_counts:{name}": counts for name, counts in trace.spike_counts.items()}
    for variable, recordings in trace.recordings.items():
        arrays |= {f"{variable}:{name}": values for name, values in recordings.items()}
    with replaced_file(path) as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    return tuple(arrays)
