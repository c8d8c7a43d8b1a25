"""States in files: a run in several processes, with costs and timelines, is the whole run; wrong files are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from small_models import small_data, small_model

import snnc
from snnc.cli.main import run
from snnc.errors import ArtifactError, UsageError

X = small_data(3)[0]


@pytest.fixture(params=["loihi", "truenorth"])
def compiled(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> snnc.Compiled:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    made = snnc.compile(small_model(), request.param, calibration=small_data(16, 2)[0], ticks=4)
    made.save("net.snnc")
    return made


def command(*arguments: str) -> int:
    return run(["run", "net.snnc", "--data", "x.npy", "--record", "spikes,voltage", "-q", *arguments])


def test_three_commands_are_one_run(compiled: snnc.Compiled) -> None:
    assert command("--ticks", "3", "-o", "0.npz", "--keep-state", "0.state") == 0
    assert command("--ticks", "1", "-o", "1.npz", "--state", "0.state", "--keep-state", "1.state") == 0
    assert command("--ticks", "5", "-o", "2.npz", "--state", "1.state", "--timeline", "t.json") == 0
    whole = compiled.run(X, 9, ("spikes", "voltage"))
    pieces = [np.load(f"{number}.npz") for number in range(3)]
    np.testing.assert_array_equal(pieces[-1]["output"], whole.output)
    for variable, arrays in whole.recordings.items():
        for name, array in arrays.items():
            joined = np.concatenate([piece[f"{variable}:{name}"] for piece in pieces], axis=1)
            np.testing.assert_array_equal(joined, array)
    assert any(spikes.any() for spikes in whole.spikes.values())


def test_costs_and_timelines_go_on_from_a_state(compiled: snnc.Compiled) -> None:
    first = compiled.run_with_costs(X, 4, record=("spikes",), keep_state=True)
    second = compiled.run_with_costs(X, 6, record=("spikes",), state=first.trace.state, threads=1)
    whole = compiled.run(X, 10, ("spikes",))
    np.testing.assert_array_equal(second.trace.output, whole.output)
    for name, spikes in whole.spikes.items():
        joined = np.concatenate([first.trace.spikes[name], second.trace.spikes[name]], axis=1)
        np.testing.assert_array_equal(joined, spikes)
    timeline = compiled.timeline(X, 6, state=first.trace.state)
    detailed = compiled.run_with_costs(X, 6, state=first.trace.state, detailed=True)
    np.testing.assert_array_equal(timeline.nanoseconds, detailed.costs.nanoseconds[0])
    fresh = compiled.timeline(X, 6)
    pairs = [(getattr(fresh, name), getattr(timeline, name)) for name in ("nanoseconds", "link_messages")]
    assert not all(np.array_equal(*pair) for pair in pairs)
    with pytest.raises(UsageError, match="U205"):
        compiled.run_with_costs(X[:2], 6, state=first.trace.state)
    with pytest.raises(UsageError, match="U205"):
        compiled.timeline(X[:2], 6, state=first.trace.state)


def test_a_state_is_gone_on_from_as_often_as_one_likes(compiled: snnc.Compiled) -> None:
    state = compiled.run(X[:1], 4, keep_state=True).state
    first, second = (compiled.run(X[:1], 5, ("voltage", "output"), state=state) for _ in range(2))
    for variable, arrays in first.recordings.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(second.recordings[variable][name], array)
    np.testing.assert_array_equal(first.output_by_tick, second.output_by_tick)


def test_damaged_and_foreign_files_are_refused(compiled: snnc.Compiled) -> None:
    state = compiled.run(X, keep_state=True).state
    assert state is not None
    compiled.save_state("good.state", state)
    content = Path("good.state").read_bytes()
    for at in (0, 100, len(content) // 2, len(content) - 1):
        Path("bad.state").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ArtifactError, match=r"A10[23]") as refused:
            compiled.load_state("bad.state")
        assert refused.value.remedy is not None and "--keep-state" in refused.value.remedy
    shutil.copy("net.snnc", "artefact.state")
    for name, code in (("artefact.state", "A102"), ("x.npy", "A102"), ("absent.state", "A101")):
        with pytest.raises(ArtifactError) as error:
            compiled.load_state(name)
        assert error.value.code == code and error.value.file == name
    other = snnc.compile(small_model(), compiled.target, calibration=small_data(16, 3)[0] * 2, ticks=4)
    with pytest.raises(UsageError, match="another program") as foreign:
        other.load_state("good.state")
    assert foreign.value.code == "U205"


def test_the_command_refuses_them_too(compiled: snnc.Compiled, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--keep-state", "0.state") == 0
    before = Path("0.state").read_bytes()
    for arguments, status, code in (
        (["--state", "x.npy"], 1, "A102"),
        (["--state", "0.state", "--samples", "2"], 2, "U205"),
        (["--keep-state", "out.npz", "-o", "out.npz"], 2, "U001"),
    ):
        assert command(*arguments) == status
        assert f"[{code}]" in capsys.readouterr().err
    assert command("--state", "0.state", "--keep-state", "0.state") != 0
    assert Path("0.state").read_bytes() == before
