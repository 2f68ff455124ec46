"""Recipes `rephrase` and `cosmopedia` over ever more documents: memory, and the cost of each.

The model is in this process and says the sentences it is shown in reverse order, so what is
measured is the engine: rows, chunks or extracts, prompts, journal, gates, monitors, accounts, data
files, report. Documents are recombined from this project's own sentences (`novelty.py`). Each size
runs in a child process of its own: CPU seconds of the whole run, imports left out, and its most
memory. Pages of mapped files are not in it: the system takes them back when it needs them.

    python -m benchmarks.documents [--documents 100000] [--json FILE]
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.record import Record

    from selfsown.core.model import Answer
    from selfsown.core.request import JSON, Request

SENTENCES = 6
STEPS = (100, 10, 1)
SHOWN = re.compile(r"<(source|extract)>\n(.*)\n</\1>", re.DOTALL)


@dataclass(frozen=True)
class Case:
    """A recipe as it is measured."""

    title: str
    options: Mapping[str, Any]
    kept: str
    """Stage of what is written."""
    most_bytes: int
    """Goal: what each document more takes."""
    note: str


CASES = {
    "rephrase": Case(
        f"rephrase: one style, documents of {SENTENCES + 1} sentences, one chunk each",
        {"styles": ["medium"], "change": {"medium": {"faithful": {"most_copied": 1.0}}}},
        "rephrases",
        600,
        "What grows are tables of hashes, by which repeats are known, and caches of words, which"
        " are bounded; every document here has a word of its own.",
    ),
    "cosmopedia": Case(
        "cosmopedia: two styles, all audiences, monitors on",
        {"styles": ["textbook_narrative", "blog_post"], "min_tokens": 20},
        "texts",
        600,
        "What grows are tables of hashes: of documents, extracts and texts. Up to 4,096 documents"
        " there are also more in work, and the monitors' tables fill.",
    ),
}


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


def reversed_sentences(request: Request, _seed: int) -> str:
    """The sentences that the prompt shows, the last one first."""
    shown = SHOWN.search(request.messages[-1].text)
    assert shown is not None
    return " ".join(reversed(re.split(r"(?<=\.) ", shown[2])))


def written(recipe: str, rows: Iterator[dict[str, JSON]]) -> int:
    """Run a recipe over documents; returns how many texts were kept."""
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

    case = CASES[recipe]
    with tempfile.TemporaryDirectory() as place:
        result = run(
            recipe,
            out=Path(place) / "run",
            rows=rows,
            models={"generator": Forgetful(reversed_sentences, identity="reversing")},
            **case.options,
        )
    stages = {stage["stage"]: stage for stage in result.manifest["data"]["stages"]}
    kept: int = stages[case.kept]["accepted"]
    return kept


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


def child(recipe: str, path: Path, count: int) -> None:
    """Run a recipe over so many documents and print what that took, as JSON."""
    written(recipe, read_documents(path, 20))  # imports and caches are not part of the figure
    watch = Watch()
    watch.start()
    began = time.process_time()
    kept = written(recipe, read_documents(path, count))
    spent = time.process_time() - began
    print(json.dumps({"kept": kept, "cpu_s": spent, "peak_mb": watch.stop()}))


def measured(recipe: str, path: Path, count: int) -> dict[str, float]:
    """The figures of one size in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.documents", "--child", recipe]
    command += ["--documents", str(count), "--rows", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def section(record: Record, recipe: str, path: Path, sizes: list[int]) -> None:
    """Measure one recipe at all sizes."""
    case = CASES[recipe]
    found = {size: measured(recipe, path, size) for size in sizes}
    record.table(
        case.title,
        ("documents", "kept", "CPU ms per document", "MB"),
        [
            (size, int(run["kept"]), 1000 * run["cpu_s"] / size, run["peak_mb"])
            for size, run in found.items()
        ],
    )
    record.note(case.note)
    small, middle, large = (found[size] for size in sizes)
    cost = (large["cpu_s"] / sizes[2]) / (small["cpu_s"] / sizes[0])
    record.ratio(f"{recipe}: CPU per document at 100 times the documents", cost, at_most=1.3)
    growth = 2**20 * (large["peak_mb"] - middle["peak_mb"]) / (sizes[2] - sizes[1])
    name = f"{recipe}: bytes that each document more takes"
    record.ratio(name, growth, at_most=case.most_bytes)


def main() -> None:
    """Measure and print."""
    from benchmarks.record import Record

    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=CASES)
    parser.add_argument("--rows", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.rows, given.documents)
        return
    record = Record("Recipes over documents: memory and cost over ever more of them")
    sizes = [given.documents // step for step in STEPS]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "documents.jsonl"
        write_documents(path, given.documents)
        for recipe in CASES:
            section(record, recipe, path, sizes)
    record.write(given.json)


if __name__ == "__main__":
    main()
