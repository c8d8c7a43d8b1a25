"""Programs as plain data: what is packed comes back, and what makes no program is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pytest

from snnc.errors import ArtifactError
from snnc.formats.packed import Packed
from snnc.graph import Graph, Input, Output
from snnc.graph.operators.base import Array
from snnc.targets.serialise import packed, unpacked


class Kind(Enum):
    ONE = "one"


@dataclass(frozen=True, eq=False)
class Part:
    values: Array
    either: int | Array


@dataclass(frozen=True, eq=False)
class Whole:
    parts: tuple[Part, ...]
    graphs: tuple[Graph, Graph]
    kind: Kind
    name: str | None


GRAPH = Graph("g").add("in", Input((2,))).add("out", Output(scale=np.array([1.0, 2.0])), "in")
WHOLE = Whole(
    (Part(np.arange(3), np.array(4)), Part(np.zeros((0, 2)), np.array([5]))), (GRAPH, GRAPH), Kind.ONE, None
)


def test_what_is_packed_comes_back() -> None:
    data = packed(WHOLE)
    again = unpacked(Whole, Packed(json.loads(json.dumps(data.header)), data.arrays))
    assert [part.values.tolist() for part in again.parts] == [[0, 1, 2], []]
    assert [part.values.dtype for part in again.parts] == [np.int64, np.float64]
    assert [np.asarray(part.either).tolist() for part in again.parts] == [4, [5]]
    assert str(again.graphs[1]) == str(GRAPH)
    assert (again.kind, again.name) == (Kind.ONE, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parts", 3),
        ("parts", [{"values": {"array": "nowhere"}, "either": {"array": "0"}}]),
        ("parts", [{"values": {"array": "0"}, "either": "text"}]),
        ("graphs", [{"graph": "0", "header": {}}] * 2),
        ("graphs", []),
        ("kind", "two"),
        ("name", 5),
    ],
)
def test_what_makes_no_program_is_refused(field: str, value: object) -> None:
    data = packed(WHOLE)
    with pytest.raises(ArtifactError, match="A122"):
        unpacked(Whole, Packed({**data.header, field: value}, data.arrays))


def test_arrays_are_numbers() -> None:
    data = packed(WHOLE)
    with pytest.raises(ArtifactError, match="no array of numbers"):
        unpacked(Whole, Packed(data.header, {**data.arrays, "parts/values/0": np.array(["a"])}))
