"""What the answers of one output are worth: accuracy, agreement with the ANN and errors of values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array

from .value_errors import ErrorSums, ValueErrors


@dataclass(frozen=True)
class OutputFigures:
    """Figures of one output over a data set; see ``Evaluation``, whose attributes of these names they are.

    A decision is the index of the largest value; an output of one value makes none.
    """

    accuracy: float | None = None
    ann_accuracy: float | None = None
    agreement: float | None = None
    accuracy_note: str | None = None
    errors: ValueErrors | None = None
    ann_errors: ValueErrors | None = None
    errors_to_ann: ValueErrors | None = None
    accuracy_by_tick: tuple[float, ...] = ()


class OutputComparison:
    """The answers of one output, batch by batch, beside the ANN's and the labels.

    Attributes:
        labels: class numbers (samples,), values (samples, outputs), or None.
    """

    def __init__(self, labels: Array | None) -> None:
        self.labels = labels
        self._size = 0
        self._decisions: list[Array] = []
        self._ann_decisions: list[Array] = []
        self._errors, self._ann_errors, self._errors_to_ann = ErrorSums(), ErrorSums(), ErrorSums()

    @property
    def classes(self) -> Array | None:
        """Labels that are class numbers."""
        return self.labels if self.labels is not None and self.labels.ndim == 1 else None

    def add(self, by_tick: Array, ann: Array | None, start: int) -> None:
        """Take a batch.

        Args:
            by_tick: (samples, ticks, *output shape), the chip's answers after every tick.
            ann: (samples, outputs) of the ANN, or None.
            start: number of the batch's first sample.
        """
        answers = by_tick.reshape(*by_tick.shape[:2], -1)
        self._size = answers.shape[2]
        if self._size > 1:
            self._decisions.append(answers.argmax(axis=2))
        last = answers[:, -1]
        if ann is not None:
            self._errors_to_ann.add(last, ann)
            if self._size > 1:
                self._ann_decisions.append(ann.argmax(axis=1))
        if self.labels is None or self.classes is not None:
            return
        labels = self.labels[start : start + len(answers)]
        self._errors.add(last, labels)
        if ann is not None:
            self._ann_errors.add(ann, labels)

    def figures(self) -> OutputFigures:
        """The figures of all batches."""
        by_tick = np.concatenate(self._decisions) if self._decisions else None
        ann = np.concatenate(self._ann_decisions) if self._ann_decisions else None
        labels = self.classes
        curve: tuple[float, ...] = ()
        if by_tick is not None and labels is not None:
            curve = tuple((by_tick == labels[:, None]).mean(axis=0).tolist())
        return OutputFigures(
            accuracy=curve[-1] if curve else None,
            ann_accuracy=float((ann == labels).mean()) if ann is not None and labels is not None else None,
            agreement=float((by_tick[:, -1] == ann).mean())
            if by_tick is not None and ann is not None
            else None,
            accuracy_note=self._without_accuracy(),
            errors=self._errors.errors(),
            ann_errors=self._ann_errors.errors(),
            errors_to_ann=self._errors_to_ann.errors(),
            accuracy_by_tick=curve,
        )

    def _without_accuracy(self) -> str | None:
        if self._size < 2:
            return "no accuracy: the network answers one number and decides nothing; its errors are given instead"
        if self.labels is None:
            return "no accuracy: the data have no labels"
        if self.classes is None:
            return "no accuracy: the labels are values; errors are given instead"
        return None
