"""Run programs of chips whose cores have a weight for every pair of an axon and a neuron."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array, State
from snnc.kernels.rows import add_rows

from .partition import require_consistent
from .piece_program import PP
from .simulator import Batch, Simulator
from .spike_costs import SpikeActivity


class PieceSimulator(Simulator[PP, PP, SpikeActivity], Generic[PP]):
    """Every core sums what arrives in every tick of its window, and its neurons take that up.

    A spike arrives after its axon's delay. State variables are those of the
    neurons' model. Axon events are spikes at axons, and each reads the
    weights of all neurons of the core. A spike is a message to each core that has an axon of its neuron.
    """

    def load(self, program: PP) -> PP:
        """The program itself; raises ArtifactError A121."""
        program.require_consistent()
        require_consistent(program.populations, program.pieces, program.neurons)
        return program

    def cores(self, program: PP) -> int:
        """A piece is a core."""
        return len(program.pieces)

    def reader(self, program: PP, population: int) -> Neuron:
        """The model of a population that is read."""
        model: Neuron = program.model_of(population)
        return model

    def variables(self, program: PP, population: int) -> Mapping[str, np.dtype]:
        """Those of the model that are one number a neuron."""
        model, shape = self.reader(program, population), program.populations[population].shape
        state: State = model.start(shape, np.zeros(0, np.int64), np.dtype(np.int64))
        return {name: state[name].dtype for name in model.variables if state[name].shape[1:] == shape}

    def run_batch(
        self, loaded: PP, batch: Batch[PP], observe: Callable[[SpikeActivity], None] | None
    ) -> None:
        """Run all cores tick by tick."""
        run = _Run.of(batch)
        states = [run.start(core) for core in range(len(loaded.pieces))]
        for tick in range(batch.chip_ticks):
            for core, model in enumerate(loaded.neurons):
                if run.is_open(core, tick):
                    states[core], spikes = model.step(states[core], run.current(core, tick))
                    run.write(core, tick, spikes, states[core])
        if observe is not None:
            observe(run.activity(loaded.row()))
        if batch.kept is not None:
            run.keep(states, batch.kept)


@dataclass(frozen=True, eq=False)
class _Run:
    """A batch on its way through the cores.

    Attributes:
        batch: what all chips' batches have.
        first: of each population, see ``PieceProgram.first_neurons``.
        listeners: (neurons,) int64, cores that have an axon of each neuron.
        before: silent ticks in front of the first, so that delays can look back.
        fired: (before + chip ticks, neurons, samples) bool; holds the spikes of the host.
    """

    batch: Batch[Any]
    first: Array
    listeners: Array
    before: int
    fired: Array

    @staticmethod
    def of(batch: Batch[Any]) -> _Run:
        """A run that has not begun."""
        program = batch.program
        before = max((int(piece.delay.max(initial=0)) for piece in program.pieces), default=0)
        fired = np.zeros((before + batch.chip_ticks, sum(program.sizes), batch.samples), bool)
        run = _Run(batch, program.first_neurons(), program.listeners(), before, fired)
        for number, population in enumerate(program.populations):
            if population.source is not None:
                opening, first = before + population.start, run.first[number]
                window = fired[opening : opening + batch.ticks, first : first + population.size]
                window[:] = batch.host_spikes(number).transpose(1, 2, 0)
        if batch.state is not None:
            kept = batch.state.core("fired", (before, fired.shape[1]))
            for population, ticks in run._last_ticks(0):
                fired[ticks, population] = kept[:, :, population].transpose(1, 2, 0)
        return run

    def start(self, core: int) -> State:
        """The state of a core's neurons: the initial one, or where the ticks before left it."""
        program, earlier = self.batch.program, self.batch.state
        model, piece = program.neurons[core], program.pieces[core]
        state: State = model.start(piece.neurons.shape, self.batch.numbers, np.dtype(np.int64))
        if earlier is None:
            return state
        return {name: earlier.core(f"{core}/{name}", value.shape[1:]) for name, value in state.items()}

    def keep(self, states: Sequence[State], kept: dict[str, Array]) -> None:
        """Write down the states of all cores after their windows, and the last spikes of all neurons."""
        for core, state in enumerate(states):
            kept.update({f"{core}/{name}": value for name, value in state.items()})
        kept["fired"] = np.zeros((self.batch.samples, self.before, self.fired.shape[1]), bool)
        for population, ticks in self._last_ticks(self.batch.ticks):
            kept["fired"][:, :, population] = self.fired[ticks, population].transpose(2, 0, 1)

    def _last_ticks(self, until: int) -> Iterator[tuple[slice, slice]]:
        """The neurons of each population, and the ticks that delays look back from one of its window, as rows."""
        for population, first in zip(self.batch.program.populations, self.first.tolist(), strict=True):
            opening = population.start + until
            yield slice(first, first + population.size), slice(opening, opening + self.before)

    def is_open(self, core: int, tick: int) -> bool:
        """Whether it is a tick of the window of a core's population."""
        return 0 <= tick - self._start(core) < self.batch.ticks

    def current(self, core: int, tick: int) -> Array:
        """(samples, neurons) int64: the sum of the weights of the axons of a core at which spikes arrive."""
        piece = self.batch.program.pieces[core]
        sums = np.zeros((self.batch.samples, len(piece.neurons)), np.int64)
        events = add_rows(sums, piece.weight, self.fired[self.before + tick - piece.delay, piece.source])
        self.batch.counts[:2, core, tick] = events, events * len(piece.neurons)
        return sums

    def write(self, core: int, tick: int, spikes: Array, state: State) -> None:
        """What the neurons of a core did in a tick, (samples, neurons) each; the spikes are on their way then."""
        piece, batch = self.batch.program.pieces[core], self.batch
        number, window = piece.population, tick - self._start(core)
        self.fired[self.before + tick, self.first[number] + piece.neurons] = spikes.T
        if number in batch.spikes:
            batch.spikes[number][:, window, piece.neurons] = spikes
        for name, arrays in batch.recorded.items():
            if number in arrays:
                arrays[number][:, window, piece.neurons] = state[name]
        batch.spike_counts[number] += np.count_nonzero(spikes, axis=1)
        fired = np.count_nonzero(spikes, axis=0)
        messages = int(fired @ self.listeners[self.first[number] + piece.neurons])
        batch.counts[2:, core, tick] = spikes.size, fired.sum(), messages

    def activity(self, row: Array) -> SpikeActivity:
        """What all neurons did in their windows; nothing is said of which had something to integrate.

        Args:
            row: see ``PieceProgram.row``.
        """
        batch = self.batch
        words = np.zeros((batch.ticks, len(row)), np.uint64)
        for number, population in enumerate(batch.program.populations):
            opening, first = self.before + population.start, self.first[number]
            own = slice(first, first + population.size)
            window = self.fired[opening : opening + batch.ticks, own]
            for sample in range(batch.samples):
                words[:, row[own]] |= window[:, :, sample].astype(np.uint64) << np.uint64(sample)
        return SpikeActivity(batch.rows, words, np.zeros_like(words))

    def _start(self, core: int) -> int:
        program = self.batch.program
        start: int = program.populations[program.pieces[core].population].start
        return start
