"""What exact novelty costs: selfsown beside rouge_score and rapidfuzz, decisions compared.

    python -m benchmarks.novelty                      # pools up to a million, ten minutes
    python -m benchmarks.novelty --sizes 52000        # a minute

1. *Decisions*: the published 1,000 GPT-3 instructions and shortened copies of a third of them are
   replayed through rouge_score (all pairs) and through `NoveltyPool`; every decision, maximum and
   argmax must agree.
2. *Speed*: texts recombined deterministically from those instructions and from the sentences of
   this project's own docstrings and documents, until the pool has admitted as many as asked for.
   rouge_score and rapidfuzz are timed on a sample of the pairs and extrapolated to all of them, and
   the page says so.
Times are CPU seconds of this process. The published data lies beside the checkout (`../shared`);
without it both parts use the project's own sentences and say so.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers import FOLDER, peers
from benchmarks.peers.measured import peak_mb
from benchmarks.record import Cell, Record
from rouge_score.rouge_scorer import RougeScorer

from selfsown.core.randomness import rng_for
from selfsown.curate.rouge_l import NoveltyPool, tokenize_paper

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "../shared/data/self_instruct/gpt3_generated_sample_1000.jsonl.gz"
THRESHOLD = 0.7  # released code of Self-Instruct: reject if some score > 0.7


def published_instructions() -> list[str]:
    """The published 1,000 generated instructions, in order; empty where the folder is absent."""
    if not PUBLISHED.exists():
        return []
    with gzip.open(PUBLISHED, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["instruction"] for line in lines]


def own_sentences() -> list[str]:
    """Sentences of four words or more from this project's docstrings and Markdown, sorted."""
    blocks = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/**/*.md"))]
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                blocks.append(ast.get_docstring(node) or "")
    sentences = {
        " ".join(piece.split())
        for block in blocks
        for piece in re.split(r"(?<=[.:;?!])\s+|\n\n", block)
        if 4 <= len(piece.split()) <= 40
    }
    return sorted(sentences)


def recombined(sources: list[str]) -> Iterator[str]:
    """Endless new texts: the head of one source, the middle of a second, the tail of a third."""
    words = [text.split() for text in sources if len(text.split()) >= 4]
    draw = 0
    while True:
        rng = rng_for(0, "novelty-benchmark", draw)
        draw += 1
        head, middle, tail = (rng.choice(words) for _ in range(3))
        a, c = rng.randint(1, min(5, len(head))), rng.randint(1, min(5, len(tail)))
        start = rng.randrange(len(middle))
        yield " ".join([*head[:a], *middle[start : start + rng.randint(2, 5)], *tail[-c:]])


def with_near_copies(texts: list[str]) -> list[str]:
    """The texts, each third one followed by a copy that lacks one to four of its words."""
    out: list[str] = []
    for number, text in enumerate(texts):
        out.append(text)
        if number % 3 == 0:
            words, rng = text.split(), rng_for(0, "near-copies", number)
            for _ in range(min(rng.randint(1, 4), len(words) - 1)):
                words.pop(rng.randrange(len(words)))
            out.append(" ".join(words))
    return out


def compare_decisions(texts: list[str], record: Record) -> None:
    """Replay `texts` through both filters; raise on the first disagreement."""
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    pool, kept = NoveltyPool(THRESHOLD, "paper"), list[str]()
    pairs, reference_s, own_s, rejected = 0, 0.0, 0.0, 0
    for text in texts:
        start = time.process_time()
        scores = [scorer.score(text, other)["rougeL"].fmeasure for other in kept]
        middle = time.process_time()
        verdict, nearest = pool.admit(text), pool.nearest(text)
        own_s += time.process_time() - middle
        reference_s += middle - start
        pairs += len(kept)
        best = max(scores, default=0.0)
        expected = (best <= THRESHOLD, best, scores.index(best) if best else None)
        if (verdict.ok, nearest.score, nearest.index) != expected:
            raise SystemExit(f"disagreement on `{text}`: {verdict}, {nearest}, expected {expected}")
        if verdict.ok:
            pool.add(text)
            kept.append(text)
        rejected += not verdict.ok
    record.table(
        f"decisions: {len(texts):,} texts, {pairs:,} pairs, {rejected} rejected by both",
        ("", "CPU-s", "gives"),
        [
            ("rouge_score, every pair", reference_s, "everything"),
            ("selfsown", own_s, "decision, exact maximum, argmax"),
        ],
    )
    record.note(
        "Every decision, maximum and argmax is rouge_score's; the first other one ends the run."
    )
    record.ratio("novelty: rouge_score / selfsown, decision and exact maximum", reference_s / own_s)


def seconds_per_pair(texts: list[str], pairs: int = 20_000) -> float:
    """CPU seconds rouge_score takes for one pair, over a fixed random sample."""
    scorer, rng = RougeScorer(["rougeL"], use_stemmer=False), rng_for(0, "novelty-pairs")
    sample = [(rng.choice(texts), rng.choice(texts)) for _ in range(pairs)]
    start = time.process_time()
    for left, right in sample:
        scorer.score(left, right)
    return (time.process_time() - start) / pairs


def fill(pool: NoveltyPool, stream: Iterator[str], size: int) -> tuple[list[str], Filling]:
    """Admit from `stream` until the pool holds `size`: what came in, and what it took."""
    kept: list[str] = []
    candidates, spent, pairs = 0, 0.0, 0
    while len(pool) < size:
        text = next(stream)
        candidates += 1
        pairs += len(pool)
        start = time.process_time()
        if pool.admit(text).ok:
            pool.add(text)
            kept.append(text)
        spent += time.process_time() - start
    return kept, Filling(candidates, spent, pairs)


class Filling(NamedTuple):
    """What it took to fill a pool, or the next part of it."""

    candidates: int = 0
    cpu_s: float = 0.0
    pairs: int = 0

    def then(self, more: Filling) -> Filling:
        """Both parts together."""
        return Filling(*map(sum, zip(self, more, strict=True)))


def rapidfuzz_per_pair(texts: list[str], record: Record, rows: int = 200) -> float | None:
    """CPU seconds rapidfuzz takes for one pair, its highest scores compared; None without it."""
    (peer,) = peers(pinned="novelty.toml")
    record.note(f"{peer.name}: {peer.about} ({', '.join(peer.packages)}). {peer.absent}".strip())
    if peer.python is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "texts.json"
        path.write_text(json.dumps([tokenize_paper(text) for text in texts]), encoding="utf-8")
        command = [str(peer.python), str(FOLDER / "rapidfuzz_pairs.py"), str(path), str(rows)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    pool = NoveltyPool(THRESHOLD, "paper")
    for number, text in enumerate(texts):
        place = number - (len(texts) - rows)
        if place >= 0 and pool.nearest(text).score != found["best"][place]:
            raise SystemExit(f"disagreement with rapidfuzz on `{text}`")
        pool.add(text)
    record.note(
        f"rapidfuzz is timed on {found['pairs']:,} pairs, without the F that follows from them; the"
        f" {rows} maxima that it gives are selfsown's."
    )
    return float(found["cpu_s"] / found["pairs"])


def time_each(pool: NoveltyPool, texts: list[str]) -> tuple[Cell, ...]:
    """Milliseconds per candidate for the decision and for the exact maximum, as a row."""
    start = time.process_time()
    accepted = sum(pool.admit(text).ok for text in texts)
    middle = time.process_time()
    for text in texts:
        pool.nearest(text)
    end = time.process_time()
    decision, exact = 1e3 * (middle - start) / len(texts), 1e3 * (end - middle) / len(texts)
    return f"{len(pool):,}", decision, exact, len(texts), accepted


def main() -> None:
    """Run the comparison and print the ratios."""
    options = argparse.ArgumentParser(description="exact novelty: selfsown against rouge_score")
    options.add_argument(
        "--sizes", type=int, nargs="+", default=[52_000, 200_000, 1_000_000], help="of the pool"
    )
    options.add_argument("--json", type=Path, help="write the result here")
    chosen = options.parse_args()
    record = Record("Exact novelty beside rouge_score and rapidfuzz")
    published, own = published_instructions(), own_sentences()
    record.note(
        f"Sources: {len(published)} published instructions, {len(own)} sentences of this project."
    )
    compare_decisions(with_near_copies(published or own[:1000]), record)

    stream = recombined(published + own)
    pool, whole = NoveltyPool(THRESHOLD, "paper"), Filling()
    filled, full = list[tuple[Cell, ...]](), list[tuple[Cell, ...]]()
    for size in sorted(chosen.sizes):
        kept, more = fill(pool, stream, size)
        whole = whole.then(more)
        if not filled:
            scorer_s, fuzz_s = seconds_per_pair(kept), rapidfuzz_per_pair(kept[:52_000], record)
        rouge = whole.pairs * scorer_s
        fuzz = None if fuzz_s is None else whole.pairs * fuzz_s
        filled.append(
            (f"{size:,}", whole.candidates, whole.pairs, whole.cpu_s, rouge, fuzz or "absent")
        )
        name = f"novelty: rouge_score / selfsown at a pool of {size:,}"
        record.ratio(name, rouge / whole.cpu_s, at_least=1000)
        if fuzz is not None:
            record.ratio(f"novelty: rapidfuzz / selfsown at {size:,}", fuzz / whole.cpu_s)
        full.append(time_each(pool, [next(stream) for _ in range(200)]))
    columns = ("pool", "candidates", "pairs", "selfsown", "rouge_score*", "rapidfuzz*")
    record.table("CPU seconds to fill a pool, every candidate judged", columns, filled)
    record.note("* Extrapolated: seconds a pair on a sample, times the pairs; both compare all.")
    columns = ("pool", "decision, ms", "exact maximum, ms", "candidates", "accepted")
    record.table("one candidate against a full pool", columns, full)
    record.note(f"Peak memory {peak_mb():,.0f} MB, everything in this process.")
    record.write(chosen.json)


if __name__ == "__main__":
    main()
