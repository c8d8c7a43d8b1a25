"""A fault planted in the compiler itself is found when a network is compiled, and by which proof.

Each fault is one that its authors could make: an order turned round, a term forgotten, a neighbour's value. The same
networks compile without it. Three proofs find them: P002 compares sums before and after a pass, T2xx and T4xx check the
program's lists against the network, T007 runs the packed program beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import snnc
from snnc.errors import SnncError
from snnc.formats.packed import Packed
from snnc.graph import Graph, Input, Output, Readout, composition, projections
from snnc.graph.neurons import IF, Reset, SpikeSource
from snnc.graph.operators import AvgPool, Conv, Delay, Flatten, Linear, QuantiseCurrent, Transpose
from snnc.graph.operators.index_map import IndexMap, ListedMap
from snnc.graph.projections import Drive
from snnc.targets.chip import Chip
from snnc.targets.loihi import allocate, network
from snnc.targets.loihi import lower as loihi_lower
from snnc.targets.loihi.compartment import LoihiCompartment
from snnc.targets.schedule import Schedule
from snnc.targets.truenorth import core_packing as truenorth_pack
from snnc.targets.truenorth import lower as truenorth_lower
from snnc.targets.truenorth.axon_types import SubsetSums
from snnc.targets.truenorth.neuron import TrueNorthNeuron

SHAPE = (2, 6, 5)
CALIBRATION = (np.random.default_rng(1).random((4, *SHAPE)) < 0.6).astype(np.float32)


def body(graph: Graph, neuron: Callable[[int], Any], unit: int) -> Graph:
    """Convolutions and a transposition behind ``first``, and a cycle with a delay that hears ``first`` too."""
    random = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return random.integers(-1, 2, shape) * unit

    return (
        graph.add("conv", Conv(weights(3, 2, 3, 3), None, (1, 1), ((1, 1), (1, 1))), "first")
        .add("second", neuron(1), "conv")
        .add("turned", Transpose((1, 0, 2)), "second")
        .add("conv2", Conv(weights(4, 6, 3, 3), None, (1, 1), ((1, 0), (1, 1))), "turned")
        .add("third", neuron(2), "conv2")
        .add("flat", Flatten(), "third")
        .add("dense", Linear(weights(5, 40)), "flat")
        .add("early", Flatten(), "first")
        .add("side", Linear(weights(5, 60)), "early")
        .add("late", Delay(2), "back")
        .add("back", Linear(weights(5, 5)), "last")
        .add("last", neuron(3), "dense", "side", "late")
        .add("out", Output(Readout.COUNT), "last")
    )


def for_loihi() -> Graph:
    def neuron(threshold: int, **changes: Any) -> LoihiCompartment:
        charge = np.array(64 * 20 * threshold)
        return LoihiCompartment(charge, Reset.SUBTRACT, charge, initial_voltage=charge // 2, **changes)

    graph = Graph("for loihi").add("x", Input(SHAPE)).add("current", QuantiseCurrent(900.0), "x")
    return body(graph.add("first", neuron(1, driven=True), "current"), neuron, 64 * 20)


def for_truenorth() -> Graph:
    def neuron(threshold: int) -> TrueNorthNeuron:
        return TrueNorthNeuron(np.array(threshold), np.array(10))

    return body(Graph("for truenorth").add("x", Input(SHAPE)).add("first", SpikeSource(), "x"), neuron, 1)


def of_maps_in_a_row() -> Graph:
    """Real weights: a convolution and a pooling that a pass makes one."""
    weight = np.random.default_rng(3).normal(size=(3, 2, 2, 2))
    graph = Graph("maps").add("x", Input(SHAPE)).add("first", SpikeSource(), "x")
    graph = graph.add("conv", Conv(weight), "first").add("pool", AvgPool((2, 2)), "conv")
    return graph.add("n", IF(np.array(1.0)), "pool").add("out", Output(Readout.COUNT), "n")


def compiled(target: str, graph: Graph) -> snnc.Compiled:
    passes = () if graph.level.value == "integer" else None
    return snnc.compile(graph, target, passes=passes, ticks=8, calibration=CALIBRATION)


NETWORKS = {"loihi": for_loihi, "truenorth": for_truenorth, "maps": of_maps_in_a_row}


@pytest.mark.parametrize("name", NETWORKS)
def test_without_a_fault(name: str) -> None:
    found = compiled("loihi" if name == "maps" else name, NETWORKS[name]())
    assert found.records[-1].error == 0.0
    spikes = found.run(CALIBRATION, record=("spikes",)).spikes
    assert all(0.02 < train.mean() < 0.98 for train in spikes.values()), {
        k: v.mean() for k, v in spikes.items()
    }


@dataclass(frozen=True)
class Fault:
    """A planted fault.

    Attributes:
        place: module or class, and the name of the function in it.
        change: what becomes of its result.
        network: that is compiled, by its name in ``NETWORKS``.
        code: of the error that stops the compilation.
    """

    place: tuple[Any, str]
    change: Callable[[Any], Any]
    network: str
    code: str


def turned(entries: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Rows, columns and values with the values in reversed order."""
    return (*entries[:2], entries[2][::-1])


def with_arrays(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Packed], Packed]:
    """All arrays whose names end so changed."""
    return lambda packed: replace(
        packed,
        arrays={key: change(array) if key.endswith(name) else array for key, array in packed.arrays.items()},
    )


def with_tiles(**changes: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], Any]:
    """Columns of all tiles of a Loihi program changed."""

    def change(made: tuple[Any, Any]) -> tuple[Any, Any]:
        tiles, memories = made
        columns = [{name: each(getattr(tile, name)) for name, each in changes.items()} for tile in tiles]
        return tuple(replace(tile, **own) for tile, own in zip(tiles, columns, strict=True)), memories

    return change


def with_two_swapped(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[1::-1], values[2:]])


def without_delays(drive: Drive) -> Drive:
    return replace(drive, projections=tuple(replace(each, delay=0) for each in drive.projections))


def without_the_last(drive: Drive) -> Drive:
    return replace(drive, projections=drive.projections[: max(len(drive.projections) - 1, 1)])


def with_values_of_neighbours(sums: SubsetSums) -> SubsetSums:
    return replace(sums, values=np.roll(sums.values, 1, axis=1))


def with_double_current(made: tuple[Graph, Any]) -> tuple[Graph, Any]:
    edit = made[0].edit()
    edit.set("current", operator=QuantiseCurrent(1800.0))
    return edit.done(), made[1]


def of_the_neighbour(values: np.ndarray) -> np.ndarray:
    return np.roll(values, 1)


def upside_down(bits: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(bits[..., ::-1])


def reversed_map(moved: IndexMap) -> IndexMap:
    return ListedMap(np.flip(moved.indices), moved.in_shape, moved.shape)


def later(ticks: int) -> int:
    return ticks + 1


FAULTS = {
    # The algebra of linear maps.
    "entries of a convolution": Fault((composition, "_conv_entries"), turned, "truenorth", "T403"),
    "index map of a transposition": Fault((Transpose, "index_map"), reversed_map, "loihi", "T203"),
    "the same elsewhere": Fault((Transpose, "index_map"), reversed_map, "truenorth", "T403"),
    "a rule of composition": Fault((composition, "_joined_weight"), np.flip, "maps", "P002"),
    "a branch": Fault((projections, "summed"), without_the_last, "loihi", "T203"),
    "a branch elsewhere": Fault((projections, "summed"), without_the_last, "truenorth", "T403"),
    # Lowering.
    "mantissas": Fault((allocate, "mantissas"), np.flip, "loihi", "T203"),
    "offsets of runs": Fault(
        (allocate.WindowPool, "built"),
        lambda lists: replace(lists, weight=np.roll(lists.weight, 1)),
        "loihi",
        "T203",
    ),
    "first targets of runs": Fault(
        (allocate.WindowPool, "built"),
        lambda lists: replace(lists, first=np.roll(lists.first, 1)),
        "loihi",
        "T206",
    ),
    "sources of axons": Fault(
        (loihi_lower, "allocate"), with_tiles(axon_neuron=with_two_swapped), "loihi", "T204"
    ),
    "thresholds": Fault((loihi_lower, "allocate"), with_tiles(threshold=later), "loihi", "T201"),
    "start potentials": Fault((loihi_lower, "allocate"), with_tiles(initial_voltage=later), "loihi", "T201"),
    "numbers of neurons": Fault((loihi_lower, "allocate"), with_tiles(neurons=np.flip), "loihi", "T204"),
    "values of axon types": Fault(
        (truenorth_pack, "subset_sums"), with_values_of_neighbours, "truenorth", "T403"
    ),
    "held potentials": Fault(
        (truenorth_lower, "_held_potentials"),
        lambda held: {name: value + 1 for name, value in held.items()},
        "truenorth",
        "T401",
    ),
    "the host's share": Fault((loihi_lower, "host_graph"), with_double_current, "loihi", "T007"),
    # Delays and windows.
    "delays of branches": Fault((projections, "summed"), without_delays, "loihi", "T203"),
    "delays of branches elsewhere": Fault((projections, "summed"), without_delays, "truenorth", "T403"),
    "a tick in a cycle": Fault((Schedule, "window_ticks"), later, "loihi", "T203"),
    "a tick of the chip": Fault((network.Network, "delay"), later, "loihi", "T203"),
    "a tick of the chip elsewhere": Fault((Schedule, "delay"), later, "truenorth", "T403"),
    # Packing.
    "packed delays": Fault((Chip, "pack"), with_arrays("axon_delay", np.zeros_like), "loihi", "T007"),
    "packed weights": Fault((Chip, "pack"), with_arrays("weights", np.flip), "loihi", "T007"),
    "packed potentials": Fault(
        (Chip, "pack"), with_arrays("initial_voltage", np.zeros_like), "loihi", "T007"
    ),
    "packed places": Fault(
        (Chip, "pack"), with_arrays("populations/neuron", with_two_swapped), "truenorth", "T007"
    ),
    "packed crossbars": Fault((Chip, "pack"), with_arrays("crossbar", upside_down), "truenorth", "T007"),
    "packed lines": Fault((Chip, "pack"), with_arrays("lines/axon", of_the_neighbour), "truenorth", "T007"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_stops_the_compilation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    graph = NETWORKS[fault.network]()
    owner, function = fault.place
    right = getattr(owner, function)
    called: list[bool] = []

    def wrong(*arguments: Any, **keywords: Any) -> Any:
        called.append(True)
        return fault.change(right(*arguments, **keywords))

    monkeypatch.setattr(owner, function, wrong)
    with pytest.raises(SnncError) as caught:
        compiled("loihi" if fault.network == "maps" else fault.network, graph)
    assert called and caught.value.code == fault.code, caught.value
