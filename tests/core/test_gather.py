"""Claim: branches of one item's work fail in the order they are written, whatever the timing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.core import growing
from tests.core.test_durable_run import Flaky

from selfsown.core.errors import CallFailed
from selfsown.core.model import AttemptFailed
from selfsown.core.request import Request
from selfsown.core.run import Run
from selfsown.offline import replay
from selfsown.recipes.base import Recipe
from selfsown.runner import arun


async def branching(run: Run, options: growing.Options) -> None:
    """Each row asks three chains at once; those of row `bad` fail in two of them."""
    rows = run.stage("rows", unit="row", output=True)
    numbers = iter(range(12))

    async def chain(row: int, branch: str) -> str:
        first = await run.ask("generator", Request(prompt=f"{row} {branch} one"))
        second = await run.ask("generator", Request(prompt=f"{first.text} {row} {branch} two"))
        return second.text

    async def work(row: int) -> list[str]:
        return await run.gather(*(chain(row, branch) for branch in ("a", "bad-b", "bad-c")))

    flow = run.flow("rows", lambda _: next(numbers, None), work, lambda: 6)
    async for done in flow:
        candidate = rows.enter({"row": done.item}, order=(done.ordinal,), keys=done.keys)
        try:
            candidate.keep({"texts": done.result})
        except CallFailed as error:
            candidate.fail(error)


RECIPE = Recipe(
    name="branching", version="1", summary="", run=branching, options=growing.Options, target=12
)


class Named(Flaky):
    """Its failures say which prompt failed."""

    async def attempt(self, request: Request, **given: Any) -> Any:
        """Ask, and name the prompt in the failure."""
        try:
            return await super().attempt(request, **given)
        except AttemptFailed as failure:
            failure.detail = f"no {request.prompt}"
            raise


@pytest.mark.parametrize("timing", range(6))
async def test_two_failing_branches_give_the_first_ones_error(tmp_path: Path, timing: int) -> None:
    model = Named(timing, bad="bad-")
    result = await arun(RECIPE, model=model, out=tmp_path, rows=[{"x": 1}])
    assert len(result.failed) == 12
    for failed in result.failed:
        assert f"no {failed['record']['row']} bad-b one" in failed["error"]["what"]


def test_a_run_with_failing_branches_replays(tmp_path: Path) -> None:
    asyncio.run(arun(RECIPE, model=Named(3, bad="bad-"), out=tmp_path, rows=[{"x": 1}]))
    assert replay(tmp_path, recipe=RECIPE).identical
