"""Claim: a plan is exact for independent rows and a bound, with its first draw, for pools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.core.growing import RECIPE
from tests.core.test_durable_combinations import BAD, query
from tests.core.test_durable_run import Flaky, go

from selfsown.core.config import make_config
from selfsown.offline import Plan, plan
from selfsown.runner import arun


async def planned(out: Path, model: Flaky, known: Any, rows: Any, **given: Any) -> Plan:
    """The plan of what `arun` with the same arguments would ask."""
    flags = {"retry_failed": given.pop("retry_failed", False)}
    config = make_config({"models": {"generator": "lab"}, "out": str(out), **given})
    opened: Any = {"generator": model}
    return await plan(config, recipe=known, opened=opened, rows=rows, **flags)


async def test_the_plan_of_independent_rows_is_exact(tmp_path: Path) -> None:
    rows = [{"t": f"row {n}"} for n in range(30)]

    async def check(expected: int, given_rows: Any, **given: Any) -> None:
        prompt = given.pop("prompt", "{{ t }}")
        bad = given.pop("bad", "")
        out = tmp_path / given.pop("out", "a")
        existed = out.exists()
        options: dict[str, Any] = {"prompt": prompt}
        found = await planned(
            out, Flaky(1), None, given_rows, recipe="complete", **given, options=options
        )
        assert out.exists() == existed, "planning made the directory"
        model = Flaky(1, bad=bad)
        await arun(
            "complete", model=model, rows=given_rows, out=out, prompt=prompt, update=True, **given
        )
        assert found.exact
        assert found.new_calls == expected == model.asked.total()

    await check(30, rows, bad="row 1")
    await check(0, rows)
    await check(11, rows, retry_failed=True)
    await check(2, [*rows, {"t": "x"}, {"t": "y"}, {"t": "y"}])
    await check(30, rows, prompt="{{ t }}!")
    await check(1, [*rows, {"t": "z"}], out="b", reuse=[str(tmp_path / "a")])


@pytest.mark.parametrize("order", ["arrival", "strict"])
@pytest.mark.parametrize("change", [{"cap": 3}, {"suffix": "!"}])
async def test_the_plan_of_a_growing_pool_names_the_first_divergent_draw(
    tmp_path: Path, order: str, change: dict[str, Any]
) -> None:
    await go(tmp_path, Flaky(1), target=25, order=order)
    given: dict[str, Any] = {"recipe": RECIPE.name, "seed": 3, "order": order, "target": 25}
    same = await planned(tmp_path, Flaky(1), RECIPE, [{"x": 1}], **given)
    assert (same.new_calls, same.first_divergent_draw, same.changes) == (0, None, ())
    found = await planned(tmp_path, Flaky(1), RECIPE, [{"x": 1}], **given, options=change)
    model = Flaky(2)
    await go(tmp_path, model, target=25, order=order, update=True, **change)
    assert model.asked.total() <= found.new_calls
    sql = "SELECT key FROM outcomes WHERE seq>(SELECT seq FROM epochs WHERE epoch=1)"
    new = {row[0][:8] for row in query(tmp_path, sql)}
    rows = query(tmp_path, "SELECT draw, asks FROM deliveries WHERE epoch=1")
    old = {row[0] for row in query(tmp_path, "SELECT draw FROM deliveries WHERE epoch=0")}
    fresh = (d for d, asks in rows if d in old and new & {asks[i : i + 8] for i in (0, 8, 16)})
    assert min(fresh) == found.first_divergent_draw


async def test_the_plan_of_a_retry_in_a_growing_pool_is_a_bound(tmp_path: Path) -> None:
    await go(tmp_path, Flaky(1, bad=BAD), target=18)
    failed = query(tmp_path, "SELECT count(*) FROM outcomes WHERE ok=0")[0][0]
    assert failed
    given: dict[str, Any] = {"recipe": RECIPE.name, "seed": 3, "target": 18}
    found = await planned(tmp_path, Flaky(1), RECIPE, [{"x": 1}], retry_failed=True, **given)
    model = Flaky(2)
    await go(tmp_path, model, target=18, retry_failed=True)
    assert failed <= model.asked.total() <= found.new_calls
    assert found.first_divergent_draw is not None
