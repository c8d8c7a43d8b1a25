"""Passes that are put into a target's own pipeline: which, and beside which other one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import UsageError
from .pass_text import made_pass, read_passes
from .pipeline import Pass


@dataclass(frozen=True)
class Insertion:
    """A pass and its place.

    Attributes:
        step: the pass.
        before: name of the pass in front of which it runs; of several the first.
        after: name of the pass behind which it runs, of several the last; one of the two is given.

    Raises UsageError U106 unless exactly one is given.
    """

    step: Pass
    before: str | None = None
    after: str | None = None

    def __post_init__(self) -> None:
        if (self.before is None) == (self.after is None):
            raise UsageError(
                "U106",
                f"it is not said beside which pass {self.step.name} is to run",
                remedy=f"write {self.step.name}{{after=NAME}} or {self.step.name}{{before=NAME}}",
            )

    def into(self, passes: Sequence[Pass]) -> tuple[Pass, ...]:
        """The passes with this one; raises UsageError U106 if the one beside it is not there."""
        names = [step.name for step in passes]
        beside = str(self.before or self.after)
        if beside not in names:
            raise UsageError(
                "U106",
                f"{self.step.name} is to run beside {beside}, which does not run",
                details=(f"order: {', '.join(names)}",),
                remedy="choose from the passes that run",
            )
        first, behind_last = names.index(beside), len(names) - names[::-1].index(beside)
        place = behind_last if self.before is None else first
        return (*passes[:place], self.step, *passes[place:])


def with_insertions(passes: Iterable[Pass], insertions: Iterable[Insertion]) -> tuple[Pass, ...]:
    """The passes with the insertions, one after the other: a later one may stand beside an earlier one."""
    result = tuple(passes)
    for insertion in insertions:
        result = insertion.into(result)
    return result


def parse_insertions(text: str) -> tuple[Insertion, ...]:
    """The insertions of a text, ``name{option=value,after=name},...``; raises UsageError U101 to U104 and U106."""
    insertions = []
    for kind, words in read_passes(text):
        before, after = words.pop("before", None), words.pop("after", None)
        insertions.append(Insertion(made_pass(kind, words), before, after))
    return tuple(insertions)
