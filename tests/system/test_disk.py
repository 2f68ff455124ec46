"""Claim: a full, read-only, shared or damaged directory gives a clear error and loses nothing."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.system.answers import Body
from tests.system.disks import resize, small_disk
from tests.system.processes import arrivals, call, start, write_config

from selfsown.core.errors import EnvironmentFailure, InputError, JournalDamaged
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.journal_file import PAGE_BYTES
from selfsown.core.rundir import DATA_FILES
from selfsown.core.salvage import salvage
from selfsown.offline import replay
from selfsown.runner import RunResult, run
from selfsown.testing.process import ServerProcess

ROWS = 600


def long_answer(body: Body) -> str:
    """About a kilobyte."""
    return f"{body['messages'][0]['content']} " + "word " * 200


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--answer", "tests.system.test_disk:long_answer") as server:
        yield server


@pytest.fixture
def reference(server: ServerProcess, tmp_path: Path) -> dict[str, bytes]:
    """The data of a run that met no trouble."""
    complete(server, tmp_path / "reference")
    server.reset()
    return data(tmp_path / "reference")


def complete(server: ServerProcess, out: Path, **given: Any) -> RunResult:
    rows = [{"n": n} for n in range(ROWS)]
    limits = {"resend": 0}
    return run(
        "complete", rows=rows, prompt="{{ n }}", model=server.model_uri(), out=out, limits=limits,
        **given,
    )  # fmt: skip


def data(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in DATA_FILES}


def failure(server: ServerProcess, out: Path) -> tuple[str, str]:
    """What and fix of the error that stops a run; nothing of its frames stays alive."""
    try:
        complete(server, out)
    except EnvironmentFailure as error:
        assert error.exit_code == 3
        return error.what, error.fix
    pytest.fail("nothing stopped the run")


def committed(out: Path) -> int:
    journal = Journal(out / JOURNAL_NAME, read_only=True)
    try:
        return sum(1 for _ in journal.rows("outcomes"))
    finally:
        journal.close()


# 600 answers of 1 kB: the journal alone needs about 2 MB, the data files as much again.
@pytest.mark.parametrize("kilobytes", [600, 1500, 2600])
def test_a_full_disk_stops_the_run_and_space_resumes_it(
    server: ServerProcess, reference: dict[str, bytes], tmp_path: Path, kilobytes: int
) -> None:
    with small_disk(tmp_path / "disk", kilobytes) as disk:
        out = disk / "run"
        what, fix = failure(server, out)
        assert "free space" in fix
        assert "then run the same command again" in fix
        resize(disk, 40_000)
        kept, asked = committed(out), arrivals(server)
        result = complete(server, out)
        assert len(result.accepted) == ROWS
        again = arrivals(server) - asked
        assert again.total() == ROWS - kept, "a committed answer was asked again"
        assert data(out) == reference
        assert replay(out).identical
        print(f"\n{kilobytes} kB: {kept} answers kept; {what}")


def test_a_journal_at_its_quota_says_full_and_keeps_what_it_has(tmp_path: Path) -> None:
    import asyncio

    from selfsown.core.journal import Row

    async def fill() -> int:
        journal = Journal(tmp_path / JOURNAL_NAME, max_pages=40)
        written = 0
        try:
            with pytest.raises(EnvironmentFailure, match="full") as stopped:
                while True:
                    values = (b"%032d" % written, "call", "m", "{}", "x" * 2000, 1, "", "")
                    await journal.append([Row("outcomes", values)])
                    written += 1
            assert "free space" in stopped.value.fix
        finally:
            journal.close()
        return written

    written = asyncio.run(fill())
    assert written > 5
    journal = Journal(tmp_path / JOURNAL_NAME, read_only=True)
    assert sum(1 for _ in journal.rows("outcomes")) == written
    journal.close()


def test_a_read_only_directory_is_refused_and_still_replays(
    server: ServerProcess, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 40_000) as disk:
        complete(server, disk / "run")
        before = data(disk / "run")
        server.reset()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for out in (disk / "run", disk / "new"):
            what, fix = failure(server, out)
            assert what.startswith(f"`{out}` cannot be written")
            assert "-o" in fix
        assert arrivals(server).total() == 0
        assert replay(disk / "run").identical
        assert data(disk / "run") == before
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def test_a_second_process_is_refused_by_the_number_of_the_first(tmp_path: Path) -> None:
    with ServerProcess("--latency-median-s", "0.05") as server:
        rows = tmp_path / "rows.jsonl"
        rows.write_bytes(b"".join(orjson.dumps({"n": n}) + b"\n" for n in range(4000)))
        config = write_config(
            tmp_path / "config.yaml",
            {
                "recipe": "complete",
                "options": {"prompt": "{{ n }}"},
                "rows": str(rows),
                "models": {"generator": server.model_uri()},
                "limits": {"concurrency": 4},
                "out": str(tmp_path / "run"),
            },
        )
        first = start("run", config, "--quiet", "--yes")
        try:
            while not server.counters(bodies=False)["requests"]:
                assert first.poll() is None
            second = call("run", config, "--quiet", "--yes")
        finally:
            first.kill()
            first.communicate()
    assert second.returncode == 3
    assert f"in use by process {first.pid}" in second.stderr
    assert "hint: wait for it" in second.stderr


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_damaged_journal_is_refused_untouched_and_salvage_recovers_it(
    server: ServerProcess, reference: dict[str, bytes], tmp_path: Path, seed: int
) -> None:
    out = tmp_path / "run"
    complete(server, out)
    path = out / JOURNAL_NAME
    assert not path.with_name(path.name + "-wal").exists(), "a closed journal is one file"
    broken = damage(path, random.Random(seed), pages=3)
    whole = data(out)
    with pytest.raises(JournalDamaged) as refused:
        complete(server, out)
    assert f"selfsown doctor {out} --recover" in refused.value.fix
    assert refused.value.exit_code == 3
    with pytest.raises(JournalDamaged):
        replay(out)
    assert data(out) == whole, "data files were rewritten from a damaged journal"

    before, copy = path.read_bytes(), tmp_path / "copy"
    shutil.copytree(out, copy, ignore=shutil.ignore_patterns("journal.sqlite*"))
    found = salvage(path, copy / JOURNAL_NAME)
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="exists"):
        salvage(path, copy / JOURNAL_NAME)
    # A page holds 2 to 3 answers of this size; only those of broken pages may be missing.
    lost = ROWS - found.rows["outcomes"]
    assert lost <= 3 * broken
    server.reset()
    result = complete(server, copy)
    assert arrivals(server).total() == lost
    assert len(result.accepted) == ROWS
    assert data(copy) == reference
    print(f"\n{broken} pages of {len(before) // PAGE_BYTES} broken: {lost} of {ROWS} answers lost")


def damage(path: Path, rng: random.Random, *, pages: int) -> int:
    """Overwrite leaf pages of a table with noise; how many."""
    whole = bytearray(path.read_bytes())
    leaves = [at for at in range(PAGE_BYTES, len(whole), PAGE_BYTES) if whole[at] == 0x0D]
    for at in rng.sample(leaves, pages):
        whole[at : at + PAGE_BYTES] = rng.randbytes(PAGE_BYTES)
    path.write_bytes(whole)
    return pages
