"""Give every block a core: cores are numbered in dataflow order, small layers share one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .blocks import POP16_ALIGNMENT, Block, Need
from .limits import LoihiLimits
from .needs import entry_need, reset_bits, windows_need
from .plan import CutLayer


@dataclass(frozen=True)
class Spot:
    """Where a block lies.

    Attributes:
        core: number of the core, over all chips.
        compartment: first compartment on the core.
        slot: first hardware axon on the core.
    """

    core: int
    compartment: int = 0
    slot: int = 0


@dataclass(frozen=True)
class _Shared:
    """A core that holds whole small layers so far."""

    core: int
    used: Need


def place(cuts: Sequence[CutLayer | None], limits: LoihiLimits) -> tuple[tuple[Spot, ...], ...]:
    """A spot for every block of every layer, in order; no spots for spikes of the host.

    A layer of one block goes to the first core that holds only such layers and has room for it; a block of a
    larger layer has a core of its own.
    """
    spots: list[tuple[Spot, ...]] = []
    shared: list[_Shared] = []
    cores = 0
    for cut in cuts:
        if cut is None:
            spots.append(())
        elif cut.cut.count > 1:
            spots.append(tuple(Spot(cores + number) for number in range(cut.cut.count)))
            cores += cut.cut.count
        else:
            spot = _first_fit(cut, shared, cores, limits)
            cores = max(cores, spot.core + 1)
            spots.append((spot,))
    return tuple(spots)


def _first_fit(cut: CutLayer, shared: list[_Shared], fresh: int, limits: LoihiLimits) -> Spot:
    """The spot of a layer of one block; updates ``shared``."""
    for number, core in enumerate(shared):
        need = moved_need(cut, core.used, limits)
        if need is not None and not need.exceeded(limits):
            start = _aligned(core.used.compartments)
            shared[number] = replace(core, used=need)
            return Spot(core.core, start, core.used.input_axons)
    shared.append(_Shared(fresh, cut.need))
    return Spot(fresh)


def _aligned(compartments: int) -> int:
    return -(-compartments // POP16_ALIGNMENT) * POP16_ALIGNMENT


def moved_need(cut: CutLayer, used: Need, limits: LoihiLimits) -> Need | None:
    """What a core needs that holds ``used`` already and then the one block of ``cut`` behind it.

    None where the block's population axons would take more room on other cores than the cut has asked them for.
    """
    layout, plan = cut.cut.layout, cut.plan
    offset = _aligned(used.compartments)
    block = Block(0, layout.rows, 0, layout.columns, 0, layout.channels)
    need, widths = windows_need(plan, block, limits, offset, used.input_axons)
    if any(new > old for new, old in zip(widths, cut.widths, strict=True)):
        return None
    need += entry_need(plan, cut.cut, limits, offset)
    bits = need.synapse_bits + reset_bits(plan, layout.size, limits, offset)
    moved = replace(cut.need, compartments=offset + cut.need.compartments, synapse_bits=bits)
    return moved + replace(used, compartments=0)
