"""The functional simulator: what a spiking graph computes, the specification of every mapped run.

Time is counted in each population's own window. Between strongly connected components a spike takes no tick of
window time (chips align branches by delays and later windows); inside one, a spike of tick t arrives at t + 1.
``Delay`` nodes add to either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.errors import UsageError
from snnc.graph.evaluate import check_samples
from snnc.graph.graph import Graph, Node
from snnc.graph.neurons.base import Neuron, State
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.operators.delay import Delay
from snnc.graph.operators.interface import Input, Output

from .exact import LinearEvaluator, linear_evaluator
from .readout import readings
from .trace import RECORDABLE, Trace, join

_SEQUENCE_BYTES = 192 * 2**20


@dataclass(frozen=True, eq=False)
class Signal:
    """A node's value over a run: one array for all ticks, or one a tick.

    Attributes:
        values: (samples, *shape) if constant, else (samples, ticks, *shape).
        constant: which of the two.
    """

    values: Array
    constant: bool

    def at(self, tick: int) -> Array:
        """The value at a tick, (samples, *shape)."""
        return self.values if self.constant else self.values[:, tick]


def simulate(
    graph: Graph,
    x: Array,
    ticks: int,
    *,
    record: Iterable[str] = (),
    batch: int | None = None,
    first_sample: int = 0,
) -> Trace:
    """Run a spiking graph.

    Args:
        graph: level SNN (computed in float64) or INTEGER (computed exactly).
        x: (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape).
        ticks: how long the samples are presented, at least 1.
        record: any of ``RECORDABLE``.
        batch: samples at once; chosen by memory when None. It does not change the result.
        first_sample: index of the first sample in the data set, for seeded neurons.

    Returns:
        The trace; potentials and currents are int64 for an INTEGER graph, else float64.

    Raises:
        UsageError U201: ticks below 1, unknown recording, or an x with another number of ticks.
        DataError D101: x does not fit the input.
        GraphError G2xx: sums of an INTEGER graph could leave the exact range.
    """
    wanted = frozenset(record)
    check_samples(graph, x)
    _check_call(graph, x, ticks, wanted)
    evaluator = linear_evaluator(graph)
    size = batch or _batch_size(graph, ticks)
    traces = []
    for start in range(0, max(len(x), 1), size):
        run = _Run(graph, evaluator, x[start : start + size], ticks, wanted, first_sample + start)
        traces.append(run.trace())
    return join(traces)


def _check_call(graph: Graph, x: Array, ticks: int, wanted: frozenset[str]) -> None:
    if ticks < 1:
        raise UsageError("U201", f"a run needs at least 1 tick, not {ticks}")
    if wanted - set(RECORDABLE):
        unknown = ", ".join(sorted(wanted - set(RECORDABLE)))
        raise UsageError("U202", f"cannot record {unknown}", remedy=f"choose from {', '.join(RECORDABLE)}")
    if is_sequence(graph, x) and x.shape[1] != ticks:
        raise UsageError("U203", f"the data has {x.shape[1]} ticks a sample, but {ticks} were asked for")


def is_sequence(graph: Graph, x: Array) -> bool:
    """Whether ``x`` has a tick axis behind its samples axis."""
    return x.ndim == len(graph.shapes[graph.inputs[0].name]) + 2


def _batch_size(graph: Graph, ticks: int) -> int:
    largest = max(int(np.prod(shape)) for shape in graph.shapes.values())
    return int(np.clip(_SEQUENCE_BYTES // (8 * largest * ticks), 1, 256))


class _Run:
    """One batch on its way through the graph: the signals still needed and the recordings so far."""

    def __init__(
        self,
        graph: Graph,
        evaluator: LinearEvaluator,
        x: Array,
        ticks: int,
        wanted: frozenset[str],
        first: int,
    ) -> None:
        self.graph, self.evaluator, self.ticks, self.wanted = graph, evaluator, ticks, wanted
        self.x = x
        self.dtype = np.dtype(np.int64 if graph.level is Level.INTEGER else np.float64)
        self.samples = np.arange(first, first + len(x))
        self.signals: dict[str, Signal] = {}
        self.records: dict[str, dict[str, Array]] = {"spikes": {}, "voltage": {}, "current": {}}
        self.spike_counts: dict[str, Array] = {}
        self.charges: dict[str, Array] = {}
        self.read = {source for node in graph.outputs for source in node.inputs}

    def trace(self) -> Trace:
        """Run all components in dataflow order and decode the output."""
        unread = {name: len(readers) for name, readers in self.graph.consumers.items()}
        for component in self.graph.components:
            if self.graph.is_recurrent(component):
                self._recurrent(component)
            else:
                self._single(self.graph[component[0]])
            for name in component:
                for source in dict.fromkeys(self.graph[name].inputs):
                    unread[source] -= 1
                    if not unread[source] and source not in component:
                        del self.signals[source]
        output = self.graph.outputs[0].name
        by_tick = self.signals[output].values
        return Trace(
            output=by_tick[:, -1],
            output_by_tick=by_tick if "output" in self.wanted else None,
            spike_counts=self.spike_counts,
            **self.records,
        )

    def _single(self, node: Node) -> None:
        operator = node.operator
        if isinstance(operator, Input):
            self.signals[node.name] = Signal(self.x, constant=not is_sequence(self.graph, self.x))
        elif isinstance(operator, Output):
            self.signals[node.name] = self._reading(node, operator)
        elif isinstance(operator, Neuron):
            self._population(node, operator)
        elif isinstance(operator, Delay):
            self.signals[node.name] = self._delayed(self.signals[node.inputs[0]], operator.ticks)
        else:
            self.signals[node.name] = self._linear(node)

    def _linear(self, node: Node) -> Signal:
        inputs = [self.signals[source] for source in node.inputs]
        if all(signal.constant for signal in inputs):
            return Signal(self.evaluator(node, *(signal.values for signal in inputs)), constant=True)
        flat = [
            self._sequence(signal).reshape(-1, *signal.values.shape[2 - signal.constant :])
            for signal in inputs
        ]
        values = self.evaluator(node, *flat)
        return Signal(values.reshape(len(self.samples), self.ticks, *values.shape[1:]), constant=False)

    def _sequence(self, signal: Signal) -> Array:
        if not signal.constant:
            return signal.values
        samples, *shape = signal.values.shape
        return np.broadcast_to(signal.values[:, None], (samples, self.ticks, *shape))

    def _delayed(self, signal: Signal, ticks: int) -> Signal:
        values = self._sequence(signal)
        shifted = np.zeros_like(values)
        shifted[:, ticks:] = values[:, : max(self.ticks - ticks, 0)]
        return Signal(shifted, constant=False)

    def _population(self, node: Node, neuron: Neuron) -> None:
        signals = [self.signals[source] for source in node.inputs]
        shape = self.graph.shapes[node.name]
        keeper = _Keeper(self, node.name, shape)
        state = neuron.start(shape, self.samples, self.dtype)
        for tick in range(self.ticks):
            current = sum(signal.at(tick).astype(self.dtype, copy=False) for signal in signals)
            state, spikes = neuron.step(state, np.asarray(current))
            keeper.keep(tick, state, spikes)
        keeper.close()

    def _recurrent(self, component: tuple[str, ...]) -> None:
        nodes = _within_tick_order(self.graph, component)
        populations = [node for node in nodes if isinstance(node.operator, Neuron)]
        lines = {
            node.name: _DelayLine(node.operator.ticks) for node in nodes if isinstance(node.operator, Delay)
        }
        now: dict[str, Array] = {}
        states: dict[str, State] = {}
        keepers: dict[str, _Keeper] = {}
        for node in populations:
            shape = self.graph.shapes[node.name]
            states[node.name] = node.operator.start(shape, self.samples, self.dtype)  # type: ignore[attr-defined]
            keepers[node.name] = _Keeper(self, node.name, shape)
            now[node.name] = np.zeros((len(self.samples), *shape), bool)
        kept_maps = _read_outside(self.graph, component, populations)
        outside: dict[str, list[Array]] = {name: [] for name in kept_maps}
        for tick in range(self.ticks):
            emitted: dict[str, Array] = {}
            for node in nodes:
                inputs = [now[s] if s in now else self.signals[s].at(tick) for s in node.inputs]
                if isinstance(node.operator, Neuron):
                    current = sum(value.astype(self.dtype, copy=False) for value in inputs)
                    states[node.name], emitted[node.name] = node.operator.step(
                        states[node.name], np.asarray(current)
                    )
                elif node.name in lines:
                    now[node.name] = lines[node.name].push(inputs[0])
                else:
                    now[node.name] = self.evaluator(node, *inputs)
            for name, values in outside.items():
                values.append(now[name])
            now.update(emitted)
            for node in populations:
                keepers[node.name].keep(tick, states[node.name], emitted[node.name])
        for keeper in keepers.values():
            keeper.close()
        for name, values in outside.items():
            self.signals[name] = Signal(np.stack(values, axis=1), constant=False)

    def _reading(self, node: Node, output: Output) -> Signal:
        (source,) = node.inputs
        population = self.graph[source].operator
        if isinstance(population, Neuron):
            values = readings(output, population, self.signals[source].values, self.charges.get(source))
        else:
            values = np.asarray(self._sequence(self.signals[source]), np.float64) * output.scale
        return Signal(values, constant=False)


class _Keeper:
    """Writes one population's spikes and recordings down, tick by tick."""

    def __init__(self, run: _Run, name: str, shape: Shape) -> None:
        self.run, self.name = run, name
        size = (len(run.samples), run.ticks, *shape)
        self.spikes = np.zeros(size, bool)
        neuron = run.graph[name].operator
        assert isinstance(neuron, Neuron)
        variables = {"voltage", "current"} & run.wanted & set(neuron.variables)
        if name in run.read:
            variables.add("voltage")
        self.values: Mapping[str, Array] = {variable: np.zeros(size, run.dtype) for variable in variables}

    def keep(self, tick: int, state: State, spikes: Array) -> None:
        """Write one tick down."""
        self.spikes[:, tick] = spikes
        for variable, values in self.values.items():
            values[:, tick] = state[variable]

    def close(self) -> None:
        """Hand everything to the run."""
        run = self.run
        run.signals[self.name] = Signal(self.spikes, constant=False)
        run.spike_counts[self.name] = self.spikes.reshape(len(run.samples), -1).sum(axis=1, dtype=np.int64)
        if "spikes" in run.wanted:
            run.records["spikes"][self.name] = self.spikes
        for variable in ("voltage", "current"):
            if variable in run.wanted and variable in self.values:
                run.records[variable][self.name] = self.values[variable]
        if self.name in run.read:
            run.charges[self.name] = self.values["voltage"]


class _DelayLine:
    """The values of the last ticks inside a recurrent component."""

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.waiting: list[Array] = []

    def push(self, value: Array) -> Array:
        """Take this tick's value and give the one of ``ticks`` ticks ago, zeros before there is one."""
        self.waiting.append(value)
        return self.waiting.pop(0) if len(self.waiting) > self.ticks else np.zeros_like(value)


def _within_tick_order(graph: Graph, component: tuple[str, ...]) -> list[Node]:
    """The component's nodes such that each linear map comes after the maps it reads; populations come last.

    Populations read what the maps give in the same tick and are read one tick later.
    """
    pending = [graph[name] for name in component if not isinstance(graph[name].operator, Neuron)]
    populations = [graph[name] for name in component if isinstance(graph[name].operator, Neuron)]
    ordered: list[Node] = []
    while pending:
        waiting = {node.name for node in pending}
        ready = [node for node in pending if not waiting & set(node.inputs)]
        ordered += ready
        pending = [node for node in pending if node not in ready]
    return ordered + populations


def _read_outside(graph: Graph, component: tuple[str, ...], populations: list[Node]) -> list[str]:
    inner, firing = set(component), {node.name for node in populations}
    return [name for name in component if name not in firing and set(graph.consumers[name]) - inner]
