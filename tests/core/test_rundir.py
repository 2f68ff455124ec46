"""Claim: a derived file is whole or absent; a damaged one says how to get it back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.core.test_durable_run import Flaky, data, go

from selfsown.core.errors import EnvironmentFailure, InputError
from selfsown.core.rundir import (
    locked,
    put_blob,
    read_lines,
    read_manifest,
    whole_file,
    write_lines,
    write_text,
)


class Boom(Exception):
    pass


def test_a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(Boom), whole_file(tmp_path / "a") as handle:
        handle.write(b"half of the new one")
        raise Boom
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_lines_that_end_in_an_error_leave_nothing(tmp_path: Path) -> None:
    def lines() -> object:
        yield b"one"
        raise Boom

    with pytest.raises(Boom):
        write_lines(tmp_path / "a", lines())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_data_and_directory_are_synced_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        kind = "directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "file"  # noqa: PTH112
        events.append(f"fsync {kind}")
        fsync(handle)

    def renamed(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write_text(tmp_path / "a", "text")
    assert events == ["fsync file", "rename", "fsync directory"]


def test_a_directory_that_cannot_be_written_is_an_environment_failure(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="cannot be written") as found:
        write_text(tmp_path / "missing" / "a", "text")
    assert "make its folder" in found.value.fix  # not: free space
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match="cannot be written"), locked(tmp_path / "file"):
        pass


def test_facts_of_written_lines_are_those_on_disk(tmp_path: Path) -> None:
    facts = write_lines(tmp_path / "a", [b'{"a":1}', b'{"b":2}'])
    assert (facts.rows, facts.bytes) == (2, (tmp_path / "a").stat().st_size)
    assert list(read_lines(tmp_path / "a")) == [{"a": 1}, {"b": 2}]
    assert list(read_lines(tmp_path / "none")) == []


def test_a_damaged_line_is_named_with_the_way_back(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a":1}\n{"b":\n')
    with pytest.raises(InputError, match=r"a\.jsonl` line 2 is damaged") as caught:
        list(read_lines(tmp_path / "a.jsonl"))
    assert "run the command that made the directory again" in caught.value.fix


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"data": {}}'])
def test_a_damaged_manifest_is_named_with_the_way_back(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json`") as caught:
        read_manifest(tmp_path)
    assert caught.value.fix.startswith("rm ")


async def test_deleted_and_damaged_files_are_rebuilt_by_the_same_command(tmp_path: Path) -> None:
    await go(tmp_path, Flaky(1))
    before = data(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "accepted.jsonl").write_text("{")
    (tmp_path / "provenance.jsonl").unlink()
    model = Flaky(2)
    await go(tmp_path, model)
    assert not model.asked
    assert data(tmp_path) == before


async def test_the_manifest_never_stands_beside_newer_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await go(tmp_path, Flaky(1))

    def no_space(*_: object) -> None:
        raise EnvironmentFailure("no space")

    with monkeypatch.context() as patched:
        patched.setattr("selfsown.core.finish.write_text", no_space)
        with pytest.raises(EnvironmentFailure):
            await go(tmp_path, Flaky(2), target=20)
    assert not (tmp_path / "manifest.json").exists()
    assert len((await go(tmp_path, Flaky(3), target=20)).accepted) == 20


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from selfsown.core.rundir import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    taken = pytest.raises(EnvironmentFailure, match=f"in use by process {child.pid}")
    with taken, locked(tmp_path):
        pass
    child.kill()
    child.communicate()
    with locked(tmp_path):
        pass


def test_a_blob_is_stored_once_under_its_hash(tmp_path: Path) -> None:
    name = put_blob(tmp_path, b"image")
    made = (tmp_path / "blobs" / name).stat().st_mtime_ns
    assert put_blob(tmp_path, b"image") == name
    assert (tmp_path / "blobs" / name).stat().st_mtime_ns == made
    assert (tmp_path / "blobs" / name).read_bytes() == b"image"


def test_the_lock_sweeps_what_killed_writers_left_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    dead = int(gone.stdout)
    (tmp_path / "blobs").mkdir()
    left = [tmp_path / f".accepted.jsonl.{dead}.tmp", tmp_path / "blobs" / f".a.{dead}.tmp"]
    others = [
        tmp_path / f".accepted.jsonl.{os.getpid()}.tmp",  # its writer is alive
        tmp_path / f"notes.{dead}.tmp",
        tmp_path / ".notes.tmp",
        tmp_path / "blobs" / "a",
    ]
    for path in (*left, *others):
        path.write_text("half")
    with locked(tmp_path):
        assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)
