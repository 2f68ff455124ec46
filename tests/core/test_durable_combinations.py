"""Claim: any history of kills, extensions, updates and retries ends where one quiet run ends.

In strict order with a deterministic model the bytes are those of an uninterrupted run; in order of
arrival the run replays from its journal, asks nothing when started again, and has one valid answer
per request.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core import growing
from tests.core.growing import RECIPE
from tests.core.test_durable_run import Flaky, Killed, data, go

from selfsown.core.clock import SystemClock
from selfsown.core.config import make_config
from selfsown.core.epochs import enter_epoch
from selfsown.core.errors import BudgetExhausted, CheckFailed, ConfigChanged, EnvironmentFailure
from selfsown.core.journal import Journal, Row
from selfsown.core.model import Answer, AttemptFailed, RemembersName
from selfsown.core.request import Completion, Request
from selfsown.core.run import Run
from selfsown.history import spent_before
from selfsown.models.http_model import HttpModel
from selfsown.models.uri import open_model
from selfsown.offline import replay
from selfsown.recipes.base import Recipe
from selfsown.runner import Start, arun, execute

BAD = "f3"
"""Prompts that hold this fail for good until the model is mended."""
CONFIG = {"recipe": RECIPE.name, "models": {"generator": "lab"}, "seed": 3, "order": "strict"}


@dataclass(frozen=True)
class Step:
    """One start of the same directory."""

    kill: int | None
    """Die at this ask; None: run to the end."""
    target: int
    suffix: str
    """Another suffix is another config."""
    retry: bool
    mended: bool


STEPS = st.builds(
    Step,
    kill=st.none() | st.integers(0, 50),
    target=st.sampled_from([6, 12, 18]),
    suffix=st.sampled_from(["", "!"]),
    retry=st.booleans(),
    mended=st.booleans(),
)


async def take(out: Path, step: Step, timing: int, **given: Any) -> Counter[tuple[str, int]]:
    """Start once; what was asked."""
    model = Flaky(timing, step.kill, bad="" if step.mended else BAD)
    with contextlib.suppress(Killed):
        await go(
            out,
            model,
            target=step.target,
            suffix=step.suffix,
            retry_failed=step.retry,
            update=True,
            **given,
        )
    return model.asked


def outcomes_per_key(out: Path) -> Counter[bytes]:
    """Key → outcomes that are not void."""
    with contextlib.closing(sqlite3.connect(out / "journal.sqlite")) as journal:
        sql = "SELECT key FROM outcomes WHERE seq NOT IN (SELECT outcome_seq FROM voids)"
        return Counter(key for (key,) in journal.execute(sql))


def query(out: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(out / "journal.sqlite")) as journal:
        return journal.execute(sql).fetchall()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(STEPS, min_size=1, max_size=4),
    timing=st.integers(0, 1000),
    order=st.sampled_from(["arrival", "strict"]),
    reuses=st.booleans(),
)
def test_any_history_ends_where_a_quiet_run_ends(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[Step],
    timing: int,
    order: str,
    reuses: bool,
) -> None:
    root = tmp_path_factory.mktemp("history")
    given: dict[str, Any] = {"order": order}
    last = replace(steps[-1], kill=None, target=20, retry=True, mended=True)

    async def scenario() -> None:
        if reuses:
            await take(root / "other", replace(last, target=9), timing + 50, order=order)
            given["reuse"] = [root / "other"]
        for number, step in enumerate([*steps, last]):
            await take(root / "run", step, timing + number, **given)
        assert not await take(root / "run", last, timing + 60, **given)
        await take(root / "quiet", last, timing + 70, order=order)

    asyncio.run(scenario())
    assert max(outcomes_per_key(root / "run").values()) == 1
    found = replay(root / "run", recipe=RECIPE)
    assert found.identical, found.different
    assert data(root / "run")["failed.jsonl"] == b""
    if order == "strict":
        assert data(root / "run") == data(root / "quiet")


@pytest.mark.parametrize("order", ["arrival", "strict"])
@pytest.mark.parametrize("deliveries", [1, 4, 11])
async def test_killed_between_the_commit_of_a_hand_over_and_the_hand_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, deliveries: int
) -> None:
    commit = Run.commit_delivery
    left = deliveries

    def dying(self: Run, flow: str, delivery: Any) -> asyncio.Future[None]:
        nonlocal left
        left -= 1
        done = commit(self, flow, delivery)
        if left:
            return done
        dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda _: dead.set_exception(Killed()))
        return dead

    sql = "SELECT ordinal, draw, asks FROM deliveries ORDER BY ordinal"
    with monkeypatch.context() as patched:
        patched.setattr(Run, "commit_delivery", dying)
        with pytest.raises(Killed):
            await go(tmp_path / "a", Flaky(1), order=order)
    before = query(tmp_path / "a", sql)
    assert len(before) >= deliveries
    await go(tmp_path / "a", Flaky(2), order=order)
    assert query(tmp_path / "a", sql)[: len(before)] == before
    assert await asyncio.to_thread(lambda: replay(tmp_path / "a", recipe=RECIPE).identical)
    if order == "strict":
        await go(tmp_path / "b", Flaky(3), order=order)
        assert data(tmp_path / "a") == data(tmp_path / "b")


async def test_a_killed_retry_and_a_second_one_keep_the_order_of_the_first_run(
    tmp_path: Path,
) -> None:
    await go(tmp_path, Flaky(1, bad=BAD), target=18)
    with contextlib.suppress(Killed):
        await go(tmp_path, Flaky(2, 1, bad=BAD), target=18, retry_failed=True)
    again = Flaky(3, bad=BAD)
    await go(tmp_path, again, target=18, retry_failed=True)
    epochs = [row[0] for row in query(tmp_path, "SELECT DISTINCT epoch FROM epochs ORDER BY epoch")]
    assert epochs == [0, 1, 2]
    assert all(BAD in prompt for prompt, _ in again.asked), "more than the failures was asked"


async def test_voids_and_their_epoch_are_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    fail = Row("outcomes", (b"k" * 32, "call", "m", "{}", '{"error":["a","b"]}', 0, "", ""))
    given: dict[str, Any] = {"update": False, "clock": SystemClock()}
    enter_epoch(journal, {"a": 1}, tmp_path, retry_failed=False, **given)
    await journal.append([fail])
    commits: list[list[str]] = []
    append = journal.append_now
    monkeypatch.setattr(
        journal, "append_now", lambda rows: (commits.append([r.table for r in rows]), append(rows))
    )
    assert enter_epoch(journal, {"a": 1}, tmp_path, retry_failed=True, **given) == 1
    assert commits == [["voids", "epochs"]]
    assert enter_epoch(journal, {"a": 1}, tmp_path, retry_failed=True, **given) == 1
    journal.close()


def with_suffix(suffix: str, version: str = "1") -> Recipe[Any]:
    """The growing recipe with its code changed."""

    async def changed(run: Run, options: growing.Options) -> None:
        await growing.growing(run, options.model_copy(update={"suffix": suffix}))

    return replace(RECIPE, run=changed, version=version)


async def test_update_goes_on_after_a_change_of_code_alone(tmp_path: Path) -> None:
    given: dict[str, Any] = {"out": tmp_path, "target": 12, "seed": 3, "rows": [{"x": 1}]}
    await arun(RECIPE, model=Flaky(1), **given)
    other = with_suffix("?")
    with pytest.raises(CheckFailed, match="differs from the journal"):
        await arun(other, model=Flaky(2), **given)
    await arun(other, model=Flaky(3), update=True, **given)
    last = Flaky(4)
    await arun(other, model=last, update=True, **given)
    assert not last.asked
    assert query(tmp_path, "SELECT max(epoch) FROM epochs") == [(1,)]
    assert await asyncio.to_thread(lambda: replay(tmp_path, recipe=other).identical)


async def test_a_new_recipe_version_needs_update_and_can_be_undone(tmp_path: Path) -> None:
    given: dict[str, Any] = {"out": tmp_path, "target": 12, "seed": 3, "rows": [{"x": 1}]}
    given["order"] = "strict"
    await arun(RECIPE, model=Flaky(1), **given)
    before = data(tmp_path)
    other = with_suffix("?", version="2")
    with pytest.raises(ConfigChanged, match="recipe_version: `1` → `2`"):
        await arun(other, model=Flaky(2), **given)
    await arun(other, model=Flaky(3), update=True, **given)
    assert data(tmp_path) != before
    back = Flaky(4)
    await arun(RECIPE, model=back, update=True, **given)
    assert data(tmp_path) == before
    assert back.asked.total() <= 8, "only what was under way at the first end may be asked"


async def test_a_draw_that_ends_otherwise_than_recorded_is_named(tmp_path: Path) -> None:
    async def flow(run: Run, options: growing.Options) -> None:
        async def work(item: int) -> int:
            text = (await run.ask("generator", Request(prompt=f"{item}"))).text
            return len(text) // divisor

        draws = iter(range(3))
        async for _ in run.flow("f", lambda _: next(draws, None), work, lambda: 3):
            pass

    recipe = Recipe(name="ends", version="1", summary="", run=flow, options=growing.Options)
    divisor = 0
    await arun(recipe, model=Flaky(1), out=tmp_path, rows=[{"x": 1}])
    divisor = 1
    with pytest.raises(CheckFailed, match="recorded as a failure, now it succeeds"):
        await arun(recipe, model=Flaky(1), out=tmp_path, rows=[{"x": 1}])


async def test_a_refused_start_leaves_the_directory_as_it_was(tmp_path: Path) -> None:
    given: dict[str, Any] = {"prompt": "{{ t }}", "out": tmp_path}
    await arun("complete", model=Flaky(1), rows=[{"t": "a"}, {"t": "b"}], **given)
    with pytest.raises(ConfigChanged, match=r"inputs\.rows"):
        await arun("complete", model=Flaky(2), rows=[{"t": "c"}], **given)
    found = await asyncio.to_thread(replay, tmp_path)
    assert found.identical, found.different


async def test_a_lower_target_stops_there_and_takes_nothing_away(tmp_path: Path) -> None:
    with contextlib.suppress(Killed):
        await go(tmp_path, Flaky(1, 60), target=500)
    result = await go(tmp_path, Flaky(2), target=30)
    assert len(result.accepted) == 30
    before = data(tmp_path)
    model = Flaky(3)
    result = await go(tmp_path, model, target=5)
    assert not model.asked
    assert data(tmp_path) == before
    assert "has 30 records already and 5 were asked for" in result.manifest["run"]["warnings"][0]
    assert len((await go(tmp_path, Flaky(4), target=31)).accepted) == 31
    assert await asyncio.to_thread(lambda: replay(tmp_path, recipe=RECIPE).identical)


async def test_a_flow_left_early_does_not_hide_later_answers(tmp_path: Path) -> None:
    async def phases(run: Run, options: growing.Options) -> None:
        async def work(item: str) -> str:
            return (await run.ask("generator", Request(prompt=item))).text

        taken = 0
        async for _ in run.flow("first", lambda draw: f"a {draw}", work, lambda: 6):
            taken += 1
            if taken == 2:
                break
        pairs = (f"b {n // 2}" for n in range(2 * (run.target or 0)))
        async for _ in run.flow("second", lambda _: next(pairs, None), work, lambda: 1):
            pass

    recipe = Recipe(name="phases", version="1", summary="", run=phases, options=growing.Options)
    given: dict[str, Any] = {"out": tmp_path, "rows": [{"x": 1}]}
    await arun(recipe, model=Flaky(1), target=2, **given)
    assert query(tmp_path, "SELECT count(*) FROM deliveries WHERE flow='first'")[0][0] > 2
    model = Flaky(2)
    await arun(recipe, model=model, target=5, **given)
    assert {prompt for prompt, _ in model.asked if prompt[0] == "b"} == {"b 2", "b 3", "b 4"}
    assert max(model.asked.values()) == 1
    assert max(outcomes_per_key(tmp_path).values()) == 1


async def test_a_defect_of_the_recipe_does_not_lose_calls_in_flight(tmp_path: Path) -> None:
    async def broken(run: Run, options: growing.Options) -> None:
        async def work(item: int) -> str:
            return (await run.ask("generator", Request(prompt=f"{item}"))).text

        async for _ in run.flow("f", lambda draw: draw, work, lambda: 8):
            raise KeyError("a defect")

    recipe = Recipe(name="broken", version="1", summary="", run=broken, options=growing.Options)
    model = Flaky(1)
    with pytest.raises(KeyError):
        await arun(recipe, model=model, out=tmp_path, rows=[{"x": 1}])
    assert len(outcomes_per_key(tmp_path)) == model.asked.total() > 1


async def test_two_flows_of_one_name_are_refused(tmp_path: Path) -> None:
    async def twice(run: Run, options: growing.Options) -> None:
        async def work(item: int) -> int:
            return item

        for _ in range(2):
            run.flow("same", lambda _: None, work, lambda: 1)

    recipe = Recipe(name="twice", version="1", summary="", run=twice, options=growing.Options)
    with pytest.raises(CheckFailed, match="two flows `same`"):
        await arun(recipe, model=Flaky(1), out=tmp_path, rows=[{"x": 1}])


async def test_an_ask_outside_any_flow_ends_with_the_reason_of_the_stop(tmp_path: Path) -> None:
    async def plain(run: Run, options: growing.Options) -> None:
        await run.ask("generator", Request(prompt="first"))
        run.suspend(BudgetExhausted("no more"))
        await run.ask("generator", Request(prompt="second"))

    recipe = Recipe(name="plain", version="1", summary="", run=plain, options=growing.Options)
    model = Flaky(1)
    with pytest.raises(BudgetExhausted, match="no more"):
        await arun(recipe, model=model, out=tmp_path, rows=[{"x": 1}])
    assert model.asked.total() == 1


class Down(Flaky):
    """Not a failure of any request, but of the endpoint's credentials."""

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        if self.asked.total() >= 5:
            raise AttemptFailed("auth", "no such key", status=401)
        return await super().attempt(request, timeout_s=timeout_s, seed=seed)


async def test_failures_of_the_environment_are_never_outcomes(tmp_path: Path) -> None:
    rows = [{"t": str(n)} for n in range(20)]
    given: dict[str, Any] = {"prompt": "{{ t }}", "out": tmp_path, "rows": rows}
    with pytest.raises(EnvironmentFailure):
        await arun("complete", model=Down(1), **given)
    assert query(tmp_path, "SELECT count(*) FROM outcomes WHERE ok=0") == [(0,)]
    result = await arun("complete", model=Flaky(2), **given)
    assert (len(result.accepted), len(result.failed)) == (20, 0)


class Named(Flaky):
    """A model whose endpoint reports a name."""

    def __init__(self, timing: int, name: str) -> None:
        super().__init__(timing)
        self.name, self.expected = name, ""

    def expect_name(self, reported: str) -> None:
        self.expected = reported

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        answer = await super().attempt(request, timeout_s=timeout_s, seed=seed)
        if self.expected not in ("", self.name):
            raise AttemptFailed("model_changed", f"now `{self.name}`", status=200)
        return Answer(replace(answer.completion, model=self.name))


async def test_a_model_that_changed_between_sessions_stops_the_run(tmp_path: Path) -> None:
    await go(tmp_path, Named(1, "m-2026-01"))
    with pytest.raises(EnvironmentFailure):
        await go(tmp_path, Named(2, "m-2026-02"), target=25)
    same = Named(3, "m-2026-01")
    await go(tmp_path, same, target=25)
    assert same.expected == "m-2026-01"


class Backwards(SystemClock):
    """A wall clock that is set back at every look."""

    hour = 24

    def stamp(self) -> str:
        type(self).hour -= 1
        return f"2026-01-01T{self.hour % 24:02}:00:00Z"


async def test_a_wall_clock_that_runs_backwards_changes_stamps_alone(tmp_path: Path) -> None:
    for name, clock in (("a", Backwards()), ("b", SystemClock())):
        for target in (8, 15):
            config = make_config({**CONFIG, "target": target, "out": str(tmp_path / name)})
            model = Flaky(target)
            opened: Any = {"generator": model}
            await execute(config, Start(clock=clock), recipe=RECIPE, opened=opened, rows=[{"x": 1}])
    assert data(tmp_path / "a") == data(tmp_path / "b")


class Silent(Flaky):
    """Times out once per prompt, perhaps billed, with usage unknown."""

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        answer = await super().attempt(request, timeout_s=timeout_s, seed=seed)
        if self.asked[request.prompt or "", seed] == 1:
            raise AttemptFailed("timeout", "no answer in time", may_be_billed=True)
        return answer


class NoWait(SystemClock):
    """Back-offs take no time."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def test_attempts_of_unknown_usage_count_as_billed_in_later_sessions(tmp_path: Path) -> None:
    request = Request(prompt="a", max_tokens=100)
    config = {"recipe": "complete", "models": {"generator": "lab"}, "out": str(tmp_path)}
    options = {"prompt": "{{ t }}", "max_tokens": 100}
    opened: Any = {"generator": Silent(1)}
    await execute(
        make_config({**config, "options": options}),
        Start(clock=NoWait()),
        opened=opened,
        rows=[{"t": "a"}],
    )
    kinds = dict(query(tmp_path, "SELECT kind, billed_tokens FROM attempts"))
    assert kinds == {"timeout": request.prompt_bytes() + 100, "ok": 5}
    journal = Journal(tmp_path / "journal.sqlite", read_only=True)
    assert spent_before(journal)[1] == sum(kinds.values())
    journal.close()


def test_an_endpoint_model_takes_the_name_of_an_earlier_session() -> None:
    model = open_model("http://127.0.0.1:9/v1#m")
    assert isinstance(model, HttpModel)
    assert isinstance(model, RemembersName)
    model.expect_name("m-2026-01")
    model._check_model(Completion("", model="m-2026-01"))
    with pytest.raises(AttemptFailed, match="now reports model `m-2026-02`"):
        model._check_model(Completion("", model="m-2026-02"))
