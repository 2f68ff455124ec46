"""What exact novelty costs: selfsown against rouge_score, in one run, with the decisions compared.

    python -m benchmarks.novelty                      # 52,000 admitted, a minute
    python -m benchmarks.novelty --pool 1000000       # also a pool of a million, some minutes

1. *Decisions*: the published 1,000 GPT-3 instructions and shortened copies of a third of them are
   replayed through rouge_score (all pairs) and through `NoveltyPool`; every decision, maximum and
   argmax must agree.
2. *Speed*: texts recombined deterministically from those instructions and from the sentences of
   this project's own docstrings and documents, until the pool has admitted 52,000. rouge_score is
   timed on a sample of the pairs and extrapolated to all of them, and the line says so.
Times are CPU seconds of this process. The published data lies beside the checkout (`../shared`);
without it both parts use the project's own sentences and say so.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

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


def fill(pool: NoveltyPool, stream: Iterator[str], size: int) -> tuple[list[str], int, float, int]:
    """Admit from `stream` until the pool holds `size`: (texts, candidates, CPU seconds, pairs)."""
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
    return kept, candidates, spent, pairs


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
    options.add_argument("--admitted", type=int, default=52_000)
    options.add_argument(
        "--pool", type=int, default=0, help="also fill a pool to this size, unjudged"
    )
    options.add_argument("--json", type=Path, help="write the result here")
    chosen = options.parse_args()
    record = Record("Exact novelty beside rouge_score")
    published, own = published_instructions(), own_sentences()
    record.note(
        f"Sources: {len(published)} published instructions, {len(own)} sentences of this project."
    )
    compare_decisions(with_near_copies(published or own[:1000]), record)

    stream = recombined(published + own)
    pool = NoveltyPool(THRESHOLD, "paper")
    kept, candidates, spent, pairs = fill(pool, stream, chosen.admitted)
    tokens = sum(len(tokenize_paper(text)) for text in kept) / len(kept)
    reference = seconds_per_pair(kept) * pairs
    record.table(
        f"{len(kept):,} admitted of {candidates:,} candidates, {tokens:.1f} tokens each",
        ("", "CPU-s", "how"),
        [
            ("rouge_score", reference, f"extrapolated from 20,000 of {pairs:,} pairs"),
            ("selfsown", spent, "measured"),
        ],
    )
    name = f"novelty: rouge_score / selfsown at a pool of {len(kept):,}"
    record.ratio(name, reference / spent, at_least=1000)
    rows = [time_each(pool, [next(stream) for _ in range(500)])]
    if chosen.pool > len(pool):
        while len(pool) < chosen.pool:
            pool.add(next(stream))
        rows.append(time_each(pool, [next(stream) for _ in range(100)]))
    columns = ("pool", "decision, ms", "exact maximum, ms", "candidates", "accepted")
    record.table("one candidate against a full pool", columns, rows)
    record.note(f"Peak memory {peak_mb():,.0f} MB, everything in this process.")
    record.write(chosen.json)


if __name__ == "__main__":
    main()
