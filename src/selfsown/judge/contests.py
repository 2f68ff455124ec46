"""Answers of two systems to the same instances, as pairs for a judge and then as contests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.randomness import rng_for
from selfsown.evaluate.predictions import Predictions
from selfsown.evaluate.rating.sources import common_instances
from selfsown.evaluate.suite import Instance
from selfsown.judge.base import Item
from selfsown.judge.comparisons import final
from selfsown.judge.labels import Label
from selfsown.judge.win_rate import RESAMPLES, Contest, WinRate, win_rate


def paired_answers(
    answers: Mapping[str, Predictions], *, limit: int | None = None, seed: int = 0
) -> list[Label]:
    """Pairs of the two systems' answers, the first system's as the answer; nobody judged them yet.

    Args:
        answers: name -> answers, of two systems.
        limit: so many instances, chosen at random; None takes all.
        seed: of the choice.

    Raises:
        InputError: these are not two systems, or they answered different instances.
    """
    if len(answers) != 2:
        raise InputError(
            f"{len(answers)} systems cannot be compared",
            why="a win rate is one system's against another's",
            fix="give two evaluations or prediction files",
        )
    instances = list(common_instances(answers))
    if limit is not None and limit < len(instances):
        instances = rng_for(seed, "contests").sample(instances, limit)
    first, second = answers
    return [
        Label(
            id=one.id,
            item=_item(one, answers[first].answers[one.id], answers[second].answers[one.id]),
            human=0.5,
            group=one.id,
            models=(first, second),
        )
        for one in instances
    ]


def contests(told: Sequence[Label]) -> list[Contest]:
    """Judged pairs as contests."""
    return [
        Contest(
            None if label.missing else final(label),
            (len(label.item.answer), len(label.item.rival or "")),
            label.group,
        )
        for label in told
    ]


def rated(told: Sequence[Contest], *, seed: int = 0, resamples: int = RESAMPLES) -> WinRate:
    """The win rate over contests.

    Raises:
        CheckFailed: none of them could be judged.
    """
    if all(one.preference is None for one in told):
        raise CheckFailed(
            f"none of {len(told)} pairs could be judged",
            why="a win rate over nothing is no number",
            fix="look at the raw answers of the judge: raise `max_tokens` if they are cut off, or"
            " take another model",
        )
    return win_rate(told, seed=seed, resamples=resamples)


def _item(instance: Instance, answer: str, rival: str) -> Item:
    references = [one for one in instance.references if one.strip()]
    return Item(
        prompt="\n\n".join(filter(None, (instance.instruction, instance.input))),
        answer=answer,
        rival=rival,
        reference=references[0] if references else None,
        metadata={"input": instance.input, "references": references[1:]},
    )
