"""Logs of journals whose process was killed, damaged in every frame, cut off, or lost.

Never silently wrong: a run that goes on over a damaged log comes to what it comes to over the
undamaged one and asks for no more, or is refused, or asks again for what nobody had been told: a
commit that the kill interrupted. Where the index beside the log is gone too, the last commit may
be taken for such a one, and a log that was cut off for a shorter one; never is anything before the
cut lost or changed. Recovery brings back every row that has a copy on an undamaged page.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.chaos.pages import FRAME_BYTES, LOG_HEADER, Rows, log_copies, rows_of
from tests.chaos.plan import Plan, Table
from tests.system.processes import environment

import selfsown
from selfsown.core.errors import SelfsownError
from selfsown.core.journal import JOURNAL_NAME
from selfsown.core.model import Answer
from selfsown.core.request import Request
from selfsown.core.rundir import DATA_FILES
from selfsown.core.salvage import salvage
from selfsown.models.scripted import ScriptedModel

ROWS = 20
DIES_AT = 16
NEVER, BEGUN_ANEW, COPIED = "never copied back", "begun anew", "copied back, not begun anew"
SCENES = (NEVER, BEGUN_ANEW, COPIED)
"""What had become of the log before the kill: never copied into the database, copied and begun
anew over its old frames, or copied at the last."""
Damage = Callable[[bytes, int, random.Random], bytes]


class OneByOne(ScriptedModel):
    """Answers one call after the other, so that there are many commits, and then the process dies.

    The answers are numbered: one that is asked for again is another one.
    """

    def __init__(self, out: Path, scene: str, first: int) -> None:
        super().__init__(lambda request, seed: f"answer {self._asked}", identity="scripted")
        self._out, self._scene, self._asked, self._turn = out, scene, first, asyncio.Lock()

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        """Die at one, if there is a scene."""
        async with self._turn:
            self._asked += 1
            if self._scene:
                await asyncio.sleep(0.006)  # a journal that is not busy commits at once
            if self._scene == BEGUN_ANEW and self._asked == DIES_AT * 3 // 4:
                checkpoint(self._out, "RESTART")
            if self._scene == COPIED and self._asked == DIES_AT:
                checkpoint(self._out, "PASSIVE")
            if self._scene and self._asked == DIES_AT:
                signal.raise_signal(signal.SIGKILL)
            return await super().attempt(request, timeout_s=timeout_s, seed=seed)


def complete(out: Path, scene: str = "") -> tuple[int, list[bytes]]:
    """The run: how often it asked, and its files. Of the first session there is no end."""
    model = OneByOne(out, scene, 0 if scene else 1000)
    prompt = "{{ n }} " + "word " * 60 + "{% if n % 9 == 0 %}" + "long " * 2000 + "{% endif %}"
    rows = [{"n": n} for n in range(ROWS)]
    selfsown.run("complete", rows=rows, prompt=prompt, model=model, out=out)
    return model.call_count, [(out / name).read_bytes() for name in DATA_FILES]


def checkpoint(out: Path, kind: str) -> None:
    """Copy the log into the database."""
    connection = sqlite3.connect(out / JOURNAL_NAME)
    connection.execute(f"PRAGMA wal_checkpoint({kind})")
    connection.close()


def one_bit(log: bytes, frame: int, rng: random.Random) -> bytes:
    broken = bytearray(log)
    broken[LOG_HEADER + frame * FRAME_BYTES + rng.randrange(FRAME_BYTES)] ^= 1 << rng.randrange(8)
    return bytes(broken)


def one_bit_before(log: bytes, frame: int, rng: random.Random) -> bytes:
    broken = bytearray(log)
    broken[LOG_HEADER + frame * FRAME_BYTES + rng.randrange(24)] ^= 1 << rng.randrange(8)
    return bytes(broken)


def noise(log: bytes, frame: int, rng: random.Random) -> bytes:
    at = LOG_HEADER + frame * FRAME_BYTES
    return log[:at] + rng.randbytes(FRAME_BYTES) + log[at + FRAME_BYTES :]


def zeros(log: bytes, frame: int, rng: random.Random) -> bytes:
    at = LOG_HEADER + frame * FRAME_BYTES
    return log[:at] + bytes(FRAME_BYTES) + log[at + FRAME_BYTES :]


def truncation(log: bytes, frame: int, rng: random.Random) -> bytes:
    return log[: LOG_HEADER + frame * FRAME_BYTES + rng.choice((0, rng.randrange(FRAME_BYTES)))]


def header_bit(log: bytes, frame: int, rng: random.Random) -> bytes:
    broken = bytearray(log)
    broken[rng.randrange(LOG_HEADER)] ^= 1 << rng.randrange(8)
    return bytes(broken)


def gone(log: bytes, frame: int, rng: random.Random) -> bytes:
    return b""


KINDS: tuple[tuple[str, Damage, float], ...] = (
    ("one bit", one_bit, 1),
    ("one bit of a frame's head", one_bit_before, 0.25),
    ("noise", noise, 0.5),
    ("zeros", zeros, 0.25),
    ("truncation", truncation, 0.5),
    ("one bit of the log's head", header_bit, 0.2),
    ("log gone", gone, 0),
)
"""Name, what it does, and how often for every frame; at least once."""
COLUMNS = (
    *("log and damage", "cases", "refused", "harmless", "asked again", "silently wrong"),
    *("rows lost", "lost without cause", "rows invented"),
)


def tables(plan: Plan, home: Path) -> list[Table]:
    """Every way of leaving a log, with its index and without."""
    table = Table("Logs that a kill left behind, damaged in every frame", COLUMNS)
    table.note = (
        "Asked again: calls of a commit that the kill interrupted; without an index also of the"
        " last one, or behind the cut. Lost without cause: rows with a copy that is not damaged."
    )
    chosen = SCENES if plan.share == 1 else plan.rng("log").sample(SCENES, 1)
    for scene in chosen:
        left = home / f"left {scene}"
        child = subprocess.run(
            [sys.executable, "-m", "tests.chaos.logs", left, scene], env=environment(), check=False
        )
        assert child.returncode == -signal.SIGKILL
        for has_index in (True, False):
            log = f"{scene}{'' if has_index else ', no index'}"
            for name, counts in damaged(plan, Scene(left, home, has_index=has_index), log):
                cells = ("cases", "refused", "harmless", "again", "wrong", "lost", "elsewhere")
                table.add(f"{log}: {name}", *(counts[cell] for cell in (*cells, "invented")))
                bad = counts["wrong"] + counts["elsewhere"] + counts["invented"]
                table.check(not bad, f"{log}: {name}")
    return [table]


def damaged(plan: Plan, scene: Scene, name: str) -> Iterator[tuple[str, Counter[str]]]:
    """Every kind of damage to what one kill left."""
    log, copies = scene.log, scene.copies()
    blocks = range(LOG_HEADER, len(log) - FRAME_BYTES + 1, FRAME_BYTES)
    for kind, damage, times in KINDS:
        counts, rng = Counter[str](), plan.rng(f"{name} {kind}")
        cases = plan.count(round(len(blocks) * times), least=1)
        start = rng.randrange(len(blocks))
        for case in range(cases):
            frame = (start + int(case * max(1.0, len(blocks) / cases))) % len(blocks)
            broken = damage(log, frame, rng)
            hit = {
                number
                for number, at in enumerate(blocks)
                if broken[at : at + FRAME_BYTES] != log[at : at + FRAME_BYTES]
            }
            may_go = {seq for seq, held in copies.items() if any(one <= hit for one in held)}
            scene.damage(broken, may_go, counts, cut=damage in (truncation, gone))
        yield kind, counts


class Scene:
    """What a kill left, and what becomes of it."""

    def __init__(self, left: Path, home: Path, *, has_index: bool) -> None:
        self._left, self._broken, self._has_index = left, home / "broken", has_index
        self._recovered = home / "recovered.sqlite"
        self.log = left.joinpath(f"{JOURNAL_NAME}-wal").read_bytes()
        self._put(self.log[: LOG_HEADER + self._acknowledged() * FRAME_BYTES], index=False)
        self._firm = rows_of(self._broken / JOURNAL_NAME)
        self._put(self.log)
        self._rows = rows_of(self._broken / JOURNAL_NAME)
        assert self._firm.items() <= self._rows.items()
        self._put(self.log)
        self._known = self._salvaged()
        assert self._rows.items() <= self._known.items(), "recovery loses rows of a whole log"
        self._asked, self._data = complete(self._broken)

    def copies(self) -> dict[int, list[set[int]]]:
        """Where the bytes of each row are."""
        return log_copies(self._left.joinpath(JOURNAL_NAME).read_bytes(), self.log)

    def _acknowledged(self) -> int:
        """Frames up to the end of a commit that was told to somebody, for certain."""
        index = self._left / f"{JOURNAL_NAME}-shm"
        if self._has_index:
            return int.from_bytes(index.read_bytes()[16:20], sys.byteorder)
        ends, salts = [0], self.log[16:24]
        for number in range((len(self.log) - LOG_HEADER) // FRAME_BYTES):
            head = self.log[LOG_HEADER + number * FRAME_BYTES :][:16]
            if head[8:] == salts and head[4:8] != bytes(4):
                ends.append(number + 1)
        return ends[-2]

    def damage(self, broken: bytes, may_go: set[int], counts: Counter[str], *, cut: bool) -> None:
        """Count what a recovery brings back, and what a run makes of it."""
        self._put(broken)
        after = self._salvaged()
        missing = self._rows.keys() - after.keys()
        counts["lost"] += len(missing)
        counts["elsewhere"] += sum(
            seq not in may_go for table, seq in missing if (table, seq) in self._firm
        )
        counts["invented"] += len(after.items() - self._known.items())
        counts["cases"] += 1
        counts[self._judged(cut=cut and not self._has_index)] += 1

    def _judged(self, *, cut: bool) -> str:
        try:
            there = rows_of(self._broken / JOURNAL_NAME)  # as `status` and `replay` do
            asked, data = complete(self._broken)
        except SelfsownError:
            return "refused"
        if asked == self._asked and data == self._data:
            return "harmless"
        newest = max((seq for _, seq in there), default=0)
        is_earlier = there.items() <= self._rows.items() and all(
            seq > newest for _, seq in self._rows.keys() - there.keys()
        )
        return "again" if is_earlier and (cut or self._firm.items() <= there.items()) else "wrong"

    def _put(self, log: bytes, *, index: bool = True) -> None:
        """The directory as the kill left it, but for the log."""
        shutil.rmtree(self._broken, ignore_errors=True)
        shutil.copytree(self._left, self._broken)
        path = self._broken / f"{JOURNAL_NAME}-wal"
        path.write_bytes(log) if log else path.unlink()
        if not (index and self._has_index):
            path.with_name(f"{JOURNAL_NAME}-shm").unlink(missing_ok=True)

    def _salvaged(self) -> Rows:
        self._recovered.unlink(missing_ok=True)
        salvage(self._broken / JOURNAL_NAME, self._recovered)
        return rows_of(self._recovered)


if __name__ == "__main__":
    complete(Path(sys.argv[1]), sys.argv[2])
