"""Recipe `rephrase` over ever more documents: memory stays flat, and so does the cost of each.

The model is in this process and says the sentences of a chunk in reverse order, so what is measured
is the engine: rows, chunks, prompts, journal, the faithfulness gate, accounts, data files.
Documents are recombined from this project's own sentences (`novelty.py`). Each size runs in a child
process of its own: CPU seconds of the whole run, imports left out, and its most memory. Pages of
mapped files (the report looks records up in the provenance) are not in it: the system takes them
back when it needs them.

    python -m benchmarks.rephrase [--documents 100000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selfsown.core.model import Answer
    from selfsown.core.request import JSON, Request

SENTENCES = 6
STEPS = (100, 10, 1)


def write_documents(path: Path, count: int) -> None:
    """So many documents of seven sentences, the same each time."""
    from benchmarks.novelty import own_sentences, recombined

    sentences = list(islice(recombined(own_sentences()), 20_000))
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            places = (7 * number + k * (1 + number % 97) for k in range(SENTENCES))
            told = [sentences[place % len(sentences)] for place in places]
            text = ". ".join((*told, f"This was number {number}")) + "."
            file.write(json.dumps({"id": f"d{number}", "text": text}) + "\n")


def read_documents(path: Path, count: int) -> Iterator[dict[str, JSON]]:
    """The first of them."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, islice(lines, count))


def reversed_chunk(request: Request, _seed: int) -> str:
    """The sentences of the chunk, the last one first."""
    passage = request.messages[-1].text.split("<source>\n")[1].split("\n</source>")[0]
    return " ".join(reversed(re.split(r"(?<=\.) ", passage)))


def rephrased(rows: Iterator[dict[str, JSON]]) -> dict[str, int]:
    """Rephrase documents; returns chunks in and rephrases kept."""
    from selfsown.models.scripted import ScriptedModel
    from selfsown.runner import run

    class Forgetful(ScriptedModel):
        """Keeps no list of its requests."""

        async def attempt(
            self, request: Request, *, timeout_s: float | None = None, seed: int = 0
        ) -> Answer:
            answer = await super().attempt(request, timeout_s=timeout_s, seed=seed)
            self.requests.clear()
            return answer

    with tempfile.TemporaryDirectory() as place:
        result = run(
            "rephrase",
            out=Path(place) / "run",
            rows=rows,
            models={"generator": Forgetful(reversed_chunk, identity="reversing")},
            styles=["medium"],
            change={"medium": {"faithful": {"most_copied": 1.0}}},
        )
    stages = {stage["stage"]: stage for stage in result.manifest["data"]["stages"]}
    return {"chunks": stages["chunks"]["in"], "kept": stages["rephrases"]["accepted"]}


class Watch(threading.Thread):
    """The most memory of this process without mapped files, looked at 20 times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self._over.wait(0.05):
            self.look()

    def look(self) -> None:
        """Look once."""
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        (line,) = (line for line in lines if line.startswith("RssAnon"))
        self.peak_mb = max(self.peak_mb, int(line.split()[1]) / 1024)

    def stop(self) -> float:
        """The most that was seen."""
        self._over.set()
        self.join()
        self.look()
        return self.peak_mb


def child(path: Path, count: int) -> None:
    """Rephrase so many documents and print what that took, as JSON."""
    rephrased(read_documents(path, 20))  # imports and caches are not part of the figure
    watch = Watch()
    watch.start()
    began = time.process_time()
    found = rephrased(read_documents(path, count))
    spent = time.process_time() - began
    print(json.dumps({**found, "cpu_s": spent, "peak_mb": watch.stop()}))


def measured(path: Path, count: int) -> dict[str, float]:
    """The figures of one size in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.rephrase", "--child", str(count), "--rows", path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    from benchmarks.record import Record

    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", type=int)
    parser.add_argument("--rows", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.rows, given.child)
        return
    record = Record("Rephrasing: memory and cost over ever more documents")
    sizes = [given.documents // step for step in STEPS]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "documents.jsonl"
        write_documents(path, given.documents)
        found = {size: measured(path, size) for size in sizes}
    record.table(
        f"one style, documents of {SENTENCES + 1} sentences, a model that costs nothing",
        ("documents", "chunks", "kept", "CPU ms per document", "MB"),
        [
            (size, run["chunks"], run["kept"], 1000 * run["cpu_s"] / size, run["peak_mb"])
            for size, run in found.items()
        ],
    )
    small, middle, large = (found[size] for size in sizes)
    cost = (large["cpu_s"] / sizes[2]) / (small["cpu_s"] / sizes[0])
    record.ratio("CPU per document at 100 times the documents", cost, at_most=1.3)
    growth = 2**20 * (large["peak_mb"] - middle["peak_mb"]) / (sizes[2] - sizes[1])
    record.ratio("bytes that each document more takes", growth, at_most=600)
    record.note(
        "What grows is a table of hashes, by which repeats are known, and caches of words, which"
        " are bounded; every document here has a word of its own."
    )
    record.write(given.json)


if __name__ == "__main__":
    main()
