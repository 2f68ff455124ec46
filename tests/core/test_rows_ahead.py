"""Claim: rows that wait before their next attempt leave their places to others, up to twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.core import growing
from tests.core.test_durable_run import Flaky

from selfsown.core.run import Run
from selfsown.recipes.base import Recipe
from selfsown.runner import arun

ROWS = 300
begun: list[int] = []
seen: list[int] = []


async def waiting(run: Run, options: growing.Options) -> None:
    """Rows that stay where they are until all that was to be seen has been."""
    rows = run.stage("rows", unit="row", output=True)
    seen_all = asyncio.Event()

    async def work(row: int) -> int:
        begun.append(row)
        await seen_all.wait()
        return row

    async def look() -> None:
        assert run.caller is not None
        for backing_off in (0, 5, 1000):
            run.caller._backing_off = backing_off
            run.look_again()
            for _ in range(5):
                await asyncio.sleep(0)
            seen.append(len(begun))
        seen_all.set()

    looking = asyncio.create_task(look())
    async for done in run.map(iter(range(ROWS)), work):
        rows.enter({"row": done.item}, order=(done.draw,)).keep()
    await looking


RECIPE = Recipe(name="waiting", version="1", summary="", run=waiting, options=growing.Options)


async def test_a_row_in_a_back_off_makes_room_for_another(tmp_path: Path) -> None:
    begun.clear()
    seen.clear()
    result = await arun(RECIPE, model=Flaky(0), out=tmp_path / "run", rows=[{"x": 1}])
    assert seen == [64, 69, 128]
    assert len(result.accepted) == ROWS
