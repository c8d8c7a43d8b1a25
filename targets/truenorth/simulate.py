"""Run a TrueNorth program: the chip's integers exactly, many samples at once, on several threads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnc.targets.simulator import LARGEST_BATCH, Batch, Simulator

from .batch import Observer, TrueNorthActivity, run_batch
from .kernel_form import TrueNorthArrays, read_neuron, to_kernel_arrays
from .neuron import RANDOM_THRESHOLD, TrueNorthNeuron
from .program import TrueNorthProgram
from .random_thresholds import has_random_thresholds
from .validity import check_arrays

_BATCH_BYTES = 2**28


class TrueNorthSimulator(Simulator[TrueNorthProgram, TrueNorthArrays, TrueNorthActivity]):
    """All cores run ``depth + ticks`` ticks from their initial potentials.

    In a tick a core takes what its scheduler holds: one bit an axon, so two spikes for one axon and tick are one. A
    spike of tick t with delay d is taken in tick t + d. Samples with a tick axis are presented tick by tick, so a
    network that takes a new image every tick is run by giving images as ticks (``present_stream`` does it). Neurons
    have no synaptic current. Axon events are counted after merging, a synapse for every connected neuron of an active
    axon, all 256 neurons of every core as updated, a message for every spike with a target. An observer is told of
    the blocks of ticks of a batch one after the other.
    """

    def load(self, program: TrueNorthProgram) -> TrueNorthArrays:
        """The program as the kernels take it; raises ArtifactError A121."""
        check_arrays(program)
        return to_kernel_arrays(program)

    def cores(self, program: TrueNorthProgram) -> int:
        """All cores."""
        return len(program.cores)

    def reader(self, program: TrueNorthProgram, population: int) -> TrueNorthNeuron:
        """Charge and initial potential of a population that is read."""
        return read_neuron(program, population)

    def variables(self, program: TrueNorthProgram, population: int) -> Mapping[str, np.dtype]:
        """The potential, and the random part of the threshold where neurons draw one."""
        drawn = has_random_thresholds(program, population)
        return dict.fromkeys(("voltage", RANDOM_THRESHOLD) if drawn else ("voltage",), np.dtype(np.int32))

    def run_batch(
        self, loaded: TrueNorthArrays, batch: Batch[TrueNorthProgram], observe: Observer | None
    ) -> None:
        """Run all cores, block of ticks by block."""
        run_batch(loaded, batch, observe)

    def batch_size(self, program: TrueNorthProgram, samples: int, ticks: int, threads: int) -> int:
        """Samples at once: all threads busy, memory of potentials, schedulers and the host's spikes bounded."""
        host_neurons = sum(
            population.size for population in program.populations if population.source is not None
        )
        each = len(program.cores) * 1536 + ticks * host_neurons
        fitting = min(max(_BATCH_BYTES // max(each, 1), 1), LARGEST_BATCH)
        return max(1, min(fitting, -(-samples // threads)))


SIMULATOR = TrueNorthSimulator()

simulate_program = SIMULATOR.run
