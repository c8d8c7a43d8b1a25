"""The errors and warnings that a user of snnc meets, each with a stable code.

A code is one letter for the family and three digits; ``docs/errors.md`` lists every code with its cause and
remedy. An error names the file, node and operator concerned as fields, so that a program can read them and the
command line can print them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SnncError(Exception):
    """Something that the user can mend; ends a command with exit code 1.

    Args:
        code: stable code, e.g. ``"M104"``.
        message: one sentence that says what is wrong.
        file: path of the file concerned, if any.
        node: name of the graph node concerned, if any.
        source: the ONNX node (name and operator) that it came from, if any.
        remedy: what the user can do.
        details: further lines, one a finding, when several are reported at once.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        node: str | None = None,
        source: str | None = None,
        remedy: str | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.file = file
        self.node = node
        self.source = source
        self.remedy = remedy
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        places = [("file", self.file), ("node", self.node), ("from", self.source)]
        where = ", ".join(f"{label} {value}" for label, value in places if value)
        text = f"[{self.code}] {self.message}" + (f" ({where})" if where else "")
        text += "".join(f"\n  {line}" for line in self.details)
        return text + (f"\n  remedy: {self.remedy}" if self.remedy else "")


def _restored(kind: type[SnncError], args: tuple[object, ...]) -> SnncError:
    """An error as it is pickled, whatever its class is made from; its attributes follow."""
    return kind.__new__(kind, *args)


class ModelError(SnncError, ValueError):
    """A model file that cannot be read, understood or trusted (codes M...)."""


class GraphError(SnncError, ValueError):
    """A graph that breaks a rule of the graph (codes G...)."""


class PassError(SnncError, ValueError):
    """A pass that cannot be applied, or that changed what it promised to keep (codes P...)."""


class DataError(SnncError, ValueError):
    """Calibration or evaluation data of the wrong kind (codes D...)."""


class MappingError(SnncError, ValueError):
    """A network that a target cannot hold (codes T...)."""


class ArtifactError(SnncError, ValueError):
    """An artefact that is damaged or cannot be written (codes A...)."""


class UsageError(SnncError, ValueError):
    """A call or command with the wrong arguments; ends a command with exit code 2 (codes U...)."""

    exit_code = 2


class Severity(Enum):
    """How much a diagnostic matters to the user."""

    NOTE = "note"
    WARNING = "warning"


@dataclass(frozen=True)
class Diagnostic:
    """A note or warning that does not stop the work; codes W... and N....

    Attributes:
        code: stable code.
        severity: note or warning.
        message: one sentence.
        node: graph node concerned, if any.
        remedy: what the user can do, if anything.
    """

    code: str
    severity: Severity
    message: str
    node: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        where = f" (node {self.node})" if self.node else ""
        return f"[{self.code}] {self.message}{where}" + (f"; {self.remedy}" if self.remedy else "")
