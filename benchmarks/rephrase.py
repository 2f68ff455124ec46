"""Recipe `rephrase` over ever more documents: memory stays flat, and so does the cost of each.

The model is in this process and says the sentences of a chunk in reverse order, so what is measured
is the engine: rows, chunks, prompts, journal, the faithfulness gate, accounts, data files.
Documents are recombined from this project's own sentences (`novelty.py`). Each size runs in a child
process of its own: CPU seconds of the whole run, imports left out, and the most memory.

    python -m benchmarks.rephrase [--documents 100000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
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


def child(path: Path, count: int) -> None:
    """Rephrase so many documents and print what that took, as JSON."""
    from benchmarks.near_duplicates import peak_mb

    rephrased(read_documents(path, 20))  # imports and caches are not part of the figure
    began = time.process_time()
    found = rephrased(read_documents(path, count))
    spent = time.process_time() - began
    print(json.dumps({**found, "cpu_s": spent, "peak_mb": peak_mb()}))


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
    growth = large["peak_mb"] / middle["peak_mb"]
    record.ratio("memory at 10 times the documents", growth, at_most=1.2)
    record.note("Of each document two hashes of 8 bytes are kept, to know repeats.")
    record.write(given.json)


if __name__ == "__main__":
    main()
