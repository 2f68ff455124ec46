"""Claim: batches that are refused, too large, left behind or not asked for again leave no trace."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import pytest
from tests.core.batching import (
    PROVIDERS,
    QUICK,
    ROWS,
    complete,
    data,
    events,
    journaled,
    server,
    settings,
    sizes,
    submitted,
    twice,
)
from tests.core.growing import RECIPE

from selfsown.cli.plan import plan_lines
from selfsown.core.config import make_config
from selfsown.core.errors import EnvironmentFailure, Interrupted
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.core.salvage import salvage
from selfsown.offline import plan, replay
from selfsown.runner import arun
from selfsown.session import Start
from selfsown.testing.batch_desk import BatchOptions
from selfsown.testing.faults import Faults
from selfsown.testing.server import LocalServer, ServerOptions


class Stopper:
    """A view that interrupts the run once the provider has a batch."""

    def __init__(self, found: LocalServer, batches: int = 1) -> None:
        self._found, self._batches = found, batches

    def start(self, run: Run, caller: object) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch(run))

    async def _watch(self, run: Run) -> None:
        while len(self._found.desk.batches) < self._batches or not run.caller.counters.batches:
            await asyncio.sleep(0.005)
        run.suspend(Interrupted("stopped", why="by the test", fix="again"))

    def stop(self) -> None:
        self._task.cancel()


async def interrupted(
    monkeypatch: pytest.MonkeyPatch, found: LocalServer, model: Any, out: Path, **given: Any
) -> None:
    """A run that is stopped while its first batch is under way."""
    monkeypatch.setattr("selfsown.runner.Start", lambda **how: Start(view=Stopper(found), **how))
    with pytest.raises(Interrupted):
        await complete(model, out, **given)
    monkeypatch.setattr("selfsown.runner.Start", Start)


async def test_a_full_queue_makes_batches_smaller_and_one_follows_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(most_queued=12) as found:
        model = settings(found, "openai", monkeypatch)
        result = await complete(model, tmp_path / "run", budget_usd=1.0)
        assert len(result.accepted) == len(ROWS)
        assert sizes(found) == [10, 10, 10, 10]
        assert not twice(found)
    assert events(tmp_path / "run")["lost"] == 2  # of 40 and of 20
    spent = sum(row[2] for row in journaled(tmp_path / "run", "grants"))
    assert spent == round(result.manifest["run"]["cost_usd"] * 1e9)


async def test_a_queue_that_takes_nothing_suspends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(most_queued=0) as found:
        with pytest.raises(EnvironmentFailure, match="refuses batch"):
            await complete(settings(found, "openai", monkeypatch), tmp_path / "run")


async def test_an_endpoint_without_a_batch_api_is_told_apart(tmp_path: Path) -> None:
    async with LocalServer(ServerOptions()) as found:
        uri = found.model_uri().replace("/v1#", "/v2#")
        with pytest.raises(EnvironmentFailure, match="batch API is not there"):
            await complete({"uri": uri}, tmp_path / "run")


def word(body: Mapping[str, JSON]) -> str:
    """A word that depends on the prompt, its first letter too."""
    number = crc32(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    return f"{'abcdefghijklmnop'[number % 16]}{number:x}"


@pytest.mark.parametrize("order", ["arrival", "strict"])
async def test_a_growing_pool_in_batches_replays_and_in_strict_order_is_that_without(
    tmp_path: Path, order: str
) -> None:
    async with LocalServer(ServerOptions(answer=word)) as found:
        model = {"uri": found.model_uri()}
        for name, batch in (("live", False), ("batched", QUICK)):
            await arun(
                RECIPE,
                model=model,
                rows=[{"x": 1}],
                out=tmp_path / name,
                target=8,
                order=order,
                batch=batch,
            )
        assert len(sizes(found)) > 2
        assert not twice(found)
    again = await asyncio.to_thread(replay, tmp_path / "batched", recipe=RECIPE)
    assert again.identical
    if order == "strict":
        assert data(tmp_path / "live") == data(tmp_path / "batched")


@contextmanager
def abandoned() -> Iterator[list[str]]:
    """Names of async generators that were left to the garbage collector, and to a loop's end."""
    hooks, names = sys.get_asyncgen_hooks(), []

    def finalizer(generator: Any) -> None:
        names.append(generator.__qualname__)
        hooks.finalizer(generator)

    sys.set_asyncgen_hooks(hooks.firstiter, finalizer)
    try:
        yield names
    finally:
        sys.set_asyncgen_hooks(*hooks)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_look_into_results_is_ended_where_it_stops(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(looks=1, lost_reply=1.0) as found:
        with abandoned() as names:
            await complete(settings(found, provider, monkeypatch), tmp_path / "run")
        assert not names


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_answers_that_nobody_asks_for_any_more_stay_until_somebody_does(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(looks=3) as found:
        model, out = settings(found, provider, monkeypatch), tmp_path / "run"
        await interrupted(monkeypatch, found, model, out)
        assert sizes(found) == [len(ROWS)]
        await complete(model, out, prompt="Another thing: {{ n }}.", update=True)
        assert sizes(found) == [len(ROWS)] * 2
        assert events(out) == {**events(out), "intent": 2, "ended": 1}
        back = await complete(model, out, update=True)
        assert len(back.accepted) == len(ROWS)
        assert sizes(found) == [len(ROWS)] * 2
        assert events(out)["ended"] == 2


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_a_stopped_run_reserved_is_free_again_when_its_batch_ends(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(looks=3) as found:
        model, out = settings(found, provider, monkeypatch), tmp_path / "run"
        await interrupted(monkeypatch, found, model, out, budget_usd=0.1)
        reserved = sum(row[2] for row in journaled(out, "grants"))
        assert reserved > 0.03e9
        result = await complete(model, out, budget_usd=reserved / 1e9)
        assert len(result.accepted) == len(ROWS) == len(submitted(found))
        spent = sum(row[2] for row in journaled(out, "grants"))
        assert 0 < spent == round(result.manifest["run"]["cost_usd"] * 1e9) < reserved / 10
        assert {row[2] for row in journaled(out, "attempts")} == {
            row[0] for row in sessions(out)[:1]
        }


def sessions(out: Path) -> list[tuple[Any, ...]]:
    return journaled(out, "sessions")


async def test_a_batch_of_which_all_outcomes_were_journaled_is_closed_without_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        model, out = settings(found, "openai", monkeypatch), tmp_path / "run"
        await complete(model, out, budget_usd=1.0)
    spent = sum(row[2] for row in journaled(out, "grants"))
    last = forget_the_end(out)
    result = await complete(model, out, budget_usd=1.0)  # the server is gone
    assert len(result.accepted) == len(ROWS)
    assert events(out)["ended"] == 1
    assert sum(row[2] for row in journaled(out, "grants")) == spent
    assert last > 0


def forget_the_end(out: Path) -> int:
    """Take back what was committed from the end of the batch on, as a kill before it would."""
    import sqlite3

    connection = sqlite3.connect(out / JOURNAL_NAME)
    (seq,) = connection.execute("SELECT seq FROM batches WHERE event='ended'").fetchone()
    with connection:
        for table in ("batches", "grants", "deliveries", "outcomes", "attempts"):
            connection.execute(f"DELETE FROM {table} WHERE seq>=?", (seq,))  # noqa: S608
    connection.close()
    return int(seq)


async def test_a_run_without_batches_has_a_journal_without_their_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        model = settings(found, "openai", monkeypatch)
        await complete(model, tmp_path / "live", batch=False)
        await complete(model, tmp_path / "batched")
    for name, has in (("live", False), ("batched", True)):
        journal = Journal(tmp_path / name / JOURNAL_NAME, read_only=True)
        assert journal.has_batches is has
        journal.close()


async def test_a_salvaged_journal_keeps_its_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        await complete(settings(found, "openai", monkeypatch), tmp_path / "run")
    out = tmp_path / "saved"
    out.mkdir()
    salvage(tmp_path / "run" / JOURNAL_NAME, out / JOURNAL_NAME)
    assert journaled(out, "batches") == journaled(tmp_path / "run", "batches")


async def test_a_pool_that_reached_its_target_leaves_its_batch_and_finds_it_when_extended(
    tmp_path: Path,
) -> None:
    async with LocalServer(ServerOptions(answer=word)) as found:
        how: dict[str, Any] = {"model": {"uri": found.model_uri()}, "rows": [{"x": 1}]}
        for target in (4, 9):
            await arun(RECIPE, out=tmp_path / "run", target=target, batch=QUICK, **how)
        assert not twice(found)
        again = await asyncio.to_thread(replay, tmp_path / "run", recipe=RECIPE)
        assert again.identical


async def test_a_plan_shows_the_batch_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        model = settings(found, "openai", monkeypatch)
    config: dict[str, Any] = {
        "recipe": "complete",
        "models": {"generator": model},
        "options": {"prompt": "Say {{ n }}."},
    }
    live, batched, third = [
        await plan(make_config({**config, "batch": batch}), rows=ROWS)
        for batch in ({}, {"enabled": True}, {"enabled": True, "price_factor": 0.25})
    ]
    assert live.worst_usd is not None
    assert live.worst_usd > 0
    assert batched.worst_usd == pytest.approx(live.worst_usd / 2, abs=1e-7)
    assert third.worst_usd == pytest.approx(live.worst_usd / 4, abs=1e-7)
    assert "(in batches, at 0.5 of the price)" in "\n".join(
        plan_lines(batched, make_config(config))
    )


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_results_that_do_not_show_at_once_are_looked_for_again(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(short_results=2) as found:
        result = await complete(settings(found, provider, monkeypatch), tmp_path / "run")
        assert len(result.accepted) == len(ROWS) == len(submitted(found))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_results_that_never_show_free_their_calls(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(short_results=3) as found:
        result = await complete(settings(found, provider, monkeypatch), tmp_path / "run")
        assert len(result.accepted) == len(ROWS)
        assert sizes(found) == [len(ROWS), len(ROWS) // 2]
    details = {row[13] for row in journaled(tmp_path / "run", "attempts")}
    assert "the batch ended without a result for it" in details


async def test_batches_are_operational_and_a_finished_run_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        model = settings(found, "openai", monkeypatch)
        await complete(model, tmp_path / "run", batch=False)
        again = await complete(model, tmp_path / "run", batch={"price_factor": 0.1})
        assert again.manifest["run"]["calls_from_journal"] == len(ROWS)
        assert not sizes(found)


async def test_a_refused_call_has_the_outcome_that_it_has_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ServerOptions(batches=BatchOptions(bad=1.0), faults=Faults(bad_request=1.0))
    async with LocalServer(options) as found:
        model = settings(found, "openai", monkeypatch)
        await complete(model, tmp_path / "live", batch=False)
        await complete(model, tmp_path / "batched")
    assert data(tmp_path / "live") == data(tmp_path / "batched")
    live, batched = (
        sorted((row[1], row[5]) for row in journaled(tmp_path / name, "outcomes"))
        for name in ("live", "batched")
    )
    assert live == batched
