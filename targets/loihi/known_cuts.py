"""Cuts of layers by all that they depend on, so that layers that are alike are searched once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import astuple, dataclass, field
from hashlib import blake2b

import numpy as np

from snnc.graph.operators.base import Array

from .compartment import PROFILE
from .fanout import Fanout
from .limits import LoihiLimits
from .plan import CutLayer, LayerPlan
from .search import cut_layer, cut_of_size
from .windows import EntrySynapses, WindowSynapses


@dataclass
class KnownCuts:
    """The cuts that were found so far."""

    _sizes: dict[Hashable, tuple[int, int, int]] = field(default_factory=dict)

    def cut(self, plan: LayerPlan, fanout: Fanout, limits: LoihiLimits) -> CutLayer:
        """The cut of a layer, as ``search.cut_layer`` finds it."""
        key = (limits, *_key(plan, fanout))
        if key in self._sizes:
            return cut_of_size(plan, fanout, limits, self._sizes[key])
        layer = cut_layer(plan, fanout, limits)
        self._sizes[key] = (layer.cut.rows, layer.cut.columns, layer.cut.channels)
        return layer


def _key(plan: LayerPlan, fanout: Fanout) -> Iterator[Hashable]:
    """All that the search of a layer's cut looks at."""
    layer, layout = plan.layer, plan.layer.layout
    yield (layout.channels, layout.rows, layout.columns, layer.subtract)
    yield (plan.dense, plan.index_bits, plan.reset_form, plan.formats)
    assert layer.neuron is not None
    yield tuple(_digest(part) for part in (layout.order, layer.neuron.threshold, layer.neuron.reset_charge))
    yield tuple(_digest(np.asarray(getattr(layer.neuron, name))) for name in PROFILE)
    yield (_digest(fanout.groups), _digest(fanout.single))
    for number, synapses in enumerate(layer.synapses):
        forms = plan.forms[number]
        yield (forms.forms, _digest(forms.which), plan.sources[number].layout.atom_bits)
        if isinstance(synapses, WindowSynapses):
            shape = synapses.weight.shape, synapses.groups, synapses.inputs, synapses.channel_offset
            yield (*shape, astuple(synapses.y), astuple(synapses.x), plan.slots[number] is None)
            yield (_digest(synapses.live), _digest(plan.shares(number)))
        else:
            assert isinstance(synapses, EntrySynapses)
            yield tuple(_digest(part) for part in (synapses.columns, synapses.targets, synapses.values))


def _digest(values: Array | None) -> Hashable:
    """What stands for an array, its shape and its type."""
    if values is None:
        return None
    return (values.shape, values.dtype.str, blake2b(values.tobytes(), digest_size=16).digest())
