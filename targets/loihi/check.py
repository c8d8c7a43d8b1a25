"""Whether a program keeps every limit of the chip and is exactly the network that it was made from.

Nothing here is shared with lowering but the program, its formats of numbers and the limits. What synapses add up to
is compared for random numbers in place of spikes: the network's side is what its operators' own ``evaluate`` makes of
them, the chip's what the synapse lists give. Any synapse that is missing, doubled, wrong, foreign or late changes a
sum; see ``snnc.targets.probes``.
"""

from __future__ import annotations

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.linear_parts import LinearParts
from snnc.graph.neurons.base import Reset
from snnc.graph.node import Node
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output
from snnc.kernels.weighted_sums import add_weighted_lists
from snnc.targets.frame import Answer
from snnc.targets.probes import Probes, responsible

from .compartment import LoihiCompartment
from .limits import LOIHI, UNIT, LoihiLimits
from .program import LoihiPopulation, LoihiProgram, SynapticMemory, Tile
from .synapses import EXPONENTS, INDEX_BITS, WEIGHT_BITS, SynapseFormat
from .usage import core_uses

POP_ATOMS = 512
POP16_ID_BITS = 10
POP16_FREE_ATOM_BITS = 5
POP16_ALIGNMENT = 4

_NAMES = {
    "compartments": "compartments",
    "input_axons": "input axons",
    "output_axons": "output axons",
    "synapse_bits": "bits of synaptic memory",
    "synapse_formats": "synapse formats",
    "threshold_tables": "thresholds",
    "compartment_profiles": "compartment profiles",
}


def check_program(program: LoihiProgram, graph: Graph, limits: LoihiLimits = LOIHI) -> None:
    """Check a program against the chip and the INTEGER graph that it was made from.

    Raises:
        MappingError: T201 populations, neurons or registers differ; T202 a limit of a core is exceeded; T203 a
            synapse is missing, doubled, wrong or not the network's; T204 reset by subtraction is not exact; T205 a
            list does not keep its format; T206 an axon breaks a rule of its kind; T207 a spike would come too
            early or from a population that runs later; T208 the host or the read-out differs.
    """
    parts = LinearParts(graph)
    _check_populations(program, graph, parts)
    _check_cover(program)
    _check_core_limits(program, limits)
    for number, memory in enumerate(program.memories):
        _check_memory(program, number, memory)
    _check_slots_of_cores(program, limits)
    _check_order(program)
    synapses = _Synapses(program, parts)
    of_memory: dict[int, list[tuple[Tile, int]]] = {}
    for tile, offset in zip(program.tiles, _offsets(program), strict=True):
        of_memory.setdefault(tile.memory, []).append((tile, offset))
    weights_of = _EffectiveWeights()
    for number, memory in enumerate(program.memories):
        lists = _MemoryLists(memory, weights_of)
        for tile, offset in of_memory.get(number, ()):
            _check_lists(tile, lists, offset, program.populations[tile.population], limits)
            _check_registers(program, graph, tile, limits)
            _check_resets(program, graph, tile, lists)
            synapses.check(tile, lists)


def _fail(
    code: str, message: str, population: LoihiPopulation | None = None, core: int | None = None
) -> None:
    where = "" if core is None else f" on core {core}"
    raise MappingError(
        code,
        f"the program is not right{where}: {message}",
        node=None if population is None else population.name,
        remedy="this is a defect of the mapping: report it with the model",
    )


def _check_populations(program: LoihiProgram, graph: Graph, parts: LinearParts) -> None:
    nodes = {node.name: node for node in graph.populations}
    names = [population.name for population in program.populations]
    if sorted(names) != sorted(nodes):
        _fail("T201", "its populations are not those of the network")
    for population in program.populations:
        operator = nodes[population.name].operator
        if population.shape != graph.shapes[population.name]:
            _fail("T201", "the shape differs", population)
        if isinstance(operator, LoihiCompartment):
            _check_parameters(population, operator)
            _check_host(program, population, population.drive, parts.host(population.name))
        else:
            _check_host(program, population, population.source, (population.name,))
    _check_output(program, graph)


def _check_parameters(population: LoihiPopulation, operator: LoihiCompartment) -> None:
    pairs = {
        "reset": (population.subtract, operator.reset is Reset.SUBTRACT),
        "lower bound of the potential": (population.v_min, operator.v_min),
        "upper bound of the potential": (population.v_max, operator.v_max),
        "place": (population.source, None),
    }
    for what, (held, expected) in pairs.items():
        if held != expected:
            _fail("T201", f"the {what} is {held}, not {expected}", population)


def _check_host(
    program: LoihiProgram, population: LoihiPopulation, output: str | None, expected: tuple[str, ...]
) -> None:
    read = () if output is None else program.host[output].inputs if output in program.host else None
    if read != expected:
        _fail("T208", f"the host gives it {output!r} instead of what {expected} reads", population)


def _check_output(program: LoihiProgram, graph: Graph) -> None:
    if len(program.answers) != len(graph.outputs):
        _fail("T208", "it has not the network's outputs", program.populations[0])
    for node, answer in zip(graph.outputs, program.answers, strict=True):
        _check_answer(program, node, answer)


def _check_answer(program: LoihiProgram, node: Node, answer: Answer) -> None:
    output = node.operator
    assert isinstance(output, Output)
    read = [program.populations[part.population] for part in answer.readings]
    same = np.array_equal(answer.scale, output.scale) and np.array_equal(answer.offset, output.offset)
    as_it_is = all(part.weights is None for part in answer.readings)
    names = (answer.name, *(population.name for population in read))
    if not (same and as_it_is) or names != (node.name, *node.inputs) or answer.readout is not output.readout:
        _fail("T208", "it is read in another way than the network", read[0])


def _check_cover(program: LoihiProgram) -> None:
    for number, population in enumerate(program.populations):
        held = [tile.neurons for tile in program.tiles if tile.population == number]
        size = 0 if population.source is not None else int(np.prod(population.shape))
        neurons = np.sort(np.concatenate([np.zeros(0, np.int64), *held]))
        if not np.array_equal(neurons, np.arange(size)):
            _fail("T201", "its neurons are not all on the chip exactly once", population)


def _check_core_limits(program: LoihiProgram, limits: LoihiLimits) -> None:
    uses = core_uses(program)
    for name, text in _NAMES.items():
        used, available = getattr(uses, name), getattr(limits, name)
        if used.size and used.max() > available:
            core = int(used.argmax())
            tile = next(tile for tile in program.tiles if tile.core == core)
            _fail(
                "T202",
                f"it needs {used[core]} {text}, {used[core] - available} more than there are",
                program.populations[tile.population],
                core,
            )


def _offsets(program: LoihiProgram) -> list[int]:
    """First compartment of every tile on its core: tiles lie one behind the other, at multiples of 4."""
    used: dict[int, int] = {}
    offsets = []
    for tile in program.tiles:
        start = -(-used.get(tile.core, 0) // POP16_ALIGNMENT) * POP16_ALIGNMENT
        each = 2 if program.populations[tile.population].subtract else 1
        used[tile.core] = start + each * len(tile.neurons)
        offsets.append(start)
    return offsets


def _check_memory(program: LoihiProgram, number: int, memory: SynapticMemory) -> None:
    tile = next((tile for tile in program.tiles if tile.memory == number), None)
    population = None if tile is None else program.populations[tile.population]
    core = None if tile is None else tile.core
    format_of_run = np.repeat(memory.list_format, np.diff(memory.list_runs))
    ends = memory.run_weight.astype(np.int64) + memory.run_length
    if (memory.run_weight < 0).any() or (ends > len(memory.weights)).any():
        _fail("T205", "a run reads beyond the weights", population, core)
    pairs: dict[int, int] = dict(zip(memory.list_block.tolist(), memory.list_format.tolist(), strict=True))
    if [pairs[block] for block in memory.list_block.tolist()] != memory.list_format.tolist():
        _fail("T205", "lists of one block have several formats", population, core)
    for at, form in enumerate(memory.formats):
        legal = form.weight_bits in WEIGHT_BITS and form.exponent in EXPONENTS
        if not legal or form.index_bits not in (0, *INDEX_BITS) or form.delay_bits not in range(7):
            _fail("T205", f"{form} is no format of the chip", population, core)
        used = _marked(memory, np.flatnonzero(format_of_run == at))
        mantissas = memory.weights[used]
        low, high = form.mantissa_range
        if mantissas.size and (
            mantissas.min() < low or mantissas.max() > high or (mantissas % form.mantissa_step).any()
        ):
            _fail("T205", f"a mantissa is none of {form}", population, core)


def _marked(memory: SynapticMemory, runs: Array) -> Array:
    """Which weights some of the runs hold, bool."""
    size = len(memory.weights) + 1
    starts = np.bincount(memory.run_weight[runs], minlength=size)
    ends = np.bincount(memory.run_weight[runs] + memory.run_length[runs], minlength=size)
    return np.asarray(np.cumsum(starts - ends)[:-1] > 0)


class _EffectiveWeights:
    """The weights of one memory after another in all of its formats; memories that follow often have the same."""

    def __init__(self) -> None:
        self._pool: Array | None = None
        self._formats: tuple[SynapseFormat, ...] = ()
        self._weights: tuple[list[Array], Array] = [], np.zeros(0)

    def of(self, memory: SynapticMemory) -> tuple[list[Array], Array]:
        """In steps of 64: for each format (weights,) int64, and all behind one another in float64."""
        if memory.weights is not self._pool or memory.formats != self._formats:
            weights = [form.effective(memory.weights) // UNIT for form in memory.formats]
            self._pool, self._formats = memory.weights, memory.formats
            self._weights = weights, np.concatenate([np.zeros(0), *weights])
        return self._weights


class _MemoryLists:
    """The lists of a memory, and what is asked of them over and over."""

    def __init__(self, memory: SynapticMemory, weights_of: _EffectiveWeights) -> None:
        self.memory = memory
        self.runs = np.diff(memory.list_runs)
        self.weights, self.values = weights_of.of(memory)
        self.start = memory.list_format.astype(np.int64) * len(memory.weights)
        self.columns = (
            memory.list_runs.astype(np.int64),
            memory.run_first.astype(np.int64),
            memory.run_weight.astype(np.int64),
            memory.run_length.astype(np.int64),
        )
        ends = np.append(memory.run_first.astype(np.int64) + memory.run_length, 0)
        length = np.concatenate([[0], np.cumsum(memory.run_length, dtype=np.int64)])
        self.synapses = np.diff(length[memory.list_runs])
        starts = np.minimum(memory.list_runs[:-1], max(len(memory.run_first) - 1, 0))
        filled = self.runs > 0
        self.end = np.where(filled, np.maximum.reduceat(ends, starts), 0) if len(starts) else ends[:0]
        follows = np.append(memory.run_first[1:] != ends[: len(memory.run_first) - 1], True)
        follows[memory.list_runs[1:][filled] - 1] = False
        broken = np.concatenate([[0], np.cumsum(follows)])
        first = memory.run_first[starts] if len(memory.run_first) else starts
        self.dense = filled & (first == 0) & (np.diff(broken[memory.list_runs]) == 0)

    def expanded(self, chosen: Array, base: Array) -> tuple[Array, Array, Array]:
        """The synapses of lists, for each the index into ``chosen``, the compartment and the weight in steps of 64."""
        memory = self.memory
        counts = self.runs[chosen]
        owner = np.repeat(np.arange(len(chosen)), counts)
        run = np.arange(counts.sum()) + np.repeat(
            memory.list_runs[chosen] - np.cumsum(counts) + counts, counts
        )
        length = memory.run_length[run].astype(np.int64)
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        compartment = np.repeat(memory.run_first[run] + base[owner], length) + within
        where = np.repeat(memory.run_weight[run], length) + within
        form = memory.list_format[chosen[owner]]
        weight = np.empty(len(where), np.int64)
        for at in np.unique(form):
            own = np.repeat(form == at, length)
            weight[own] = self.weights[at][where[own]]
        return np.repeat(owner, length), compartment, weight

    def add(self, sums: Array, numbers: Array, chosen: Array, base: Array) -> None:
        """Add to ``sums`` what numbers (axons, rows) at the axons of the chosen lists give, in steps of 64."""
        add_weighted_lists(
            sums,
            np.ascontiguousarray(numbers),
            chosen.astype(np.int64),
            base.astype(np.int64),
            *self.columns,
            self.start,
            self.values,
        )


def _check_slots_of_cores(program: LoihiProgram, limits: LoihiLimits) -> None:
    taken: dict[int, Array] = {}
    for tile in program.tiles:
        population = program.populations[tile.population]
        if int(tile.axon_slot.max(initial=0)) >= limits.input_axons:
            _fail("T202", f"it numbers more than {limits.input_axons} input axons", population, tile.core)
        slots = np.flatnonzero(np.bincount(tile.axon_slot, minlength=limits.input_axons))
        used = taken.setdefault(tile.core, np.zeros(limits.input_axons, bool))
        if used[slots].any() or not np.array_equal(slots, np.flatnonzero(tile.slot_width)):
            _fail("T206", "tiles share a hardware axon, or one is not used", population, tile.core)
        used[slots] = True
        _check_slots(program, tile)


def _check_lists(
    tile: Tile, lists: _MemoryLists, offset: int, population: LoihiPopulation, limits: LoihiLimits
) -> None:
    memory, chosen = lists.memory, tile.axon_list
    if not len(chosen):
        return
    if (tile.axon_base < 0).any() or (tile.axon_base >= limits.compartment_bases).any():
        _fail("T206", "an axon's base is out of range", population, tile.core)
    if (tile.axon_base + lists.end[chosen] > len(tile.neurons)).any():
        _fail("T206", "a synapse leads out of the tile", population, tile.core)
    index_bits = np.array([form.index_bits for form in memory.formats])[memory.list_format[chosen]]
    delay_bits = np.array([form.delay_bits for form in memory.formats])[memory.list_format[chosen]]
    plain = index_bits == 0
    if (~lists.dense[chosen][plain]).any() or (
        tile.axon_base[plain] + offset >= limits.compartment_bases
    ).any():
        _fail("T205", "a list without indices is not dense from an axon's base on", population, tile.core)
    if (lists.end[chosen][~plain] - 1 + offset >= 1 << index_bits[~plain]).any():
        _fail("T205", "an index does not fit its format", population, tile.core)
    if (tile.axon_delay < 0).any() or (tile.axon_delay > limits.maximum_delay).any():
        _fail("T207", f"a delay is not 0 to {limits.maximum_delay} ticks", population, tile.core)
    if (tile.axon_delay >= 1 << delay_bits).any():
        _fail("T205", "a delay does not fit its format", population, tile.core)


def _check_slots(program: LoihiProgram, tile: Tile) -> None:
    """The atoms of a hardware axon agree in all that the axon holds, and its kind can number it."""
    population, memory = program.populations[tile.population], program.memories[tile.memory]
    synapse_bits = np.array([f.weight_bits + f.delay_bits + f.index_bits for f in memory.formats], np.int64)
    order = np.argsort(tile.axon_slot, kind="stable")
    slot = tile.axon_slot[order]
    same = np.diff(slot) == 0
    columns = (
        tile.axon_population,
        tile.axon_delay,
        tile.axon_base,
        synapse_bits[memory.list_format[tile.axon_list]],
        tile.axon_resets,
    )
    for column in columns:
        if (np.diff(column[order].astype(np.int64)) != 0)[same].any():
            _fail("T206", "the atoms of a population axon do not agree", population, tile.core)
    pairs = tile.axon_slot.astype(np.int64) * (1 + int(tile.axon_neuron.max(initial=0))) + tile.axon_neuron
    if (np.diff(np.sort(pairs)) == 0).any():
        _fail("T206", "a neuron has two places in one population axon", population, tile.core)
    slots, first, atoms = np.unique(slot, return_index=True, return_counts=True)
    bits = np.array([int(count - 1).bit_length() for count in atoms], np.int64)
    numbers = 1 << (POP16_ID_BITS - np.maximum(bits - POP16_FREE_ATOM_BITS, 0))
    base = tile.axon_base[order][first] + 0
    width = tile.slot_width[slots]
    pop16 = (atoms > 1) & (width == 1)
    wrong = (atoms > POP_ATOMS) | ~np.isin(width, (1, 2))
    wrong |= pop16 & ((slots >= numbers) | (base % POP16_ALIGNMENT != 0))
    if wrong.any():
        _fail("T206", "a population axon cannot be numbered", population, tile.core)


def _check_order(program: LoihiProgram) -> None:
    turn = {member: at for at, members in enumerate(program.components) for member in members}
    if sorted(turn) != list(range(len(program.populations))):
        _fail("T207", "its components do not hold every population once")
    for tile in program.tiles:
        for source in np.unique(tile.axon_population).tolist():
            if turn[source] > turn[tile.population]:
                _fail(
                    "T207",
                    f"spikes of {program.populations[source].name} come from a later population",
                    program.populations[tile.population],
                    tile.core,
                )


def _compartment(program: LoihiProgram, graph: Graph, tile: Tile) -> LoihiCompartment:
    operator = graph[program.populations[tile.population].name].operator
    assert isinstance(operator, LoihiCompartment)
    return operator


def _at(parameter: int | Array | None, population: LoihiPopulation, neurons: Array) -> Array:
    assert parameter is not None
    spread = np.broadcast_to(parameter, population.shape)
    return np.asarray(spread.ravel()[neurons])


def _check_registers(program: LoihiProgram, graph: Graph, tile: Tile, limits: LoihiLimits) -> None:
    population, operator = program.populations[tile.population], _compartment(program, graph, tile)
    bias = tile.bias_mantissa.astype(np.int64) << tile.bias_exponent
    registers = {
        "threshold": (tile.threshold.astype(np.int64) * UNIT, operator.threshold),
        "bias": (bias, operator.bias),
        "initial voltage": (tile.initial_voltage, operator.initial_voltage),
        "current decay": (tile.current_decay, operator.current_decay),
        "voltage decay": (tile.voltage_decay, operator.voltage_decay),
        "refractory period": (tile.refractory, operator.refractory),
    }
    for what, (held, expected) in registers.items():
        if not np.array_equal(held, _at(expected, population, tile.neurons)):
            _fail("T201", f"a {what} differs from the network's", population, tile.core)
    mantissa, exponent = np.abs(tile.bias_mantissa), tile.bias_exponent
    if (
        (mantissa > limits.bias_mantissa).any()
        or (exponent < 0).any()
        or (exponent > limits.bias_exponent).any()
    ):
        _fail("T201", "a bias does not fit its register", population, tile.core)
    if (tile.threshold < 0).any() or (tile.threshold > limits.threshold_mantissa).any():
        _fail("T201", "a threshold does not fit its register", population, tile.core)


def _check_resets(program: LoihiProgram, graph: Graph, tile: Tile, lists: _MemoryLists) -> None:
    population, operator = program.populations[tile.population], _compartment(program, graph, tile)
    axons = np.flatnonzero(tile.axon_resets)
    expected = tile.neurons if population.subtract else tile.neurons[:0]
    owner, compartment, weight = lists.expanded(tile.axon_list[axons], tile.axon_base[axons])
    order = np.argsort(compartment, kind="stable")
    right = np.array_equal(compartment[order], np.arange(len(expected)))
    if right:
        source = axons[owner[order]]
        charge = _at(operator.reset_charge, population, expected)
        right = (
            np.array_equal(tile.axon_neuron[source], expected)
            and bool((tile.axon_population[source] == tile.population).all())
            and bool((tile.axon_delay[source] == 0).all())
            and np.array_equal(weight[order] * UNIT, -charge)
        )
    if not right:
        _fail(
            "T204",
            "a spike does not take exactly the reset charge from its own neuron",
            population,
            tile.core,
        )


class _Synapses:
    """What the synapses of a program add up to beside what the network's linear maps do."""

    def __init__(self, program: LoihiProgram, parts: LinearParts) -> None:
        self.program, self.parts = program, parts
        self.sizes = {each.name: int(np.prod(each.shape)) for each in program.populations}
        on_chip = [each.name for each in program.populations if each.source is None]
        self.heard = {name: parts.sources(name) for name in on_chip}
        self.starts = {each.name: each.start for each in program.populations}
        for name in on_chip:
            self._check_windows(name)
        self.largest = parts.largest_sum(on_chip)
        self.probes = Probes(self.sizes, self.largest)
        self.expected = {}
        for sums in parts.sums(on_chip, self.probes.of):
            if sums.constant.any():
                _fail(
                    "T203",
                    "a constant current through a linear map is not on the chip",
                    self._named(sums.reader.name),
                )
            self.expected[sums.reader.name] = sums.linear

    def check(self, tile: Tile, lists: _MemoryLists) -> None:
        """Raise T203 unless the synapses of a tile are those of the network."""
        population = self.program.populations[tile.population]
        held = self._held(tile, lists, self.probes)
        wrong = np.flatnonzero((held * UNIT != self.expected[population.name][:, tile.neurons]).any(axis=0))
        if not len(wrong):
            return
        neuron = int(tile.neurons[wrong[0]])
        source = responsible(
            sum(self.sizes.values()), lambda mask: self._differs(tile, lists, wrong[0], mask)
        )
        _fail(
            "T203",
            f"the synapses from {self._neuron(source)} to neuron {neuron} differ from the network's",
            population,
            tile.core,
        )

    def _check_windows(self, name: str) -> None:
        for source, ticks in self.heard[name]:
            if self._shift(source, name) - 1 + ticks < 0:
                _fail("T207", f"spikes of {source} come after its window has opened", self._named(name))

    def _shift(self, source: str, target: str) -> int:
        return self.starts[target] - self.starts[source]

    def _named(self, name: str) -> LoihiPopulation:
        return next(each for each in self.program.populations if each.name == name)

    def _held(self, tile: Tile, lists: _MemoryLists, probes: Probes) -> Array:
        """(rows, neurons) float64, what the lists of a tile make of random numbers, in steps of 64."""
        population = self.program.populations[tile.population]
        axons = np.flatnonzero(~tile.axon_resets)
        numbers = np.zeros((len(axons), probes.count))
        longest = int(tile.axon_delay.max(initial=0)) + 1
        pairs = tile.axon_population[axons].astype(np.int64) * longest + tile.axon_delay[axons]
        for pair in np.flatnonzero(np.bincount(pairs)).tolist():
            source, delay = divmod(pair, longest)
            name = self.program.populations[source].name
            ticks = delay + 1 - self._shift(name, population.name)
            if (name, ticks) not in self.heard[population.name]:
                text = f"an axon from {name} is none of the network's, or has a wrong delay"
                _fail("T203", text, population, tile.core)
            own = pairs == pair
            numbers[own] = probes.of(name, ticks)[:, tile.axon_neuron[axons[own]]].T
        sums = np.zeros((probes.count, len(tile.neurons)))
        lists.add(sums, numbers, tile.axon_list[axons], tile.axon_base[axons])
        return sums

    def _differs(self, tile: Tile, lists: _MemoryLists, element: int, mask: Array) -> bool:
        """Whether the sum of one neuron of a tile differs where only some neurons spike."""
        name = self.program.populations[tile.population].name
        probes = Probes(self.sizes, self.largest, heard=mask)
        (sums,) = self.parts.sums([name], probes.of)
        held = self._held(tile, lists, probes)[:, element] * UNIT
        return bool((held != sums.linear[:, tile.neurons[element]]).any())

    def _neuron(self, number: int | None) -> str:
        """A neuron by the number it has when those of all populations are counted."""
        if number is None:
            return "several neurons"
        for name, size in self.sizes.items():
            if number < size:
                return f"neuron {number} of {name}"
            number -= size
        raise AssertionError("there is no such neuron")
