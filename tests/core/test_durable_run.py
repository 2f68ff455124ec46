"""Claim: killed anywhere, a run resumes; no committed call is asked twice; bytes agree."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core import growing
from tests.core.growing import RECIPE

import selfsown
from selfsown.core.errors import (
    CallFailed,
    CheckFailed,
    ConfigChanged,
    ConservationError,
    EnvironmentFailure,
)
from selfsown.core.model import Answer, AttemptFailed, Capabilities, Price
from selfsown.core.request import Completion, Request, Usage
from selfsown.core.run import Run
from selfsown.core.rundir import DATA_FILES, locked
from selfsown.offline import replay
from selfsown.recipes.base import Recipe
from selfsown.runner import RunResult, arun


class Killed(BaseException):
    """Stands for `kill -9`: nothing of ours may catch it."""


class Flaky:
    """A model with random delays that counts what it is asked and can die in the middle."""

    uri = "test:flaky"
    identity = "flaky"
    endpoint = "test"
    capabilities = Capabilities(chat=False, completion=True, local=True)
    price = Price(0, 0)

    def __init__(self, timing: int, die_after: int | None = None, bad: str = "") -> None:
        self._rng = random.Random(timing)
        self._die_after = die_after
        self._bad = bad
        self.asked: Counter[tuple[str, int]] = Counter()
        self.in_flight = 0

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        prompt = request.prompt or ""
        self.asked[prompt, seed] += 1
        if self._die_after is not None and self.asked.total() > self._die_after:
            raise Killed
        self.in_flight += 1
        try:
            for _ in range(self._rng.randrange(6)):
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        if self._bad and self._bad in prompt:
            raise AttemptFailed("bad_request", "no such thing", status=400)
        return Answer(Completion(growing.answer(prompt, seed), usage=Usage(3, 2)))

    async def close(self) -> None:
        pass


async def go(out: Path, model: Flaky, **given: Any) -> RunResult:
    given = {"target": 15, "seed": 3, "rows": [{"x": 1}]} | given
    return await arun(RECIPE, model=model, out=out, **given)


def data(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in DATA_FILES}


async def killed(out: Path, timing: int, die_after: int, **given: Any) -> Counter[Any]:
    model = Flaky(timing, die_after)
    with pytest.raises(Killed):
        await go(out, model, **given)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return model.asked


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kills=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    timing=st.integers(0, 1000),
    order=st.sampled_from(["arrival", "strict"]),
)
def test_a_run_killed_at_random_resumes_and_replays(
    tmp_path_factory: pytest.TempPathFactory, kills: list[int], timing: int, order: str
) -> None:
    out = tmp_path_factory.mktemp("run")

    async def scenario() -> None:
        asked: Counter[Any] = Counter()
        for number, kill in enumerate(kills):
            model = Flaky(timing + number, kill)
            with contextlib.suppress(Killed):
                await go(out, model, order=order)
            asked += model.asked
        last = Flaky(timing + 99)
        await go(out, last, order=order)
        asked += last.asked
        # Only what was in flight at a kill may be asked again: at most the window per kill.
        assert sum(n - 1 for n in asked.values()) <= 10 * len(kills)

    asyncio.run(scenario())
    first = data(out)
    found = replay(out, recipe=RECIPE)
    assert found.identical, found.different
    again = Flaky(5)
    asyncio.run(go(out, again, order=order))
    assert not again.asked
    assert data(out) == first


async def test_strict_order_makes_timing_irrelevant(tmp_path: Path) -> None:
    results = []
    for timing in (1, 2, 3):
        await go(tmp_path / str(timing), Flaky(timing), order="strict")
        results.append(data(tmp_path / str(timing)))
    assert results[0] == results[1] == results[2]


async def test_arrival_order_follows_timing_but_replays(tmp_path: Path) -> None:
    for timing in (1, 2):
        await go(tmp_path / str(timing), Flaky(timing))
    assert data(tmp_path / "1") != data(tmp_path / "2"), "the test's delays change nothing"


async def test_extending_continues_where_the_run_stopped(tmp_path: Path) -> None:
    first = Flaky(1)
    short = await go(tmp_path / "a", first, order="strict")
    more = Flaky(2)
    long = await go(tmp_path / "a", more, order="strict", target=30)
    fresh = Flaky(3)
    await go(tmp_path / "b", fresh, order="strict", target=30)
    assert len(long.accepted) == 30
    assert short.manifest["run"]["unused"] > 0, "nothing was outstanding at the target"
    assert data(tmp_path / "a") == data(tmp_path / "b")
    assert not set(first.asked) & set(more.asked), "an unused answer was asked again"


async def test_answers_outstanding_at_the_target_are_journaled(tmp_path: Path) -> None:
    model = Flaky(1)
    await go(tmp_path, model)
    journal = sqlite3.connect(tmp_path / "journal.sqlite")
    calls = journal.execute("SELECT count(*) FROM outcomes WHERE kind='call'").fetchone()[0]
    journal.close()
    assert calls == len(model.asked)


async def test_changed_options_are_refused_with_a_diff_until_update(tmp_path: Path) -> None:
    await go(tmp_path, Flaky(1))
    before = data(tmp_path)
    with pytest.raises(ConfigChanged, match=r"options.suffix: `` → `!`"):
        await go(tmp_path, Flaky(1), suffix="!")
    assert data(tmp_path) == before
    model = Flaky(2)
    await go(tmp_path, model, suffix="!", update=True)
    assert model.asked
    result = await go(tmp_path, Flaky(3), suffix="!")
    assert result.manifest["run"]["calls_from_journal"] > 0
    # Back again: the first epoch's answers are still there; only the order may ask for new ones.
    back = Flaky(4)
    await go(tmp_path, back, update=True, order="arrival")
    assert back.asked.total() < 10


async def test_an_operational_setting_may_change_freely(tmp_path: Path) -> None:
    await go(tmp_path, Flaky(1), concurrency=3, order="strict")
    model = Flaky(2)
    await go(tmp_path, model, concurrency=50, limits={"attempts": 2}, order="strict")
    assert not model.asked


async def test_a_draw_that_asks_otherwise_than_recorded_is_named(tmp_path: Path) -> None:
    await go(tmp_path, Flaky(1))

    async def changed(run: Run, options: growing.Options) -> None:
        await growing.growing(run, options.model_copy(update={"suffix": "?"}))

    other = Recipe(
        name=RECIPE.name, version="1", summary="", run=changed, options=growing.Options, target=20
    )
    with pytest.raises(CheckFailed, match=r"draw \d+ of `words` differs .* `\{.*about .*\?"):
        await arun(other, model=Flaky(1), out=tmp_path, target=15, seed=3, rows=[{"x": 1}])


async def test_final_failures_are_outcomes_and_only_they_are_retried(tmp_path: Path) -> None:
    rows = [{"text": f"row {i}"} for i in range(40)]
    bad = Flaky(1, bad="row 1")  # row 1 and 10..19
    given: dict[str, Any] = {"rows": rows, "prompt": "{{ text }}", "out": tmp_path}
    result = await arun("complete", model=bad, **given)
    assert (len(result.accepted), len(result.failed)) == (29, 11)
    again = Flaky(2, bad="row 1")
    await arun("complete", model=again, **given)
    assert not again.asked
    mended = Flaky(3)
    result = await arun("complete", model=mended, retry_failed=True, **given)
    assert {prompt for prompt, _ in mended.asked} == {f"row {i}" for i in (1, *range(10, 20))}
    assert (len(result.accepted), len(result.failed)) == (40, 0)


async def test_equal_requests_in_flight_are_one_call(tmp_path: Path) -> None:
    model = Flaky(1)
    rows = [{"text": "same"}] * 50
    result = await arun("complete", model=model, rows=rows, prompt="{{ text }}", out=tmp_path)
    assert model.asked.total() == 1
    assert len(result.accepted) == 50
    assert len({record["id"] for record in result.accepted}) == 50


async def test_reuse_copies_hits_with_their_source(tmp_path: Path) -> None:
    rows = [{"text": f"{i}"} for i in range(5)]
    await arun("complete", model=Flaky(1), rows=rows, prompt="{{ text }}", out=tmp_path / "a")
    model = Flaky(2)
    more = [*rows, {"text": "new"}]
    await arun(
        "complete",
        model=model,
        rows=more,
        prompt="{{ text }}",
        out=tmp_path / "b",
        reuse=[tmp_path / "a"],
    )
    assert {prompt for prompt, _ in model.asked} == {"new"}
    journal = sqlite3.connect(tmp_path / "b" / "journal.sqlite")
    sources = Counter(source for (source,) in journal.execute("SELECT source FROM outcomes"))
    journal.close()
    assert sources == {str(tmp_path / "a"): 5, "": 1}


async def test_a_second_writer_is_refused_by_name(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(EnvironmentFailure, match="in use by process"):
        await go(tmp_path, Flaky(1))


async def test_a_row_that_breaks_its_template_fails_alone(tmp_path: Path) -> None:
    rows = [{"text": "a"}, {"other": "b"}, {"text": "c"}]
    result = await arun("complete", model=Flaky(1), rows=rows, prompt="{{ text }}", out=tmp_path)
    assert len(result.accepted) == 2
    (failed,) = result.failed
    assert failed["error"]["kind"] == "template"
    assert failed["record"] == {"other": "b"}


async def test_a_recipe_that_loses_a_candidate_is_caught(tmp_path: Path) -> None:
    async def leaky(run: Run, options: growing.Options) -> None:
        run.stage("words", unit="word").enter({"a": 1}, order=(0,))

    recipe = Recipe(name="leaky", version="1", summary="", run=leaky, options=growing.Options)
    with pytest.raises(ConservationError, match="`words`: 1"):
        await arun(recipe, model=Flaky(1), out=tmp_path, rows=[{"x": 1}])


async def test_a_defect_in_work_fails_its_item_alone(tmp_path: Path) -> None:
    async def faulty(run: Run, options: growing.Options) -> None:
        stage = run.stage("rows", unit="row", output=True)

        async def work(row: Any) -> int:
            return 1 // int(row["x"])

        async for done in run.map(run.rows(), work):
            candidate = stage.enter(done.item, order=(done.draw,))
            try:
                candidate.keep({"y": done.result})
            except CallFailed as error:
                candidate.fail(error)

    recipe = Recipe(name="faulty", version="1", summary="", run=faulty, options=growing.Options)
    result = await arun(recipe, model=Flaky(1), out=tmp_path, rows=[{"x": 1}, {"x": 0}])
    assert (len(result.accepted), len(result.failed)) == (1, 1)
    assert "ZeroDivisionError" in result.manifest["run"]["warnings"][0]


async def test_most_calls_failing_suspends_the_run(tmp_path: Path) -> None:
    rows = [{"text": f"row {i}"} for i in range(200)]
    with pytest.raises(EnvironmentFailure, match="calls failed for good"):
        await arun(
            "complete", model=Flaky(1, bad="row"), rows=rows, prompt="{{ text }}", out=tmp_path
        )


async def test_in_order_rows_are_handed_over_by_index(tmp_path: Path) -> None:
    seen: list[int] = []

    async def ordered(run: Run, options: growing.Options) -> None:
        async def work(row: Any) -> str:
            return (await run.ask("generator", Request(prompt=str(row["x"])))).text

        async for done in run.map(run.rows(), work, in_order=True):
            seen.append(done.draw)

    recipe = Recipe(name="ordered", version="1", summary="", run=ordered, options=growing.Options)
    await arun(recipe, model=Flaky(9), out=tmp_path, rows=[{"x": i} for i in range(100)])
    assert seen == list(range(100))


def test_run_inside_a_loop_points_to_arun(tmp_path: Path) -> None:
    async def inside() -> None:
        selfsown.run("complete", rows=[], prompt="x", model=Flaky(1), out=tmp_path)

    with pytest.raises(selfsown.SelfsownError, match="arun"):
        asyncio.run(inside())
