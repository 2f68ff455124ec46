"""Scores of a model on the lab's frozen suite, with intervals.

Greedy decoding, first output line. A *condition* is a prompt format with a number of
demonstrations; zero demonstrations in the bare format is what tuning is meant to lift, few-shot is
the ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from selfsown.curate.rouge_l import rouge_l, tokenize_paper
from selfsown.evaluate.intervals import Interval, bootstrap
from selfsown.evaluate.lab_model import LoadedModel, complete, load_model
from selfsown.lab import oracle
from selfsown.lab.suites import (
    SUITE_VERSION,
    PromptFormat,
    SuiteItem,
    demonstrations_for,
    load_suite,
    prompt_for,
    suite_sha256,
)
from selfsown.lab.weights import weights_hash

MAX_ANSWER_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Condition:
    """How the model is asked."""

    layout: PromptFormat
    shots: int
    """Demonstrations in the prompt; 0 is zero-shot."""


DEFAULT_CONDITIONS: tuple[Condition, ...] = (
    Condition("task", 0),
    Condition("plain", 0),
    Condition("task", 2),
    Condition("task", 4),
    Condition("task", 8),
)


@dataclass(frozen=True, slots=True)
class ConditionScore:
    """Scores under one condition."""

    condition: Condition
    rouge_l: Interval
    exact_match: Interval
    """Share of answers that the oracle calls right."""
    exact_match_by_part: dict[str, float]
    """The same per part of the suite: seen, modifier, verb, family."""
    item_count: int


@dataclass(frozen=True, slots=True)
class Scores:
    """All conditions of one evaluation."""

    conditions: tuple[ConditionScore, ...]
    suite: str
    suite_sha256: str
    weights_sha256: str

    def of(self, layout: PromptFormat, shots: int) -> ConditionScore:
        """The score of one condition; KeyError if it was not measured."""
        for score in self.conditions:
            if score.condition == Condition(layout, shots):
                return score
        raise KeyError(f"{layout} with {shots} demonstrations was not measured")

    def as_record(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


def evaluate(
    model_dir: Path,
    *,
    conditions: Sequence[Condition] = DEFAULT_CONDITIONS,
    limit: int | None = None,
    batch_size: int = 32,
) -> Scores:
    """Score the model in a folder on suite v1.

    Args:
        model_dir: a Hugging Face folder.
        conditions: formats and numbers of demonstrations; each costs a few CPU-seconds.
        limit: use only this many items, spread evenly over the parts; None uses all 300.
        batch_size: prompts generated together.
    """
    loaded = load_model(model_dir)
    suite = load_suite()
    pool = [item for item in suite if item.part == "demonstration"]
    items = [item for item in suite if item.part != "demonstration"]
    if limit is not None and limit < len(items):
        items = [items[i * len(items) // limit] for i in range(limit)]
    scores = tuple(
        _score_condition(loaded, condition, items, pool, batch_size) for condition in conditions
    )
    return Scores(scores, SUITE_VERSION, suite_sha256(), weights_hash(model_dir))


def score_answers(
    condition: Condition, items: Sequence[SuiteItem], answers: Sequence[str]
) -> ConditionScore:
    """Scores of given answers; ROUGE-L is against the one stored reference."""
    similar = [
        rouge_l(tokenize_paper(answer), tokenize_paper(item.reference))
        for item, answer in zip(items, answers, strict=True)
    ]
    right = [
        float(oracle.check(item.instruction, item.input, answer).is_correct)
        for item, answer in zip(items, answers, strict=True)
    ]
    by_part: dict[str, list[float]] = {}
    for item, is_right in zip(items, right, strict=True):
        by_part.setdefault(item.part, []).append(is_right)
    parts = {part: sum(values) / len(values) for part, values in by_part.items()}
    return ConditionScore(condition, bootstrap(similar), bootstrap(right), parts, len(items))


def first_line(completion: str) -> str:
    """The first line of a completion without surrounding white space."""
    return completion.split("\n", 1)[0].strip()


def _score_condition(
    loaded: LoadedModel,
    condition: Condition,
    items: Sequence[SuiteItem],
    pool: list[SuiteItem],
    batch_size: int,
) -> ConditionScore:
    prompts = [
        prompt_for(item, condition.layout, demonstrations_for(item, pool, condition.shots))
        for item in items
    ]
    completions = complete(
        loaded,
        prompts,
        max_new_tokens=MAX_ANSWER_TOKENS,
        batch_size=batch_size,
        stop_tokens=("\n", "\n\n"),
    )
    return score_answers(condition, items, [first_line(text) for text in completions])
