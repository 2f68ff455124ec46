"""Disks that are full at any write, read-only, slow, and journals and logs damaged on every page.

Never silently wrong: a run on a damaged journal comes to the bytes and sums of the undamaged one
and asks nothing again, or is refused. Recovery brings back every row without a byte on the page.
"""

from __future__ import annotations

import gc
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos import logs
from tests.chaos.pages import Rows, rows_of, rows_on_pages
from tests.chaos.plan import Plan, Table
from tests.system.disks import resize, small_disk

import selfsown
from selfsown.core.errors import EnvironmentFailure, SelfsownError
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.journal_file import PAGE_BYTES
from selfsown.core.rundir import DATA_FILES, MANIFEST, read_manifest
from selfsown.core.salvage import salvage
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay

ROWS = 40
LARGE_KB = 20_000
SUMS = ("calls", "attempts", "input_tokens", "output_tokens", "cost_usd")


def complete(out: Path) -> int:
    """A small run, of overflow pages too; how often the model was asked."""
    model = ScriptedModel(identity="scripted")
    prompt = "{{ n }} " + "word " * 60 + "{% if n % 9 == 0 %}" + "long " * 2000 + "{% endif %}"
    rows = [{"n": n} for n in range(ROWS)]
    selfsown.run("complete", rows=rows, prompt=prompt, model=model, out=out)
    return model.call_count


def results(out: Path) -> list[object]:
    """Bytes of the data files, and the sums of the manifest."""
    sums = read_manifest(out)["run"]
    assert isinstance(sums, dict)
    return [*((out / name).read_bytes() for name in DATA_FILES), *(sums[name] for name in SUMS)]


def full(plan: Plan, home: Path) -> Table:
    """The disk has a page more each time, from the first write to the last."""
    table = Table(
        "A disk full at any write (one page of 4 kB more each time)",
        ("disk", "runs", "stopped", "said so", "asked again", "wrong bytes", "replay differs"),
    )
    complete(home / "whole")
    expected = results(home / "whole")[: len(DATA_FILES)]
    step, counts = 4 if plan.share == 1 else 80, Counter[str]()
    with small_disk(home / "disk", LARGE_KB) as disk:
        kilobytes = 4
        while True:
            resize(disk, kilobytes)
            stopped = until_full(disk / "run")
            counts["runs"] += 1
            if stopped is None:
                break
            counts["stopped"] += 1
            counts["said"] += "free space" in stopped
            kept = committed(disk / "run")
            resize(disk, LARGE_KB)
            counts["again"] += complete(disk / "run") - (ROWS - kept)
            counts["bytes"] += results(disk / "run")[: len(DATA_FILES)] != expected
            counts["replay"] += not replay(disk / "run").identical
            shutil.rmtree(disk / "run")
            kilobytes += step
    table.add(
        f"4 to {kilobytes} kB", counts["runs"], counts["stopped"], counts["said"],
        counts["again"], counts["bytes"], counts["replay"],
    )  # fmt: skip
    table.check(counts["said"] == counts["stopped"], "a full disk was not called full")
    table.check(not (counts["again"] or counts["bytes"] or counts["replay"]), "after a full disk")
    return table


def until_full(out: Path) -> str | None:
    """What a run that stops for want of space says; None if it ends."""
    try:
        complete(out)
    except EnvironmentFailure as error:
        return error.fix
    finally:
        gc.collect()  # frames of caught errors hold files open
    return None


def committed(out: Path) -> int:
    """Outcomes in the journal; a file too short to be one has none."""
    try:
        journal = Journal(out / JOURNAL_NAME, read_only=True)
    except EnvironmentFailure:
        return 0
    try:
        return journal.scalar("SELECT count(*) FROM outcomes")
    finally:
        journal.close()


def read_only_and_slow(plan: Plan, home: Path) -> Table:
    """A disk that takes nothing, and one whose every commit takes long."""
    table = Table("Read-only and slow disks", ("disk", "runs", "refused", "asked", "wrong bytes"))
    complete(home / "usual")
    expected = results(home / "usual")[: len(DATA_FILES)]
    with small_disk(home / "fixed", LARGE_KB) as disk:
        shutil.copytree(home / "usual", disk / "run")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused = sum(
            until_full_or_read_only(out) for out in (disk / "run", disk / "new", disk / "a/b")
        )
        same = replay(disk / "run").identical
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        table.add("read-only", 3, refused, 0, int(not same))
        table.check(refused == 3 and same, "a read-only disk")
    commits = Journal._commit
    delay_s, rng = 0.3 * plan.share, plan.rng("slow")

    def slowly(*arguments: object) -> int:
        time.sleep(rng.uniform(0, 2 * delay_s))
        return commits(*arguments)  # type: ignore[arg-type]

    Journal._commit = slowly  # type: ignore[method-assign]
    try:
        asked = complete(home / "slow")
    finally:
        Journal._commit = commits  # type: ignore[method-assign]
    wrong = results(home / "slow")[: len(DATA_FILES)] != expected
    table.add(f"slow, {delay_s:.2f} s a commit", 1, 0, asked, int(wrong))
    table.check(asked == ROWS and not wrong, "a slow disk")
    return table


def until_full_or_read_only(out: Path) -> bool:
    """Whether a run says that its directory cannot be written."""
    try:
        complete(out)
    except EnvironmentFailure as error:
        return "cannot be" in error.what and "-o" in error.fix
    return False


def damaged(plan: Plan, home: Path) -> Table:
    """Every page of a small journal: one bit, noise, zeros, and an end before its time."""
    complete(home / "whole")
    expected = results(home / "whole")
    path = home / "whole" / JOURNAL_NAME
    whole, rows = path.read_bytes(), rows_of(path)
    on_pages = rows_on_pages(whole)
    table = Table(
        f"A journal of {len(on_pages)} pages and {len(rows)} rows, damaged on every page",
        (
            *("damage", "cases", "refused", "harmless", "asked again", "silently wrong"),
            *("rows lost", "lost on other pages", "rows invented"),
        ),
    )
    table.note = "Refused: by the run and by replay. Lost rows are those of --recover."
    for name, damage, times in KINDS:
        counts, rng = Counter[str](), plan.rng(name)
        for case in range(plan.count(len(on_pages) * times, least=8)):
            page = case % len(on_pages) if plan.share == 1 else rng.randrange(len(on_pages))
            broken = damage(whole, page, rng)
            counts["cases"] += 1
            counts[judged(home, broken, expected)] += 1
            hit = on_pages[page:] if name == "truncation" else on_pages[page : page + 1]
            recovered(home, broken, rows, set().union(*hit), counts)
        table.add(
            name, counts["cases"], counts["refused"], counts["harmless"], counts["asked"],
            counts["wrong"], counts["lost"], counts["elsewhere"], counts["invented"],
        )  # fmt: skip
        bad = ("asked", "wrong", "elsewhere", "invented")
        table.check(not any(counts[one] for one in bad), f"{name} of a journal")
    return table


def one_bit(whole: bytes, page: int, rng: random.Random) -> bytes:
    broken = bytearray(whole)
    broken[page * PAGE_BYTES + rng.randrange(PAGE_BYTES)] ^= 1 << rng.randrange(8)
    return bytes(broken)


def noise(whole: bytes, page: int, rng: random.Random) -> bytes:
    at = page * PAGE_BYTES
    return whole[:at] + rng.randbytes(PAGE_BYTES) + whole[at + PAGE_BYTES :]


def zeros(whole: bytes, page: int, rng: random.Random) -> bytes:
    at = page * PAGE_BYTES
    return whole[:at] + bytes(PAGE_BYTES) + whole[at + PAGE_BYTES :]


def truncation(whole: bytes, page: int, rng: random.Random) -> bytes:
    return whole[: page * PAGE_BYTES + rng.choice((0, rng.randrange(PAGE_BYTES)))]


KINDS: tuple[tuple[str, Callable[[bytes, int, random.Random], bytes], int], ...] = (
    ("one bit", one_bit, 30),
    ("noise", noise, 2),
    ("zeros", zeros, 1),
    ("truncation", truncation, 2),
)
"""Name, what it does to a page, and how often on every page."""


def judged(home: Path, broken: bytes, expected: list[object]) -> str:
    """What a run and a replay make of a damaged journal."""
    out = home / "broken"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(home / "whole", out)
    (out / JOURNAL_NAME).write_bytes(broken)
    try:
        told = replay(out).identical
    except SelfsownError:
        told = None
    (out / MANIFEST).unlink()  # so that it is written anew
    try:
        asked = complete(out)
    except SelfsownError:
        return "refused" if not told else "harmless"
    if results(out) != expected or told is False:
        return "wrong"
    return "asked" if asked else "harmless"


def recovered(home: Path, broken: bytes, rows: Rows, hit: set[int], counts: Counter[str]) -> None:
    """Count what a recovery brings back, and what not."""
    (home / "broken.sqlite").write_bytes(broken)
    target = home / "recovered.sqlite"
    target.unlink(missing_ok=True)
    salvage(home / "broken.sqlite", target)
    after = rows_of(target)
    missing = rows.keys() - after.keys()
    counts["lost"] += len(missing)
    counts["elsewhere"] += sum(seq not in hit for _, seq in missing)
    counts["invented"] += len(after.items() - rows.items())


def tables(plan: Plan, home: Path) -> list[Table]:
    """All of it; where no disk can be mounted only the journals."""
    found = [damaged(plan, home), *logs.tables(plan, home)]
    for make in (full, read_only_and_slow):
        try:
            found.append(make(plan, home))
        except pytest.skip.Exception as skipped:
            table = Table(f"{make.__name__}: not run", ("reason",))
            table.add(skipped.msg)
            found.append(table)
    return found
