"""Rewrites what drives a population: the same maps, but reading others in place of a population."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnc.graph.graph import Edit
from snnc.graph.operators import Bias, Delay, Gather
from snnc.graph.operators.base import Array
from snnc.graph.projections import Drive, Projection
from snnc.graph.rewrite import prune


def reading_others(edit: Edit, name: str, drive: Drive, sources: Sequence[str]) -> None:
    """Let a population read others, which have the same neurons.

    Args:
        edit: the draft.
        name: of the population.
        drive: what drives it.
        sources: what each projection of it is to read.
    """
    before = edit[name].inputs
    edit.set(name, inputs=())
    prune(edit, before)
    parts = [chain(edit, p, source, None, None) for p, source in zip(drive.projections, sources, strict=True)]
    with_inputs(edit, name, drive, parts)


def with_inputs(edit: Edit, name: str, drive: Drive, parts: list[str]) -> None:
    """Give a population the parts of its drive, and its constant current."""
    if drive.bias is not None:
        parts = [edit.add(f"{name}.bias", Bias(drive.bias), parts[0]), *parts[1:]]
    edit.set(name, inputs=tuple(parts))


def chain(edit: Edit, projection: Projection, source: str, members: Array | None, rows: Array | None) -> str:
    """Add what a projection does to the spikes of ``source``; returns the name of its last node.

    Args:
        edit: the draft.
        projection: what is done.
        source: its population, or a splitter of that.
        members: neurons of the population that the splitter repeats, or None for all.
        rows: neurons of the reader that listen, or None for all.
    """
    base = projection.nodes[-1] if projection.nodes else f"{projection.source}.direct"
    index, shape = projection.gather_indices(), projection.source_shape
    moved = projection.gather is not None or members is not None
    if members is not None:
        position = np.full(int(np.prod(shape)) + 1, -1)
        position[members] = np.arange(len(members))
        index, shape = position[index], (len(members),)
    last = source
    if moved or shape != projection.in_shape:
        operator = Gather(index.reshape(projection.in_shape), shape)
        last = edit.add(f"{base}.inputs", operator, last, sources=projection.sources)
    if projection.operator is not None:
        last = edit.add(base, projection.operator, last, sources=projection.sources)
    if projection.place is not None or rows is not None or projection.mid_shape != projection.out_shape:
        index = projection.place_indices()
        if rows is not None:
            index = np.where(np.isin(np.arange(len(index)), rows), index, -1)
        operator = Gather(index.reshape(projection.out_shape), projection.mid_shape)
        last = edit.add(f"{base}.rows", operator, last, sources=projection.sources)
    if projection.delay:
        last = edit.add(f"{base}.delay", Delay(projection.delay), last, sources=projection.sources)
    return last
