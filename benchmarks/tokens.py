"""What a record costs in tokens: the default preset of Self-Instruct beside preset `paper`.

Both grow tasks on the lab model from the same seeds. The prompts of every attempt are read from the
journals and counted with the model's tokenizer. A prompt token counts as cached if it lies in a
block of 16 tokens that an earlier prompt of the run began with in the same way: automatic prefix
caching as vLLM does it, with nothing ever evicted and every earlier call finished.

    python -m benchmarks.tokens [--target 100] [--seeds 1 2 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import Record

import selfsown
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.models.lab import WEIGHTS
from selfsown.recipes.self_instruct.presets import PAPER

BLOCK = 16
PRESETS = ("default", "paper")
FITTED = {"paper": {"lists": {**PAPER["lists"], "max_tokens": 512}}}
"""What a preset needs to fit into the lab model's context of 1,024 tokens."""


@dataclass
class Spent:
    """Sums over the runs of one preset."""

    records: int = 0
    right: int = 0
    """Records that are right by the lab's oracle."""
    calls: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0

    def per(self, count: int) -> tuple[float, ...]:
        """Calls, prompt, cached, fresh and generated tokens for each of `count`."""
        fresh = self.prompt - self.cached
        sums = (self.calls, self.prompt, self.cached, fresh, self.output)
        return tuple(each / count for each in sums)


def asked(directory: Path) -> Iterator[tuple[str, int]]:
    """Prompt and generated tokens of every call, in the order of its outcome."""
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        generated = Counter[bytes]()
        for key, count in journal.query("SELECT key, output_tokens FROM attempts"):
            assert isinstance(key, bytes)
            generated[key] += int(count or 0)
        sql = "SELECT key, request FROM outcomes WHERE kind='call' ORDER BY seq"
        for key, request in journal.query(sql):
            assert isinstance(key, bytes)
            yield json.loads(str(request))["prompt"], generated[key]
    finally:
        journal.close()


def count(spent: Spent, directory: Path) -> None:
    """Add the tokens of a run."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
    known: set[tuple[int, ...]] = set()
    for prompt, generated in asked(directory):
        ids = tokenizer.encode(prompt).ids
        spent.calls += 1
        spent.prompt += len(ids)
        spent.output += generated
        spent.cached += cached_tokens(ids, known)


def cached_tokens(ids: Sequence[int], known: set[tuple[int, ...]]) -> int:
    """Tokens in whole blocks at the start of a prompt that are in `known`, which gets them all."""
    cached = 0
    for end in range(BLOCK, len(ids) + 1, BLOCK):
        prefix = tuple(ids[:end])
        cached += BLOCK * (prefix in known)
        known.add(prefix)
    return cached


def grow(preset: str, seed: int, target: int, spent: Spent) -> None:
    """One run."""
    from selfsown.lab import oracle

    with tempfile.TemporaryDirectory() as scratch:
        result = selfsown.run(
            "self-instruct",
            model="lab",
            seeds="lab:25",
            preset=preset,
            target=target,
            seed=seed,
            order="strict",
            out=Path(scratch) / "run",
            **FITTED.get(preset, {}),
        )
        kept = list(result.accepted)
        spent.records += len(kept)
        grades = (oracle.check(r["instruction"], r["input"], r["output"]) for r in kept)
        spent.right += sum(grade.is_correct for grade in grades)
        count(spent, Path(scratch) / "run")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    record = Record("Tokens per accepted record: Self-Instruct, default and `paper`")
    found = {preset: Spent() for preset in PRESETS}
    for seed in given.seeds:
        for preset, spent in found.items():
            grow(preset, seed, given.target, spent)
    columns = ("preset", "calls", "prompt", "cached prefix", "fresh", "generated", "records")
    runs = f"lab model, target {given.target}, run seeds {', '.join(map(str, given.seeds))}"
    rows = [(name, *each.per(each.records), each.records) for name, each in found.items()]
    record.table(f"per accepted record: {runs}", columns, rows)
    rows = [(name, *each.per(each.right), each.right) for name, each in found.items()]
    record.table("per record that is right by the lab's oracle", columns, rows)
    record.note(
        "`paper` sends lists of at most 512 tokens here instead of 1,024, for the lab's context."
    )
    ours, paper = (found[name] for name in PRESETS)
    for whose in ("records", "right"):
        least = zip(ours.per(getattr(ours, whose)), paper.per(getattr(paper, whose)), strict=True)
        for name, (mine, theirs) in zip(columns[1:6], least, strict=True):
            what = "accepted record" if whose == "records" else "right record"
            record.ratio(f"tokens: {name} per {what}, default / paper", mine / theirs)
    record.write(given.json)


if __name__ == "__main__":
    main()
