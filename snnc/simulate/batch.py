"""One batch on its way through a graph, a block of ticks at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snnc.graph.neurons.base import Neuron, State
from snnc.graph.node import Node
from snnc.graph.operators.base import Array
from snnc.graph.operators.delay import Delay
from snnc.graph.operators.interface import Input, Output
from snnc.graph.operators.low_pass import LowPass

from .exact import check_whole
from .plan import Plan, Step
from .readout import decode, taken_up
from .trace import Trace


@dataclass(eq=False)
class Batch:
    """What a batch carries from one tick to the next.

    Values are (samples, ticks of the block, *shape), or (samples, 1, *shape) where they are constant.

    Attributes:
        plan: of the run.
        x: the batch's samples.
        rows: where they belong in ``trace``.
        numbers: (samples,) int64, their indices in the whole data set.
        trace: the whole run's trace, written in place.
        constants: values that are the same at all ticks.
        states: state of each population.
        fired: spikes of the last tick of the populations in cycles.
        lines, inner_lines: what is on its way through each Delay, as seen from outside and from inside of its
            cycle; ``lines`` also hold the last value of each LowPass.
        potentials: (samples, block, *shape), the decoded population's potentials in this block.
        totals: sum up to the last block of what is decoded.
        start: first tick of the block.
    """

    plan: Plan
    x: Array
    rows: slice
    numbers: Array
    trace: Trace
    constants: dict[str, Array] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    fired: dict[str, Array] = field(default_factory=dict)
    lines: dict[str, Array] = field(default_factory=dict)
    inner_lines: dict[str, Array] = field(default_factory=dict)
    potentials: Array | None = None
    totals: Array | None = None
    start: int = 0


def run_batch(plan: Plan, x: Array, rows: slice, first_sample: int, trace: Trace) -> None:
    """Run a batch from the first to the last tick and write the results into ``rows`` of the trace.

    ``first_sample`` is the index in the data set of the run's row 0.
    """
    batch = Batch(plan, x[rows], rows, np.arange(rows.start, rows.stop) + first_sample, trace)
    for node in plan.graph.populations:
        assert isinstance(node.operator, Neuron)
        shape = plan.graph.shapes[node.name]
        batch.states[node.name] = node.operator.start(shape, batch.numbers, plan.dtype)
        batch.fired[node.name] = np.zeros((len(batch.x), 1, *shape), bool)
    for node in plan.constant:
        inputs = [batch.constants[source] for source in node.inputs]
        batch.constants[node.name] = _checked(batch, node, _constant(batch, node, inputs))
    for start in range(0, plan.ticks, plan.block):
        batch.start = start
        _run_block(batch, min(plan.block, plan.ticks - start))


def _constant(batch: Batch, node: Node, inputs: list[Array]) -> Array:
    if isinstance(node.operator, Input):
        return batch.x[:, None]
    return batch.plan.maps[node.name](*inputs)


def _run_block(batch: Batch, length: int) -> None:
    values = dict(batch.constants)
    for step in batch.plan.steps:
        if step.recurrent:
            _run_cycle(batch, step, values, length)
        else:
            (node,) = step.nodes
            inputs = [values[source] for source in node.inputs]
            values[node.name] = _checked(batch, node, _advance(batch, node, inputs, batch.start, length))
        for name in step.dead:
            values.pop(name, None)  # maps that stay inside a cycle have no value here


def _run_cycle(batch: Batch, step: Step, values: dict[str, Array], length: int) -> None:
    """Tick by tick; then, all ticks at once, what the maps of the cycle give to nodes outside of it.

    A spike crosses to a population of the same cycle in one tick and to one outside of it in none, so a map
    that leads to both has two values.
    """
    populations = [node for node in step.nodes if isinstance(node.operator, Neuron)]
    trains: dict[str, list[Array]] = {node.name: [] for node in populations}
    for tick in range(length):
        now = {node.name: batch.fired[node.name] for node in populations}
        for node in step.nodes:
            inputs = [now[s] if s in now else _at(values[s], tick) for s in node.inputs]
            if isinstance(node.operator, Neuron):
                spikes = _fire(batch, node, inputs, batch.start + tick, 1)
                batch.fired[node.name] = spikes
                trains[node.name].append(spikes)
            elif isinstance(node.operator, Delay):
                now[node.name] = _delayed(batch, batch.inner_lines, node, inputs[0], 1)
            else:
                now[node.name] = batch.plan.maps[node.name](*inputs)
    for name, spikes_by_tick in trains.items():
        values[name] = np.concatenate(spikes_by_tick, axis=1)
    for node in step.outer:
        inputs = [values[source] for source in node.inputs]
        values[node.name] = _advance(batch, node, inputs, batch.start, length)


def _advance(batch: Batch, node: Node, inputs: list[Array], start: int, length: int) -> Array:
    """The value of a node from tick ``start`` on for ``length`` ticks."""
    operator = node.operator
    if isinstance(operator, Input):
        return batch.x[:, start : start + length]
    if isinstance(operator, Output):
        return _read(batch, node, operator, inputs[0], start, length)
    if isinstance(operator, Neuron):
        return _fire(batch, node, inputs, start, length)
    if isinstance(operator, Delay):
        return _delayed(batch, batch.lines, node, inputs[0], length)
    if isinstance(operator, LowPass):
        return _filtered(batch, node, operator, inputs[0], length)
    return batch.plan.maps[node.name](*inputs)


def _fire(batch: Batch, node: Node, inputs: list[Array], start: int, length: int) -> Array:
    """The spikes of a population, (samples, length, *shape) bool; state and recordings are written down."""
    neuron, plan, trace, name = node.operator, batch.plan, batch.trace, node.name
    assert isinstance(neuron, Neuron)
    dtype = np.dtype(np.float64) if neuron.takes_samples else plan.dtype
    inputs = [value.astype(dtype, copy=False) if value.shape[1] == 1 else value for value in inputs]
    recorded = _recorded(trace, name)
    spikes = np.empty((len(batch.x), length, *plan.graph.shapes[name]), bool)
    state = batch.states[name]
    for tick in range(length):
        now = [_at(value, tick)[:, 0].astype(dtype, copy=False) for value in inputs]
        state, spikes[:, tick] = neuron.receive(state, now)
        for variable, array in recorded.items():
            array[batch.rows, start + tick] = state[variable]
        if name == plan.decoded_potential:
            _keep_potential(batch, start + tick - batch.start, state["voltage"])
    batch.states[name] = state
    trace.spike_counts[name][batch.rows] += spikes.reshape(len(spikes), -1).sum(axis=1, dtype=np.int64)
    if name in trace.spikes:
        trace.spikes[name][batch.rows, start : start + length] = spikes
    return spikes


def _recorded(trace: Trace, name: str) -> Mapping[str, Array]:
    """The arrays of the state variables of a population that are recorded."""
    wanted = {"voltage": trace.voltage, "current": trace.current}
    return {variable: arrays[name] for variable, arrays in wanted.items() if name in arrays}


def _keep_potential(batch: Batch, tick: int, voltage: Array) -> None:
    if batch.potentials is None:
        samples, *shape = voltage.shape
        batch.potentials = np.empty((samples, batch.plan.block, *shape), voltage.dtype)
    batch.potentials[:, tick] = voltage


def _delayed(batch: Batch, lines: dict[str, Array], node: Node, value: Array, length: int) -> Array:
    """The values of ``ticks`` ticks ago; ``lines`` keeps those that have not arrived yet."""
    assert isinstance(node.operator, Delay)
    samples, _, *shape = value.shape
    if node.name not in lines:
        silent = batch.plan.silent[node.inputs[0]].astype(value.dtype)
        lines[node.name] = np.broadcast_to(silent, (samples, node.operator.ticks, *shape))
    given = np.broadcast_to(value, (samples, length, *shape))
    underway = np.concatenate([lines[node.name], given], axis=1)
    lines[node.name] = underway[:, length:]
    return underway[:, :length]


def _filtered(batch: Batch, node: Node, operator: LowPass, value: Array, length: int) -> Array:
    """The values of a LowPass; ``lines`` keeps its last one."""
    before = batch.lines.get(node.name, np.zeros((value.shape[0], 1, *value.shape[2:])))
    result = operator.filtered(before[:, 0], value, length)
    batch.lines[node.name] = result[:, -1:]
    return result


def _read(batch: Batch, node: Node, output: Output, value: Array, start: int, length: int) -> Array:
    """The decoded answer after every tick of the block; a linear map is read by its mean over the ticks."""
    if node is not batch.plan.output:
        return value
    population = batch.plan.graph[node.inputs[0]].operator
    samples, _, *shape = value.shape
    dtype = np.dtype(np.int64) if isinstance(population, Neuron) else np.dtype(np.float64)
    sums = np.cumsum(np.broadcast_to(value, (samples, length, *shape)), axis=1, dtype=dtype)
    if batch.totals is not None:
        sums += batch.totals
    batch.totals = sums[:, -1:]
    if isinstance(population, Neuron):
        potentials = None if batch.potentials is None else batch.potentials[:, :length]
        sums = taken_up(output, population, sums, potentials)
    answer = decode(output, sums, start + 1)
    if batch.trace.output_by_tick is not None:
        batch.trace.output_by_tick[batch.rows, start : start + length] = answer
    batch.trace.output[batch.rows] = answer[:, -1]
    return answer


def _checked(batch: Batch, node: Node, value: Array) -> Array:
    if node.name in batch.plan.real_to_whole:
        check_whole(node, value)
    return value


def _at(value: Array, tick: int) -> Array:
    """The value at a tick of the block, (samples, 1, *shape)."""
    return value if value.shape[1] == 1 else value[:, tick : tick + 1]
