"""Decontamination: texts per CPU second and verdicts, beside datatrove and plain Python sets.

5,000 items are 10 to 60 words of the texts' vocabulary in random order; 1 text in 100 holds an item
word by word, and 1 in 100 only 10 words of one of at least 25, which by the published rule is no
repetition. `sets` (tuples of 10 words in a
Python set, no comparison) is the least that any n-gram index in Python does; datatrove's filter is
the same with hashed n-grams, run with a split at spaces instead of its word tokenizer. selfsown
compares the texts, from an index in memory and from a mapped file.

    python -m benchmarks.decontamination [--short 100000] [--long 2000] [--repeat 3] [--json FILE]

1M short and 100k long texts: `--short 1000000 --long 100000 --repeat 1`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.record import Cell

    from selfsown.curate.decontaminate import DecontaminationIndex

NGRAM = 10
ITEMS = 5_000
Found = tuple[float, set[int]]
"""CPU seconds of the texts, and the numbers of those that repeat an item."""


def run_memory(texts: list[str], items: list[str], scratch: Path) -> Found:
    """Items in memory."""
    return _asked(_index(items), texts)


def run_file(texts: list[str], items: list[str], scratch: Path) -> Found:
    """Items in a mapped file."""
    from selfsown.curate.decontaminate import DecontaminationIndex
    from selfsown.curate.index_file import IndexFile, write_index

    path = scratch / "items.index"
    write_index(path, _index(items).own)
    return _asked(DecontaminationIndex(stores=[IndexFile(path)]), texts)


def run_sets(texts: list[str], items: list[str], scratch: Path) -> Found:
    """A set of tuples of words, and no comparison."""
    split = re.compile("[a-z0-9]+").findall

    def grams(text: str) -> Iterator[tuple[str, ...]]:
        words = split(text.lower())
        return zip(*(words[start:] for start in range(NGRAM)), strict=False)

    known = {gram for item in items for gram in grams(item)}
    began = time.process_time()
    found = {number for number, text in enumerate(texts) if not known.isdisjoint(grams(text))}
    return time.process_time() - began, found


def run_datatrove(texts: list[str], items: list[str], scratch: Path) -> Found:
    """Its filter over an index in the form of its indexer."""
    import datatrove.pipeline.decont.n_grams as stage
    import numpy
    from datatrove.data import Document
    from datatrove.utils.text import ngrams, simplify_text
    from loguru import logger

    class Split:
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

    logger.remove()
    stage.load_word_tokenizer = lambda language: Split()
    config = stage.NGramsDecontConfig(n_grams=NGRAM)
    step = stage.NGramsDecontFilter(str(scratch), config=config)
    hashes = {
        step.hash_func(" ".join(gram))
        for item in items
        for gram in ngrams(simplify_text(item, config.norm_config).split(), NGRAM)
    }
    numpy.array(list(hashes), dtype=config.hash_config.np_descr).tofile(scratch / "x.index.hashes")
    step.load_index_hashes()
    began = time.process_time()
    found = {
        number
        for number, text in enumerate(texts)
        if step.filter(Document(text=text, id=str(number))) is not True
    }
    return time.process_time() - began, found


RUNS: dict[str, Callable[[list[str], list[str], Path], Found]] = {
    "selfsown, in memory": run_memory,
    "selfsown, mapped file": run_file,
    "sets": run_sets,
    "datatrove": run_datatrove,
}


def planted(texts: list[str], of: list[str]) -> tuple[list[str], list[str], set[int]]:
    """The texts with items in some of them, the items, and the numbers of those texts."""
    rng = random.Random(5)
    vocabulary = sorted({word for text in of for word in text.split() if word.isalpha()})
    items = [" ".join(rng.choices(vocabulary, k=rng.randint(NGRAM, 60))) for _ in range(ITEMS)]
    out, hit = list(texts), set[int]()
    for number in range(0, len(texts), 100):
        out[number] += f" {rng.choice(items)} {rng.choice(of)}"
        hit.add(number)
    long = [item for item in items if len(item.split()) >= 25]
    for number in range(50, len(texts), 100):
        words = rng.choice(long).split()
        start = rng.randrange(len(words) - NGRAM)
        out[number] += f" {' '.join(words[start : start + NGRAM])} {rng.choice(of)}"
    return out, items, hit


def child(kind: str, folder: Path) -> None:
    """Run one contender in this process and print its figures as JSON."""
    sys.path.insert(0, str(Path(__file__).parent))
    from near_duplicates import peak_mb

    texts, items = (
        (folder / name).read_text(encoding="ascii").split("\n") for name in ("texts", "items")
    )
    with tempfile.TemporaryDirectory() as scratch:
        spent, found = RUNS[kind](texts, items, Path(scratch))
    (folder / "found").write_text(json.dumps(sorted(found)))
    print(json.dumps({"cpu_s": spent, "peak_mb": peak_mb()}))


def compare(
    name: str, texts: list[str], of: list[str], repeat: int, contenders: Mapping[str, Path]
) -> list[list[Cell]]:
    """A row of the table per contender."""
    from benchmarks.near_duplicates import child_figures

    texts, items, hit = planted(texts, of)
    figures: dict[str, list[dict[str, float]]] = {kind: [] for kind in contenders}
    found: dict[str, set[int]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for file, lines in (("texts", texts), ("items", items)):
            (Path(scratch) / file).write_text("\n".join(lines), encoding="ascii")
        for _ in range(repeat):
            for kind, rows in figures.items():
                asked = ["--child", kind, "--texts", scratch]
                rows.append(child_figures(contenders[kind], __file__, *asked))
                found[kind] = set(json.loads((Path(scratch) / "found").read_text()))
    median = {
        kind: {key: statistics.median(one[key] for one in rows) for key in rows[0]}
        for kind, rows in figures.items()
    }
    own, words = median["selfsown, mapped file"]["cpu_s"], sum(len(text.split()) for text in texts)
    return [
        [
            f"{name}: {kind}",
            round(len(texts) / one["cpu_s"]),
            words / one["cpu_s"] / 1e6,
            one["cpu_s"] / own,
            len(found[kind] & hit) / len(hit),
            len(found[kind] & hit) / max(1, len(found[kind])),
            round(one["peak_mb"]),
        ]
        for kind, one in median.items()
    ]


def _index(items: list[str]) -> DecontaminationIndex:
    from selfsown.curate.decontaminate import DecontaminationIndex, Item

    index = DecontaminationIndex(ngram=NGRAM)
    for number, item in enumerate(items):
        index.add(Item("bench", str(number), "question", item))
    return index


def _asked(index: DecontaminationIndex, texts: list[str]) -> Found:
    began = time.process_time()
    found = {number for number, text in enumerate(texts) if index.overlaps(text)}
    return time.process_time() - began, found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=100_000)
    parser.add_argument("--long", type=int, default=2_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--child", choices=RUNS)
    parser.add_argument("--texts", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.texts)
        return
    from benchmarks.near_duplicates import long_texts, pythons, short_texts, sources
    from benchmarks.record import Record

    of, what = sources()
    record = Record("Decontamination", repetitions=given.repeat)
    contenders = pythons(list(RUNS), record)
    rows: list[list[Cell]] = []
    for name, count, make in (
        ("short", given.short, short_texts),
        ("long", given.long, long_texts),
    ):
        if count:
            texts = list(make(count, of))
            rows += compare(f"{count:,} {name}", texts, of, given.repeat, contenders)
    columns = ["texts", "per CPU-s", "M words per CPU-s", "x CPU", "recall", "precision", "MB"]
    record.table(f"{ITEMS:,} items of 10 to 60 words", columns, rows)
    record.note(f"Texts {what}; a hundredth holds an item, another 10 words of one.")
    record.write(given.json)


if __name__ == "__main__":
    main()
