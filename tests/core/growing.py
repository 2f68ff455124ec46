"""A small growing-pool recipe for tests: each accepted word becomes a parent of later draws."""

from __future__ import annotations

import hashlib
from collections import Counter

from pydantic import BaseModel, ConfigDict

from selfsown.core.errors import CallFailed
from selfsown.core.request import Request
from selfsown.core.run import Run
from selfsown.recipes.base import CallBound, Recipe


class Options(BaseModel):
    """Options of the test recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suffix: str = ""
    cap: int = 8
    """Stands in every prompt, so that changing it changes every request."""


async def growing(run: Run, options: Options) -> None:
    """Ask about two pool words at a time; keep answers whose first letter is rare."""
    pool = ["seed"]
    asked: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    words = run.stage("words", unit="word", output=True)
    seen = run.stage("answers", unit="answer")

    def draw(index: int) -> tuple[str, int]:
        rng = run.rng("parents", index)
        text = " ".join(rng.choice(pool) for _ in range(2)) + options.suffix
        asked[text] += 1
        return text, asked[text] - 1

    async def work(item: tuple[str, int]) -> str:
        text, sample = item
        first = await run.ask("generator", Request(prompt=f"about {text}"), sample)
        second = await run.ask("generator", Request(prompt=f"then {first.text}"))
        effect = await run.effect("length", "1", second.text, lambda: len(second.text))
        return f"{second.text}{effect}"

    async for done in run.flow("words", draw, work, lambda: min(options.cap, 2 + len(pool) // 4)):
        answer = seen.enter({"draw": done.draw}, order=(done.ordinal,), keys=done.keys)
        try:
            word = done.result
        except CallFailed as error:
            answer.fail(error)
            continue
        answer.keep()
        candidate = words.enter({"word": word}, order=(done.ordinal, 0), keys=done.keys)
        letters[word[0]] += 1
        if letters[word[0]] > 1 + len(pool) // 6:
            candidate.reject("common_letter", letters[word[0]])
            continue
        candidate.keep()
        pool.append(word)
        run.note("pool", len(pool))
        if words.counts.kept >= (run.target or 0):
            run.stop("target")
            break


def answer(prompt: str, seed: int) -> str:
    """A deterministic answer that differs between samples."""
    return hashlib.sha256(f"{prompt}{seed}".encode()).hexdigest()[:6]


def _bound(options: Options, left: int, seeds: int) -> tuple[CallBound, ...]:
    return (CallBound("words", "generator", 2 * 40 * left + 2 * options.cap, 1024),)


RECIPE = Recipe(
    name="tests.core.growing",
    version="1",
    summary="A growing pool for tests.",
    run=growing,
    options=Options,
    inputs="rows",
    target=20,
    target_stage=lambda options: "words",
    bound=_bound,
)
