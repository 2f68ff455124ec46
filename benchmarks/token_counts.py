"""Calls of a run from its journal, what they cost in tokens, and what others would have cost.

A prompt token counts as cached if it lies in a block of 16 tokens that an earlier prompt of the run
began with in the same way: automatic prefix caching as vLLM does it, with nothing ever evicted and
every earlier call finished. Tokens are those of the lab model's tokenizer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.rundir import read_lines
from selfsown.models.lab import WEIGHTS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BLOCK = 16
PRICES = {"fresh": 1.0, "cached": 0.1, "generated": 5.0}
"""List prices of claude-haiku-4-5 in USD per million tokens; others have much the same ratios."""
LOST = frozenset({"cut_off", "empty_item", "preamble", "stray_text"})
"""Reasons of pieces of an answer that are no instruction, so nothing would be asked about them."""
TASK, QUESTION = "\n\nTask: ", "\nIs it classification?"
"""What the task at the end of a prompt begins with, and a yes-no prompt ends with."""


class Call(NamedTuple):
    """One call of a run."""

    prompt: str
    generated: int
    """Tokens."""


@dataclass
class Spent:
    """Sums over runs with the same options."""

    records: int = 0
    right: int = 0
    """Records that are right by the lab's oracle."""
    lists: int = 0
    """Requests for new instructions, and how many these gave that were accepted."""
    instructions: int = 0
    calls: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0

    def per(self, count: int) -> tuple[float, ...]:
        """Calls, prompt, cached, fresh and generated tokens for each of `count`."""
        sums = (self.calls, self.prompt, self.cached, self.prompt - self.cached, self.output)
        return tuple(each / count for each in sums)

    def usd(self, *, caches: bool) -> float:
        """Of a million accepted records, on an endpoint that caches prefixes or not."""
        cached = self.cached if caches else 0
        prompt = PRICES["cached"] * cached + PRICES["fresh"] * (self.prompt - cached)
        return (prompt + PRICES["generated"] * self.output) / self.records

    def add(self, other: Spent) -> None:
        """The sums of another run."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def count(self, calls: Sequence[Call]) -> None:
        """The calls of one run."""
        known: set[tuple[int, ...]] = set()
        for call in calls:
            ids = tokenizer().encode(call.prompt).ids
            self.calls += 1
            self.prompt += len(ids)
            self.output += call.generated
            self.cached += cached_tokens(ids, known)


Rewrite = Callable[[Sequence[Call], Path], Sequence[Call]]
"""What would have been asked otherwise, from the calls and the directory of a run."""


@cache
def tokenizer() -> Tokenizer:
    """The lab model's."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))


def calls_of(directory: Path) -> Iterator[Call]:
    """Every call of a run, in the order of its outcome."""
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        generated = Counter[bytes]()
        for key, count in journal.query("SELECT key, output_tokens FROM attempts"):
            assert isinstance(key, bytes)
            generated[key] += int(count or 0)
        sql = "SELECT key, request FROM outcomes WHERE kind='call' ORDER BY seq"
        for key, request in journal.query(sql):
            assert isinstance(key, bytes)
            yield Call(json.loads(str(request))["prompt"], generated[key])
    finally:
        journal.close()


def cached_tokens(ids: Sequence[int], known: set[tuple[int, ...]]) -> int:
    """Tokens in whole blocks at the start of a prompt that are in `known`, which gets them all."""
    cached = 0
    for end in range(BLOCK, len(ids) + 1, BLOCK):
        prefix = tuple(ids[:end])
        cached += BLOCK * (prefix in known)
        known.add(prefix)
    return cached


def as_asked(calls: Sequence[Call], directory: Path) -> Sequence[Call]:
    """The calls themselves."""
    return calls


def with_task_first(calls: Sequence[Call], directory: Path) -> Sequence[Call]:
    """The same prompts with the task before the worked examples; lists have no such part."""

    def turned(call: Call) -> Call:
        examples, _, task = call.prompt.rpartition(TASK)
        return call._replace(prompt=f"{TASK.strip()} {task}\n\n{examples}") if examples else call

    return [turned(call) for call in calls]


def with_judging_last(calls: Sequence[Call], directory: Path) -> Sequence[Call]:
    """The same calls, and those about the instructions that rules and novelty rejected.

    Each would have been asked the question and for instances, and answered as long as the mean.
    """
    about = [call for call in calls if TASK in call.prompt]
    questions = [call for call in about if call.prompt.endswith(QUESTION)]
    others = [call for call in about if not call.prompt.endswith(QUESTION)]
    late: list[Call] = []
    for alike, end in ((questions, QUESTION), (others, "\n")):
        examples = Counter(call.prompt.rpartition(TASK)[0] for call in alike).most_common(1)[0][0]
        mean = round(sum(call.generated for call in alike) / len(alike))
        late += [Call(f"{examples}{TASK}{text}{end}", mean) for text in rejected(directory)]
    return [*calls, *late]


def rejected(directory: Path) -> Iterator[str]:
    """The instructions that rules and novelty rejected."""
    for row in read_lines(directory / "rejected.jsonl"):
        assert isinstance(row, dict)
        if row["stage"] == "instructions" and row["reason"] not in LOST:
            record = row["record"]
            assert isinstance(record, dict)
            yield str(record["instruction"])
