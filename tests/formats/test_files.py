from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from snnc.errors import ArtifactError, UsageError
from snnc.formats.artifact import ArtefactContents, write_artifact
from snnc.formats.files import check_output, replaced_file

as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def code_of(path: Path) -> str:
    with pytest.raises(ArtifactError) as checked:
        check_output(path)
    with pytest.raises(ArtifactError) as caught, replaced_file(path):
        pass
    assert (caught.value.code, caught.value.file) == (checked.value.code, str(path))
    return caught.value.code


def test_the_content_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with replaced_file(path) as stream:
        stream.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_mode_follows_the_umask(tmp_path: Path) -> None:
    with replaced_file(tmp_path / "a"):
        pass
    plain = tmp_path / "b"
    plain.touch()
    assert (tmp_path / "a").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(error), replaced_file(path) as stream:
        stream.write(b"new")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders(tmp_path: Path) -> None:
    assert code_of(tmp_path) == "A201"
    assert code_of(tmp_path / "absent" / "a") == "A202"
    (tmp_path / "file").touch()
    assert code_of(tmp_path / "file" / "a") == "A202"
    with pytest.raises(ArtifactError) as caught, replaced_file(tmp_path / ("a" * 300)):
        pass
    assert caught.value.code == "A203"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@as_user
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert code_of(tmp_path / "a") == "A203"
    tmp_path.chmod(0o700)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.snnc"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match="No space left") as caught:
        write_artifact(path, ArtefactContents({}, {"a": np.zeros(10)}))
    assert caught.value.code == "A203"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fills_up_in_the_middle(tmp_path: Path) -> None:
    """A limit of the file size makes the system refuse a write half-way, as a full disk does."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from snnc.errors import ArtifactError\n"
        "from snnc.formats.artifact import ArtefactContents, write_artifact\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        "    contents = ArtefactContents({}, {str(i): np.zeros(10_000) for i in range(9)})\n"
        "    write_artifact(Path('a.snnc'), contents)\n"
        "except ArtifactError as error:\n"
        "    print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("A203", "")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    """So is /dev/null: a rename would put a regular file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replaced_file(pipe) as stream:
        stream.write(b"abc")
    assert os.read(reader, 10) == b"abc" and pipe.is_fifo()
    os.close(reader)
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_a_command_reads_is_not_written(tmp_path: Path) -> None:
    read, other, link = tmp_path / "read", tmp_path / "other", tmp_path / "link"
    read.write_text("read")
    link.symlink_to(read)
    hard = tmp_path / "hard"
    hard.hardlink_to(read)
    for path in (read, link, hard, tmp_path / "." / "read"):
        with pytest.raises(UsageError, match="U002"):
            check_output(path, None, other, read)
    check_output(other, read)
    check_output(Path(os.devnull), Path(os.devnull))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    link.symlink_to(real)
    for content in (b"first", b"second"):
        with replaced_file(link) as stream:
            stream.write(content)
        assert link.is_symlink() and real.read_bytes() == content
    assert list(real.parent.iterdir()) == [real]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a"
    program = (
        "import os, signal, sys; from pathlib import Path; from snnc.formats.files import replaced_file\n"
        "with replaced_file(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with replaced_file(path) as outer:
        with replaced_file(path) as inner:
            inner.write(b"inner")
        outer.write(b"outer")
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"outer"
