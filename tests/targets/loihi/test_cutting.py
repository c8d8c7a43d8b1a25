"""The parts of cutting against plain sums, and layers that are alike against layers looked at anew."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.targets.loihi.blocks import Cut, entry_lists, reached_channels
from snnc.targets.loihi.fanout import Fanout
from snnc.targets.loihi.formats import ListForms
from snnc.targets.loihi.layout import Layout
from snnc.targets.loihi.windows import EntrySynapses


@given(st.integers(0, 2**32), st.integers(1, 1100), st.integers(1, 4), st.integers(1, 5))
def test_the_largest_fan_out_is_that_of_a_block_counted_by_itself(
    seed: int, channels: int, rows: int, columns: int
) -> None:
    rng = np.random.default_rng(seed)
    layout = Layout(channels, rows, columns)
    sets = -(-channels // layout.atoms)
    fanout = Fanout(rng.integers(0, 9, (sets, rows, columns)), rng.integers(0, 9, (channels, rows, columns)))
    cut = Cut(layout, *(int(rng.integers(1, n + 1)) for n in (rows, columns, channels)))
    expected = 0
    for block in cut.blocks():
        chosen = slice(block.top, block.bottom), slice(block.left, block.right)
        met = {channel // layout.atoms for channel in range(block.first_channel, block.last_channel)}
        shared = sum(int(fanout.groups[number][chosen].sum()) for number in met)
        single = int(fanout.single[block.first_channel : block.last_channel][(slice(None), *chosen)].sum())
        expected = max(expected, shared + single)
    assert fanout.largest(cut) == expected
    assert fanout.total == fanout.groups.sum() + fanout.single.sum()


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 12))
def test_entries_are_a_list_for_each_input_and_block(seed: int, entries: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    cut = Cut(Layout(12, 2, 2), 1, 2, channels)
    columns, targets = rng.integers(0, 3, entries), rng.integers(0, 48, entries)
    synapses = EntrySynapses(
        source=0,
        ticks=0,
        columns=columns,
        neurons=columns + 5,
        targets=targets,
        values=rng.integers(1, 9, entries),
    )
    block, local = cut.located(targets)
    expected: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for index in range(entries):
        key = int(block[index]), int(columns[index])
        expected.setdefault(key, []).append((int(local[index]), int(synapses.values[index])))
    lists = entry_lists(synapses, ListForms((), np.zeros(3, np.int64)), cut, 256)
    listed = {}
    for number, (first, last) in enumerate(zip(lists.start[:-1], lists.start[1:], strict=True)):
        compartments = lists.relative[first:last] + lists.base[number] + lists.shift[number]
        key = int(lists.block[number]), int(lists.neuron[number]) - 5
        listed[key] = list(zip(compartments.tolist(), lists.values[first:last].tolist(), strict=True))
    assert listed == {key: sorted(values) for key, values in expected.items()}


@pytest.mark.parametrize("channels", [31, 32, 33, 1000])
def test_atoms_of_a_layer_without_space_take_no_bit_of_the_axons_number(channels: int) -> None:
    """Of a pop16 axon 5 bits are free for atoms (nengo-loihi)."""
    layout = Layout(channels)
    assert layout.atom_bits <= 5
    assert layout.groups == -(-channels // 32)


@given(st.integers(0, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 12), st.integers(1, 9))
def test_channels_that_a_map_reaches(offset: int, share: int, groups: int, start: int, size: int) -> None:
    """A map whose ``share * groups`` outputs begin at channel ``offset``, and the channels of a block."""
    synapses = SimpleNamespace(channel_offset=offset, outputs=share * groups, groups=groups)
    reached = [c for c in range(start, start + size) if offset <= c < offset + share * groups]
    in_group, in_block, count = reached_channels(synapses, np.array([start]), np.array([start + size]))  # type: ignore[arg-type]
    assert count.tolist() == [len(reached)]
    if reached:
        assert in_block.tolist() == [reached[0] - start]
        assert in_group.tolist() == [(reached[0] - offset) % share if groups > 1 else 0]
