"""What blocks of a layer need of a core: input axons and synaptic memory of what reaches them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.targets.tiling import reach

from .blocks import (
    POP16_ALIGNMENT,
    Block,
    Cut,
    Need,
    dense_patterns,
    entry_index_bits,
    entry_lists,
    index_bits,
    patterns,
    slot_width,
    window_bits,
)
from .limits import LoihiLimits
from .plan import LayerPlan
from .synapses import index_bits_for
from .windows import EntrySynapses, WindowSynapses


def reset_bits(plan: LayerPlan, neurons: int, limits: LoihiLimits, offset: int = 0) -> int:
    """Synaptic memory of the inhibition of ``neurons`` neurons: a list a charge and 256 compartments."""
    if plan.reset_form is None:
        return 0
    assert plan.layer.neuron is not None and plan.layer.neuron.reset_charge is not None
    versions = -(-neurons // limits.compartment_bases)
    bits = index_bits_for((versions - 1) * limits.compartment_bases + offset)
    each = replace(plan.reset_form, index_bits=bits).list_bits(1)
    return min(len(np.unique(plan.layer.neuron.reset_charge)) * versions, neurons) * each


def entry_axons(plan: LayerPlan, cut: Cut) -> int:
    """Input axons of a layer's entry synapses, the largest number of any block."""
    total = 0
    for synapses in plan.layer.synapses:
        if isinstance(synapses, EntrySynapses) and len(synapses.values):
            block, _ = cut.located(synapses.targets)
            width = int(synapses.columns.max()) + 1
            pairs = np.sort(block * width + synapses.columns)
            first = np.append(True, np.diff(pairs) != 0)
            total += int(np.bincount(pairs[first] // width).max())
    return total


def entry_need(plan: LayerPlan, cut: Cut, limits: LoihiLimits, offset: int = 0) -> Need:
    """Input axons and memory of the entry synapses, the largest of any block; ``offset`` as in ``windows_need``."""
    need = Need()
    for synapses, forms in zip(plan.layer.synapses, plan.forms, strict=True):
        if not isinstance(synapses, EntrySynapses) or not len(synapses.values):
            continue
        lists = entry_lists(synapses, forms, cut, limits.compartment_bases)
        width = plan.index_bits or entry_index_bits(lists, offset)
        kept = lists.same == np.arange(len(lists.same))
        bits = np.zeros(len(kept), np.int64)
        for number, form in enumerate(forms.forms):
            sizes, where = np.unique(np.diff(lists.start), return_inverse=True)
            wide = replace(form, index_bits=width)
            each = np.array([wide.list_bits(int(size)) for size in sizes])[where.reshape(-1)]
            bits = np.where(lists.form == number, each, bits)
        memory = np.bincount(lists.block[kept], bits[kept])
        need += Need(input_axons=int(np.bincount(lists.block).max()), synapse_bits=int(memory.max()))
    return need


def windows_need(
    plan: LayerPlan, block: Block, limits: LoihiLimits, offset: int = 0, first_slot: int = 0
) -> tuple[Need, tuple[int, ...]]:
    """Input axons and memory of a block's window synapses, and the width of each synapses' population axons.

    ``offset`` and ``first_slot`` are the first compartment and hardware axon of the block on its core.
    """
    axons, memory, widths = 0, 0, [1] * len(plan.layer.synapses)
    for number, synapses in enumerate(plan.layer.synapses):
        if isinstance(synapses, WindowSynapses) and _reaches(synapses, block):
            slots, bits, widths[number] = _window_need(
                plan, number, synapses, block, limits, offset, first_slot + axons
            )
            axons, memory = axons + slots, memory + bits
    return Need(input_axons=axons, synapse_bits=memory), tuple(widths)


def _reaches(synapses: WindowSynapses, block: Block) -> bool:
    """Whether a block has some of the channels that synapses lead to."""
    low = synapses.channel_offset
    return block.first_channel < low + synapses.outputs and block.last_channel > low


def _window_need(
    plan: LayerPlan,
    number: int,
    synapses: WindowSynapses,
    block: Block,
    limits: LoihiLimits,
    offset: int,
    first_slot: int,
) -> tuple[int, int, int]:
    """Input axons, bits of memory and width of the population axons of one projection."""
    source, forms, shared = plan.sources[number].layout, plan.forms[number], plan.slots[number]
    y, x = reach(synapses.y, block.top, block.bottom), reach(synapses.x, block.left, block.right)
    lists = plan.channel_lists(number, block.first_channel, block.last_channel)
    if not (len(lists.channels) and len(y.inputs) and len(x.inputs)):
        return 0, 0, 1
    block_patterns = patterns(y, x, block.columns, block.channels, limits.compartment_bases)
    dense = dense_patterns(block_patterns, lists, plan.dense[number], limits.compartment_bases, offset)
    width = plan.index_bits or index_bits(block_patterns, lists, dense, block.channels, offset)
    bits = window_bits(block_patterns, lists, forms, dense, width)
    slots = block_patterns.base.size * len(lists.channels if shared is None else lists.shares)
    slot = 1
    if shared is not None and np.bincount(lists.share).max() > 1:
        aligned = not (block_patterns.base % POP16_ALIGNMENT).any()
        slot = slot_width(first_slot, slots, source.atom_bits, aligned)
    return slots, bits, slot
