"""Ask a model every prompt of an evaluation, greedily; each answer is journaled once.

A row is an instance of a suite with its prompt. Nothing is rejected: an empty or cut-off answer is
an answer, and counts. Scoring happens elsewhere (`selfsown.evaluation`), so that a changed metric
asks nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion, Request, message
from selfsown.core.run import Run
from selfsown.recipes.base import Recipe


class Options(BaseModel):
    """Options of `evaluate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.0, ge=0, description="0 is greedy, as published results are.")
    extra: dict[str, Any] = Field({}, description="Provider-specific body parameters.")


async def evaluate(run: Run, options: Options) -> None:
    """Ask for one answer per row, which has `prompt`, `max_tokens` and `stop`."""
    answers = run.stage("answers", unit="instance", output=True)

    async def work(row: Mapping[str, JSON]) -> Completion:
        return await run.ask("model", _request(run, options, row))

    async for done in run.map(run.rows(), work):
        candidate = answers.enter(done.item, order=(done.draw,), keys=done.keys)
        try:
            answer = done.result
        except CallFailed as error:
            if error.kind == "empty":
                candidate.keep({"completion": "", "finish_reason": "stop"})
            else:
                candidate.fail(error)
            continue
        candidate.keep({"completion": answer.text, "finish_reason": answer.finish_reason})
    run.stop("rows")


def _request(run: Run, options: Options, row: Mapping[str, JSON]) -> Request:
    prompt, stop, longest = row["prompt"], row["stop"], row["max_tokens"]
    assert isinstance(prompt, str) and isinstance(stop, list) and isinstance(longest, int)
    sampling: dict[str, Any] = {
        "max_tokens": longest,
        "temperature": options.temperature,
        "stop": tuple(str(one) for one in stop),
        "extra": options.extra,
    }
    if run.is_chat("model"):
        return Request(messages=(message("user", prompt),), **sampling)
    return Request(prompt=prompt, **sampling)


RECIPE = Recipe(
    name="evaluate",
    version="1",
    summary="The answers of a model to evaluation suites; `selfsown evaluate` scores them.",
    run=evaluate,
    options=Options,
    roles={"model": "answers"},
)
