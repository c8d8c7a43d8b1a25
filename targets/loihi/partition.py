"""Cut every layer into blocks that fit a core: as few as possible, then those that need least memory and axons."""

from __future__ import annotations

from dataclasses import replace

from .fanout import Fanout, fanout_of
from .known_cuts import KnownCuts
from .limits import LoihiLimits
from .network import Network
from .plan import CutLayer, FormsOf, exact_forms, plan_layer
from .search import too_large

_ROUNDS = 6
"""Times that recurrent layers are cut again because of the axons that they send to each other."""


def partition(
    network: Network,
    limits: LoihiLimits,
    forms_of: FormsOf | None = None,
    known: KnownCuts | None = None,
) -> tuple[CutLayer | None, ...]:
    """A cut for every layer on the chip, None for spikes of the host.

    Layers are cut from the last to the first, because a block sends a spike to every block that reads it and its
    core has room for a number of such axons only.

    Args:
        network: what is cut.
        limits: of the chip.
        forms_of: chooses formats; None for the narrowest that hold the weights.
        known: cuts of other networks, to which those of this one are added.

    Raises:
        MappingError: T107 weights that no synapse format holds; T109 a reset charge that none holds; T110 a single
            neuron exceeds a limit; T112 a layer needs too many formats.
    """
    known = known or KnownCuts()
    plans = [plan_layer(network, layer, limits, forms_of or exact_forms) for layer in network.layers]
    order = [member for component in reversed(network.components) for member in reversed(component)]
    recurrent = any(s.source >= t for t, layer in enumerate(network.layers) for s in layer.synapses)
    cuts: dict[int, CutLayer] = {}
    for _ in range(_ROUNDS if recurrent else 1):
        before = dict(cuts)
        for number in order:
            plan = plans[number]
            if plan is not None:
                fanout = fanout_of(network, number, cuts)
                kept = before.get(number)
                if kept is None or fanout.largest(kept.cut) + _own_axons(kept) > limits.output_axons:
                    cuts[number] = known.cut(plan, fanout, limits)
        if all(before.get(number) is cut for number, cut in cuts.items()):
            break
    settled = {
        number: _settled(cut, fanout_of(network, number, cuts), limits) for number, cut in cuts.items()
    }
    return tuple(settled.get(number) for number in range(len(network.layers)))


def _own_axons(cut: CutLayer) -> int:
    block = cut.cut
    return block.rows * block.columns * block.channels if cut.plan.layer.subtract else 0


def _settled(cut: CutLayer, fanout: Fanout, limits: LoihiLimits) -> CutLayer:
    """The cut with the output axons that the final cuts of its readers ask for; raises MappingError T110."""
    need = replace(cut.need, output_axons=fanout.largest(cut.cut) + _own_axons(cut))
    if need.exceeded(limits):
        raise too_large(cut.plan.layer, need, limits)
    return replace(cut, need=need)
