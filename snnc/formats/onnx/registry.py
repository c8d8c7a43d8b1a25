"""The table of ONNX operators that can be converted, filled by a decorator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Handler = Callable[..., Any]
_Registered = TypeVar("_Registered", bound=Handler)


class Refusal(Exception):  # noqa: N818 - it is the outcome of a node, collected and reported with others
    """Raised by a handler for a node that cannot be converted.

    Args:
        why: what is in the way, without the node's name.
        remedy: what the user can do.
        batch: whether it would do with the batch axis fixed at one sample.
    """

    def __init__(self, why: str, remedy: str, *, batch: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.batch = batch


@dataclass(frozen=True)
class Entry:
    """A handler and the opset versions it reads.

    Attributes:
        since, until: first and last opset, ``until`` None for the newest.
        handler: called with the builder, the node's inputs (None for an input left out) and its attributes as
            keywords; returns a value, or a tuple of values for several outputs.
    """

    since: int
    until: int | None
    handler: Handler


_ENTRIES: dict[str, list[Entry]] = {}


def operator(name: str, since: int = 1, until: int | None = None) -> Callable[[_Registered], _Registered]:
    """Register a handler for an operator of ONNX's own domain and a range of opset versions."""

    def register(handler: _Registered) -> _Registered:
        _ENTRIES.setdefault(name, []).append(Entry(since, until, handler))
        return handler

    return register


def find_handler(name: str, opset: int) -> Handler | None:
    """The handler of an operator at an opset, or None."""
    for entry in _ENTRIES.get(name, ()):
        if entry.since <= opset and (entry.until is None or opset <= entry.until):
            return entry.handler
    return None


def supported_operators() -> tuple[str, ...]:
    """Names of the ONNX operators that have a handler."""
    return tuple(sorted(_ENTRIES))
