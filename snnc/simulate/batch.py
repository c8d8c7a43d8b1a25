"""One batch on its way through a graph, a block of ticks at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, State, at_tick
from snnc.graph.operators.interface import Input, Output
from snnc.graph.samples import Samples

from .exact import check_whole
from .plan import Plan, PlanStep, keeps_values
from .readout import decode, taken_up
from .state import RunState
from .trace import Trace


@dataclass(eq=False)
class BatchState:
    """What a batch carries from one tick to the next.

    Values are (samples, ticks of the block, *shape), or (samples, 1, *shape) where they are constant.

    Attributes:
        plan: of the run.
        samples: of the batch.
        recordings: by node, arrays (samples, ticks, *shape) of the state variables that are recorded.
        trace: of the batch alone, written in place; None where nothing is decoded.
        presented: ticks of earlier runs that this one continues.
        constants: values that are the same at all ticks.
        states: state of each node with memory, as seen from outside of its cycle.
        inner_states: of those in cycles that are no populations, as seen from inside.
        fired: spikes of the last tick of the populations in cycles.
        potentials: (samples, block, *shape), potentials in this block of what is decoded but not recorded.
        totals: by Output, sum up to the last block of what is decoded.
        start: first tick of the block.
    """

    plan: Plan
    samples: Samples
    recordings: Mapping[str, Mapping[str, Array]]
    trace: Trace | None = None
    presented: int = 0
    constants: dict[str, Array] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    inner_states: dict[str, State] = field(default_factory=dict)
    fired: dict[str, Array] = field(default_factory=dict)
    potentials: dict[str, Array] = field(default_factory=dict)
    totals: dict[str, Array] = field(default_factory=dict)
    start: int = 0

    def state(self) -> RunState:
        """Where the batch stands after its last tick."""
        return RunState(
            self.plan.graph.name,
            len(self.samples),
            self.presented + self.plan.ticks,
            dict(self.states),
            dict(self.inner_states),
            dict(self.fired),
            dict(self.totals),
        )


def run_batch(batch: BatchState, numbers: Array, state: RunState | None = None) -> Mapping[str, Array]:
    """Run a batch from the first to the last tick.

    Args:
        batch: not begun.
        numbers: (samples,) int64, index of each sample in the whole data set.
        state: to go on from; None begins before the first tick.

    Returns:
        The values of the last block by node, as far as they are not dropped; those of Outputs never are.
    """
    if state is None:
        _begin(batch, numbers)
    else:
        batch.presented = state.ticks
        batch.states, batch.inner_states = dict(state.nodes), dict(state.inner)
        batch.fired, batch.totals = dict(state.fired), dict(state.totals)
    plan = batch.plan
    for node in plan.constant:
        inputs = [batch.constants[source] for source in node.inputs]
        batch.constants[node.name] = _checked(batch, node, _constant(batch, node, inputs))
    values: Mapping[str, Array] = {}
    for start in range(0, plan.ticks, plan.block):
        batch.start = start
        values = _run_block(batch, min(plan.block, plan.ticks - start))
    return values


def _begin(batch: BatchState, numbers: Array) -> None:
    plan = batch.plan
    for node in plan.graph:
        state = node.operator.start(plan.graph.shapes[node.name], numbers, plan.dtype)
        if state is None:
            continue
        if keeps_values(node):
            state = node.operator.settle(state, [plan.rest[source] for source in node.inputs])
        batch.states[node.name] = state
    for step in plan.steps:
        if step.recurrent:
            for node in step.nodes:
                if keeps_values(node):
                    batch.inner_states[node.name] = batch.states[node.name]
                elif isinstance(node.operator, Neuron):
                    batch.fired[node.name] = np.zeros((len(numbers), *plan.graph.shapes[node.name]), bool)


def _constant(batch: BatchState, node: Node, inputs: list[Array]) -> Array:
    if isinstance(node.operator, Input):
        return batch.samples.arrays[node.name][:, None]
    return batch.plan.maps[node.name](*inputs)


def _run_block(batch: BatchState, length: int) -> Mapping[str, Array]:
    values = dict(batch.constants)
    for step in batch.plan.steps:
        if step.recurrent:
            _run_cycle(batch, step, values, length)
        else:
            (node,) = step.nodes
            inputs = [values[source] for source in node.inputs]
            values[node.name] = _checked(batch, node, _value(batch, node, inputs, batch.start, length))
        for name in step.dead:
            values.pop(name, None)  # maps that stay inside a cycle have no value here
    return values


def _run_cycle(batch: BatchState, step: PlanStep, values: dict[str, Array], length: int) -> None:
    """Tick by tick; then, all ticks at once, what the maps of the cycle give to nodes outside of it.

    A spike crosses to a population of the same cycle in one tick and to one outside of it in none, so a map
    that leads to both has two values, and one with memory two states.
    """
    populations = [node for node in step.nodes if isinstance(node.operator, Neuron)]
    trains: dict[str, list[Array]] = {node.name: [] for node in populations}
    for tick in range(length):
        now = {node.name: batch.fired[node.name][:, None] for node in populations}
        for node in step.nodes:
            inputs = [now[s] if s in now else at_tick(values[s], tick) for s in node.inputs]
            if isinstance(node.operator, Neuron):
                spikes = _advance(batch, node, inputs, batch.start + tick, 1)
                batch.fired[node.name] = spikes[:, 0]
                trains[node.name].append(spikes)
            elif node.operator.has_memory:
                state = batch.inner_states[node.name]
                batch.inner_states[node.name], now[node.name] = node.operator.advance(state, inputs, 1)
            else:
                now[node.name] = batch.plan.maps[node.name](*inputs)
    for name, spikes_by_tick in trains.items():
        values[name] = np.concatenate(spikes_by_tick, axis=1)
    for node in step.outer:
        inputs = [values[source] for source in node.inputs]
        values[node.name] = _value(batch, node, inputs, batch.start, length)


def _value(batch: BatchState, node: Node, inputs: list[Array], start: int, length: int) -> Array:
    """The value of a node from tick ``start`` on for ``length`` ticks."""
    operator = node.operator
    if isinstance(operator, Input):
        return batch.samples.arrays[node.name][:, start : start + length]
    if isinstance(operator, Output):
        return _read(batch, node, operator, inputs[0], start, length)
    if operator.has_memory:
        return _advance(batch, node, inputs, start, length)
    return batch.plan.maps[node.name](*inputs)


def _advance(batch: BatchState, node: Node, inputs: list[Array], start: int, length: int) -> Array:
    """The values of a node with memory; state, recordings and counts of spikes are written down."""
    watched = _watched(batch, node, start, length)
    batch.states[node.name], values = node.operator.advance(batch.states[node.name], inputs, length, watched)
    if batch.trace is not None and isinstance(node.operator, Neuron):
        counts, spikes = batch.trace.spike_counts[node.name], batch.trace.spikes.get(node.name)
        counts += values.reshape(len(values), -1).sum(axis=1, dtype=np.int64)
        if spikes is not None:
            spikes[:, start : start + length] = values
    return values


def _watched(batch: BatchState, node: Node, start: int, length: int) -> dict[str, Array]:
    """Where the node's variables of these ticks are kept, because they are recorded or decoded."""
    recorded = batch.recordings.get(node.name, {})
    watched = {variable: array[:, start : start + length] for variable, array in recorded.items()}
    if node.name in batch.plan.decoded_potentials and "voltage" not in watched:
        if node.name not in batch.potentials:
            voltage = batch.states[node.name]["voltage"]
            samples, *shape = voltage.shape
            batch.potentials[node.name] = np.empty((samples, batch.plan.block, *shape), voltage.dtype)
        first = start - batch.start
        watched["voltage"] = batch.potentials[node.name][:, first : first + length]
    return watched


def _potentials(batch: BatchState, name: str, start: int, length: int) -> Array | None:
    """The potentials of these ticks of the block, if they are decoded."""
    if name not in batch.plan.decoded_potentials:
        return None
    if name in batch.potentials:
        return batch.potentials[name][:, :length]
    return batch.recordings[name]["voltage"][:, start : start + length]


def _read(batch: BatchState, node: Node, output: Output, value: Array, start: int, length: int) -> Array:
    """The decoded answer after every tick of the block; a linear map is read by its mean over the ticks."""
    if batch.trace is None:
        return value
    (source,) = node.inputs
    population = batch.plan.graph[source].operator
    samples, _, *shape = value.shape
    spiking = isinstance(population, Neuron)
    # The sum so far is the first term, so that the bits depend on no block.
    terms = np.empty((samples, length + 1, *shape), np.int64 if spiking else np.float64)
    terms[:, 0] = batch.totals.get(node.name, 0)
    terms[:, 1:] = value
    sums = np.cumsum(terms, axis=1)[:, 1:]
    batch.totals[node.name] = sums[:, -1]
    if isinstance(population, Neuron):
        sums = taken_up(output, population, sums, _potentials(batch, source, start, length))
    answer = decode(output, sums, batch.presented + start + 1)
    if node.name in batch.trace.outputs_by_tick:
        batch.trace.outputs_by_tick[node.name][:, start : start + length] = answer
    batch.trace.outputs[node.name][:] = answer[:, -1]
    return answer


def _checked(batch: BatchState, node: Node, value: Array) -> Array:
    if node.name in batch.plan.real_to_whole:
        check_whole(node, value)
    return value
