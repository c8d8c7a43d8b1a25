"""Whether a program's arrays fit together, so that no program, damaged or forged, leads a kernel astray."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Shape
from snnc.graph.operators.interface import Readout
from snnc.targets.readback import require, within

from .limits import AXON_TYPES, AXONS, CROSSBAR_BYTES, NEURONS, TRUENORTH
from .neuron import ResetMode
from .program import ALWAYS_ON, NO_TARGET, Cores, Reading, TrueNorthPopulation, TrueNorthProgram

LARGEST_START = 2**20
LARGEST_PLACE = 2**20
LARGEST_POPULATION = 2**31 - 1
LARGEST_WEIGHT = 2**31

_SHAPES = {
    "x": (),
    "y": (),
    "axon_type": (AXONS,),
    "crossbar": (AXONS, CROSSBAR_BYTES),
    "weight": (NEURONS, AXON_TYPES),
    "stochastic_synapse": (NEURONS, AXON_TYPES),
}
"""Axes of the fields of ``Cores`` behind that of the cores; all others have one of neurons."""

_RANGES = {
    "x": (0, LARGEST_PLACE),
    "y": (0, LARGEST_PLACE),
    "axon_type": (0, AXON_TYPES - 1),
    "crossbar": (0, 255),
    "weight": TRUENORTH.weight,
    "leak": TRUENORTH.leak,
    "threshold": (0, TRUENORTH.threshold),
    "mask_bits": (0, TRUENORTH.mask_bits),
    "negative_threshold": (0, TRUENORTH.threshold),
    "reset_mode": (0, len(ResetMode) - 1),
    "reset_potential": (1 - 2**TRUENORTH.reset_exponent, 2**TRUENORTH.reset_exponent - 1),
    "initial_potential": TRUENORTH.potential,
    "stream": (0, 2**63 - 1),
    "target_axon": (0, AXONS - 1),
    "target_delay": TRUENORTH.delay,
}
"""Smallest and largest value of the integer fields of ``Cores`` but target_core; the others are bool."""


def check_arrays(program: TrueNorthProgram) -> None:
    """Raise ArtifactError A121 unless every index and register of a program is within its range.

    This is about what can be run at all; what chips can hold is ``check``'s business.
    """
    _check_cores(program.cores)
    names = {population.name for population in program.populations}
    require(len(names) == len(program.populations) > 0, "populations", "there is none, or two have one name")
    require(0 <= program.seed < 2**63, "seed", "it is out of range")
    for population in program.populations:
        _check_population(program, population)
    _check_lines(program)
    _check_host(program)
    _check_readout(program)


def _check_cores(cores: Cores) -> None:
    count = len(cores)
    require(cores.x.ndim == 1 and count >= 1, "cores", "there are none")
    for field in fields(cores):
        values = getattr(cores, field.name)
        shape = (count, *_SHAPES.get(field.name, (NEURONS,)))
        require(values.shape == shape, "cores", f"{field.name} has the shape {values.shape}")
        if field.name == "target_core":
            fits = within(values, NO_TARGET, count - 1)
        elif field.name in _RANGES:
            fits = within(values, *_RANGES[field.name])
        else:
            fits = values.dtype == np.bool_
        require(fits, "cores", f"{field.name} is out of range")


def _check_population(program: TrueNorthProgram, population: TrueNorthPopulation) -> None:
    place = f"population {population.name!r}"
    require(all(size >= 1 for size in population.shape), place, "its shape has an empty axis")
    size = math.prod(population.shape)
    require(size <= LARGEST_POPULATION, place, "it is too large")
    require(0 <= population.start <= LARGEST_START, place, "its window starts at no possible tick")
    expected = (size if population.source is None else 0,)
    arrays = (population.core, population.neuron)
    require(all(array.shape == expected for array in arrays), place, "places of neurons are missing")
    require(within(population.core, 0, len(program.cores) - 1), place, "a core does not exist")
    require(within(population.neuron, 0, NEURONS - 1), place, "a neuron does not exist")
    numbers = population.core.astype(np.int64) * NEURONS + population.neuron
    require(len(np.unique(numbers)) == len(numbers), place, "two of its neurons have one place")


def _check_lines(program: TrueNorthProgram) -> None:
    lines, count = program.lines, len(program.lines)
    arrays = [getattr(lines, field.name) for field in fields(lines)]
    require(all(array.shape == (count,) for array in arrays), "lines", "entries are missing")
    require(within(lines.population, ALWAYS_ON, len(program.populations) - 1), "lines", "no such population")
    require(within(lines.core, 0, len(program.cores) - 1), "lines", "a core does not exist")
    require(within(lines.axon, 0, AXONS - 1), "lines", "an axon does not exist")
    require(within(lines.delay, 1, LARGEST_START), "lines", "a delay is out of range")
    sizes = [math.prod(p.shape) if p.source is not None else 0 for p in program.populations]
    own = np.array([*sizes, 1], np.int64)[lines.population]
    known = within(lines.neuron, 0, LARGEST_POPULATION) and bool((lines.neuron < own).all())
    require(known, "lines", "it comes from no neuron of the host")


def _check_host(program: TrueNorthProgram) -> None:
    host = program.host
    shapes = {node.name: host.shapes[node.name] for node in host.outputs}
    require(len(host.inputs) == 1, "host", "it has not one input")
    for population in program.populations:
        if population.source is not None:
            place = f"population {population.name!r}"
            fits = population.source in shapes and shapes[population.source] == population.shape
            require(fits and population.start == 0, place, "the host does not make its spikes")
            (maker,) = host[population.source].inputs
            require(isinstance(host[maker].operator, Neuron), place, "the host makes no spikes for it")


def _check_readout(program: TrueNorthProgram) -> None:
    require(len(program.readings) > 0, "output", "nothing is read")
    require(isinstance(program.readout, Readout), "output", "it is read in no known way")
    for part in program.readings:
        _check_reading(program, part)
    shape = program.output_shape
    same = all(_read_shape(program, part) == shape for part in program.readings)
    require(same, "output", "its parts differ in shape")
    for values in (program.scale, program.offset):
        numbers = np.asarray(values)
        real = np.issubdtype(numbers.dtype, np.number) and bool(np.isfinite(numbers).all())
        try:
            fits = np.broadcast_shapes(numbers.shape, shape) == shape
        except ValueError:
            fits = False
        require(real and fits, "output", "its units do not fit its shape")


def _read_shape(program: TrueNorthProgram, part: Reading) -> Shape:
    return program.populations[part.population].shape if part.weights is None else part.weights.out_shape


def _check_reading(program: TrueNorthProgram, part: Reading) -> None:
    known = 0 <= part.population < len(program.populations)
    require(
        known and program.populations[part.population].source is None,
        "output",
        "it is no population of the chip",
    )
    weights, shape = part.weights, program.populations[part.population].shape
    if weights is None:
        return
    require(weights.in_shape == shape, "output", "its weights do not fit a population")
    require(all(size >= 1 for size in weights.out_shape), "output", "its shape has an empty axis")
    sizes = math.prod(weights.out_shape), math.prod(shape)
    require(max(sizes) <= LARGEST_POPULATION, "output", "it is too large")
    entries = weights.rows, weights.columns, weights.values
    require(
        all(array.ndim == 1 and len(array) == len(weights.rows) for array in entries),
        "output",
        "weights are missing",
    )
    inside = within(weights.rows, 0, sizes[0] - 1) and within(weights.columns, 0, sizes[1] - 1)
    require(inside, "output", "a weight has no place")
    require(within(weights.values, -LARGEST_WEIGHT, LARGEST_WEIGHT), "output", "a weight is out of range")
