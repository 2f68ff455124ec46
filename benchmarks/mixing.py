"""Mixtures: tokens per CPU second of `selfsown mix`, beside a plain copy of the same rows.

Documents and as many rephrases, both recombined from this project's own sentences (`novelty.py`),
lengths about log-normal with a median of 300 words. Each contender runs in a child process of its
own, in turn: CPU seconds from the call to the end, imports left out, and the most memory.

- *copy* reads both files row by row, takes the text, and writes one JSONL file: what any mixer has
  to do at the least, without counting, shuffling, weighing, hashing or provenance.
- *texts* mixes 1:1, one pass over the documents, a row per text. *windows* packs them into rows of
  2,048 tokens. *repeated* gives each text three times. Hashes of inputs and outputs are in it.
- Memory is measured at two sizes, the larger ten times the smaller.

    python -m benchmarks.mixing [--documents 20000] [--repeat 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

MEDIAN_WORDS = 300
MEMORY_BYTES = 16 * 2**20
FILES = ("web", "easy")


def write_sources(folder: Path, count: int) -> None:
    """Both files, the same bytes each time."""
    from benchmarks.novelty import own_sentences, recombined

    sentences = list(islice(recombined(own_sentences()), 20_000))
    rng = random.Random(7)
    files = [(folder / f"{name}.jsonl").open("w", encoding="utf-8") for name in FILES]
    for number in range(count):
        words = int(rng.lognormvariate(0, 0.8) * MEDIAN_WORDS)
        for name, file in zip(FILES, files, strict=True):
            start, size, text = rng.randrange(len(sentences)), 0, []
            while size < words:
                text.append(f"{sentences[start % len(sentences)]}.")
                size += text[-1].count(" ") + 1
                start += 1
                if start % 6 == 0:
                    text[-1] += "\n\n"
            row = {"id": f"{name}{number}", "doc_id": f"d{number}", "text": " ".join(text)}
            file.write(json.dumps(row) + "\n")
    for file in files:
        file.close()


def run_copy(folder: Path, out: Path) -> int:
    """The plain copy; returns tokens."""
    import orjson

    from selfsown.core.token_counts import estimate_tokens

    out.mkdir()
    tokens = 0
    with (out / "train.jsonl").open("wb") as target:
        for name in FILES:
            with (folder / f"{name}.jsonl").open("rb") as lines:
                for line in lines:
                    text = orjson.loads(line)["text"]
                    target.write(orjson.dumps({"text": text}) + b"\n")
                    tokens += estimate_tokens(text)
    return tokens


def run_mix(window: int, times: int) -> Callable[[Path, Path], int]:
    """`selfsown mix`; returns tokens."""

    def run(folder: Path, out: Path) -> int:
        from selfsown.mixing.mix import mix
        from selfsown.mixing.options import MixOptions
        from selfsown.mixing.sources import MixSource

        web, easy = (folder / f"{name}.jsonl" for name in FILES)
        sources = [MixSource("web", web, 1, "real"), MixSource("easy", easy, 1, "synthetic")]
        size = sum(path.stat().st_size for path in (web, easy)) // 4
        options = MixOptions(
            pass_over="web" if times == 1 else None,
            tokens=None if times == 1 else size * times,
            window=window,
            memory_bytes=MEMORY_BYTES,
        )
        return int(str(mix(sources, out, options).record["tokens"]))

    return run


RUNS: dict[str, Callable[[Path, Path], int]] = {
    "copy": run_copy,
    "texts": run_mix(0, 1),
    "windows": run_mix(2_048, 1),
    "repeated": run_mix(0, 3),
}


def child(kind: str, folder: Path) -> None:
    """Run one contender in this process and print its figures as JSON."""
    from benchmarks.near_duplicates import peak_mb

    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        # Imports and caches are not part of the figure.
        RUNS[kind](folder.parent / "warm", Path(place) / "warm")
        began = time.process_time()
        tokens = RUNS[kind](folder, Path(place) / "out")
        spent = time.process_time() - began
    print(json.dumps({"cpu_s": spent, "tokens": tokens, "peak_mb": peak_mb()}))


def measured(kind: str, folder: Path) -> dict[str, float]:
    """The figures of one contender in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mixing", "--child", kind, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    from benchmarks.record import Record

    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=sorted(RUNS))
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.folder)
        return
    record = Record("Training mixtures: what `selfsown mix` costs", repetitions=given.repeat)
    with tempfile.TemporaryDirectory() as place:
        sizes = {"warm": 20, "small": given.documents // 10, "large": given.documents}
        for name, size in sizes.items():
            folder = Path(place) / name
            folder.mkdir()
            write_sources(folder, size)
        small, large = Path(place) / "small", Path(place) / "large"
        runs = [{kind: measured(kind, large) for kind in RUNS} for _ in range(given.repeat)]
        first = {kind: measured(kind, small) for kind in RUNS}
    rows = []
    for kind in RUNS:
        rates = [run[kind]["tokens"] / run[kind]["cpu_s"] for run in runs]
        cost = statistics.median(cost_beside_copy(run, kind) for run in runs)
        peak = max(run[kind]["peak_mb"] for run in runs)
        rows.append(
            (kind, runs[0][kind]["tokens"] / 1e6, statistics.median(rates) / 1e6, cost,
             first[kind]["peak_mb"], peak)
        )  # fmt: skip
    record.table(
        f"{given.documents:,} documents and as many rephrases; memory also at a tenth of them",
        ("contender", "million tokens", "million tokens per CPU second", "cost beside the copy",
         "MB at a tenth", "MB"),
        rows,
    )  # fmt: skip
    record.note(
        "Cost is CPU seconds per token over those of the copy in the same turn, median of turns."
        f" Sorting may hold {MEMORY_BYTES >> 20} MiB; the rest is Python, packages, open windows."
    )
    costs = {row[0]: float(row[3]) for row in rows}
    record.ratio("mix, a row per text: CPU beside a plain copy", costs["texts"])
    record.ratio("mix, windows of 2,048 tokens: CPU beside a plain copy", costs["windows"])
    growth = max(float(row[5]) / float(row[4]) for row in rows if row[0] != "copy")
    record.ratio("mix: memory at ten times the documents", growth, at_most=1.5)
    record.write(given.json)


def cost_beside_copy(run: dict[str, dict[str, float]], kind: str) -> float:
    """CPU seconds per token, as a multiple of the copy's."""
    own, copy = run[kind], run["copy"]
    return (own["cpu_s"] / own["tokens"]) / (copy["cpu_s"] / copy["tokens"])


if __name__ == "__main__":
    main()
