"""What the comparison of shown with printed figures lets pass, and what not."""

from __future__ import annotations

import pytest
from shown_figures import difference

SHOWN = """
/2/Relu     896  77 %  error 1.4e-07
energy a sample 1.086 mJ, accuracy 94.40 %, spikes 149,286, done in 12.3 s
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("     896", " 896"),
        ("1.4e-07", "9.9e-08"),
        ("12.3 s", "0.1 s"),
        ("1.086", "1.100"),
        ("149,286", "151,000"),
        ("94.40", "93.00"),
        ("94.40", "96.39"),
        ("77 %", "78 %"),
    ],
)
def test_what_other_processors_may_do_passes(old: str, new: str) -> None:
    assert old in SHOWN
    assert not difference(SHOWN, SHOWN.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("896", "897"),
        ("/2/", "/3/"),
        ("1.086", "1.110"),
        ("1.086", "0.543"),
        ("149,286", "152,300"),
        ("94.40", "92.30"),
        ("77 %", "80 %"),
        ("mJ", "µJ"),
        ("spikes", "events"),
        (", done", ""),
        ("12.3 s", "12.3 s\nmore"),
        ("12.3 s\n", "12.3 s, 5"),
    ],
)
def test_what_is_another_result_does_not(old: str, new: str) -> None:
    assert old in SHOWN
    assert difference(SHOWN, SHOWN.replace(old, new))


def test_the_last_digit_may_be_rounded_either_way() -> None:
    assert not difference("0.02 of 1", "0.03 of 1")
    assert difference("0.02 of 1", "0.04 of 1")
