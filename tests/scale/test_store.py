"""Claim: with a store, losing a node loses the rows since the last segment, and no money."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.scale.jobs import ROWS, Inline, do, make_job, merged

from selfsown.core.errors import (
    BudgetExhausted,
    ConfigChanged,
    ConfigError,
    EnvironmentFailure,
    JournalDamaged,
    MissingExtra,
)
from selfsown.core.journal import JOURNAL_NAME, TABLES, Journal, Row
from selfsown.scale import keeping
from selfsown.scale.job import Job
from selfsown.scale.keeping import Keeping, Overtaken
from selfsown.scale.segments import claim, encode, read_chain, restore
from selfsown.scale.store import Store
from selfsown.scale.tasks import Task

pytest.importorskip("fsspec", reason="fsspec is not installed (extra `ray`)")


@pytest.fixture(params=["disk", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind, empty; S3 is a server on this machine that answers as S3 does."""
    if request.param == "disk":
        yield Store(str(tmp_path / "store"))
    elif request.param == "memory":
        yield Store(f"memory://{uuid4().hex}")
    else:
        s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
        moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
        given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        with pytest.MonkeyPatch.context() as patch:
            given["AWS_ENDPOINT_URL"] = "http://{}:{}".format(*server.get_host_and_port())
            for name, value in given.items():
                patch.setenv(name, value)
            s3fs.S3FileSystem().mkdir("bucket")
            yield Store("s3://bucket/folder")
        server.stop()


def test_a_name_is_created_once(store: Store) -> None:
    assert store.names("a") == []
    assert store.create("a/b", b"first")
    assert not store.create("a/b", b"second")
    assert (store.read("a/b"), store.read("a/c")) == (b"first", None)
    assert (store.names("a"), store.names("nowhere")) == (["b"], [])


def test_what_a_local_store_holds_is_its_owners_alone(tmp_path: Path) -> None:
    assert Store(str(tmp_path)).create("a/b", b"an answer")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0


def rows_of(path: Path) -> dict[str, list[object]]:
    """Every row of a journal, its checksum included."""
    with sqlite3.connect(path) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY seq").fetchall()  # noqa: S608
            for table in TABLES
            if table != "batches"
        }


def test_a_restored_journal_has_the_rows_of_the_one_that_was_sent(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=2, store=str(tmp_path / "store"), **capped(100_000))
    do(job)
    store = Store(job.store)
    for shard in range(2):
        chain = read_chain(store, f"shards/{shard:05d}", 99)
        restore(store, f"shards/{shard:05d}", chain, tmp_path / f"{shard}.sqlite")
        original = rows_of(job.places.shard(shard) / JOURNAL_NAME)
        assert rows_of(tmp_path / f"{shard}.sqlite") == original
        assert original["grants"]


def test_a_lost_node_costs_no_call_that_was_sent_away_and_changes_no_byte(tmp_path: Path) -> None:
    reference = make_job(tmp_path, "reference", shards=2)
    do(reference)
    job = make_job(tmp_path, "job", shards=2, store=str(tmp_path / "store"))
    do(job)
    for shard in range(2):
        shutil.rmtree(job.places.shard(shard))
    job.places.ledger.unlink()
    for done in (tmp_path / "store").glob("shards/*/done/*"):
        done.unlink()
    totals = do(job)
    assert totals.finished == 2
    for shard in range(2):
        manifest = json.loads((job.places.shard(shard) / "manifest.json").read_text())
        assert manifest["run"]["attempts"] == len(ROWS[shard::2])
        assert manifest["run"]["calls_from_journal"] == len(ROWS[shard::2])
    assert merged(job) == merged(reference)


def test_results_come_from_the_store_where_another_node_made_them(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=3, store=str(tmp_path / "store"))
    do(job)
    files = merged(job)
    shutil.rmtree(job.places.home / "shards")
    shutil.rmtree(job.places.home / "merged")
    job.places.ledger.unlink()
    do(job)
    assert not (job.places.shard(0) / JOURNAL_NAME).exists()
    assert merged(job) == files


def keep(store: Store, folder: Path) -> tuple[Keeping, Journal]:
    """An attempt at shard 0 on a node whose disk is `folder`, and its journal."""
    attempt = Keeping(store, 0, folder / "00000")
    return attempt, attempt.open_journal(folder / "00000" / JOURNAL_NAME)


def test_finished_shards_whose_folders_are_gone_are_brought_back(tmp_path: Path) -> None:
    for store in ("", str(tmp_path / "store")):
        job = make_job(tmp_path, f"job{len(store)}", shards=2, store=store)
        do(job)
        before = merged(job)
        shutil.rmtree(job.places.shard(1))
        worked = Inline()
        assert do(job, worked).finished == 2
        assert worked.ran == [1]
        assert merged(job) == before


def test_the_one_who_was_thought_lost_is_told_and_its_rows_do_not_count(
    store: Store, tmp_path: Path
) -> None:
    first, journal = keep(store, tmp_path / "a")
    journal.append_now([Row("sessions", ("s1", ""))])
    first.send()
    journal.append_now([Row("sessions", ("s2", ""))])
    second, other = keep(store, tmp_path / "b")
    other.append_now([Row("sessions", ("t2", ""))])
    with pytest.raises(Overtaken):
        first.send()
    second.send()
    journal.close()
    other.close()
    third, last = keep(store, tmp_path / "c")
    assert [row[1] for row in last.rows("sessions")] == ["s1", "t2"]
    assert (first.attempt, second.attempt, third.attempt) == (1, 2, 3)
    last.close()
    fourth, back = keep(store, tmp_path / "a")  # its disk has what was overtaken
    assert [row[1] for row in back.rows("sessions")] == ["s1", "t2"]
    assert [path.name for path in fourth.overtaken] == ["00000.overtaken-000004"]
    back.close()


def slow_job(folder: Path) -> Job:
    """One shard that takes a second or more, whose journal is sent twenty times a second."""
    rules = [{"regex": ".", "delay_s": 0.05}]
    store = str(folder / "store")
    return make_job(folder, "job", shards=1, store=store, rules=rules, limits={"concurrency": 1})


def test_rows_are_sent_while_the_shard_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SEND_EVERY_S", 0.05)
    job = slow_job(tmp_path)
    do(job)
    segments = list((tmp_path / "store" / "shards" / "00000" / "segments").iterdir())
    assert len(segments) >= 5
    chain = read_chain(Store(job.store), "shards/00000", 99)
    restore(Store(job.store), "shards/00000", chain, tmp_path / "restored.sqlite")
    assert rows_of(tmp_path / "restored.sqlite") == rows_of(job.places.shard(0) / JOURNAL_NAME)


def test_a_shard_that_is_overtaken_stops_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SEND_EVERY_S", 0.05)
    job, sent = slow_job(tmp_path), Keeping.send
    times = 0

    def send(self: Keeping) -> None:
        nonlocal times
        times += 1
        if times == 3:
            claim(Store(job.store), "shards/00000")
        sent(self)

    monkeypatch.setattr(Keeping, "send", send)
    with pytest.raises(EnvironmentFailure, match="another worker has taken up shard 0"):
        do(job)
    manifest = json.loads((job.places.shard(0) / "manifest.json").read_text())
    assert manifest["run"]["status"] == "suspended"


async def test_a_grant_counts_when_it_is_in_the_store(store: Store, tmp_path: Path) -> None:
    _, journal = keep(store, tmp_path / "a")
    await journal.append([Row("grants", (1, 500, 0))])
    chain = read_chain(store, "shards/00000", 99)
    assert chain.last == 1
    await journal.append([Row("grants", (1, -200, 0))])
    assert read_chain(store, "shards/00000", 99).last == 1, "handing back may wait"
    Keeping(store, 0, tmp_path / "b" / "00000")
    with pytest.raises(Overtaken):
        await journal.append([Row("grants", (1, 500, 0))])
    journal.close()


def test_a_lost_node_does_not_raise_the_cap(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=1, store=str(tmp_path / "store"), **capped(2000))
    with pytest.raises(BudgetExhausted):
        do(job)
    shutil.rmtree(job.places.shard(0))
    with pytest.raises(BudgetExhausted):
        do(job)
    manifest = json.loads((job.places.shard(0) / "manifest.json").read_text())
    spent = manifest["run"]["input_tokens"] + manifest["run"]["output_tokens"]
    assert 0 < spent <= 2000


def test_a_driver_that_lost_its_disk_does_not_raise_the_cap(tmp_path: Path) -> None:
    # Shard 0 has long prompts and is handed what the others leave over; then everything is lost.
    rows = [{"text": f"{n:02d} " + "word " * (30 if n % 4 == 0 else 1)} for n in range(16)]
    options = {"prompt": "Say {{ text }}.", "max_tokens": 900}
    given = {"rules": [], "budget": {"tokens": 4800}, "options": options}
    job = make_job(tmp_path, "job", shards=4, store=str(tmp_path / "store"), **given)
    assert do(job, rows=rows).accepted == 16
    shutil.rmtree(job.places.home)
    given_out: dict[int, int] = {}

    def look(tasks: list[Task]) -> list[Task]:
        given_out.update({task.shard: task.config["budget"]["tokens"] for task in tasks})
        return tasks

    assert do(job, Inline(look), rows=rows).accepted == 16
    assert given_out[0] > 1200, "a quarter, if the cap had been split anew"
    assert sum(given_out.values()) <= 4800


def test_a_damaged_segment_is_never_restored(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=1, store=str(tmp_path / "store"))
    do(job)
    [segment] = (tmp_path / "store" / "shards" / "00000" / "segments").iterdir()
    whole = segment.read_bytes()
    store = Store(job.store)
    for at in range(0, len(whole), 97):
        segment.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        target = tmp_path / f"{at}.sqlite"
        try:
            chain = read_chain(store, "shards/00000", 99)
            restore(store, "shards/00000", chain, target)
        except JournalDamaged:
            continue
        assert rows_of(target) == rows_of(job.places.shard(0) / JOURNAL_NAME)


def test_an_attempt_that_left_nothing_does_not_break_the_chain(
    store: Store, tmp_path: Path
) -> None:
    first, journal = keep(store, tmp_path / "a")
    journal.append_now([Row("sessions", ("s1", ""))])
    first.send()
    claim(store, "shards/00000")
    again, same = keep(store, tmp_path / "a")
    assert again.attempt == 3
    assert [row[1] for row in same.rows("sessions")] == ["s1"]
    assert encode(same, 0, 3, 1) is not None
    same.close()
    journal.close()


def capped(tokens: int) -> dict[str, object]:
    """A budget, and answers long enough to feel it."""
    return {
        "budget": {"tokens": tokens},
        "options": {"prompt": "Say {{ text }}.", "max_tokens": 1000},
    }


def test_a_store_is_for_one_job(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    do(make_job(tmp_path, "first", shards=2, store=store))
    before = {path: path.read_bytes() for path in Path(store).rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="holds another job: rows: 23 → 5") as found:
        do(make_job(tmp_path, "second", shards=2, store=store), rows=ROWS[:5])
    assert f"--store {store}/NAME" in found.value.fix
    options = {"prompt": "Tell {{ text }}."}
    with pytest.raises(ConfigChanged, match="its journal is in the store") as changed:
        do(make_job(tmp_path, "third", shards=2, store=store, options=options))
    assert "`--store` of its own" in changed.value.fix
    kept = {path: path.read_bytes() for path in before}
    assert kept == before


def test_the_password_of_a_store_is_in_no_message() -> None:
    for url in ("ssh://u:canary@h/x", "nonsense://u:canary@h/x"):
        with pytest.raises((ConfigError, MissingExtra)) as found:
            Store(url).create("a", b"")
        assert "canary" not in f"{found.value.what} {found.value.why} {found.value.fix}"
        assert "…@h/x" in found.value.what


def test_a_store_that_cannot_be_opened_is_said_before_anything_is_dealt_out(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        do(make_job(tmp_path, "job", shards=2, store="nonsense://x"))
    assert not (tmp_path / "job").exists()
