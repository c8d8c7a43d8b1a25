"""A compiled network: it runs, and it is kept in an artefact."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnc.targets.choosing import options_class
from snnc.targets.run_options import RunOptions
from snnc.targets.target import (
    CompileOptions,
    CostedTarget,
    Placement,
    StreamingTarget,
    Target,
    Usage,
    target_named,
)

from . import __version__
from .errors import ArtifactError, DataError, Diagnostic, Severity, SnncError, UsageError
from .formats.artifact import ArtefactContents, inconsistent, read_artifact, write_artifact
from .formats.graph_data import graph_from_data, graph_to_data
from .formats.packed import Packed
from .formats.plain import from_plain, to_plain
from .formats.state_file import read_state, write_state
from .graph.graph import Graph
from .graph.node import Role
from .graph.operators.base import Array, Shape
from .graph.samples import Data, Samples
from .memory import require_memory
from .pipeline import PassRecord
from .simulate.costs import CostedTrace, Timeline
from .simulate.state import RunState
from .simulate.trace import Stream, Trace, join

if TYPE_CHECKING:
    from snnc.targets.costs import CostSet

    from .formats.onnx import LedgerRow

SAMPLES_AT_ONCE = 125
"""Samples between two calls of ``progress``."""

STREAMED_AT_ONCE = 2000
"""The same where they are presented one a tick."""


_BYTES_A_SPIKE, _BYTES_A_VALUE = 1, 4
"""That a recording takes a neuron and tick."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A program for a chip and everything that is known of how it came about.

    Attributes:
        graph: the network that the program computes, level INTEGER; traces use its names.
        ann: the network before all passes, or None where it was no ANN.
        program: what the chip holds, in the target's own type.
        target: name of the target.
        records: what each pass did, and ``lower``; ``seconds`` are 0 in an artefact that was read.
        ledger: what became of every node of the ONNX file; empty for a network that came from none.
        diagnostics: notes and warnings.
        usage: what the program takes of the chip.
        options: what was chosen.
        seed: of everything random.
        file: name of the model file without folders, or None.
        digest: SHA-256 of the model file and its external data, hexadecimal, or None.
        placement: what placing its cores was worth, or None for a target without a mesh.
    """

    graph: Graph
    ann: Graph | None
    program: Any
    target: str
    records: tuple[PassRecord, ...]
    ledger: tuple[LedgerRow, ...]
    diagnostics: tuple[Diagnostic, ...]
    usage: Usage
    options: CompileOptions
    seed: int = 0
    file: str | None = None
    digest: str | None = None
    placement: Placement | None = None

    @property
    def input_shape(self) -> Shape:
        """Shape of one sample of a network with one input; raises UsageError U206 where there are several."""
        shapes = self.input_shapes
        if len(shapes) > 1:
            names = ", ".join(shapes)
            remedy = "take their shapes by name from input_shapes"
            raise UsageError(
                "U206", f"there are {len(shapes)} inputs, {names}, and one was asked for", remedy=remedy
            )
        return next(iter(shapes.values()))

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """Shape of one sample of each input."""
        return {node.name: self.graph.shapes[node.name] for node in self.graph.inputs}

    @property
    def output_shapes(self) -> Mapping[str, Shape]:
        """Shape of one answer of each output."""
        return {node.name: self.graph.shapes[node.name] for node in self.graph.outputs}

    @property
    def recordable(self) -> tuple[str, ...]:
        """What a run can record: ``spikes``, ``output``, and state variables of the chip's neurons by their names."""
        return target_named(self.target).recordable(self.program)

    def run(
        self,
        x: Data,
        ticks: int | None = None,
        record: Iterable[str] = (),
        threads: int | None = None,
        *,
        first_sample: int = 0,
        state: RunState | None = None,
        keep_state: bool = False,
        memory: float | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Trace:
        """Run samples on the simulated chip.

        A long run can be made in pieces, each from the state that the one before it kept, and gives the same bits.

        Args:
            x: (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape); an array by each
                input's name where there are several.
            ticks: how long a sample is presented; what was compiled for if None.
            record: any of ``recordable``; ``output`` is the answer after every tick.
            threads: of the simulator; all processors if None. The result does not depend on it.
            first_sample: index of the first sample in its data set, for seeded spike sources.
            state: the ``Trace.state`` of a run of this program and the same samples to go on from.
            keep_state: whether the trace holds the state after the last presented tick.
            memory: GiB that recordings may take; what the system has free if None.
            progress: called with (stage, done, total).

        Raises:
            DataError: D101 or D102, the samples do not fit or are no finite numbers; D104, recordings would take more
                memory than there is.
            UsageError: U201 to U203, ticks or recordings that cannot be; U205, the state is of another program or of
                another number of samples.
        """
        samples = Samples.of(self.graph, real_samples(x)).plain()
        run_ticks = self.options.ticks if ticks is None else ticks
        chip, kept = target_named(self.target), tuple(record)
        if state is not None:
            state.check_samples(len(samples))
        self._require_room(len(samples) * run_ticks, kept, memory)
        size = len(samples) if progress is None else SAMPLES_AT_ONCE
        traces = []
        for start in range(0, max(len(samples), 1), max(size, 1)):
            rows = slice(start, start + size)
            batch, first = samples[rows], first_sample + start
            batch_state = None if state is None else state.rows(rows)
            options = RunOptions(kept, first, threads=threads, state=batch_state, keep_state=keep_state)
            traces.append(chip.simulate(self.program, batch, run_ticks, options))
            if progress is not None:
                progress("run", start + len(batch), len(samples))
        return join(traces)

    def stream(
        self,
        x: Data,
        threads: int | None = None,
        *,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Stream:
        """Run samples one a tick, a new one every tick, as a network of step activations takes them.

        Args:
            x: (samples, *input shape).
            threads: of the simulator; all processors if None. The result does not depend on it.
            progress: called with (stage, done, total).

        Raises:
            DataError: D101 or D102, the samples do not fit or are no finite numbers.
            UsageError: U211, the network's answers need several ticks.
        """
        presented, chip = Samples.of(self.graph, real_samples(x)), target_named(self.target)
        samples = presented.plain()
        if len(self.graph.inputs) > 1 or len(self.graph.outputs) > 1:
            raise UsageError(
                "U211",
                "a stream is of networks with one input and one output",
                remedy="present the samples one by one",
            )
        if presented.moving(self.graph):
            raise DataError(
                "D101",
                "samples with a tick axis are no samples of a stream, which has one a tick",
                remedy="give (samples, *input shape)",
            )
        if not isinstance(chip, StreamingTarget):
            raise UsageError(
                "U211",
                f"no network on {self.target} takes a new sample every tick",
                remedy="present its samples one by one",
            )
        stream = None
        for start in range(0, max(len(samples), 1), STREAMED_AT_ONCE):
            part = samples[start : start + STREAMED_AT_ONCE]
            answers = chip.simulate_stream(
                self.program, part, RunOptions(first_sample=start, threads=threads)
            )
            stream = answers if stream is None else stream.followed_by(answers)
            if progress is not None:
                progress("run", start + len(part), len(samples))
        assert stream is not None
        return stream

    def _require_room(self, ticks: int, record: tuple[str, ...], memory: float | None) -> None:
        """Raise DataError D104 where recordings of so many ticks of samples take more memory than there is."""
        neurons = sum(math.prod(self.graph.shapes[node.name]) for node in self.graph.populations)
        each = sum(
            _BYTES_A_SPIKE if name == "spikes" else _BYTES_A_VALUE for name in record if name != "output"
        )
        remedy = "give fewer samples or ticks, or record less"
        require_memory(f"to record {', '.join(record)}", ticks * neurons * each, remedy, limit=memory)

    def run_with_costs(
        self,
        x: Data,
        ticks: int | None = None,
        costs: str | Path | None = None,
        record: Iterable[str] = (),
        threads: int | None = None,
        *,
        first_sample: int = 0,
        detailed: bool = False,
        state: RunState | None = None,
        keep_state: bool = False,
    ) -> CostedTrace:
        """Run samples as ``run`` does, and say what every event takes in time and energy.

        Args:
            x: as ``run``'s.
            ticks: as ``run``'s.
            costs: name of a cost set or a TOML file; the target's default if None.
            record: as ``run``'s.
            threads: as ``run``'s.
            first_sample: as ``run``'s.
            detailed: simulate the queues of cores and links, event by event, instead of estimating their times.
            state: as ``run``'s; costs are of all chip ticks of the piece, those in which the last layers end included,
                so pieces cost more than the whole.
            keep_state: as ``run``'s.

        Raises:
            UsageError: U401 to U407 and U409, the cost set; U408, the target has no cost model; see ``run`` for
                others.
        """
        chip, chosen = self._costed(costs)
        samples = checked_samples(self.graph, x)
        run_ticks = self.options.ticks if ticks is None else ticks
        if state is not None:
            state.check_samples(len(samples))
        options = RunOptions(
            tuple(record),
            first_sample,
            threads=threads,
            detailed=detailed,
            state=state,
            keep_state=keep_state,
        )
        return chip.simulate_with_costs(self.program, samples, run_ticks, chosen, options)

    def timeline(
        self,
        x: Data,
        ticks: int | None = None,
        costs: str | Path | None = None,
        *,
        first_sample: int = 0,
        state: RunState | None = None,
    ) -> Timeline:
        """When everything happens on the chip for the first of some samples; arguments as ``run_with_costs``'s.

        Raises:
            DataError: D101 or D102, the samples do not fit, are no finite numbers, or there are none.
            UsageError: see ``run_with_costs``.
        """
        chip, chosen = self._costed(costs)
        samples = checked_samples(self.graph, x)
        if not len(samples):
            raise DataError("D102", "there is no sample", remedy="give at least one sample")
        run_ticks = self.options.ticks if ticks is None else ticks
        if state is not None:
            state.check_samples(len(samples))
        options = RunOptions(first_sample=first_sample, state=state)
        return chip.timeline(self.program, samples, run_ticks, chosen, options)

    def _costed(self, costs: str | Path | None) -> tuple[CostedTarget[Any], CostSet[Any]]:
        """The target with its cost model, and the cost set of that name; raises UsageError U401 to U409."""
        from snnc.targets.costs import cost_set_named

        chip = target_named(self.target)
        if not isinstance(chip, CostedTarget):
            raise UsageError(
                "U408",
                f"target {self.target!r} has no model of time and energy",
                remedy="leave the option out",
            )
        return chip, cost_set_named(chip.default_costs if costs is None else costs, self.target)

    @property
    def has_costs(self) -> bool:
        """Whether the target says what a run takes in time and energy."""
        return isinstance(target_named(self.target), CostedTarget)

    def input_warnings(self, x: Data) -> tuple[Diagnostic, ...]:
        """Warning W302 if samples leave the range that was assumed where no calibration samples were given."""
        assumed = any(node.role is Role.ASSUMED_INPUT for node in self.graph.inputs)
        arrays = _each(x, np.asarray)
        samples = Samples(arrays).flat() if isinstance(arrays, Mapping) else np.asarray(arrays)
        if not assumed or not samples.size or (samples.min() >= 0 and samples.max() <= 1):
            return ()
        seen = f"{float(samples.min()):.3g} to {float(samples.max()):.3g}"
        return (
            Diagnostic(
                "W302",
                Severity.WARNING,
                f"the samples go from {seen}, but the program was compiled for inputs between 0 and 1",
                remedy="compile with --calibration data.npz",
            ),
        )

    @cached_property
    def program_digest(self) -> str:
        """SHA-256 of the program, hexadecimal: states of its runs are known by it."""
        packed = target_named(self.target).pack(self.program)
        digest = hashlib.sha256(json.dumps([self.target, packed.header], sort_keys=True).encode())
        for name, array in sorted(packed.arrays.items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save_state(self, path: str | Path, state: RunState) -> None:
        """Write the state of a run of this program; raises ArtifactError A201 to A203."""
        write_state(Path(path), state, self.program_digest)

    def load_state(self, path: str | Path) -> RunState:
        """Read the state of a run of this program.

        Raises:
            ArtifactError: A101 to A105, the file is absent, no state, damaged, of another format or senseless.
            UsageError: U205, it is of another program.
        """
        return read_state(Path(path), self.program_digest)

    def save(self, path: str | Path) -> None:
        """Write the artefact; raises ArtifactError A201 to A203, and then nothing has changed."""
        write_artifact(Path(path), _contents(self))


def load(path: str | Path) -> Compiled:
    """Read an artefact.

    Raises:
        ArtifactError: A101 to A105, the file is absent, no artefact, damaged, newer or senseless.
        UsageError: U301, its target is not installed.
    """
    contents = read_artifact(Path(path))
    try:
        return _compiled(contents)
    except UsageError:
        raise
    except ArtifactError as error:
        error.file = str(path)
        raise
    except (SnncError, LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise inconsistent(Path(path), str(error)) from None


def checked_samples(graph: Graph, x: Data) -> Any:
    """Samples as C-contiguous float32; raises DataError D101, D102 or D105 unless they fit and are finite."""
    return Samples.of(graph, finite_samples(x)).plain()


def finite_samples(x: Data) -> Data:
    """Samples of any shape as C-contiguous float32; raises DataError D102 unless all are finite numbers."""

    def finite(array: Array) -> Array:
        samples = np.ascontiguousarray(array, np.float32)
        if not np.isfinite(samples).all():
            raise DataError("D102", "samples have values beyond those of float32", remedy="scale the samples")
        return samples

    return _each(real_samples(x), finite)


def real_samples(x: Data) -> Data:
    """Samples of any shape as they are, but no integers; raises DataError D102 unless all are finite numbers."""

    def real(array: Array) -> Array:
        values = np.asarray(array)
        if values.dtype.kind not in "biuf":
            remedy = "convert them to float32"
            raise DataError("D102", f"samples are real numbers, not {values.dtype}", remedy=remedy)
        samples = values if values.dtype == np.float64 else np.asarray(values, np.float32)
        if not np.isfinite(samples).all():
            what = "samples have values that are NaN or infinite"
            raise DataError("D102", what, remedy="remove these samples")
        return samples

    return _each(x, real)


def _each(x: Data, function: Callable[[Array], Array]) -> Data:
    """The function of the array, or of each input's."""
    if isinstance(x, Samples | Mapping):
        arrays = x.arrays if isinstance(x, Samples) else x
        return {name: function(array) for name, array in arrays.items()}
    return function(x)


def _contents(compiled: Compiled) -> ArtefactContents:
    """What the artefact holds; without times and with errors rounded: a command gives the same bytes."""
    records = [replace(record, seconds=0.0, error=_rounded(record.error)) for record in compiled.records]
    parts: dict[str, Packed] = {
        "graph": graph_to_data(compiled.graph),
        "program": target_named(compiled.target).pack(compiled.program),
    }
    if compiled.ann is not None:
        parts["ann"] = graph_to_data(compiled.ann)
    manifest = {
        "snnc": __version__,
        "target": compiled.target,
        "model": {"file": compiled.file, "sha256": compiled.digest},
        "options": to_plain(compiled.options),
        "seed": compiled.seed,
        "passes": to_plain(records),
        "ledger": to_plain(compiled.ledger),
        "diagnostics": to_plain(compiled.diagnostics),
        "usage": to_plain(compiled.usage),
        "placement": to_plain(compiled.placement),
        "parts": {name: part.header for name, part in parts.items()},
    }
    arrays = {f"{name}/{key}": array for name, part in parts.items() for key, array in part.arrays.items()}
    return ArtefactContents(manifest, arrays)


def _rounded(error: float | None) -> float | None:
    """Three digits: what differs between numbers of threads of a linear algebra library is behind them."""
    return None if error is None else float(f"{error:.3g}")


def _compiled(contents: ArtefactContents) -> Compiled:
    from .formats.onnx import LedgerRow

    manifest = contents.manifest
    chip = target_named(manifest["target"])
    parts = {name: _packed(contents, name) for name in manifest["parts"]}
    placed = manifest.get("placement")
    return Compiled(
        graph=graph_from_data(parts["graph"]),
        ann=graph_from_data(parts["ann"]) if "ann" in parts else None,
        program=chip.unpack(parts["program"]),
        target=chip.name,
        records=from_plain(tuple[PassRecord, ...], manifest["passes"]),
        ledger=from_plain(tuple[LedgerRow, ...], manifest["ledger"]),
        diagnostics=from_plain(tuple[Diagnostic, ...], manifest["diagnostics"]),
        usage=from_plain(Usage, manifest["usage"]),
        options=_options(chip, manifest["options"]),
        seed=from_plain(int, manifest["seed"]),
        file=manifest["model"]["file"],
        digest=manifest["model"]["sha256"],
        placement=None if placed is None else from_plain(Placement, placed),
    )


def _options(chip: Target[Any], data: Any) -> CompileOptions:
    try:
        return from_plain(options_class(chip), data)
    except UsageError as error:
        raise ValueError(error.message) from None


def _packed(contents: ArtefactContents, part: str) -> Packed:
    prefix = f"{part}/"
    arrays = {
        name.removeprefix(prefix): array for name, array in contents.arrays.items() if name.startswith(prefix)
    }
    return Packed(contents.manifest["parts"][part], arrays)
