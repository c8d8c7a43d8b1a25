"""What is installed is what is in the repository."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_folder_of_modules_is_a_package() -> None:
    found = set()
    for room, name in (("snnc", "snnc"), ("passes", "snnc.passes"), ("targets", "snnc.targets")):
        for init in (ROOT / room).rglob("__init__.py"):
            found.add(".".join([name, *init.parent.relative_to(ROOT / room).parts]))
        folders = {path.parent for path in (ROOT / room).rglob("*.py")}
        assert all((folder / "__init__.py").exists() for folder in folders), folders
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


@pytest.mark.parametrize("group", ["snnc.targets", "snnc.passes"])
def test_entry_points_lead_to_what_they_name(group: str) -> None:
    for name, place in PROJECT["project"]["entry-points"][group].items():
        (point,) = entry_points(group=group, name=name)
        assert point.value == place
        assert point.load().name == name


def test_dependencies_are_pinned_in_the_constraints() -> None:
    project = PROJECT["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    pinned = {
        line.partition("==")[0]
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    assert {item.partition(">")[0] for item in wanted} == pinned
    assert "torch" not in {item.partition(">")[0] for item in project["dependencies"]}


def test_the_version_is_one() -> None:
    import snnc

    assert PROJECT["project"]["version"] == snnc.__version__
    assert f"version: {snnc.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {snnc.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
