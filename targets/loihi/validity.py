"""Whether a program's arrays fit together, so that no program, damaged or forged, leads a kernel astray."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.frame import LARGEST_POPULATION
from snnc.targets.program_checks import require, within

from .limits import DECAY_UNIT, LARGEST_POTENTIAL, LOIHI
from .program import LoihiPopulation, LoihiProgram, SynapticMemory, Tile
from .synapses import EXPONENTS, WEIGHT_BITS

LARGEST_TILE = 2**15 - 1
MOST_FORMATS = 256
MOST_SYNAPSES = 2**27
MOST_CORE_TICKS = 2**27
"""Cores times ticks to the last window's start: the counts of events must fit memory."""


def check_arrays(program: LoihiProgram) -> None:
    """Raise ArtifactError A121 unless every index, offset and register of a program is within its range.

    This is about what can be run at all; the chip's limits are ``check``'s business.
    """
    program.require_consistent()
    for population in program.populations:
        _check_population(program, population)
    _check_components(program)
    sizes = program.sizes
    for number, memory in enumerate(program.memories):
        _check_memory(f"memory {number}", memory)
    reach = [_list_reach(memory) for memory in program.memories]
    for number, tile in enumerate(program.tiles):
        require(0 <= tile.memory < len(program.memories), f"tile {number}", "its memory is missing")
        _check_tile(f"tile {number}", program, tile, sizes)
        _check_axons(f"tile {number}", tile, sizes, len(program.memories[tile.memory].list_format))
        _check_reach(f"tile {number}", tile, reach[tile.memory])
    cores = 1 + max((tile.core for tile in program.tiles), default=0)
    require(
        cores * (1 + program.depth) <= MOST_CORE_TICKS,
        "cores",
        "they are too many for the last window's start",
    )
    _check_cover(program, sizes)
    _check_order(program)


def _check_population(program: LoihiProgram, population: LoihiPopulation) -> None:
    place = f"population {population.name!r}"
    bounds = -LARGEST_POTENTIAL <= population.v_min <= 0 <= population.v_max <= LARGEST_POTENTIAL
    require(bounds, place, "its bounds of the potential are out of range")
    if population.drive is not None:
        program.require_made_by_host(population, population.drive)


def _check_components(program: LoihiProgram) -> None:
    members = [number for component in program.components for number in component]
    everyone = sorted(members) == list(range(len(program.populations))) and len(members) > 0
    require(everyone, "components", "they do not hold every population once")


def _check_memory(place: str, memory: SynapticMemory) -> None:
    lists, runs = len(memory.list_format), len(memory.run_first)
    arrays = (memory.weights, memory.list_runs, memory.run_first, memory.run_weight, memory.run_length)
    flat = all(array.ndim == 1 for array in (*arrays, memory.list_format, memory.list_block))
    require(flat, place, "its arrays have more than one axis")
    require(
        len(memory.list_runs) == lists + 1 and len(memory.list_block) == lists, place, "lists are missing"
    )
    require(len(memory.run_weight) == runs and len(memory.run_length) == runs, place, "runs are missing")
    offsets = within(memory.list_runs, 0, runs) and memory.list_runs[0] == 0 and memory.list_runs[-1] == runs
    require(offsets and (np.diff(memory.list_runs) >= 0).all(), place, "its lists are out of order")
    require(within(memory.weights, -256, 255), place, "its weights are out of range")
    known = all(form.exponent in EXPONENTS and form.weight_bits in WEIGHT_BITS for form in memory.formats)
    require(known and len(memory.formats) <= MOST_FORMATS, place, "a synapse format is not the chip's")
    require(within(memory.list_format, 0, len(memory.formats) - 1), place, "a format is missing")
    require(within(memory.run_first, 0, LARGEST_TILE), place, "a run starts outside of the core")
    require(within(memory.run_length, 1, LARGEST_TILE), place, "a run has no length")
    require(within(memory.run_weight, 0, len(memory.weights)), place, "a run has no weights")
    ends = memory.run_weight.astype(np.int64) + memory.run_length
    require(within(ends, 0, len(memory.weights)), place, "a run has no weights")
    require(int(memory.run_length.sum(dtype=np.int64)) <= MOST_SYNAPSES, place, "it is too large")


def _list_reach(memory: SynapticMemory) -> Array:
    """The first compartment behind each list's runs, counted from the axon's base, 0 for an empty list."""
    ends = np.append(memory.run_first.astype(np.int64) + memory.run_length, 0)
    reach = np.maximum.reduceat(ends, memory.list_runs[:-1]) if len(memory.list_format) else ends[:0]
    return np.where(np.diff(memory.list_runs) > 0, reach, 0)


def _check_tile(place: str, program: LoihiProgram, tile: Tile, sizes: Sequence[int]) -> None:
    count = len(tile.neurons)
    require(0 <= tile.population < len(sizes), place, "its population is missing")
    require(program.populations[tile.population].source is None, place, "its population is on the host")
    registers = (tile.neurons, tile.threshold, tile.bias_mantissa, tile.bias_exponent, tile.initial_voltage)
    profiles = (tile.current_decay, tile.voltage_decay, tile.refractory)
    require(all(array.shape == (count,) for array in (*registers, *profiles)), place, "registers are missing")
    require(1 <= count <= LARGEST_TILE, place, "it has no neurons, or too many")
    require(0 <= tile.core < 2**24, place, "its core does not exist")
    require(
        within(tile.neurons, 0, sizes[tile.population] - 1), place, "it has neurons beyond its population"
    )
    require(within(tile.threshold, 0, LOIHI.threshold_mantissa), place, "a threshold is out of range")
    require(
        within(tile.bias_mantissa, -LOIHI.bias_mantissa, LOIHI.bias_mantissa),
        place,
        "a bias is out of range",
    )
    require(within(tile.bias_exponent, 0, LOIHI.bias_exponent), place, "a bias exponent is out of range")
    require(
        within(tile.initial_voltage, -LARGEST_POTENTIAL, LARGEST_POTENTIAL),
        place,
        "an initial potential is out of range",
    )
    _check_profiles(place, tile, program.populations[tile.population].subtract)


def _check_profiles(place: str, tile: Tile, subtract: bool) -> None:
    require(within(tile.current_decay, 1, DECAY_UNIT), place, "a current decay is out of range")
    require(within(tile.voltage_decay, 0, DECAY_UNIT - 1), place, "a voltage decay is out of range")
    require(within(tile.refractory, 1, LOIHI.refractory), place, "a refractory period is out of range")
    memoryless = bool((tile.current_decay == DECAY_UNIT).all() and (tile.refractory == 1).all())
    require(memoryless or not subtract, place, "reset by subtraction needs a memoryless current")


def _check_axons(place: str, tile: Tile, sizes: Sequence[int], lists: int) -> None:
    count = len(tile.axon_list)
    arrays = (tile.axon_population, tile.axon_neuron, tile.axon_delay, tile.axon_base, tile.axon_slot)
    fitting = all(array.shape == (count,) for array in (*arrays, tile.axon_list, tile.axon_resets))
    require(fitting and tile.axon_resets.dtype == np.bool_, place, "axons are missing")
    require(within(tile.axon_population, 0, len(sizes) - 1), place, "an axon comes from no population")
    existing = np.asarray(sizes)[tile.axon_population] > tile.axon_neuron
    require(
        within(tile.axon_neuron, 0, LARGEST_POPULATION) and existing.all(),
        place,
        "an axon comes from no neuron",
    )
    require(within(tile.axon_delay, 0, LOIHI.maximum_delay), place, "a delay is out of range")
    require(within(tile.axon_list, 0, lists - 1), place, "an axon has no list")
    require(within(tile.axon_base, 0, LARGEST_TILE), place, "an axon leads out of the core")
    require(
        tile.slot_width.ndim == 1 and within(tile.axon_slot, 0, len(tile.slot_width) - 1),
        place,
        "an axon has no slot",
    )


def _check_reach(place: str, tile: Tile, reach: Array) -> None:
    beyond = tile.axon_base.astype(np.int64) + reach[tile.axon_list] > len(tile.neurons)
    require(not beyond.any(), place, "a synapse leads out of the tile")
    own = (tile.axon_population == tile.population) & (reach[tile.axon_list] > 0)
    require(own[tile.axon_resets].all(), place, "a reset axon does not come from its own population")
    from_tile = np.isin(tile.axon_neuron[tile.axon_resets], tile.neurons)
    require(from_tile.all(), place, "a reset axon comes from another tile")


def _check_cover(program: LoihiProgram, sizes: Sequence[int]) -> None:
    held: dict[int, list[Array]] = {number: [] for number in range(len(sizes))}
    for tile in program.tiles:
        held[tile.population].append(tile.neurons)
    for number, population in enumerate(program.populations):
        if population.source is None:
            total = sum(len(part) for part in held[number])
            once = total == sizes[number] and len(np.unique(np.concatenate(held[number]))) == total
            require(once, f"population {population.name!r}", "its tiles do not hold every neuron once")


def _check_order(program: LoihiProgram) -> None:
    """Spikes come from the component itself or from one before it."""
    turn = np.zeros(len(program.populations), np.int64)
    for number, component in enumerate(program.components):
        turn[list(component)] = number
    for number, tile in enumerate(program.tiles):
        late = turn[tile.axon_population] > turn[tile.population]
        require(not late.any(), f"tile {number}", "it reads a population that runs after it")
