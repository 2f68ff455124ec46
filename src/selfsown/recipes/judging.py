"""Ask a judge about every row; each judgement is kept, also where the judge could not tell.

Nothing is rejected: what judgements are used for decides elsewhere, so that another threshold asks
nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.judge.base import Judgement
from selfsown.judge.registry import judge_named
from selfsown.judge.stored import item_of, judgement_form
from selfsown.recipes.base import Recipe


class Options(BaseModel):
    """Options of `judging`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judge: str = Field(description="Name of the judge.")
    options: dict[str, Any] = Field({}, description="Options of the judge.")


async def judging(run: Run, options: Options) -> None:
    """Judge every row, which is as `selfsown.judge.stored.item_row` writes it."""
    judge = judge_named(options.judge, options.options)
    judged = run.stage("judgements", unit="answer", output=True)

    async def work(row: Mapping[str, JSON]) -> Judgement:
        return await judge.judge(run, item_of(row))

    async for done in run.map(run.rows(), work):
        candidate = judged.enter(done.item, order=(done.draw,), keys=done.keys)
        try:
            candidate.keep({"judgement": judgement_form(done.result)})
        except CallFailed as error:
            candidate.fail(error)
    run.stop("rows")


RECIPE = Recipe(
    name="judging",
    version="1",
    summary="The judgements of one judge on given answers; `selfsown judge calibrate` reads them.",
    run=judging,
    options=Options,
    roles={"judge": "judges"},
)
