"""What running a program shares between chips: batches on threads, the host's spikes, recordings and answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from snnc.graph.evaluate import check_samples
from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Readout
from snnc.simulate.functional import check_call, processors
from snnc.simulate.readout import decode, taken_up
from snnc.simulate.state import RunState, join_states
from snnc.simulate.trace import EventCounts, Trace

from .frame import Answer, ProgramShell
from .host import host_run
from .run_options import DEFAULT, RunOptions

F = TypeVar("F", bound=ProgramShell[Any])
"""A chip's program."""

K = TypeVar("K")
"""A chip's program as its kernels take it."""

A = TypeVar("A")
"""What a chip tells an observer of a run."""

LARGEST_BATCH = 64
"""Samples of a batch at most: as many as a word has bits."""


@dataclass(frozen=True, eq=False)
class Batch(Generic[F]):
    """Some samples on their way through the cores: what a chip's simulator reads, and what it writes in place.

    Attributes:
        program: what runs.
        ticks: presented.
        rows: which of all samples these are.
        numbers: (samples,) int64, their indices in the data set.
        host: what the host computed, (samples, ticks or 1, *shape) by name of its output.
        spikes: by index of a population that is recorded or read, (samples, ticks, neurons) bool; those of the host
            are in it.
        recorded: by name of a state variable and index of a population, the same of its values after every tick, in
            the chip's integers; ``voltage`` is after the tick's reset.
        spike_counts: (populations, samples) int64, spikes over the window's ticks; those of the host are in it.
        counts: (5, cores, chip ticks) int64, summed over the samples, in the order of ``EventCounts``.
        state: where the ticks before ended, or None for a run that begins.
        host_state: where the host ends.
        kept: what the cores keep after the last presented tick, (samples, ...) by a name, where it is asked for;
            None where it is not.
    """

    program: F
    ticks: int
    rows: slice
    numbers: Array
    host: Mapping[str, Array]
    spikes: Mapping[int, Array]
    recorded: Mapping[str, Mapping[int, Array]]
    spike_counts: Array
    counts: Array
    state: RunState | None
    host_state: RunState
    kept: dict[str, Array] | None

    @property
    def presented(self) -> int:
        """Ticks of earlier runs that this one continues."""
        return 0 if self.state is None else self.state.ticks

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.rows.stop - self.rows.start)

    @property
    def voltage(self) -> Mapping[int, Array]:
        """Potentials of the populations that are recorded or read by them."""
        return self.recorded["voltage"]

    @property
    def chip_ticks(self) -> int:
        """Ticks that the cores run."""
        return self.program.depth + self.ticks

    def host_spikes(self, number: int) -> Array:
        """The spikes of a population on the host, (samples, ticks, neurons) bool."""
        population = self.program.populations[number]
        spikes = np.broadcast_to(self.host[population.source], (self.samples, self.ticks, *population.shape))
        return np.asarray(spikes, bool).reshape(self.samples, self.ticks, -1)


class Simulator(ABC, Generic[F, K, A]):
    """Runs the programs of a chip: the chip's integers exactly, many samples at once, on several threads.

    A chip writes ``load``, ``cores``, ``reader``, ``variables`` and ``run_batch``.
    """

    @abstractmethod
    def load(self, program: F) -> K:
        """The program as the kernels take it; raises ArtifactError A121 where its arrays contradict each other."""

    @abstractmethod
    def cores(self, program: F) -> int:
        """Number of cores, 1 more than the highest core number."""

    @abstractmethod
    def reader(self, program: F, population: int) -> Neuron:
        """A model with the charge and the initial potential of the neurons of a population that is read."""

    @abstractmethod
    def variables(self, program: F, population: int) -> Mapping[str, np.dtype]:
        """The state variables of a population on the chip by name, ``voltage`` among them, and how they are kept."""

    def recordable(self, program: F) -> tuple[str, ...]:
        """What a run can record: what every run can, and the state variables of the populations."""
        own = (self._variables(program, number) for number in range(len(program.populations)))
        return tuple(dict.fromkeys(("spikes", "output", *(name for names in own for name in names))))

    @abstractmethod
    def run_batch(self, loaded: K, batch: Batch[F], observe: Callable[[A], None] | None) -> None:
        """Run all cores over all ticks; ``observe``, if any, is told what they did, in the chip's own terms."""

    def batch_size(self, program: F, samples: int, ticks: int, threads: int) -> int:
        """Samples at once where a caller chooses none: as many as keep all threads busy."""
        return max(1, min(LARGEST_BATCH, -(-samples // threads)))

    def run(
        self,
        program: F,
        x: Array,
        ticks: int,
        options: RunOptions = DEFAULT,
        observe: Callable[[A], None] | None = None,
        populations: frozenset[int] | None = None,
    ) -> Trace:
        """Run a program.

        A population runs the chip ticks start .. start + ticks - 1 of its window, and entry k of what is recorded is
        the k-th tick of it. A long run can be made in pieces, each from the state that the one before it kept, and
        gives the same bits: answers are means from the first tick of the first piece on. A piece's counts of events
        are of all its chip ticks, those in which the last layers have their windows included.

        Args:
            program: what to run.
            x: (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape).
            ticks: how long the samples are presented, at least 1.
            options: see there.
            observe: told what the cores did, batch by batch, from any of the threads.
            populations: indices of those that are recorded; all when None.

        Returns:
            The trace in the names of the program's populations, each in its own window; state variables in the
            chip's integers, potentials of the host float64. Counts are summed over samples.

        Raises:
            UsageError U201 to U205: the call is wrong, see the functional simulator.
            DataError D101: x does not fit the input.
            ArtifactError A121: the program's arrays contradict each other.
        """
        recorded = frozenset(options.record)
        check_samples(program.host, x)
        check_call(program.host, x, ticks, recorded, options.batch, options.threads, self.recordable(program))
        if options.state is not None:
            options.state.check(program.host, len(x))
            options.state.check_read({program.names[number] for number in program.read})
        loaded = self.load(program)
        readers = {number: self.reader(program, number) for number in program.read}
        kept = frozenset(range(len(program.populations))) if populations is None else populations
        trace = self._empty_trace(program, len(x), ticks, recorded, kept)
        threads = options.threads or processors()
        size = min(options.batch or self.batch_size(program, len(x), ticks, threads), LARGEST_BATCH)
        pieces = [slice(start, min(start + size, len(x))) for start in range(0, len(x), size)]

        def run(rows: slice) -> tuple[Array, RunState]:
            batch = self._batch(program, x[rows], ticks, rows, options, trace)
            self.run_batch(loaded, batch, observe)
            return batch.counts, _write_down(batch, readers, trace)

        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(run, pieces))
        nothing = np.zeros((5, self.cores(program), program.depth + ticks), np.int64)
        counts = EventCounts(*sum((part for part, _ in results), nothing))
        if not options.keep_state:
            return replace(trace, counts=counts)
        before = 0 if options.state is None else options.state.ticks
        states = [state for _, state in results] or [RunState(program.name, 0, before + ticks)]
        return replace(trace, counts=counts, state=join_states(states))

    def _empty_trace(
        self, program: F, samples: int, ticks: int, recorded: frozenset[str], kept: frozenset[int]
    ) -> Trace:
        """A trace with room for every sample, that batches write into."""
        shapes = {answer.name: program.shape_of(answer) for answer in program.answers}

        def room(variable: str) -> dict[str, Array]:
            kinds = {number: self._variables(program, number).get(variable) for number in sorted(kept)}
            held = {number: bool if variable == "spikes" else kind for number, kind in kinds.items()}
            return {
                program.names[number]: np.zeros((samples, ticks, *program.populations[number].shape), kind)
                for number, kind in held.items()
                if kind is not None
            }

        return Trace(
            outputs={name: np.zeros((samples, *shape)) for name, shape in shapes.items()},
            outputs_by_tick={
                name: np.zeros((samples, ticks, *shape))
                for name, shape in shapes.items()
                if "output" in recorded
            },
            recordings={
                variable: room(variable)
                for variable in self.recordable(program)
                if variable in recorded - {"output"}
            },
            spike_counts={name: np.zeros(samples, np.int64) for name in program.names},
            latency_ticks=program.depth + ticks,
        )

    def _variables(self, program: F, population: int) -> Mapping[str, np.dtype]:
        """Those of a population on the chip or on the host."""
        if program.populations[population].source is not None:
            return {"voltage": np.dtype(np.float64)}
        return self.variables(program, population)

    def _batch(
        self, program: F, x: Array, ticks: int, rows: slice, options: RunOptions, trace: Trace
    ) -> Batch[F]:
        """A batch with the host's part done."""
        first = options.first_sample + rows.start
        state = None if options.state is None else options.state.rows(rows)
        potentials = _potentials(program, rows, trace)
        host, host_state = host_run(
            program.host, x, ticks, first_sample=first, potentials=potentials, state=state
        )
        by_potential = {
            part.population
            for answer in program.answers
            if answer.readout is Readout.POTENTIAL
            for part in answer.readings
        }

        def room(variable: str, read: frozenset[int] | set[int] = frozenset()) -> dict[int, Array]:
            recorded, arrays = trace.recorded(variable), {}
            for number, population in enumerate(program.populations):
                size = (len(x), ticks, population.size)
                if population.name in recorded:
                    arrays[number] = recorded[population.name][rows].reshape(size)
                elif number in read:
                    dtype = bool if variable == "spikes" else self._variables(program, number)[variable]
                    arrays[number] = np.zeros(size, dtype)
            return arrays

        states = {variable: room(variable) for variable in trace.recordings if variable != "spikes"}

        batch = Batch(
            program=program,
            ticks=ticks,
            rows=rows,
            numbers=np.arange(first, first + len(x)),
            host=host,
            spikes=room("spikes", program.read),
            recorded={**states, "voltage": room("voltage", by_potential)},
            spike_counts=np.zeros((len(program.populations), len(x)), np.int64),
            counts=np.zeros((5, self.cores(program), program.depth + ticks), np.int64),
            state=state,
            host_state=host_state,
            kept={} if options.keep_state else None,
        )
        for number, population in enumerate(program.populations):
            if population.source is not None:
                spikes = batch.host_spikes(number)
                batch.spike_counts[number] = np.count_nonzero(spikes, axis=(1, 2))
                if number in batch.spikes:
                    batch.spikes[number][:] = spikes
        return batch


def _potentials(program: ProgramShell[Any], rows: slice, trace: Trace) -> Mapping[str, Array]:
    """Where the host's potentials are written, by the spike source in its graph."""
    return {
        program.host[population.source].inputs[0]: trace.voltage[population.name][rows]
        for population in program.populations
        if population.source is not None and population.name in trace.voltage
    }


def _write_down(batch: Batch[Any], readers: Mapping[int, Neuron], trace: Trace) -> RunState:
    """Write the answers and the numbers of spikes of a batch into the trace, where recordings are already.

    Returns:
        Where the batch stands after its last tick.
    """
    fired = {number: _spikes_so_far(batch, number) for number in batch.program.read}
    for name, counts in zip(batch.program.names, batch.spike_counts, strict=True):
        trace.spike_counts[name][batch.rows] = counts
    for answer in batch.program.answers:
        by_tick = _answer_by_tick(batch, answer, fired, readers)
        trace.outputs[answer.name][batch.rows] = by_tick[:, -1]
        if answer.name in trace.outputs_by_tick:
            trace.outputs_by_tick[answer.name][batch.rows] = by_tick
    names = batch.program.names
    return replace(
        batch.host_state,
        network=batch.program.name,
        totals={names[number]: counts[:, -1] for number, counts in fired.items()},
        cores=batch.kept or {},
    )


def _spikes_so_far(batch: Batch[Any], number: int) -> Array:
    """(samples, ticks, neurons) int64, spikes of a population from the first tick of the first piece to each tick."""
    counts = np.cumsum(batch.spikes[number], axis=1, dtype=np.int64)
    if batch.state is not None:
        counts += batch.state.totals[batch.program.names[number]][:, None]
    return counts


def _answer_by_tick(
    batch: Batch[Any], answer: Answer, fired: Mapping[int, Array], readers: Mapping[int, Neuron]
) -> Array:
    """An answer after every tick, (samples, ticks, *shape) float64: its parts are summed before they are scaled."""
    total = np.zeros((batch.samples, batch.ticks, *batch.program.shape_of(answer)))
    for part in answer.readings:
        shape = (batch.samples, batch.ticks, *batch.program.populations[part.population].shape)
        counts = fired[part.population].reshape(shape)
        voltage = batch.voltage.get(part.population)
        voltage = None if voltage is None else voltage.reshape(shape)
        total += part.weighted(taken_up(answer.output, readers[part.population], counts, voltage))
    return decode(answer.output, total, batch.presented + 1)
