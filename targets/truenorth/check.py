"""Whether a program keeps every limit of the chip and is exactly the network that it was made from.

Nothing here is shared with lowering but the program itself and the limits. The synapses of a neuron are compared by a
fingerprint, the sum of weight * hash(source, delay) modulo 2^64 over all of them: once from the graph, once from the
crossbars, axon types and targets. Any missing, doubled, wrong or foreign synapse changes it (but for one chance in
2^64).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snnc.errors import MappingError
from snnc.graph.composition import sparse_form
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output
from snnc.graph.projections import Drive, Projection, drives

from .limits import AXONS, NEURONS, TRUENORTH, TrueNorthLimits
from .neuron import NegativeMode, TrueNorthNeuron, is_reset_potential
from .program import ALWAYS_ON, NO_TARGET, Cores, TrueNorthPopulation, TrueNorthProgram, unpack_crossbar
from .random import mix, output
from .validity import check_arrays

_NOBODY = -1
"""The source of an axon that no spike comes to."""


def check_program(program: TrueNorthProgram, graph: Graph, limits: TrueNorthLimits = TRUENORTH) -> None:
    """Check a program against the chip and the INTEGER graph that it was made from.

    Relays and splitters are populations of the graph like all others. A neuron that is in no population must be a
    twin of one that is, on the same core: the same synapses and registers, so that it fires with it. A spike between
    populations takes the difference of their starts, plus the delay of Delay nodes, plus one tick within a strongly
    connected component. A constant current comes from lines that are always on.

    Raises:
        ArtifactError A121: the arrays contradict each other.
        MappingError: T401 populations or registers differ; T402 a limit of the chip is exceeded; T403 a synapse is
            missing, doubled, wrong, at a wrong delay or not the network's; T404 an axon has several sources, or
            spikes of a neuron that is no population's; T405 the host or the read-out differs.
    """
    check_arrays(program)
    check_limits(program.cores, limits)
    found = drives(graph)
    _check_populations(program, graph)
    for population in program.populations:
        operator = graph[population.name].operator
        if isinstance(operator, TrueNorthNeuron):
            _check_registers(program, population, operator)
    _check_before_windows(program, graph, found)
    _check_readout(program, graph, found)
    sources = _Sources.of(program)
    for number, population in enumerate(program.populations):
        if population.source is None:
            expected = _expected(program, graph, number, found[population.name], sources.twin)
            _check_synapses(program, population, sources, expected)


def check_limits(cores: Cores, limits: TrueNorthLimits = TRUENORTH) -> None:
    """Raise MappingError T402 for the first limit of the chip that cores exceed, saying where and by how much."""
    ranges = {
        "axon_type": (0, limits.axon_types - 1),
        "weight": limits.weight,
        "leak": limits.leak,
        "threshold": (0, limits.threshold),
        "negative_threshold": (0, limits.threshold),
        "mask_bits": (0, limits.mask_bits),
        "initial_potential": limits.potential,
        "target_axon": (0, limits.axons - 1),
        "target_delay": limits.delay,
    }
    for name, (low, high) in ranges.items():
        values = getattr(cores, name)
        wrong = (values < low) | (values > high)
        if wrong.any():
            place = np.argwhere(wrong)[0]
            value = int(values[tuple(place)])
            raise _limit(f"{name} is {value}, which must be {low} to {high}", int(place[0]))
    for core, reset in enumerate(cores.reset_potential):
        if not is_reset_potential(reset):
            raise _limit("a reset potential is not +-(2^e - 1)", core)
    _check_places(cores, limits)


def _check_places(cores: Cores, limits: TrueNorthLimits) -> None:
    _, first, count = np.unique(np.stack([cores.x, cores.y]), axis=1, return_index=True, return_counts=True)
    if (count > 1).any():
        raise _limit("its place on the mesh is taken twice", int(first[count > 1][0]))
    core, neuron = np.nonzero(cores.target_core != NO_TARGET)
    target = cores.target_core[core, neuron]
    for name, place in (("x", cores.x), ("y", cores.y)):
        distance = np.abs(place[target].astype(np.int64) - place[core])
        if distance.size and distance.max() > limits.distance:
            at = int(distance.argmax())
            raise _limit(
                f"neuron {neuron[at]} sends {distance[at]} cores far along {name}, at most {limits.distance}"
                " are possible",
                int(core[at]),
            )


def _limit(message: str, core: int) -> MappingError:
    return MappingError(
        "T402",
        f"the program exceeds the chip on core {core}: {message}",
        remedy="this is a defect of the mapping: report it with the model",
    )


def _fail(code: str, message: str, population: TrueNorthPopulation | None = None) -> None:
    raise MappingError(
        code,
        f"the program is not right: {message}",
        node=None if population is None else population.name,
        remedy="this is a defect of the mapping: report it with the model",
    )


def _check_populations(program: TrueNorthProgram, graph: Graph) -> None:
    nodes = {node.name: node for node in graph.populations}
    if sorted(population.name for population in program.populations) != sorted(nodes):
        _fail("T401", "its populations are not those of the network")
    for population in program.populations:
        on_chip = isinstance(nodes[population.name].operator, TrueNorthNeuron)
        if population.shape != graph.shapes[population.name] or on_chip != (population.source is None):
            _fail("T401", "the shape or the place differs", population)
        if population.source is not None and program.host[population.source].inputs != (population.name,):
            _fail("T405", "the host gives it other spikes", population)


def _check_readout(program: TrueNorthProgram, graph: Graph, found: Mapping[str, Drive]) -> None:
    """The same units, and for every element of the answer the same weights of the same neurons (fingerprints)."""
    node = graph.outputs[0]
    given, drive = node.operator, found[node.name]
    assert isinstance(given, Output)
    if program.output_shape != graph.shapes[node.name]:
        _fail("T405", "its answer has another shape than the network's")
    offsets, index = _offsets(program), {each.name: at for at, each in enumerate(program.populations)}
    size = int(np.prod(graph.shapes[node.name]))
    expected, held = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    for projection in drive.projections:
        target, neuron, weight = _synapses(projection)
        _add(expected, target, offsets[index[projection.source]] + neuron, weight)
    for part in program.readings:
        first, count = offsets[part.population], int(np.prod(program.populations[part.population].shape))
        own = part.weights
        if own is None:
            _add(held, np.arange(size), first + np.arange(count), np.ones(count))
        else:
            _add(held, own.rows, first + own.columns, own.values)
    shift = 0.0 if drive.bias is None else np.asarray(given.scale) * drive.bias
    same = np.array_equal(program.scale, given.scale) and np.array_equal(program.offset, given.offset + shift)
    at_once = not drive.host and not any(projection.delay for projection in drive.projections)
    if not (same and at_once and np.array_equal(expected, held)) or program.readout is not given.readout:
        _fail("T405", "it is read in another way than the network")


def _add(total: Array, target: Array, source: Array, weight: Array) -> None:
    """Add the fingerprints of weights from numbered sources that arrive at once."""
    np.add.at(total, target, np.rint(weight).astype(np.int64).astype(np.uint64) * _hash(source, 0))


def _check_registers(
    program: TrueNorthProgram, population: TrueNorthPopulation, operator: TrueNorthNeuron
) -> None:
    cores, place = program.cores, (population.core, population.neuron)
    wanted = {
        "threshold": operator.threshold,
        "negative_threshold": operator.negative_threshold,
        "reset_mode": operator.reset.value,
        "saturates": operator.negative is NegativeMode.SATURATE,
        "reset_potential": operator.reset_potential,
        "leak": operator.leak,
        "leak_reversal": operator.leak_reversal,
        "stochastic_leak": operator.stochastic_leak,
        "mask_bits": operator.mask_bits,
    }
    if operator.is_stochastic:
        wanted["stream"] = operator.stream + np.arange(len(population.core)).reshape(population.shape)
        if (operator.seed, operator.phase) != (program.seed, population.start):
            raise MappingError(
                "T401",
                f"its random numbers have the seed {operator.seed} and the phase {operator.phase}, but the program's"
                f" have {program.seed} and {population.start}",
                node=population.name,
                remedy=f"give its neurons seed={program.seed}, phase={population.start}",
            )
    for name, value in wanted.items():
        held = getattr(cores, name)[place].reshape(population.shape)
        if not (held == value).all():
            _fail("T401", f"a {name} differs from the network's", population)
    if cores.stochastic_synapse[place].any():
        _fail("T401", "it has stochastic synapses, which no network has", population)


def _check_before_windows(program: TrueNorthProgram, graph: Graph, found: Mapping[str, Drive]) -> None:
    """Neurons run from tick 0: what happens before their windows open must leave no trace in them."""
    together = {name: at for at, members in enumerate(graph.components) for name in members}
    early: set[str] = set()
    for population in program.populations:
        operator = graph[population.name].operator
        if isinstance(operator, TrueNorthNeuron):
            held = program.cores.initial_potential[population.core, population.neuron]
            fires = _fires_before(population, operator, held)
            heard = early & {projection.source for projection in found[population.name].projections}
            early |= {population.name} if fires or heard else set()
    for population in program.populations:
        operator = graph[population.name].operator
        for projection in found[population.name].projections:
            if projection.source not in early:
                continue
            late = projection.delay or together[projection.source] == together[population.name]
            if late or not (isinstance(operator, TrueNorthNeuron) and operator.forgets):
                _fail(
                    "T401", f"it keeps what {projection.source!r} fires before its window opens", population
                )


def _fires_before(population: TrueNorthPopulation, operator: TrueNorthNeuron, held: Array) -> bool:
    """Whether it fires before its window without input; fails unless it then has its initial potential."""
    shape, fires = population.shape, False
    neuron = replace(operator, initial_potential=held.reshape(shape), phase=0)
    state = neuron.start(shape, np.zeros(1, np.int64), np.dtype(np.int64))
    for _ in range(population.start):
        state, spikes = neuron.step(state, np.zeros((1, *shape), np.int64))
        fires = fires or bool(spikes.any())
    if not (state["voltage"][0] == operator.initial_potential).all():
        _fail("T401", "a potential differs from the network's when its window opens", population)
    return fires


@dataclass(frozen=True, eq=False)
class _Sources:
    """Where the spikes of every axon come from.

    Neurons of all populations are numbered one after another; the number behind the last is a line always on. Of
    neurons that are twins of each other, which always fire together, all have the number of one.

    Attributes:
        number: (cores, 256) int64 of the source, or ``_NOBODY``.
        delay: (cores, 256) int64.
        twin: (neurons + 1,) int64, for every number the one that stands for it.
    """

    number: Array
    delay: Array
    twin: Array

    @staticmethod
    def of(program: TrueNorthProgram) -> _Sources:
        """Those of a program; raises T404 where an axon has several, or a source that is no population's."""
        owner, twin = _owners(program)
        core, axon, number, delay = (
            np.concatenate(parts)
            for parts in zip(_from_neurons(program.cores, owner), _from_lines(program), strict=True)
        )
        place = core * AXONS + axon
        unique, count = np.unique(place, return_counts=True)
        if (count > 1).any():
            where = int(unique[count > 1][0])
            _fail("T404", f"axon {where % AXONS} of core {where // AXONS} has several sources")
        sources = _Sources(
            np.full((len(program.cores), AXONS), _NOBODY, np.int64),
            np.zeros((len(program.cores), AXONS), np.int64),
            twin,
        )
        sources.number[core, axon] = twin[number]
        sources.delay[core, axon] = delay
        return sources


def _offsets(program: TrueNorthProgram) -> Array:
    """Number of each population's first neuron, and behind them the number of a line that is always on."""
    return np.concatenate([[0], np.cumsum([int(np.prod(p.shape)) for p in program.populations])])


def _owners(program: TrueNorthProgram) -> tuple[Array, Array]:
    """The number of every neuron of the cores that sends or is in a population, and twins by number."""
    cores, offsets = program.cores, _offsets(program)
    owner = np.full((len(cores), NEURONS), _NOBODY, np.int64)
    for number, population in enumerate(program.populations):
        owner[population.core, population.neuron] = offsets[number] + np.arange(len(population.core))
    twin = np.arange(int(offsets[-1]) + 1)
    sends = cores.target_core != NO_TARGET
    for core in np.flatnonzero((sends & (owner < 0)).any(axis=1)).tolist():
        _adopt_twins(cores, core, owner[core], sends[core], twin)
    return owner, twin


def _from_neurons(cores: Cores, owner: Array) -> tuple[Array, Array, Array, Array]:
    """Core and axon that every sending neuron sends to, its number and its delay."""
    at = np.nonzero(cores.target_core != NO_TARGET)
    target = cores.target_core[at].astype(np.int64)
    return (
        target,
        cores.target_axon[at].astype(np.int64),
        owner[at],
        cores.target_delay[at].astype(np.int64),
    )


def _adopt_twins(cores: Cores, core: int, owner: Array, sends: Array, twin: Array) -> None:
    """Give neurons of no population the number of their twin, and those of populations a common one."""
    columns = unpack_crossbar(cores.crossbar[core]).T
    registers = [
        getattr(cores, name)[core].reshape(NEURONS, -1).astype(np.int64)
        for name in (
            "weight", "stochastic_synapse", "leak", "leak_reversal", "stochastic_leak", "threshold", "mask_bits",
            "negative_threshold", "saturates", "reset_mode", "reset_potential", "initial_potential",
        )
    ]  # fmt: skip
    random = (cores.mask_bits[core] > 0) | cores.stochastic_leak[core]
    stream = np.where(random, cores.stream[core], 0)[:, None]
    rows = np.concatenate([columns, *registers, stream], axis=1)
    known: dict[bytes, int] = {}
    for neuron in np.flatnonzero(owner >= 0).tolist():
        twin[owner[neuron]] = known.setdefault(rows[neuron].tobytes(), int(owner[neuron]))
    for neuron in np.flatnonzero(sends & (owner < 0)).tolist():
        first = known.get(rows[neuron].tobytes())
        if first is None:
            _fail("T404", f"neuron {neuron} of core {core} sends spikes but is in no population")
        else:
            owner[neuron] = first


def _from_lines(program: TrueNorthProgram) -> tuple[Array, Array, Array, Array]:
    lines, offsets = program.lines, _offsets(program)
    always = lines.population == ALWAYS_ON
    number = np.where(always, offsets[-1], offsets[lines.population] + lines.neuron)
    return (
        lines.core.astype(np.int64),
        lines.axon.astype(np.int64),
        number.astype(np.int64),
        lines.delay.astype(np.int64),
    )


def _hash(number: Array, delay: Array | int) -> Array:
    """A 64-bit number for a source and a delay, 0 for nobody."""
    found = output(output(mix(np.zeros(1, np.uint64)), number), delay)
    return np.where(np.asarray(number) == _NOBODY, np.uint64(0), found)


def _expected(program: TrueNorthProgram, graph: Graph, number: int, drive: Drive, twin: Array) -> Array:
    """The fingerprint of every neuron of a population, from the graph."""
    offsets, population = _offsets(program), program.populations[number]
    index = {each.name: at for at, each in enumerate(program.populations)}
    together: Mapping[str, int] = {
        name: at for at, members in enumerate(graph.components) for name in members
    }
    total = np.zeros(int(np.prod(population.shape)), np.uint64)
    if drive.host:
        _fail("T405", "it reads values of the host, not spikes", population)
    for projection in drive.projections:
        source = program.populations[index[projection.source]]
        inner = together[projection.source] == together[population.name]
        delay = population.start - source.start + projection.delay + inner
        target, neuron, weight = _synapses(projection)
        hashes = _hash(twin[offsets[index[projection.source]] + neuron], delay)
        np.add.at(total, target, weight.astype(np.int64).astype(np.uint64) * hashes)
    if drive.bias is not None:
        bias = np.rint(drive.bias).astype(np.int64).ravel().astype(np.uint64)
        total += bias * _hash(offsets[-1:], population.start)
    return total


def _synapses(projection: Projection) -> tuple[Array, Array, Array]:
    """Target, source and weight of every synapse of a projection, in flat indices of the populations."""
    gather, place = projection.gather_indices(), projection.place_indices()
    if projection.operator is None:
        row = column = np.arange(len(gather))
        value = np.ones(len(gather))
    else:
        entries = sparse_form(projection.operator, projection.in_shape)
        row, column, value = entries.rows, entries.columns, entries.values
    order = np.argsort(row, kind="stable")
    row, source, value = row[order], gather[column[order]], value[order]
    wanted = place >= 0
    first, last = (np.searchsorted(row, place[wanted], side=side) for side in ("left", "right"))
    count = last - first
    at = np.arange(int(count.sum())) + np.repeat(first - np.cumsum(count) + count, count)
    target = np.repeat(np.flatnonzero(wanted), count)
    known = source[at] >= 0
    return target[known], source[at][known], value[at][known]


def _check_synapses(
    program: TrueNorthProgram, population: TrueNorthPopulation, sources: _Sources, expected: Array
) -> None:
    cores = program.cores
    for core in np.unique(population.core).tolist():
        own = np.flatnonzero(population.core == core)
        neurons = population.neuron[own]
        connected = unpack_crossbar(cores.crossbar[core])[:, neurons]
        weight = np.where(
            connected, cores.weight[core][neurons][:, cores.axon_type[core]].T.astype(np.int64), 0
        )
        hashes = _hash(sources.number[core], sources.delay[core])
        held = (weight.astype(np.uint64) * hashes[:, None]).sum(axis=0, dtype=np.uint64)
        wrong = own[held != expected[own]]
        if len(wrong):
            _fail(
                "T403",
                f"the synapses of neuron {wrong[0]}, on core {core}, are not the network's",
                population,
            )
