"""Whether a program keeps every limit of the chip and is exactly the network that it was made from.

Nothing here is shared with lowering but the program itself, its neuron and the limits. What synapses add up to is
compared for random numbers in place of spikes: the network's side is what its operators' own ``evaluate`` makes of
them, the chip's what crossbars, axon types and targets give. Any synapse that is missing, doubled, wrong, foreign or
late changes a sum; see ``snnc.targets.probes``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.linear_parts import LinearParts, ReaderSums
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output
from snnc.targets.frame import Answer
from snnc.targets.probes import Probes, responsible

from .limits import AXONS, NEURONS, TRUENORTH, TrueNorthLimits
from .neuron import NegativeMode, TrueNorthNeuron, is_reset_potential
from .program import ALWAYS_ON, NO_TARGET, Cores, TrueNorthPopulation, TrueNorthProgram, unpack_crossbar
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
    parts = LinearParts(graph)
    _check_populations(program, graph)
    for population in program.populations:
        operator = graph[population.name].operator
        if isinstance(operator, TrueNorthNeuron):
            _check_registers(program, population, operator)
    _check_before_windows(program, graph, parts)
    sums = _Sums(program, parts)
    sums.check_readout(graph)
    for population in program.populations:
        if population.source is None:
            sums.check(population)


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


def _check_registers(
    program: TrueNorthProgram, population: TrueNorthPopulation, operator: TrueNorthNeuron
) -> None:
    cores, place = program.cores, (population.core, population.neuron)
    expected = {
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
        expected["stream"] = operator.stream + np.arange(len(population.core)).reshape(population.shape)
        if (operator.seed, operator.phase) != (program.seed, population.start):
            raise MappingError(
                "T401",
                f"its random numbers have the seed {operator.seed} and the phase {operator.phase}, but the program's"
                f" have {program.seed} and {population.start}",
                node=population.name,
                remedy=f"give its neurons seed={program.seed}, phase={population.start}",
            )
    for name, value in expected.items():
        held = getattr(cores, name)[place].reshape(population.shape)
        if not (held == value).all():
            _fail("T401", f"a {name} differs from the network's", population)
    if cores.stochastic_synapse[place].any():
        _fail("T401", "it has stochastic synapses, which no network has", population)


def _check_before_windows(program: TrueNorthProgram, graph: Graph, parts: LinearParts) -> None:
    """Neurons run from tick 0: what happens before their windows open must leave no trace in them."""
    early: set[str] = set()
    for population in program.populations:
        operator = graph[population.name].operator
        if isinstance(operator, TrueNorthNeuron):
            held = program.cores.initial_potential[population.core, population.neuron]
            fires = _fires_before(population, operator, held)
            heard = early & {source for source, _ in parts.sources(population.name)}
            early |= {population.name} if fires or heard else set()
    for population in program.populations:
        operator = graph[population.name].operator
        forgets = isinstance(operator, TrueNorthNeuron) and operator.forgets
        for source, ticks in sorted(parts.sources(population.name)):
            if source in early and (ticks or not forgets):
                _fail("T401", f"it keeps what {source!r} fires before its window opens", population)


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


class _Sums:
    """What the synapses of a program add up to beside what the network's linear maps do."""

    def __init__(self, program: TrueNorthProgram, parts: LinearParts) -> None:
        self.program, self.parts, self.sources = program, parts, _Sources.of(program)
        self.sizes = {each.name: int(np.prod(each.shape)) for each in program.populations}
        self.number = {each.name: at for at, each in enumerate(program.populations)}
        starts = [each.start for each in program.populations]
        self.starts = np.repeat([*starts, 0], [*self.sizes.values(), 1])
        self.outputs = [node.name for node in parts.graph.outputs]
        readers = [each.name for each in program.populations if each.source is None]
        self.largest = parts.largest_sum([*readers, *self.outputs])
        self.probes = self._probes()
        self.expected = {
            sums.reader.name: sums for sums in parts.sums([*readers, *self.outputs], self.probes.of)
        }

    def check(self, population: TrueNorthPopulation) -> None:
        """Raise T403 unless the synapses of a population's neurons are the network's, T405 if the host drives it."""
        if self.parts.host(population.name):
            _fail("T405", "it reads values of the host, not spikes", population)
        expected = self._total(self.expected[population.name], self.probes)
        for core in np.unique(population.core).tolist():
            own = np.flatnonzero(population.core == core)
            held = self._held(population, core, population.neuron[own], self.probes)
            wrong = own[(held != expected[:, own]).any(axis=0)]
            if len(wrong):
                self._refuse(population, core, int(wrong[0]))

    def check_readout(self, graph: Graph) -> None:
        """Raise T405 unless units and, for every element of the answers, the weights of neurons are the network's."""
        if [answer.name for answer in self.program.answers] != self.outputs:
            _fail("T405", "its answers are not the network's outputs")
        for answer in self.program.answers:
            self._check_answer(graph, answer)

    def _check_answer(self, graph: Graph, answer: Answer) -> None:
        program, expected, output = self.program, self.expected[answer.name], graph[answer.name].operator
        assert isinstance(output, Output)
        if program.shape_of(answer) != graph.shapes[answer.name]:
            _fail("T405", "its answer has another shape than the network's")
        held = np.zeros((self.probes.count, expected.linear.shape[1]))
        for part in answer.readings:
            numbers = self.probes.of(program.populations[part.population].name, 0)
            if part.weights is None:
                held += numbers
            else:
                weights = np.rint(part.weights.values)
                np.add.at(held.T, part.weights.rows, (numbers[:, part.weights.columns] * weights).T)
        shift = np.asarray(output.scale) * expected.constant.reshape(graph.shapes[answer.name])
        same = np.array_equal(answer.scale, output.scale)
        same = same and np.array_equal(np.broadcast_to(answer.offset, shift.shape), output.offset + shift)
        alike = same and answer.readout is output.readout and np.array_equal(held, expected.linear)
        if self.parts.host(answer.name) or not alike:
            _fail("T405", "it is read in another way than the network")

    def _probes(self, heard: Array | None = None) -> Probes:
        return Probes(self.sizes, self.largest, self.sources.twin, heard, extra=1)

    def _total(self, sums: ReaderSums, probes: Probes) -> Array:
        """(rows, elements): a constant current is what a line that is always on gives."""
        return np.asarray(sums.linear + np.rint(sums.constant) * probes.table(0)[:, -1:])

    def _held(self, population: TrueNorthPopulation, core: int, neurons: Array, probes: Probes) -> Array:
        """(rows, neurons) float64, what some neurons of a core make of random numbers at its axons."""
        cores, number = self.program.cores, self.sources.number[core]
        ticks = self.sources.delay[core] - population.start + self.starts[number]
        numbers = np.zeros((probes.count, AXONS))
        for each in np.unique(ticks[number != _NOBODY]).tolist():
            at = (number != _NOBODY) & (ticks == each)
            numbers[:, at] = probes.table(each)[:, number[at]]
        connected = unpack_crossbar(cores.crossbar[core])[:, neurons]
        weight = cores.weight[core][neurons][:, cores.axon_type[core]].T
        return np.asarray(numbers @ np.where(connected, weight, 0).astype(np.float64))

    def _refuse(self, population: TrueNorthPopulation, core: int, neuron: int) -> None:
        """Raise T403 with a neuron whose spikes are not taken up as in the network, where one alone is to blame."""

        def differs(mask: Array) -> bool:
            probes = self._probes(mask[self.sources.twin])
            (sums,) = self.parts.sums([population.name], probes.of)
            held = self._held(population, core, population.neuron[[neuron]], probes)
            return bool((held[:, 0] != self._total(sums, probes)[:, neuron]).any())

        source = responsible(len(self.starts), differs)
        which = "" if source is None else f" from {self._name(source)}"
        _fail(
            "T403",
            f"the synapses{which} to neuron {neuron}, on core {core}, are not the network's",
            population,
        )

    def _name(self, number: int) -> str:
        """A source by its number."""
        for name, size in self.sizes.items():
            if number < size:
                return f"neuron {number} of {name}"
            number -= size
        return "what is always on"
