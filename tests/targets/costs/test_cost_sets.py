"""Cost sets: the published numbers are in them, and every mistake in a user's own is named."""

from __future__ import annotations

from dataclasses import astuple, replace
from importlib.resources import files
from pathlib import Path

import pytest

from snnc.errors import UsageError
from snnc.targets.costs import cost_set_named, cost_set_names
from snnc.targets.loihi.costs import LoihiEvents

TEXT = files("snnc.targets.costs").joinpath("sanafe-loihi.toml").read_text("utf-8")


def written(folder: Path, old: str = "", new: str = "") -> Path:
    """The SANA-FE set as a user's file, with a change."""
    assert old in TEXT
    path = folder / "my.toml"
    path.write_text(TEXT.replace(old, new, 1) if old else TEXT)
    return path


def test_the_sets_have_the_published_numbers() -> None:
    """Davies 2018 Table 2: update 81 and 52 pJ, 8.4 and 5.3 ns; SANA-FE: dense 35.5 pJ, out 111 pJ."""
    assert set(cost_set_names("loihi")) == {"davies2018", "sanafe-loihi"}
    davies, sanafe = cost_set_named("davies2018"), cost_set_named("sanafe-loihi")
    assert davies.energy.neuron_access + davies.energy.neuron_active == 81
    assert davies.time.neuron_access + davies.time.neuron_active == pytest.approx(8.4, abs=1e-12)
    assert (davies.energy.synapse_conv, davies.energy.hop_north_south, davies.energy.message_out) == (
        23.6,
        4,
        1.7,
    )
    assert (davies.barrier.nanoseconds(1, 1), davies.barrier.nanoseconds(32, 1)) == (113, 465)
    assert sanafe.energy == LoihiEvents(51.2, 21.6, 69.3, 111, 0, 35.5, 33.6, 24, 3, 4.2, 0)
    assert [sanafe.barrier.nanoseconds(tiles, 1) for tiles in (1, 2, 3, 4, 28, 29, 32)] == [
        *(600, 1000, 1000, 1400, 1400, 1800, 1800)
    ]
    assert sanafe.barrier.nanoseconds(32, 256) == 14300
    assert 1800 < sanafe.barrier.nanoseconds(32, 2) < 14300
    assert davies.static_watts == sanafe.static_watts == 0.1044


def test_the_checked_energy() -> None:
    """8 inputs, 4 neurons, 200 steps in SANA-FE 2.2.9: 191.1892 nJ by its events (reported: 191.18919)."""
    energy = cost_set_named("sanafe-loihi").energy
    total = (
        800 * energy.neuron_access + 781 * energy.neuron_active + 172 * energy.spike
        + 1920 * energy.synapse_dense + 480 * energy.message_out
    )  # fmt: skip
    assert total == pytest.approx(191189.2, rel=1e-12)


def test_a_file_in_other_units_is_the_same_set(tmp_path: Path) -> None:
    path = written(tmp_path, 'unit = "W"\nstatic_per_chip = 0.1044', 'unit = "mW"\nstatic_per_chip = 104.4')
    assert cost_set_named(path).static_watts == pytest.approx(0.1044, rel=1e-15)
    assert cost_set_named(written(tmp_path)) == cost_set_named("sanafe-loihi")


def test_the_file_in_the_documents_is_complete(tmp_path: Path) -> None:
    """It has the numbers of the SANA-FE set; a file may begin with a byte order mark."""
    document = (Path(__file__).parents[3] / "docs" / "costs.md").read_text("utf-8")
    text = document.split("```toml\n")[1].split("```")[0]
    path = tmp_path / "my.toml"
    path.write_text(text, "utf-8-sig")
    known = cost_set_named("sanafe-loihi")
    assert replace(cost_set_named(path), name=known.name, source=known.source) == known


@pytest.mark.parametrize(
    ("code", "old", "new", "named"),
    [
        ("U402", "[energy]", "[energy", "TOML"),
        ("U403", "message_in = 0.0", "message_in = 0.0\nmesage_out = 1.0", "energy.mesage_out"),
        ("U403", "[energy]", "colour = 1\n[energy]", "colour"),
        ("U404", "neuron_active = 21.6\n", "", "energy.neuron_active"),
        ("U404", "link = 0.0", "", "time.link"),
        ("U404", 'name = "sanafe-loihi"\n', "", "name"),
        ("U405", "spike = 69.3", "spike = -1", "energy.spike = -1"),
        ("U405", "spike = 30.0", "spike = inf", "time.spike = inf"),
        ("U405", "spike = 30.0", "spike = true", "time.spike = True"),
        ("U405", "spike = 30.0", 'spike = "30 ns"', "time.spike = '30 ns'"),
        ("U405", "static_per_chip = 0.1044", "static_per_chip = -0.1", "power.static_per_chip = -0.1"),
        ("U405", "spike = 69.3", "spike = 1e308", "energy.spike = 1e+308"),
        ("U405", "spike = 69.3", f"spike = 1{'0' * 400}", "energy.spike = 1000"),
        ("U405", 'name = "sanafe-loihi"', "name = 3", "name = 3: no text"),
        ("U405", "[energy]", "cycle_ns = 1e-320\n[energy]", "cycle_ns = 1e-320"),
        ("U402", "spike = 69.3", f"spike = 1{'0' * 5000}", "TOML"),
        ("U402", "[energy]", f"a = {'[' * 5000}\n[energy]", "TOML"),
        ("U407", "time = [600.0", f"time = [1{'0' * 400}", "barrier.time"),
        ("U406", 'unit = "pJ"', 'unit = "ns"', "energy.unit = 'ns'"),
        ("U406", 'unit = "ns"', "unit = 1", "time.unit = 1"),
        ("U407", "tiles = [1, 2, 4, 29]", "tiles = [1, 4, 2, 29]", "barrier.tiles"),
        ("U407", "tiles = [1, 2, 4, 29]", "tiles = [1, 2]", "barrier.tiles"),
        ("U407", "time = [600.0", "time = [-600.0", "barrier.time"),
        ("U407", 'between = "steps"', 'between = "curve"', "barrier.between"),
        ("U407", "chips = [256, 768]", "", "barrier.chips"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, code: str, old: str, new: str, named: str) -> None:
    path = written(tmp_path, old, new)
    with pytest.raises(UsageError) as raised:
        cost_set_named(path)
    assert raised.value.code == code
    assert named in str(raised.value) and str(path) in str(raised.value)
    assert raised.value.remedy


TRUENORTH = files("snnc.targets.costs").joinpath("akopyan2015.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("code", "old", "new", "named"),
    [
        ("U403", "[power]", "[barrier]\ntiles = [1]\n[power]", "barrier"),
        ("U403", "axon_event = 0.0", "axon_event = 0.0\nsynapse_dense = 1.0", "energy.synapse_dense"),
        ("U404", "shortest = 1000.0", "", "tick.shortest"),
        ("U404", "synaptic_event = 2.30", "", "energy.synaptic_event"),
        ("U404", 'target = "truenorth"\n', "", "target"),
        ("U405", "shortest = 1000.0", "shortest = -1", "tick.shortest = -1"),
        ("U405", 'target = "truenorth"', 'target = "truenorth"\ncycle_ns = 0', "cycle_ns = 0: not above 0"),
        ("U405", 'target = "truenorth"', 'target = "truenorth"\ncycle_ns = "1"', "cycle_ns = '1'"),
        (
            "U406",
            'unit = "ns"',
            'unit = "cycles"',
            "time.unit = 'cycles'; known are ps, ns, us; cycles need a cycle_ns",
        ),
        ("U406", 'unit = "pJ"', 'unit = "cycles"', "energy.unit = 'cycles'"),
        ("U407", "shortest = 1000.0", "shortest = 0", "tick.shortest"),
        ("U409", 'target = "truenorth"', 'target = "spinnaker"', "'spinnaker'"),
        ("U409", 'target = "truenorth"', "target = 7", "7"),
        ("U409", 'target = "truenorth"', "target = []", "[]"),
    ],
)
def test_mistakes_in_a_set_of_another_chip(tmp_path: Path, code: str, old: str, new: str, named: str) -> None:
    assert old in TRUENORTH
    path = tmp_path / "my.toml"
    path.write_text(TRUENORTH.replace(old, new, 1))
    with pytest.raises(UsageError) as raised:
        cost_set_named(path)
    assert raised.value.code == code
    assert named in str(raised.value) and str(path) in str(raised.value)
    assert raised.value.remedy


def test_sets_are_for_one_chip() -> None:
    assert cost_set_names("truenorth") == ("akopyan2015", "merolla2014")
    assert set(cost_set_names()) == set(cost_set_names("loihi")) | set(cost_set_names("truenorth"))
    for name, target, other in (
        ("davies2018", "loihi", "truenorth"),
        ("merolla2014", "truenorth", "loihi"),
    ):
        assert cost_set_named(name, target).target == target
        with pytest.raises(UsageError) as raised:
            cost_set_named(name, other)
        assert raised.value.code == "U409" and f"'{target}'" in str(raised.value)
        assert all(known in str(raised.value.remedy) for known in cost_set_names(other))
        assert name not in str(raised.value.remedy)


@pytest.mark.parametrize("text", [TEXT, TRUENORTH])
def test_times_in_cycles(tmp_path: Path, text: str) -> None:
    """Where a cycle is 0.5 ns, all times in cycles are half as many nanoseconds."""
    path = tmp_path / "my.toml"
    clocked = text.replace("\n\n[energy]", "\ncycle_ns = 0.5\n\n[energy]", 1)
    path.write_text(clocked.replace('unit = "ns"', 'unit = "cycles"'))
    plain, found = cost_set_named("sanafe-loihi" if text == TEXT else "akopyan2015"), cost_set_named(path)
    assert (plain.cycle_ns, found.cycle_ns) == (None, 0.5)
    assert astuple(found.time) == tuple(value / 2 for value in astuple(plain.time))
    assert found.energy == plain.energy and found.static_watts == plain.static_watts


def test_all_mistakes_of_a_kind_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(
        TEXT.replace("spike = 69.3", "spike = -1").replace("synapse_conv = 3.1", "synapse_conv = -2")
    )
    with pytest.raises(UsageError, match=r"(?s)energy.spike = -1.*time.synapse_conv = -2"):
        cost_set_named(path)


@pytest.mark.parametrize("name", ["loihi3", "", "."])
def test_no_such_set(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        cost_set_named(name)
    assert raised.value.code == "U401" and "davies2018" in str(raised.value.remedy)


def test_a_table_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('name = "a"\ntarget = "loihi"\nsource = "b"\nenergy = 3\n')
    with pytest.raises(UsageError) as raised:
        cost_set_named(path)
    assert raised.value.code == "U405" and "energy" in str(raised.value)
