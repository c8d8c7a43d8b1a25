"""Where a run stands, as a file, so that another process goes on from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snnc.errors import ArtifactError, UsageError
from snnc.graph.operators.base import Array
from snnc.simulate.state import RunState

from .artifact import ArtefactContents, read_artifact, write_artifact
from .plain import from_plain

_KIND = "state of a run"
_REMEDY = "give the file that `snnc run --keep-state` wrote, or run the ticks before again"


def write_state(path: Path, state: RunState, program: str) -> None:
    """Write a state as a whole or not at all, sealed like an artefact.

    Args:
        path: the file.
        state: of a run of a program.
        program: the program's digest (``Compiled.program_digest``).

    Raises:
        ArtifactError: A201 to A203, the file cannot be written.
    """
    places, arrays = list[tuple[str, ...]](), dict[str, Array]()
    for place, array in _arrays(state):
        arrays[str(len(places))] = array
        places.append(place)
    manifest = {
        "kind": _KIND,
        "program": program,
        "network": state.network,
        "samples": state.samples,
        "ticks": state.ticks,
        "places": places,
    }
    write_artifact(path, ArtefactContents(manifest, arrays))


def read_state(path: Path, program: str) -> RunState:
    """Read the state of a run of a program.

    Raises:
        ArtifactError: A101 to A105, the file is absent, no state, damaged, of another format or senseless.
        UsageError: U205, the state is of another program.
    """
    try:
        contents = read_artifact(path)
        if contents.manifest.get("kind") != _KIND:
            raise ArtifactError("A102", "it is no state of a run", file=str(path))
        state = _state(contents)
    except ArtifactError as error:
        message = "it is no state of a run" if error.code == "A102" else error.message
        raise ArtifactError(error.code, message, file=str(path), remedy=_REMEDY) from None
    except (LookupError, TypeError, ValueError) as error:
        reason = f"its contents contradict each other: {error}"
        raise ArtifactError("A105", reason, file=str(path), remedy=_REMEDY) from None
    if contents.manifest["program"] != program:
        raise UsageError(
            "U205",
            f"it is the state of another program, of network {state.network!r}",
            file=str(path),
            remedy="go on with the artefact and samples of the run that gave the state",
        )
    return state


def _arrays(state: RunState) -> Iterator[tuple[tuple[str, ...], Array]]:
    """The arrays of a state, each with the names of its field, node and variable."""
    for field in ("nodes", "inner"):
        for node, variables in getattr(state, field).items():
            for name, array in variables.items():
                yield (field, node, name), array
    for field in ("fired", "totals", "cores"):
        for name, array in getattr(state, field).items():
            yield (field, name), array


def _state(contents: ArtefactContents) -> RunState:
    manifest = contents.manifest
    places = from_plain(tuple[tuple[str, ...], ...], manifest["places"])
    samples, ticks = from_plain(int, manifest["samples"]), from_plain(int, manifest["ticks"])
    if len(places) != len(contents.arrays) or min(samples, ticks) < 0:
        raise ValueError("arrays are missing")
    fields: dict[str, dict[str, Any]] = {
        field: {} for field in ("nodes", "inner", "fired", "totals", "cores")
    }
    for number, place in enumerate(places):
        array, into = contents.arrays[str(number)], fields[place[0]]
        if array.shape[:1] != (samples,) or len(place) != (3 if place[0] in ("nodes", "inner") else 2):
            raise ValueError(f"array {number} is of other samples")
        for name in place[1:-1]:
            into = into.setdefault(name, {})
        into[place[-1]] = array
    return RunState(from_plain(str, manifest["network"]), samples, ticks, **fields)
