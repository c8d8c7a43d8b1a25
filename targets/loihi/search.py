"""The cut of one layer: as few blocks as possible, then those that need least memory and axons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from snnc.errors import MappingError
from snnc.graph.operators.base import Array
from snnc.targets.tiling import Axis, ranges, reach, step_sizes

from .blocks import NEEDS, POP16_ALIGNMENT, Block, Cut, Need, reached_channels
from .compartment import PROFILE
from .fanout import Fanout
from .limits import LoihiLimits
from .needs import entry_axons, entry_need, reset_bits, windows_need
from .network import LoihiLayer
from .plan import CutLayer, LayerPlan
from .synapses import INDEX_BITS
from .windows import WindowSynapses

_COMPARED = 24
"""Cuts with the same number of blocks that are compared with each other."""

_FAILED = 8
"""Cuts that did not fit, in a row from the largest, before it is seen whether a single neuron does."""


def cut_layer(plan: LayerPlan, fanout: Fanout, limits: LoihiLimits) -> CutLayer:
    """The cut of a layer into fewest blocks; among those, the one that needs least memory and axons."""
    search = _Search(plan, fanout, limits)
    best: CutLayer | None = None
    compared, failed, enough = 0, 0, 0.0
    for cut, hopeless in search.candidates():
        if best is not None and (cut.count > best.cut.count or compared == _COMPARED):
            break
        if cut.count < enough:
            continue
        candidate = search.tried(cut) if best is not None or not hopeless else None
        compared += best is not None
        if candidate is None or candidate.need.exceeded(limits):
            failed += 1
            if failed == _FAILED:
                search.check_smallest()
            if candidate is not None and plan.layer.synapses and not search.windows:
                # Entries are costly to look at, and what they need shrinks with the blocks.
                enough = cut.count * min(candidate.need.share(limits) ** 0.5, 2.0)
        elif best is None or _weight(candidate.need) < _weight(best.need):
            best = candidate
    if best is None:
        search.check_smallest()
        best = search.smallest
    return best


def cut_of_size(plan: LayerPlan, fanout: Fanout, limits: LoihiLimits, size: tuple[int, int, int]) -> CutLayer:
    """The cut of a layer into blocks of so many rows, columns and channels."""
    return _Search(plan, fanout, limits).tried(Cut(plan.layer.layout, *size))


def _weight(need: Need) -> int:
    return need.synapse_bits + 64 * (need.input_axons + need.output_axons)


class _Search:
    """The cuts of one layer and what their blocks need."""

    def __init__(self, plan: LayerPlan, fanout: Fanout, limits: LoihiLimits) -> None:
        self.plan, self.fanout, self.limits = plan, fanout, limits
        self.layer = plan.layer
        self._known_extents: dict[tuple[Axis, int], Array] = {}
        self.windows = [
            (synapses, forms, slots is not None)
            for synapses, forms, slots in zip(self.layer.synapses, plan.forms, plan.slots, strict=True)
            if isinstance(synapses, WindowSynapses)
        ]

    @cached_property
    def smallest(self) -> CutLayer:
        """A neuron a block."""
        return self.tried(Cut(self.layer.layout, 1, 1, 1))

    def check_smallest(self) -> None:
        """Raise MappingError T110 if even a single neuron exceeds a limit."""
        if not self._surely_fits and self.smallest.need.exceeded(self.limits):
            raise too_large(self.layer, self.smallest.need, self.limits)

    @cached_property
    def _surely_fits(self) -> bool:
        """Whether a neuron fits even with an axon and a list of its own for each of its inputs."""
        if len(self.windows) < len(self.layer.synapses):
            return False
        cut = Cut(self.layer.layout, 1, 1, 1)
        most = Need()
        for first, last in self._distinct_channels(cut):
            lists, bits = 0, 0
            for synapses, forms, _ in self.windows:
                if first < synapses.channel_offset + synapses.outputs and last > synapses.channel_offset:
                    count = int(np.prod(synapses.weight.shape[1:]))
                    lists += count
                    bits += count * max(
                        replace(form, index_bits=max(INDEX_BITS)).list_bits(1) for form in forms.forms
                    )
            most |= Need(input_axons=lists, synapse_bits=bits)
        return not (self._beside_windows(cut) + most).exceeded(self.limits)

    def candidates(self) -> Iterator[tuple[Cut, bool]]:
        """Cuts that may fit, those with fewest blocks first, and whether a mean over their blocks says they do not."""
        layout, limits = self.layer.layout, self.limits
        each = 2 if self.layer.subtract else 1
        rows, columns = np.array(step_sizes(layout.rows)), np.array(step_sizes(layout.columns))
        channels = np.array(step_sizes(layout.channels, POP16_ALIGNMENT))
        at_row, at_column, at_channel = np.indices((len(rows), len(columns), len(channels))).reshape(3, -1)
        h, w, c = rows[at_row], columns[at_column], channels[at_channel]
        own = h * w * c
        fits = own * each <= limits.compartments
        if self.layer.subtract:
            fits &= own <= min(limits.input_axons, limits.output_axons)
        bits, axons, mean_bits = (np.zeros(len(h), np.int64) for _ in range(3))
        ranges_of_channels = -(-layout.channels // c)
        for synapses, forms, regular in self.windows:
            extents = self._extents(synapses, 0)[:, at_row], self._extents(synapses, 1)[:, at_column]
            width = max((form.weight_bits for form in forms.forms), default=0)
            a_channel, more_axons = _least(synapses, width, regular, extents, (w, c))
            mean_bits += a_channel * synapses.outputs
            if synapses.outputs == layout.channels:
                bits, axons = bits + a_channel * c, axons + more_axons
        fits &= (bits <= limits.synapse_bits) & (axons + own * self.layer.subtract <= limits.input_axons)
        count = -(-layout.rows // h) * -(-layout.columns // w) * ranges_of_channels
        hopeless = mean_bits > limits.synapse_bits * ranges_of_channels
        room = limits.output_axons - own * self.layer.subtract
        hopeless |= self.fanout.total > room * count
        kept = np.flatnonzero(fits)
        for at in kept[np.lexsort((bits[kept], count[kept]))]:
            yield Cut(layout, int(h[at]), int(w[at]), int(c[at])), bool(hopeless[at])

    def _extents(self, synapses: WindowSynapses, which: int) -> Array:
        """What some block has along an axis, for each size of a block: patterns, taps of them all, input positions.

        (3, sizes) int64.
        """
        axis, size = (
            (synapses.y, self.layer.layout.rows) if which == 0 else (synapses.x, self.layer.layout.columns)
        )
        if (axis, size) not in self._known_extents:
            self._known_extents[axis, size] = np.array(
                [_extent(axis, size, step) for step in step_sizes(size)]
            ).T
        return self._known_extents[axis, size]

    def tried(self, cut: Cut) -> CutLayer:
        """What the blocks of a cut need."""
        need = self._beside_windows(cut)
        fixed = [1] * len(self.layer.synapses)
        if need.exceeded(self.limits):
            return CutLayer(self.plan, cut, tuple(fixed), need)
        axons = replace(need, input_axons=need.input_axons + entry_axons(self.plan, cut))
        if axons.exceeded(self.limits):
            return CutLayer(self.plan, cut, tuple(fixed), axons)
        need += entry_need(self.plan, cut, self.limits)
        largest = Need()
        for block in self._distinct_blocks(cut):
            inner, widths = windows_need(self.plan, block, self.limits)
            largest |= inner
            fixed = [max(pair) for pair in zip(fixed, widths, strict=True)]
            if (need + largest).exceeded(self.limits):
                break
        return CutLayer(self.plan, cut, tuple(fixed), need + largest)

    def _beside_windows(self, cut: Cut) -> Need:
        """What a block needs at most for its neurons and for those that read them."""
        neurons = cut.rows * cut.columns * cut.channels
        own = neurons if self.layer.subtract else 0
        return Need(
            compartments=neurons * (2 if self.layer.subtract else 1),
            input_axons=own,
            output_axons=own + self.fanout.largest(cut),
            synapse_bits=reset_bits(self.plan, neurons, self.limits),
            synapse_formats=self.plan.formats,
            threshold_tables=_most_distinct(self._threshold, cut),
            compartment_profiles=_most_distinct(self._profile, cut),
        )

    def _distinct_blocks(self, cut: Cut) -> Iterator[Block]:
        """A block of every kind that windows distinguish."""
        layout = cut.layout
        rows = _distinct(self._axes[0], layout.rows, cut.rows)
        columns = _distinct(self._axes[1], layout.columns, cut.columns)
        for channel in self._distinct_channels(cut):
            for row in rows:
                for column in columns:
                    yield Block(*row, *column, *channel)

    @cached_property
    def _axes(self) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
        """How windows reach the rows and the columns, each way once."""
        return tuple(dict.fromkeys(s.y for s, _, _ in self.windows)), tuple(
            dict.fromkeys(s.x for s, _, _ in self.windows)
        )

    def _distinct_channels(self, cut: Cut) -> list[tuple[int, int]]:
        """A range of channels of every kind."""
        start, stop = np.array(cut.channel_ranges).T
        columns = [stop - start]
        for synapses, _, _ in self.windows:
            columns += reached_channels(synapses, start, stop)
        kinds: dict[bytes, tuple[int, int]] = {}
        for part, kind in zip(cut.channel_ranges, np.stack(columns, axis=1), strict=True):
            kinds.setdefault(kind.tobytes(), part)
        return list(kinds.values())

    @cached_property
    def _threshold(self) -> Array | None:
        """The number of the threshold of each neuron in the order of the layout, None where there is one for all."""
        return self._numbered(("threshold",))

    @cached_property
    def _profile(self) -> Array | None:
        """The same of its profile."""
        return self._numbered(PROFILE)

    def _numbered(self, registers: Sequence[str]) -> Array | None:
        """The number of the values of some registers."""
        held = [getattr(self.layer.neuron, name) for name in registers]
        if all(np.size(values) == 1 for values in held):
            return None
        neurons = self.layer.layout.neurons(np.arange(self.layer.layout.size))
        rows = np.stack([self.layer.values(values, neurons) for values in held], axis=-1)
        _, numbers = np.unique(rows, axis=0, return_inverse=True)
        return numbers.reshape(-1)


def _most_distinct(numbers: Array | None, cut: Cut) -> int:
    """The most distinct numbers of any block, given those of all neurons in the order of the layout."""
    if numbers is None:
        return 1
    block, _ = cut.located(np.arange(numbers.size))
    pairs = np.unique(block * (int(numbers.max()) + 1) + numbers)
    return int(np.bincount(pairs // (int(numbers.max()) + 1)).max())


def _extent(axis: Axis, size: int, step: int) -> tuple[int, int, int]:
    """What some part of ``step`` positions has along an axis: patterns, taps of them all, input positions."""
    reached = [reach(axis, *part) for part in _distinct((axis,), size, step)]
    largest = max(reached, key=lambda kind: sum(len(steps) for steps in kind.steps))
    taps = sum(len(steps) for steps in largest.steps)
    return len(largest.steps), taps, max(len(kind.inputs) for kind in reached)


def _least(
    synapses: WindowSynapses,
    weight_bits: int,
    regular: bool,
    extents: tuple[Array, Array],
    sizes: tuple[Array, Array],
) -> tuple[Array, Array]:
    """Bits a reached channel and input axons that blocks of ``sizes`` (columns, channels) need at least."""
    w, c = sizes
    (down, taps_down, inputs_down), (_, taps_across, inputs_across) = extents
    per_group = len(synapses.live) // synapses.groups
    indexed = (taps_down - down) * np.where(w > synapses.x.kernel, INDEX_BITS[0], 0)
    bits = (taps_down * weight_bits + indexed) * taps_across * per_group
    groups = -(-c // (synapses.outputs // synapses.groups))
    axons = inputs_down * inputs_across * (1 if regular else groups * per_group)
    return bits, axons


@lru_cache(maxsize=1024)
def _distinct(axes: tuple[Axis, ...], size: int, step: int) -> tuple[tuple[int, int], ...]:
    """A (start, stop) of every kind of part along an axis."""
    kinds: dict[object, tuple[int, int]] = {}
    for start, stop in ranges(size, step):
        keys = tuple((reach(axis, start, stop).key, len(reach(axis, start, stop).inputs)) for axis in axes)
        kinds.setdefault((stop - start, keys), (start, stop))
    return tuple(sorted(kinds.values(), key=lambda part: (part[0] - part[1], part[0] == 0)))


def too_large(layer: LoihiLayer, need: Need, limits: LoihiLimits) -> MappingError:
    """The error for a layer that does not fit however it is cut."""
    limit = need.exceeded(limits)
    assert limit is not None
    used, available = getattr(need, limit), getattr(limits, limit)
    remedies = {
        "compartments": "reset to zero instead of by subtraction",
        "input_axons": "give each neuron fewer inputs: a smaller layer in front of it, or groups",
        "output_axons": "split the layer that reads it, or put a smaller layer between them",
        "synapse_bits": "fewer weight bits (--weight-bits 4), fewer inputs, or groups",
        "synapse_formats": "fewer projections into one layer",
        "threshold_tables": "one threshold a layer instead of one a channel",
        "compartment_profiles": "fewer different decays and refractory periods",
    }
    return MappingError(
        "T110",
        f"however it is cut, it would take {used} for a core's {NEEDS[limit]}, {used / available:.2f} times the"
        f" {available} there are",
        node=layer.node.name,
        source=layer.node.source,
        remedy=remedies[limit],
    )
