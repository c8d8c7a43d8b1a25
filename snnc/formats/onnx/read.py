"""From a model file to a checked graph: the import, step by step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snnc.errors import ModelError
from snnc.graph import Graph, Shape
from snnc.graph.evaluate import most_live
from snnc.graph.samples import Data, Samples
from snnc.memory import require_memory

from .check import check_conversion, chosen_samples, random_samples
from .convert import convert, unknown_operators
from .interface import read_interface
from .ledger import LedgerRow
from .source import Source, open_model

_COPIES = 3
"""The file's bytes, the message that is made from them and the arrays of its weights."""

_BYTES_AN_ELEMENT = 12
"""Of a value in float64, and in float32 by onnxruntime."""

MOST_CHECKED = 32
"""Samples, the first, among which those are that the import is compared with onnxruntime on."""


@dataclass(frozen=True, eq=False)
class ImportedModel:
    """A model that was read, converted and compared with onnxruntime.

    Attributes:
        graph: the network at level ANN.
        written: the same as the file writes it, before it was simplified.
        ledger: what became of every node of the file, in the file's order.
        digest: SHA-256 of the file and its external data, hexadecimal.
        file: path, or None if the model came from memory.
        check_error: largest difference from onnxruntime over its largest value, at most 1e-5.
    """

    graph: Graph
    written: Graph
    ledger: tuple[LedgerRow, ...]
    digest: str
    file: str | None
    check_error: float


def read_model(
    source: Source,
    samples: Data | None = None,
    seed: int = 0,
    *,
    file: str | None = None,
    input_shape: Shape | Mapping[str, Shape] | None = None,
    memory: float | None = None,
) -> ImportedModel:
    """Import an ONNX model.

    Args:
        source: path, bytes or ModelProto.
        samples: (samples, *input shape), by the inputs' names where there are several, with which the import is
            checked; random ones if not given.
        seed: of the random samples.
        file: name for messages, if the source is no path.
        input_shape: sizes of one sample, for a model that leaves them open.
        memory: GiB that the import may take; what the system has free if None.

    Raises:
        DataError: D104, it would take more memory than that.
        ModelError: codes M101 to M130; RefusedModelError (M120) lists every node that cannot be converted.
        DataError: D101 if the samples do not fit.
    """
    _require_room(source, file, memory)
    opened = open_model(source, file)
    try:
        interface = read_interface(opened, input_shape)
    except ModelError as error:
        error.details += unknown_operators(opened)
        raise
    conversion = convert(opened, interface)
    checked = None if samples is None else Samples.of(conversion.graph, samples)
    x = chosen_samples(interface, checked[:MOST_CHECKED]) if checked is not None and len(checked) else None
    x = random_samples(interface, seed) if x is None else x
    require_memory(
        "to compare the import with onnxruntime",
        len(x) * most_live(conversion.graph) * _BYTES_AN_ELEMENT,
        "give the network a smaller input",
        limit=memory,
        file=opened.file,
    )
    largest = check_conversion(opened, interface, conversion, x)
    return ImportedModel(
        conversion.graph, conversion.written, conversion.ledger, opened.digest, opened.file, largest
    )


def _require_room(source: Source, file: str | None, memory: float | None) -> None:
    """Raise DataError D104 for a file that is too large to be read; one that cannot be had is refused elsewhere."""
    if isinstance(source, str | Path) and os.path.isfile(source):  # noqa: PTH113 - Path.is_file raises for long names
        size = Path(source).stat().st_size
        remedy = "use a network of fewer weights"
        require_memory("to import it", _COPIES * size, remedy, limit=memory, file=file or str(source))


def import_onnx(
    source: Source, *, file: str | None = None, input_shape: Shape | Mapping[str, Shape] | None = None
) -> Graph:
    """The graph of an ONNX model, checked against onnxruntime on random samples; raises as ``read_model``."""
    return read_model(source, file=file, input_shape=input_shape).graph
