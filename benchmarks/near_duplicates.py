"""Near-duplicates: documents per CPU second and what is found, beside datasketch, rensa, datatrove.

All read the same texts, compare sets of 3 words and cut signatures into the same bands (20 of 7
rows unless said). Each runs in a child process, in turn; peers in virtual environments of their own
(`benchmarks/peers/dedup.toml`). Counted are the CPU seconds from the texts in memory to the list of
what goes, splitting into words included.

- Short texts are recombined from published instructions (`novelty.py`), long ones from runs of 3 to
  8 words of the same sources; a fifth of either are copies of an earlier text with a word more,
  fewer or other, or up to 12 % of the words changed. Where the published data are absent, this
  project's own sentences stand for them.
- The truth is exact Jaccard >= 0.8 with any earlier text. It is computed for a random sample, each
  against all texts; recall and precision are those of the sample. A text that is like removed ones
  only has no copy among what is kept, and is not missed.
- `rensa` and `datasketch` are used as their documents say: what agrees in a band goes. Only
  selfsown compares the texts. datatrove runs its four stages with a split at spaces instead of its
  word tokenizer, which would take a multiple of the rest.

    python -m benchmarks.near_duplicates [--short 100000] [--long 3000] [--repeat 3] [--json FILE]

1M short and 100k long texts: `--short 1000000 --long 100000 --repeat 1`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.record import Record

WORDS = 3
THRESHOLD = 0.8
PEERS = ("datasketch", "rensa", "datatrove")
CONTENDERS = ("selfsown auto", "selfsown minhash", "rensa", "datasketch", "datatrove")
Shingled = Iterator[tuple[int, set[str]]]


def shingled(texts: list[str]) -> Shingled:
    """Number and shingles of every text, for peers that take sets."""
    split = re.compile("[a-z0-9]+").findall
    for number, text in enumerate(texts):
        tokens = split(text.lower())
        runs = zip(*(tokens[start:] for start in range(WORDS)), strict=False)
        yield number, set(map(" ".join, runs)) or {" ".join(tokens)}


def run_selfsown(method: str) -> Callable[[list[str], int, int], list[int]]:
    """Our own, by one method."""

    def run(texts: list[str], bands: int, rows: int) -> list[int]:
        from selfsown.curate.minhash import Banding
        from selfsown.curate.near_duplicates import NearDuplicates

        banding = Banding(bands, rows)
        near = NearDuplicates(THRESHOLD, words=WORDS, method=method, banding=banding)  # type: ignore[arg-type]
        gone: list[int] = []
        for number, text in enumerate(texts):
            if near.nearest(text) is None:
                near.add(text)
            else:
                gone.append(number)
        return gone

    return run


def run_rensa(texts: list[str], bands: int, rows: int) -> list[int]:
    """R-MinHash and its index, keep-first."""
    from rensa import RMinHash, RMinHashLSH

    size = bands * rows
    index, gone = RMinHashLSH(threshold=THRESHOLD, num_perm=size, num_bands=bands), list[int]()
    for number, of in shingled(texts):
        signature = RMinHash(num_perm=size, seed=1)
        signature.update(of)
        if index.query(signature):
            gone.append(number)
        else:
            index.insert(number, signature)
    return gone


def run_datasketch(texts: list[str], bands: int, rows: int) -> list[int]:
    """MinHash and its index, keep-first."""
    from datasketch import MinHash, MinHashLSH

    size = bands * rows
    index, gone = MinHashLSH(num_perm=size, params=(bands, rows)), list[int]()
    for number, of in shingled(texts):
        signature = MinHash(num_perm=size, seed=1)
        signature.update_batch([shingle.encode() for shingle in of])
        if index.query(signature):
            gone.append(number)
        else:
            index.insert(number, signature, check_duplication=False)
    return gone


def run_datatrove(texts: list[str], bands: int, rows: int) -> list[int]:
    """Its four stages one after the other, in one process."""
    import datatrove.pipeline.dedup.minhash as stages
    from datatrove.data import Document
    from loguru import logger

    class Split:
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

    logger.remove()
    stages.load_word_tokenizer = lambda language: Split()
    config = stages.MinhashConfig(n_grams=WORDS, num_buckets=bands, hashes_per_bucket=rows)

    def documents() -> Iterator[Document]:
        return (Document(text=text, id=str(number)) for number, text in enumerate(texts))

    with tempfile.TemporaryDirectory() as place:
        stages.MinhashDedupSignature(f"{place}/signatures", config=config).run(documents(), 0, 1)
        for bucket in range(bands):
            step = stages.MinhashDedupBuckets(
                f"{place}/signatures", f"{place}/pairs", config=config
            )
            step.run(None, bucket, bands)
        stages.MinhashDedupCluster(f"{place}/pairs", f"{place}/gone", config=config).run(None, 0, 1)
        kept = {
            int(one.id) for one in stages.MinhashDedupFilter(f"{place}/gone").run(documents(), 0, 1)
        }
    return [number for number in range(len(texts)) if number not in kept]


RUNS: dict[str, Callable[[list[str], int, int], list[int]]] = {
    "selfsown auto": run_selfsown("auto"),
    "selfsown exact": run_selfsown("exact"),
    "selfsown minhash": run_selfsown("minhash"),
    "rensa": run_rensa,
    "datasketch": run_datasketch,
    "datatrove": run_datatrove,
}


def child(kind: str, source: Path, out: Path, bands: int, rows: int) -> None:
    """Run one contender in this process, write what goes, and print its figures as JSON."""
    texts = source.read_text(encoding="ascii").split("\n")
    RUNS[kind](texts[:50], bands, rows)  # imports and caches are not part of the figure
    began = time.process_time()
    gone = RUNS[kind](texts, bands, rows)
    spent = time.process_time() - began
    out.write_text(json.dumps(gone))
    print(json.dumps({"cpu_s": spent, "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """Most memory of this process; `getrusage` would count what its parent had at the fork."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def sources() -> tuple[list[str], str]:
    """Texts to recombine, in ASCII, and what they are."""
    from benchmarks.novelty import own_sentences, published_instructions

    published, own = published_instructions(), own_sentences()
    texts = [text.encode("ascii", "ignore").decode() for text in published + own]
    words = [" ".join(text.split()) for text in texts if len(text.split()) >= 4]
    what = f"{len(published)} published instructions and " if published else ""
    return words, f"recombined from {what}{len(own)} sentences of this project"


def short_texts(count: int, of: list[str]) -> Iterator[str]:
    """Instructions: head, middle and tail of three sources."""
    rng, words = random.Random(1), [text.split() for text in of]
    earlier: list[list[str]] = []
    for _ in range(count):
        if earlier and rng.random() < 0.2:
            made = nearly(rng.choice(earlier), rng, rng.choice(rng.choice(words)))
        else:
            head, middle, tail = (rng.choice(words) for _ in range(3))
            start = rng.randrange(len(middle))
            made = head[: rng.randint(1, 5)] + middle[start : start + rng.randint(2, 5)]
            made += tail[-rng.randint(1, 5) :]
            earlier.append(made)
        yield " ".join(made)


def nearly(words: list[str], rng: random.Random, word: str) -> list[str]:
    """A copy with one word more, fewer or other, or with other case."""
    kind = rng.randrange(4)
    if kind == 0:
        return [*words, word]
    if kind == 1:
        return words[1:] if rng.random() < 0.5 else words[:-1]
    if kind == 2:
        return [one.upper() for one in words]
    place = rng.randrange(len(words))
    return [*words[:place], word, *words[place + 1 :]]


def long_texts(count: int, of: list[str], length: int = 1000) -> Iterator[str]:
    """Documents of runs of words, copies with up to 12 % of the words changed."""
    rng, words = random.Random(2), [text.split() for text in of]
    recent: list[list[str]] = []
    for _ in range(count):
        if recent and rng.random() < 0.2:
            made = list(rng.choice(recent))
            for _ in range(rng.randint(0, length * 12 // 100)):
                made[rng.randrange(len(made))] = rng.choice(rng.choice(words))
        else:
            made = []
            while len(made) < length:
                source = rng.choice(words)
                start = rng.randrange(max(1, len(source) - 3))
                made += source[start : start + rng.randint(3, 8)]
            recent = [*recent[-199:], made]
        yield " ".join(made)


def truth(texts: list[str], size: int) -> dict[int, list[int]]:
    """For a random sample of the texts: which earlier ones it is like, exactly.

    Each of the sample is compared with every text that holds one of its rarest shingles: so many of
    them that a text without any cannot share enough.
    """
    from selfsown.curate.shingles import Likeness, shingles

    likeness = Likeness(THRESHOLD)
    sample = random.Random(3).sample(range(1, len(texts)), min(size, len(texts) - 1))
    sets = {number: shingles(texts[number], WORDS) for number in sample}
    often = Counter(shingle for of in sets.values() for shingle in of)
    holders: dict[str, list[int]] = {}
    for number, of in sets.items():
        count = len(of) - likeness.least_shared(len(of)) + 1
        for shingle in sorted(of, key=lambda one: (often[one], one))[:count]:
            holders.setdefault(shingle, []).append(number)
    found: dict[int, list[int]] = {number: [] for number in sample}
    for number, text in enumerate(texts):
        of = shingles(text, WORDS)
        for later in {one for shingle in of & holders.keys() for one in holders[shingle]}:
            other = sets[later]
            if later > number and likeness.is_reached(len(of & other), len(of), len(other)):
                found[later].append(number)
    return found


def recall(alike: Mapping[int, Sequence[int]], gone: Set[int]) -> float:
    """Share of the texts that repeat an earlier one of which no two that are alike were kept.

    Who keeps the first need not remove what only repeats something that was itself removed.
    """
    missed = sum(
        number not in gone and any(earlier not in gone for earlier in like)
        for number, like in alike.items()
    )
    return 1 - missed / max(1, len(alike))


def pythons(names: Sequence[str], record: Record) -> dict[str, Path]:
    """The interpreter of each contender that can run; the record says which cannot."""
    from benchmarks.peers import peers

    found = {name: Path(sys.executable) for name in names if name not in PEERS}
    for peer in peers(PEERS, "dedup.toml"):
        if peer.name not in names:
            continue
        if peer.python is None:
            record.note(f"{peer.name} is absent: {peer.absent}")
        else:
            found[peer.name] = peer.python
            record.note(f"{peer.name}: {', '.join(peer.packages)}; {peer.about}.")
    return {name: found[name] for name in names if name in found}


def child_figures(python: Path, *arguments: str) -> dict[str, float]:
    """What a child process prints in its last line, with one thread for linear algebra."""
    done = subprocess.run(
        [str(python), *arguments],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    if done.returncode:
        sys.exit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(
    name: str,
    texts: list[str],
    given: argparse.Namespace,
    contenders: Mapping[str, Path],
    record: Record,
) -> None:
    """All contenders on one corpus, as a table and ratios of the record."""
    known = truth(texts, given.sample)
    alike = {number: like for number, like in known.items() if like}
    figures: dict[str, list[dict[str, float]]] = {kind: [] for kind in contenders}
    gone: dict[str, set[int]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch) / "texts", Path(scratch) / "gone"
        source.write_text("\n".join(texts), encoding="ascii")
        cut = ["--bands", str(given.bands), "--rows", str(given.rows)]
        for _ in range(given.repeat):
            for kind, rows in figures.items():
                asked = ["--child", kind, "--texts", str(source), "--out", str(out), *cut]
                rows.append(child_figures(contenders[kind], __file__, *asked))
                gone[kind] = set(json.loads(out.read_text()))
                print(f"  {kind}: {rows[-1]['cpu_s']:.1f} CPU-s", file=sys.stderr)
    cpu = {kind: statistics.median(one["cpu_s"] for one in rows) for kind, rows in figures.items()}
    own = cpu[given.contenders[0]]
    record.table(
        f"{len(texts):,} {name} texts, {len(alike):,} of {len(known):,} sampled repeat an earlier",
        ["", "texts per CPU-s", "x CPU", "recall", "precision", "removed", "MB"],
        [
            [
                kind,
                len(texts) / spent,
                spent / own,
                f"{recall(alike, gone[kind]):.4f}",
                f"{len(gone[kind] & alike.keys()) / max(1, len(gone[kind] & known.keys())):.4f}",
                len(gone[kind]),
                round(statistics.median(one["peak_mb"] for one in figures[kind])),
            ]
            for kind, spent in cpu.items()
        ],
    )
    for peer in ("datasketch", "datatrove"):
        if peer in cpu:
            record.ratio(
                f"{name}: CPU of {peer} / {given.contenders[0]}", cpu[peer] / own, at_least=1
            )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=100_000)
    parser.add_argument("--long", type=int, default=3_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sample", type=int, default=5_000, help="texts whose truth is computed")
    parser.add_argument("--bands", type=int, default=20)
    parser.add_argument("--rows", type=int, default=7)
    parser.add_argument("--contenders", nargs="+", choices=RUNS, default=CONTENDERS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--child", choices=RUNS)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.texts, given.out, given.bands, given.rows)
        return
    from benchmarks.record import Record

    of, what = sources()
    record = Record("Near-duplicates", repetitions=given.repeat)
    contenders = pythons(given.contenders, record)
    for name, count, make in (
        ("short", given.short, short_texts),
        ("long", given.long, long_texts),
    ):
        if count:
            compare(name, list(make(count, of)), given, contenders, record)
    record.note(
        f"{given.bands} bands of {given.rows} rows, shingles of {WORDS} words, Jaccard >= "
        f"{THRESHOLD}. Texts {what}."
    )
    record.write(given.json)


if __name__ == "__main__":
    main()
