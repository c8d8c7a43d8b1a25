"""Compiler passes and their pipeline: run, verify, validate on real samples, and keep a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar

from .errors import Diagnostic, PassError, Severity, UsageError
from .fields import UnfitValueError, options_of, settle, value_text
from .graph.graph import Graph
from .graph.samples import Data, Samples
from .graph.verify import verify
from .stages import Form, Need, Staged, check_order
from .validation import Compared, Comparison, Validation, differing_sum, first_difference, is_rounding


class Guarantee(Enum):
    """What a pass promises of the graph's outputs.

    ``EXACT``: the same up to rounding. ``RATES``: decoded outputs within the pass's tolerance. ``NOTHING``.
    """

    EXACT = "exact"
    RATES = "rates"
    NOTHING = "nothing"


DEFAULT_VALIDATION = Validation()
"""A few samples and ticks."""


def _no_progress(stage: str, done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class Context:
    """What passes share beside the graph.

    Attributes:
        calibration: samples (samples, *input shape) float32, by each input's name where there are several, or None
            where the user gave none.
        seed: of everything random.
        ann: the network as it was before a pass made spiking neurons of its activations, under the same names;
            None where it came in spiking or still is an ANN.
        diagnostics: notes and warnings so far; passes append to it through ``report``.
        progress: called with (stage, done, total) by long work.
    """

    calibration: Data | None = None
    seed: int = 0
    ann: Graph | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    progress: Callable[[str, int, int], None] = _no_progress

    def samples(self, graph: Graph) -> Samples | None:
        """The calibration samples by input, None where there are none; raises DataError D101 or D105."""
        if self.calibration is None or not len(samples := Samples.of(graph, self.calibration)):
            return None
        return samples

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a note or warning for the user; the same one twice is kept once."""
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)


@dataclass(frozen=True)
class Pass:
    """A transformation of graphs; its dataclass fields are its options everywhere.

    Class attributes:
        name: as in ``--passes``, e.g. ``"fold-batch-norm"``.
        guarantee: what it promises, see ``promise`` too.
        tolerance: largest relative error of the outputs (see ``validation.difference``) that keeps the promise.
        keeps_sums: whether it also promises that the same spikes give the same sums at every population, up to
            rounding, as one that only rewrites linear maps does.
        compared_with_ann: whether its outputs are held against those of the ANN that the graph came from, not
            against those before the pass, because it is to bring them nearer.
        requires: the level and normal forms that it needs; a pipeline without them is refused before it runs.
        gives: the level and normal forms that the graph has behind it.
        undoes: normal forms that the graph may no longer have behind it.
    """

    name: ClassVar[str] = ""
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT
    tolerance: ClassVar[float] = 1e-4
    keeps_sums: ClassVar[bool] = False
    compared_with_ann: ClassVar[bool] = False
    requires: ClassVar[tuple[Need, ...]] = ()
    gives: ClassVar[tuple[Need, ...]] = ()
    undoes: ClassVar[tuple[Form, ...]] = ()

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The transformed graph; ``graph`` itself stays as it is. Raises PassError or a subclass's error."""
        raise NotImplementedError

    def outline(self, graph: Graph, context: Context) -> Graph:
        """As a call, for estimates that have no samples: the nodes and shapes count, values need not be right.

        A pass that looks at samples, or that only chooses values, overrides it with what takes no time.
        """
        return self(graph, context)

    def __post_init__(self) -> None:
        settle(self, lambda unfit: _unfit(self, unfit))

    @property
    def promise(self) -> Guarantee:
        """What it promises with the options that it has; the class's ``guarantee`` unless a pass says otherwise."""
        return self.guarantee

    @property
    def text(self) -> str:
        """The pass as ``--passes`` takes it: its name and those options that differ from their defaults."""
        options = [
            f"{item.text_name}={value_text(getattr(self, item.name))}"
            for item in options_of(type(self))
            if getattr(self, item.name) != item.default
        ]
        return self.name + (f"{{{','.join(options)}}}" if options else "")


def _known_passes() -> Iterable[Staged]:
    from .pass_text import known_passes

    return known_passes().values()


def unfit_option(step: Pass, option: str, value: object, remedy: str) -> UsageError:
    """The error U104 that a pass raises when it is made with a value that its option cannot have."""
    name = option.replace("_", "-")
    return UsageError("U104", f"{step.name}: {name} cannot be {value_text(value)}", remedy=remedy)


def _unfit(step: Pass, unfit: UnfitValueError) -> UsageError:
    return unfit_option(step, unfit.option.name, unfit.value, f"it takes {unfit.option.takes}")


@dataclass(frozen=True)
class PassRecord:
    """What one pass did.

    Attributes:
        text: the pass with its options, as ``--passes`` takes it.
        guarantee, tolerance: what it promised.
        error: largest difference of an output divided by the largest output, on the validation samples, to the graph
            before the pass (or to the ANN, see ``Pass.compared_with_ann``); None where nothing was compared.
        agreement: share of validation samples whose arg-max stayed, or None.
        samples: that both were measured on, see ``Validation``; None where nothing was run.
        ticks: the same; None where nothing spiked.
        nodes_before, nodes_after: size of the graph.
        seconds: time of the pass itself, without validation.
    """

    text: str
    guarantee: Guarantee
    tolerance: float
    error: float | None
    agreement: float | None
    samples: int | None
    ticks: int | None
    nodes_before: int
    nodes_after: int
    seconds: float

    @property
    def name(self) -> str:
        """The pass's name."""
        return self.text.partition("{")[0]


@dataclass(frozen=True)
class Pipeline:
    """Passes in order.

    Attributes:
        passes: what runs.
        validation: on how many samples and ticks each pass is validated, at most; None switches it off.
        observe: called with (pass, graph) after every pass, e.g. to write the graph's text.
    """

    passes: tuple[Pass, ...]
    validation: Validation | None = DEFAULT_VALIDATION
    observe: Callable[[Pass, Graph], None] | None = None

    def __init__(
        self,
        passes: Iterable[Pass],
        validation: Validation | None = DEFAULT_VALIDATION,
        observe: Callable[[Pass, Graph], None] | None = None,
    ) -> None:
        object.__setattr__(self, "passes", tuple(passes))
        object.__setattr__(self, "validation", validation)
        object.__setattr__(self, "observe", observe)

    def __call__(self, graph: Graph, context: Context | None = None) -> Graph:
        """The graph after all passes."""
        return self.run(graph, context or Context())[0]

    def run(self, graph: Graph, context: Context) -> tuple[Graph, tuple[PassRecord, ...]]:
        """The graph after all passes, and what each of them did.

        Raises:
            UsageError: U105, before anything runs: a pass stands where it cannot work.
            GraphError: a pass left a broken graph.
            PassError: P001, an ``EXACT`` pass changed the outputs, more than the rounding of float32 does that the
                network itself is subject to.

        A ``RATES`` pass beyond its tolerance is reported as warning W001.
        """
        verify(graph)
        check_order(graph, self.passes, _known_passes)
        compare = None
        if self.validation is not None:
            samples = self.validation.samples_from(graph, context.calibration, context.seed)
            compare = Comparison(samples, self.validation.ticks)
        records = []
        for number, step in enumerate(self.passes):
            context.progress("passes", number, len(self.passes))
            started = time.perf_counter()
            result = step(graph, context)
            seconds = time.perf_counter() - started
            verify(result)
            records.append(self._record(step, graph, result, seconds, context, compare))
            if self.observe is not None:
                self.observe(step, result)
            if graph.is_ann and not result.is_ann:
                context = replace(context, ann=graph)
            graph = result
        context.progress("passes", len(self.passes), len(self.passes))
        return graph, tuple(records)

    def _record(
        self,
        step: Pass,
        before: Graph,
        after: Graph,
        seconds: float,
        context: Context,
        compare: Comparison | None,
    ) -> PassRecord:
        error = agreement = samples = ticks = None
        if after is before:
            error, agreement = 0.0, 1.0
        elif compare is not None and step.promise is not Guarantee.NOTHING:
            reference = context.ann if step.compared_with_ann and context.ann is not None else before
            compared = compare(reference, after, step.tolerance)
            error, agreement = compared.error, compared.agreement
            samples, ticks = compared.samples, compared.ticks
            self._judge(step, before, after, compared, compare.samples, context)
            if step.keeps_sums:
                _check_sums(step, before, after, context.seed)
        return PassRecord(
            step.text,
            step.promise,
            step.tolerance,
            error,
            agreement,
            samples,
            ticks,
            len(before),
            len(after),
            seconds,
        )

    def _judge(
        self, step: Pass, before: Graph, after: Graph, compared: Compared, samples: Samples, context: Context
    ) -> None:
        error = compared.error
        if error <= step.tolerance:
            return
        if step.promise is Guarantee.EXACT:
            if is_rounding(before, after, samples, error, step.tolerance):
                return
            node = first_difference(before, after, samples, step.tolerance)
            raise PassError(
                "P001",
                f"{step.name} must keep the outputs but changed them by {error:.3g} (allowed {step.tolerance:.1g})",
                node=node,
                source=after[node].source if node else None,
                remedy="this is a defect of the pass: report it with the model, or leave the pass out by --passes",
            )
        ticks = "" if compared.ticks is None else f" and {compared.ticks} ticks"
        context.report(
            Diagnostic(
                "W001",
                Severity.WARNING,
                f"{step.name} {_effect(step)} by {error:.3g} of the largest on {compared.samples}"
                f" samples{ticks} (expected at most {step.tolerance:.2g})",
                remedy="give more ticks or calibration data of the model's own kind",
            )
        )


def _effect(step: Pass) -> str:
    if step.compared_with_ann:
        return "leaves the decoded outputs apart from the ANN's"
    return "changed the decoded outputs"


def _check_sums(step: Pass, before: Graph, after: Graph, seed: int) -> None:
    """Raise PassError P002 if the same spikes give other sums at a population than before the pass."""
    name = differing_sum(before, after, seed)
    if name is not None:
        raise PassError(
            "P002",
            f"{step.name} must keep what spikes add up to, but changed it",
            node=name,
            source=after[name].source,
            remedy="this is a defect of the pass: report it with the model, or leave the pass out by --passes",
        )
