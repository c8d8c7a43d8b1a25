"""Whether a program's arrays fit together, so that no program, damaged or forged, leads a kernel astray."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from snnc.targets.frame import LARGEST_POPULATION, LARGEST_START
from snnc.targets.program_checks import require, within

from .limits import AXON_TYPES, AXONS, CROSSBAR_BYTES, NEURONS, TRUENORTH
from .neuron import ResetMode
from .program import ALWAYS_ON, NO_TARGET, Cores, TrueNorthPopulation, TrueNorthProgram

LARGEST_PLACE = 2**20

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
    program.require_consistent()
    _check_cores(program.cores)
    require(0 <= program.seed < 2**63, "seed", "it is out of range")
    for population in program.populations:
        _check_population(program, population)
    _check_lines(program)


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
    on_chip = population.source is None
    require(on_chip or population.start == 0, place, "its window starts at no possible tick")
    expected = (population.size if on_chip else 0,)
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
    sizes = [p.size if p.source is not None else 0 for p in program.populations]
    own = np.array([*sizes, 1], np.int64)[lines.population]
    known = within(lines.neuron, 0, LARGEST_POPULATION) and bool((lines.neuron < own).all())
    require(known, "lines", "it comes from no neuron of the host")
