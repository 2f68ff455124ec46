"""Kill a run with SIGKILL while it works, start it again, and compare with a run left in peace.

    python examples/resume_after_kill.py

Prints:

    killed with ... of 60 answers on disk
    resumed: 60 rows accepted, ... of them answered by the journal
    every answer on disk was kept: True
    the data are those of an uninterrupted run: True
"""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import selfsown
from selfsown.models.scripted import ScriptedModel

ROW_COUNT = 60


def ask(out: Path, delay_s: float) -> selfsown.RunResult:
    """Sixty rows, four at a time, each taking `delay_s`."""
    return selfsown.run(
        "complete",
        rows=[{"number": number} for number in range(ROW_COUNT)],
        prompt="Write something about the number {{ number }}.",
        model=ScriptedModel([{"delay_s": delay_s}], identity="a slow model"),
        out=out,
        concurrency=4,
    )


def on_disk(out: Path) -> int:
    """Committed answers in a journal that another process may be writing."""
    try:
        uri = f"{(out / 'journal.sqlite').as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM outcomes").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet, or without its tables
        return 0


def main(folder: Path) -> None:
    """Start a child, kill it in the middle, resume here."""
    out = folder / "killed"
    with subprocess.Popen([sys.executable, __file__, "child", str(out)]) as child:  # noqa: S603
        while on_disk(out) < ROW_COUNT // 3 and child.poll() is None:
            time.sleep(0.02)
        child.kill()
    kept = on_disk(out)
    print(f"killed with {kept} of {ROW_COUNT} answers on disk")
    result = ask(out, 0.0)
    reused = result.manifest["run"]["calls_from_journal"]
    print(
        f"resumed: {len(result.accepted)} rows accepted, {reused} of them answered by the journal"
    )
    print(f"every answer on disk was kept: {reused == kept}")
    fresh = ask(folder / "fresh", 0.0)
    same = fresh.manifest["data"] == result.manifest["data"]  # holds a checksum per file
    print(f"the data are those of an uninterrupted run: {same}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        ask(Path(sys.argv[2]), 0.05)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch).resolve())
