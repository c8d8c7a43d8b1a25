"""Printed figures against those that a document shows: what may differ, and by how much.

The same seeded run on integers gives the same integers everywhere, and an energy is counts times constants. Still, a
scale that was chosen by floating point may round otherwise on another processor, and move what follows by a little.

1. The words are the same, whatever the spaces between them.
2. Whole numbers below 1,000 (cores, chips, nodes, ticks, classes, bits) are the same.
3. Other numbers differ by at most 2 %, or by one unit of the last digit shown; those with a % sign by two points.
4. Two kinds say nothing that would be the same elsewhere, and are masked: errors of passes, which are rounding and
   stand in scientific notation (``1.4e-07``), and wall-clock times (``12.3 s``, ``0.4 seconds``). Simulated times
   that the documents show are shorter, and have units of their own (ms, µs, ns).
"""

from __future__ import annotations

import re
from itertools import zip_longest

TOLERANCE = 0.02
"""Relative, of numbers that are not small whole numbers."""

POINTS = 2.0
"""Of a percentage."""

NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w])")
MASKED = re.compile(r"\d\.\d+e[-+]\d+|\d[\d.]*(?= (?:s|seconds)\b)")


def difference(shown: str, printed: str) -> str:
    """The first place where two texts differ by more than they may; empty if there is none."""
    one, other = (_pieces(MASKED.sub("#", " ".join(text.split()))) for text in (shown, printed))
    for place, (left, right) in enumerate(zip_longest(one, other, fillvalue="")):
        percent = all(
            text[place + 1 :][:1] and text[place + 1].startswith((" %", "%")) for text in (one, other)
        )
        if not _alike(left, right, percent=percent):
            return f"the document shows {left!r}, the command prints {right!r}, behind {''.join(one[:place])[-80:]!r}"
    return ""


def _pieces(text: str) -> list[str]:
    """Numbers and what stands between them, in turn."""
    pieces, end = [], 0
    for match in NUMBER.finditer(text):
        pieces += [text[end : match.start()], match.group()]
        end = match.end()
    return [*pieces, text[end:]]


def _alike(shown: str, printed: str, *, percent: bool) -> bool:
    if shown == printed:
        return True
    if not (NUMBER.fullmatch(shown) and NUMBER.fullmatch(printed)):
        return False
    one, other = (float(text.replace(",", "")) for text in (shown, printed))
    if percent:
        return abs(one - other) <= POINTS
    if "." not in shown + printed and max(abs(one), abs(other)) < 1000:
        return False
    return abs(one - other) <= max(TOLERANCE * abs(one), _last_digit(shown)) * (1 + 1e-9)


def _last_digit(text: str) -> float:
    """One unit of the last digit shown."""
    return float(10.0 ** -len(text.partition(".")[2]))
