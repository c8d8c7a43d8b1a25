"""Sum the weights of a core's crossbar over the axons that have a spike: by tables of axons, or by counting bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import int16, int32, int64, uint64

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count, lowest_bit
from snnc.kernels.jit import inner_kernel, kernel

NEURONS = 256
WORDS = 4
"""64-bit words of a core's axons, or of its neurons."""
TYPES = 4
GROUP, PATTERNS = 4, 16
"""Axons whose sums share a table, and their sets."""


class AxonSetSums(NamedTuple):
    """Sums of one core over the sets of every four neighbouring axons, each made when it is first asked for.

    The axons of an input line are neighbours and active together, so most spikes of a tick share an addition.

    Attributes:
        sums: (1024, 256) int16; row 16 g + p holds, for every neuron, the weights of those of the axons 4 g to
            4 g + 3 whose bits are set in p.
        synapses: (1024,) int32, how many synapses these are; -1 for a row that is not made yet.
        halves: (2, 256) int16, sums over axons below 128 and from 128 on: 128 weights of 9 bits fit 16 bits.
    """

    sums: Array
    synapses: Array
    halves: Array


@kernel
def empty_table() -> AxonSetSums:
    """A table without rows."""
    rows = NEURONS // GROUP * PATTERNS
    return AxonSetSums(
        np.zeros((rows, NEURONS), int16), np.full(rows, -1, int32), np.zeros((2, NEURONS), int16)
    )


@inner_kernel
def add_axon(sums: Array, row: int64, reaching: Array, axon: int64, weight: Array, kind: int) -> int64:
    """Add the weights of the neurons that an axon reaches to a row of a table; how many these are."""
    word, shift, reached = axon >> 6, uint64(axon & 63), int64(0)
    for i in range(NEURONS):
        bit = (reaching[word, i] >> shift) & uint64(1)
        sums[row, i] = int16(sums[row, i] + int16(bit) * int16(weight[kind, i]))
        reached += int64(bit)
    return reached


@inner_kernel
def make_row(
    sums: Array, synapses: Array, row: int64, reaching: Array, axon_type: Array, weight: Array
) -> int64:
    """Fill in a row of a table; how many synapses it holds."""
    first, count = (row >> 4) * GROUP, int64(0)
    for i in range(NEURONS):
        sums[row, i] = 0
    for number in range(GROUP):
        if row >> number & 1:
            axon = first + number
            count += add_axon(sums, row, reaching, axon, weight, axon_type[axon])
    synapses[row] = count
    return count


@inner_kernel
def add_row(halves: Array, half: int, sums: Array, row: int64, neurons: int) -> None:
    """Add a row of a table to one half."""
    for i in range(neurons):
        halves[half, i] = int16(halves[half, i] + sums[row, i])


@inner_kernel
def add_up(
    table: AxonSetSums,
    neurons: int,
    reaching: Array,
    axon_type: Array,
    weight: Array,
    active: Array,
    into: Array,
) -> int64:
    """Set ``into`` to the deterministic synaptic input of a core by its table; how many synapses were read.

    The loops index whole arrays: a slice in a loop costs two atomic changes of its reference count.

    Args:
        table: of the core.
        neurons: the first ones of the core are wanted.
        reaching: (4, 256) uint64, the core's.
        axon_type: (256,) uint8.
        weight: (4, 256) int32 by type.
        active: (4,) uint64, the axons with a spike.
        into: (256,) int32.
    """
    sums, synapses, halves, operations = table.sums, table.synapses, table.halves, int64(0)
    for i in range(neurons):
        halves[0, i] = halves[1, i] = 0
    for word in range(WORDS):
        left = active[word]
        while left:
            shift = lowest_bit(left) & uint64(64 - GROUP)
            pattern = (left >> shift) & uint64(PATTERNS - 1)
            left ^= pattern << shift
            row = 256 * word + int64((shift << uint64(2)) | pattern)
            count = int64(synapses[row])
            if count < 0:
                count = make_row(sums, synapses, row, reaching, axon_type, weight)
            operations += count
            add_row(halves, word >> 1, sums, row, neurons)
    for i in range(neurons):
        into[i] = int32(halves[0, i]) + int32(halves[1, i])
    return operations


@inner_kernel
def count_up(
    neurons: int, reaching: Array, type_axons: Array, weight: Array, active: Array, into: Array
) -> int64:
    """As ``add_up``, by counting bits instead of a table; ``type_axons`` (4, 4) uint64, the axons of each type."""
    operations = int64(0)
    for i in range(neurons):
        into[i] = 0
    for word in range(WORDS):
        for kind in range(TYPES):
            arrived = active[word] & type_axons[kind, word]
            if arrived:
                operations += add_counts(into, neurons, reaching, word, arrived, weight, kind)
    return operations


@inner_kernel
def add_counts(
    into: Array, neurons: int, reaching: Array, word: int, active: uint64, weight: Array, kind: int
) -> int64:
    """Add weight * (number of ``active`` axons of a word that reach the neuron); synapses counted."""
    operations = int64(0)
    for i in range(neurons):
        count = bit_count(reaching[word, i] & active)
        operations += int64(count)
        into[i] += int32(count) * weight[kind, i]
    return operations


@inner_kernel
def turned(block: uint64) -> uint64:
    """8 rows of 8 bits transposed: bit 8 r + c becomes bit 8 c + r (Warren, Hacker's Delight, section 7-3)."""
    swap = (block ^ (block >> uint64(7))) & uint64(0x00AA00AA00AA00AA)
    block ^= swap ^ (swap << uint64(7))
    swap = (block ^ (block >> uint64(14))) & uint64(0x0000CCCC0000CCCC)
    block ^= swap ^ (swap << uint64(14))
    swap = (block ^ (block >> uint64(28))) & uint64(0x00000000F0F0F0F0)
    return block ^ swap ^ (swap << uint64(28))


@inner_kernel
def transpose(crossbar: Array, reaching: Array) -> None:
    """Write crossbars (cores, 256 axons, 32) uint8 to ``reaching`` (cores, 4, 256) uint64, which is zero before.

    Bit a % 64 of word a / 64 of a neuron says whether axon a reaches it.
    """
    for core in range(crossbar.shape[0]):
        for eight in range(crossbar.shape[1] // 8):
            for byte in range(crossbar.shape[2]):
                block = uint64(0)
                for axon in range(8):
                    block |= uint64(crossbar[core, 8 * eight + axon, byte]) << uint64(8 * axon)
                if block:
                    block = turned(block)
                    for place in range(8):
                        axons = (block >> uint64(8 * place)) & uint64(255)
                        reaching[core, eight >> 3, 8 * byte + place] |= axons << uint64(8 * (eight & 7))


@inner_kernel
def pack_bits(fired: Array, neurons: int, into: Array) -> None:
    """Write bytes of 0 or 1, a multiple of 64, as words of bits."""
    for word in range(neurons >> 6):
        bits = uint64(0)
        for place in range(64):
            bits |= uint64(fired[64 * word + place]) << uint64(place)
        into[word] = bits


@inner_kernel
def bits_of(words: Array) -> int64:
    """Number of set bits of four words."""
    return int64(bit_count(words[0]) + bit_count(words[1]) + bit_count(words[2]) + bit_count(words[3]))
