"""The parts of cutting against plain sums, and layers that are alike against layers looked at anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snnc.targets.loihi.blocks import Cut
from snnc.targets.loihi.fanout import Fanout
from snnc.targets.loihi.layout import Layout


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
