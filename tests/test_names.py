"""A name of a class means one thing: each is defined once in the code."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

FOLDERS = ("snnc", "passes", "targets")
SHARED: dict[str, str] = {}
"""Names that several classes may have, each with the reason."""


def class_places() -> dict[str, list[str]]:
    """Where classes of each name are defined, those inside of classes and functions included."""
    root, places = Path(__file__).parent.parent, defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(f"{path.relative_to(root)}:{node.lineno}")
    return dict(places)


def test_a_class_name_is_defined_once() -> None:
    places = class_places()
    assert len(places) > 250
    assert {name: at for name, at in places.items() if len(at) > 1 and name not in SHARED} == {}


def test_exceptions_are_needed() -> None:
    places = class_places()
    assert [name for name in SHARED if len(places.get(name, ())) < 2] == []
