"""From a model to a program that runs: the whole compilation as one call, and its result as one value."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, get_type_hints

from snnc.passes.simplify import Simplify
from snnc.targets.choosing import choose_options
from snnc.targets.target import DEFAULT_TARGET, PlacedTarget, Target, Usage, target_named

from .compiled import Compiled, checked_samples, finite_samples, load
from .errors import DataError, Diagnostic, MappingError, Severity, UsageError
from .fields import options_of, options_text
from .formats.artifact import is_artifact
from .graph.graph import Graph
from .graph.operators.base import Level, Shape
from .graph.operators.step import Step
from .graph.samples import Data, Samples
from .insertion import Insertion, parse_insertions, with_insertions
from .memory import require_memory
from .options import SEED, Choices, CompileOptions, checked
from .pass_text import parse_passes
from .pipeline import Context, Pass, PassRecord, Pipeline
from .proof import prove_lowering
from .validation import Validation

if TYPE_CHECKING:
    import onnx

    from .formats.onnx import LedgerRow


def compile(
    model: str | Path | onnx.ModelProto | Graph,
    target: str = DEFAULT_TARGET,
    *,
    calibration: Data | str | Path | None = None,
    seed: int = 0,
    passes: str | Iterable[Pass] | None = None,
    insert: str | Iterable[Insertion] = (),
    input_shape: Shape | Mapping[str, Shape] | None = None,
    memory: float | None = None,
    observe: Callable[[Pass, Graph], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **choices: Unpack[Choices],
) -> Compiled:
    """Compile a network for a target.

    Args:
        model: path of an ONNX file, an ONNX model, or a graph (ANN, SNN or INTEGER).
        target: name of a target, see ``snnc targets``.
        calibration: samples (samples, *input shape) or a data file with ``x``.
        seed: of everything random; the same call gives the same program.
        passes: the whole pipeline, as text or passes; the target's own if None.
        insert: passes to put into it, each beside another: ``"name{option=value,after=name},..."`` or Insertions.
        input_shape: sizes of one sample, for a model file that leaves them open.
        memory: GiB that may be taken, what would take more is refused (D104); what the system has free if None.
        observe: called with (pass, graph) after every pass.
        progress: called with (stage, done, total).
        choices: the options below, and those that the target has of its own; None takes the default.

    Raises:
        SnncError: the network, data or choices cannot be used; the subclass and code say which.
    """
    chip = target_named(target)
    options = choose_options(chip, choices)
    steps = parse_passes(passes) if isinstance(passes, str) else passes
    source = read_source(model, calibration, checked(SEED, seed), input_shape, memory)
    if choices.get("ticks") is None and is_of_steps(source.graph):
        options = replace(options, ticks=1)
    require_room(source, TO_COMPILE, memory)
    check_fit(chip, source.graph, options)
    context = Context(_calibration(source.graph, calibration), seed)
    context = context if progress is None else replace(context, progress=progress)
    _suggest_calibration(source.graph, context)
    chosen = chip.pipeline(source.graph, options, context) if steps is None else steps
    chosen = with_insertions(chosen, parse_insertions(insert) if isinstance(insert, str) else insert)
    validation = Validation.suited_to(source.graph, options.ticks)
    ann, clean_up = _cleaned_up(source, validation, observe, context)
    graph, records = Pipeline(chosen, validation, observe).run(ann, context)
    _check_level(graph)
    context.progress("map", 0, 2)
    started = time.perf_counter()
    program, worth = chip.lower(graph, options, context), None
    if isinstance(chip, PlacedTarget):
        program, worth = chip.place(program, graph, options, context)
    seconds = time.perf_counter() - started
    chip.check(program, graph)
    usage = chip.usage(program).grouped(graph.groups)
    check_chips(usage, options)
    context.progress("map", 1, 2)
    proof = prove_lowering(chip, program, graph, options.ticks, context, seconds)
    context.progress("map", 2, 2)
    return Compiled(
        graph=graph,
        ann=ann if ann.is_ann else None,
        program=program,
        target=chip.name,
        records=(*clean_up, *records, proof),
        ledger=source.ledger,
        diagnostics=tuple(context.diagnostics),
        usage=usage,
        options=options,
        seed=seed,
        file=source.file,
        digest=source.digest,
        placement=worth,
    )


def _signature() -> inspect.Signature:
    """The signature of ``compile`` with every option by its name, for ``help`` and notebooks."""
    own = inspect.signature(compile)
    hints = get_type_hints(Choices)
    options = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if option.shown else option.default,
            annotation=hints[option.name],
        )
        for option in options_of(CompileOptions)
    ]
    *named, _ = own.parameters.values()
    own_choices = inspect.Parameter("own", inspect.Parameter.VAR_KEYWORD, annotation=Any)
    return own.replace(parameters=[*named, *options, own_choices])


compile.__signature__ = _signature()  # type: ignore[attr-defined]
compile.__doc__ = f"{compile.__doc__}\n    Options:\n{options_text(CompileOptions)}"


def planned_passes(
    model: str | Path | onnx.ModelProto | Graph,
    target: str = DEFAULT_TARGET,
    *,
    calibration: Data | str | Path | None = None,
    seed: int = 0,
    insert: str | Iterable[Insertion] = (),
    input_shape: Shape | Mapping[str, Shape] | None = None,
    **choices: Unpack[Choices],
) -> tuple[Pass, ...]:
    """The target's own pipeline for a model, with insertions; arguments and errors as for ``compile``."""
    chip = target_named(target)
    options = choose_options(chip, choices)
    source = read_source(model, calibration, seed, input_shape)
    context = Context(_calibration(source.graph, calibration), seed)
    own = chip.pipeline(source.graph, options, context)
    return with_insertions(own, parse_insertions(insert) if isinstance(insert, str) else insert)


def transformed_ann(
    path: Path,
    passes: str = "",
    calibration: str | Path | None = None,
    input_shape: Shape | Mapping[str, Shape] | None = None,
) -> tuple[Graph, tuple[Diagnostic, ...]]:
    """The ANN of a model file or an artefact after passes, and what these report.

    Raises:
        UsageError: U305, the artefact was made from no ANN, or the passes make spiking neurons.
    """
    steps = parse_passes(passes)
    compiled = load(path) if is_artifact(path) else None
    graph = compiled.ann if compiled else read_source(path, input_shape=input_shape).graph
    context = Context()
    if graph is not None:
        context = Context(_calibration(graph, calibration))
        graph = Pipeline(steps)(graph, context)
    if graph is None or not graph.is_ann:
        raise UsageError(
            "U305", "there is no ANN to export", file=str(path), remedy="export before convert-to-spiking"
        )
    return graph, tuple(context.diagnostics)


@dataclass(frozen=True, eq=False)
class Source:
    """A network as it comes in.

    Attributes:
        graph: the network.
        written: the same as a file writes it, before the pass simplify; the network itself if it is no import.
        ledger, file, digest: as in ``Compiled``.
    """

    graph: Graph
    written: Graph
    ledger: tuple[LedgerRow, ...] = ()
    file: str | None = None
    digest: str | None = None


def read_source(
    model: str | Path | onnx.ModelProto | Graph,
    calibration: Data | str | Path | None = None,
    seed: int = 0,
    input_shape: Shape | Mapping[str, Shape] | None = None,
    memory: float | None = None,
) -> Source:
    """Import a model, or take a graph as it is; raises ModelError M1xx, DataError D104 for one that is too large."""
    if isinstance(model, Graph):
        return Source(model, model)
    from .formats.onnx import read_model

    samples = None
    if calibration is not None and not isinstance(calibration, str | Path):
        samples = finite_samples(calibration)
    imported = read_model(model, samples, seed, input_shape=input_shape, memory=memory)
    file = None if imported.file is None else Path(imported.file).name
    return Source(imported.graph, imported.written, imported.ledger, file, imported.digest)


def _cleaned_up(
    source: Source, validation: Validation, observe: Callable[[Pass, Graph], None] | None, context: Context
) -> tuple[Graph, tuple[PassRecord, ...]]:
    """The network that a file writes, simplified as the import does it, with the record; others as they are."""
    if source.written is source.graph:
        return source.graph, ()
    return Pipeline((Simplify(),), validation, observe).run(source.written, context)


def require_room(source: Source, bytes_a_value: int, memory: float | None) -> None:
    """Refuse a network that takes more memory to be mapped than there is; raises DataError D104.

    Args:
        source: the network.
        bytes_a_value: ``TO_INSPECT`` or ``TO_COMPILE``.
        memory: GiB that may be taken; what the system has free if None.
    """
    values = sum(math.prod(source.graph.shapes[node.name]) for node in source.graph)
    require_memory(
        f"to map its {values:,} values a sample to neurons",
        values * bytes_a_value,
        "give the network a smaller input (--input-shape, where the model leaves it open)",
        limit=memory,
        file=source.file,
    )


TO_INSPECT, TO_COMPILE = 40, 400
"""Bytes that finding the cores, and compiling, take for each value of a network's nodes.

Of large networks 10 to 41 were measured (docs/inspect.md), and 450 and more (ResNet-18, MobileNet-V2).
"""


def is_of_steps(graph: Graph) -> bool:
    """Whether a graph is an ANN of step activations, whose numbers are spikes already."""
    return graph.is_ann and bool(graph.of_type(Step))


def check_fit(target: Target[Any], graph: Graph, options: CompileOptions) -> None:
    """Refuse an ANN that needs more chips than allowed before any work is done; raises MappingError T001."""
    if options.max_chips is None or not graph.is_ann:
        return
    check_chips(target.estimate(graph, options), options)


def check_chips(usage: Usage, options: CompileOptions) -> None:
    """Raise MappingError T001 if a network takes more chips than allowed."""
    if options.max_chips is None or usage.chips <= options.max_chips:
        return
    largest = sorted(usage.layers, key=lambda layer: -layer.cores)[:5]
    raise MappingError(
        "T001",
        f"it needs {usage.cores} cores on {usage.chips} chips of {usage.target}, but at most"
        f" {options.max_chips} may be used",
        details=tuple(
            f"{layer.name}: {layer.cores} cores, mostly for its {layer.binding.limit}" for layer in largest
        ),
        remedy="; ".join(f"{r.change}: {r.cores} cores ({r.note})" for r in usage.remedies)
        or "allow more chips, or make the network smaller",
    )


def _calibration(graph: Graph, calibration: Data | str | Path | None) -> Samples | None:
    if calibration is None:
        return None
    if isinstance(calibration, str | Path):
        from .formats.dataset import load_dataset

        shapes = {node.name: graph.shapes[node.name] for node in graph.inputs}
        return Samples.of(graph, load_dataset(calibration, shapes).x)
    samples = Samples.of(graph, checked_samples(graph, calibration))
    if not len(samples):
        raise DataError("D102", "calibration needs at least one sample", remedy="give some, or none at all")
    return samples


def _suggest_calibration(graph: Graph, context: Context) -> None:
    if context.calibration is None and graph.is_ann and not is_of_steps(graph):
        context.report(
            Diagnostic(
                "N301",
                Severity.NOTE,
                "no calibration data: thresholds do not follow the values that the network really sees, so the"
                " same accuracy may take more ticks, and passes are validated on random samples",
                remedy="a few hundred training samples improve both: --calibration data.npz",
            )
        )


def _check_level(graph: Graph) -> None:
    if graph.level is not Level.INTEGER:
        raise UsageError(
            "U304",
            f"the passes end with a graph of level {graph.level.value}; a target takes one of level integer",
            remedy="end them like the target's own pipeline, which --print-passes shows",
        )
