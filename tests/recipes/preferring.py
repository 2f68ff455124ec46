"""Runs of preference recipes with a policy whose answers are numbered by their temperature.

What an answer says is a function of its request, so that killed runs go on with the same answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Completion, Request
from selfsown.judge.base import Asker, Item, Judgement, Scale, Source
from selfsown.models.scripted import ScriptedModel
from selfsown.results import RunResult
from selfsown.runner import run

GIVEN: Final = "tests.recipes.preferring:Given"
FICKLE: Final = "tests.recipes.preferring:Fickle"
SEEING: Final = "tests.recipes.preferring:Seeing"

Words = Callable[[str, int], "str | Completion | AttemptFailed"]
"""(prompt, number of the answer) -> the answer."""


def draws(count: int) -> list[dict[str, float]]:
    """`count` answers, number k at temperature (k + 1) / 10."""
    return [{"count": 1, "temperature": (k + 1) / 10} for k in range(count)]


def policy(words: Words = lambda prompt, number: f"answer {number}", **given: Any) -> ScriptedModel:
    """A policy that says `words` of the prompt and the number of the answer."""

    def answer(request: Request, _seed: int) -> str | Completion | AttemptFailed:
        assert request.temperature is not None
        asked = request.prompt or request.messages[-1].text
        return words(asked, round(request.temperature * 10) - 1)

    return ScriptedModel(answer, **{"identity": "policy", **given})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A judge with a given score for each number that an answer holds."""

    name: ClassVar[str] = "given"
    source: ClassVar[Source] = "verifier"
    scale: ClassVar[Scale] = Scale(-100.0, 100.0)
    roles: ClassVar[tuple[str, ...]] = ()

    rewards: tuple[float | None, ...] = ()

    @property
    def options(self) -> Mapping[str, JSON]:
        return asdict(self)

    async def judge(self, run: Asker, item: Item) -> Judgement:
        found = re.search(r"\d+", item.answer)
        value = self.rewards[int(found[0])] if found else None
        return Judgement(value=value, source=self.source, scale=self.scale, reason="given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeing:
    """A judge that keeps what it was shown; the longer answer is the better one."""

    seen: ClassVar[list[Item]] = []
    name: ClassVar[str] = "seeing"
    source: ClassVar[Source] = "verifier"
    scale: ClassVar[Scale] = Scale(0.0, 1e6)
    roles: ClassVar[tuple[str, ...]] = ()

    @property
    def options(self) -> Mapping[str, JSON]:
        return {}

    async def judge(self, run: Asker, item: Item) -> Judgement:
        self.seen.append(item)
        return Judgement(value=float(len(item.answer)), source=self.source, scale=self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fickle:
    """A judge that forgets a sample of some answers."""

    name: ClassVar[str] = "fickle"
    source: ClassVar[Source] = "judge"
    scale: ClassVar[Scale] = Scale(0.0, 1.0)
    roles: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, JSON]] = {}
    samples: ClassVar[int] = 3

    async def judge(self, run: Asker, item: Item) -> Judgement:
        one = Judgement(value=0.5, source="judge")
        return replace(one, parts=(one,) * (2 if "3" in item.answer else 3))


def prompts(count: int) -> list[dict[str, JSON]]:
    """Prompts that differ."""
    return [{"id": f"p{k}", "instruction": f"Say something, number {k}."} for k in range(count)]


def preferring(
    out: Path,
    rewards: Sequence[float | None] = (1.0, 2.0, 3.0, 0.0),
    *,
    model: ScriptedModel | None = None,
    rows: Sequence[Mapping[str, JSON]] | None = None,
    recipe: str = "online-rlhf",
    models: Mapping[str, Any] | None = None,
    **options: Any,
) -> RunResult:
    """A run of as many answers to each prompt as there are rewards, in strict order."""
    scored = {"scorer": "given", "scorer_options": {"rewards": list(rewards)}}
    return run(
        recipe,
        out=out,
        models={"policy": model or policy(), **(models or {})},
        rows=prompts(1) if rows is None else rows,
        order="strict",
        **{"answers": draws(len(rewards)), **scored, **options},
    )
