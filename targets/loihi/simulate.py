"""Run a Loihi program: the chip's integers exactly, many samples at once, on several threads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnc.targets.simulator import Batch, Simulator
from snnc.targets.spike_costs import SpikeActivity

from .batch import Observer, run_batch
from .compartment import LoihiCompartment
from .kernel_form import LoihiArrays, read_compartment, to_kernel_arrays
from .memory import REGISTERS
from .program import LoihiProgram
from .validity import check_arrays


class LoihiSimulator(Simulator[LoihiProgram, LoihiArrays, SpikeActivity]):
    """A spike of chip tick c arrives at tick c + 1 + delay; what arrives outside of a window is lost.

    State variables are the compartment's registers by the names that ``LoihiCompartment`` has for them, potentials
    and currents int32 in units of the chip's potential. With reset by subtraction they are those of
    the integrating compartment, the pending inhibition taken away from the potential. A run raises MappingError T451
    where the host gives a current that the bias register cannot hold, and GraphError G203 where it is no whole number.
    """

    def load(self, program: LoihiProgram) -> LoihiArrays:
        """The program as the kernels take it; raises ArtifactError A121."""
        check_arrays(program)
        return to_kernel_arrays(program)

    def cores(self, program: LoihiProgram) -> int:
        """One more than the highest core number."""
        return 1 + max((tile.core for tile in program.tiles), default=-1)

    def reader(self, program: LoihiProgram, population: int) -> LoihiCompartment:
        """Charge and initial potential of a population that is read."""
        return read_compartment(program, population)

    def variables(self, program: LoihiProgram, population: int) -> Mapping[str, np.dtype]:
        """The compartment's registers: potential, current, ticks until it can fire again, whether it fired."""
        return REGISTERS

    def run_batch(self, loaded: LoihiArrays, batch: Batch[LoihiProgram], observe: Observer | None) -> None:
        """Run all tiles, component by component."""
        run_batch(loaded, batch, observe)


SIMULATOR = LoihiSimulator()

simulate_program = SIMULATOR.run
