"""Claim: what goes through a batch API comes to the same outcomes, at half the price."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.core.batching import (
    PROVIDERS,
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

from selfsown.core.batch_model import BatchLimits
from selfsown.core.errors import BudgetExhausted, ConfigError, EnvironmentFailure
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay

pytestmark = pytest.mark.parametrize("provider", PROVIDERS)


async def test_data_and_keys_are_those_of_calls_one_by_one(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        model = settings(found, provider, monkeypatch)
        live = await complete(model, tmp_path / "live", batch=False)
        batched = await complete(model, tmp_path / "batched")
    assert data(tmp_path / "live") == data(tmp_path / "batched")
    one, other = (
        sorted((row[1], row[5]) for row in journaled(tmp_path / name, "outcomes"))
        for name in ("live", "batched")
    )
    assert one == other
    assert batched.manifest["run"]["cost_usd"] == live.manifest["run"]["cost_usd"] / 2
    assert not journaled(tmp_path / "live", "batches")
    assert events(tmp_path / "batched")["ended"] == 1


async def test_expired_and_failed_items_alone_are_submitted_again(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(expire=0.3, error=0.2, bad=0.1) as found:
        result = await complete(settings(found, provider, monkeypatch), tmp_path / "run")
        assert not twice(found)
        first = [fate for batch, _, _, fate in submitted(found) if batch.endswith("_1")]
        second = [fate for batch, _, _, fate in submitted(found) if batch.endswith("_2")]
        unmade = sum(fate in ("expired", "errored") for fate in first)
    assert len(first) == len(ROWS)
    assert 0 < len(second) == unmade
    assert 0 < len(result.failed) == first.count("bad")
    assert {row["error"]["kind"] for row in result.failed} == {"bad_request"}
    kinds = {row[4] for row in journaled(tmp_path / "run", "attempts")}
    assert kinds == {"ok", "timeout", "overloaded", "bad_request"}


async def test_batches_are_split_by_count_and_by_bytes(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        model = settings(found, provider, monkeypatch)
        await complete(model, tmp_path / "count", batch={"requests": 16})
        assert sizes(found) == [16, 16, 8]
        small = BatchLimits(requests=1000, bytes=2000)
        monkeypatch.setattr(f"selfsown.models.batch_{provider}.LIMITS", small)
        await complete(model, tmp_path / "bytes", prompt="Write {{ n }}.")
        assert sum(sizes(found)[3:]) == len(ROWS)
        assert len(sizes(found)) > 5
        assert not twice(found)


async def test_a_run_whose_replies_to_creation_are_lost_submits_nothing_twice(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(lost_reply=0.9, api_error=0.2, hidden_lists=1) as found:
        model = settings(found, provider, monkeypatch)
        batch = {"requests": 10, "lookup_s": 5.0}
        result = await complete(model, tmp_path / "run", batch=batch)
        assert len(result.accepted) == len(ROWS)
        assert len(submitted(found)) == len(ROWS)


async def test_the_run_replays(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(expire=0.3) as found:
        await complete(settings(found, provider, monkeypatch), tmp_path / "run", order="strict")
    assert replay(tmp_path / "run", shuffle=True).identical


async def test_a_budget_that_covers_half_submits_half_and_stops(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server() as found:
        model = settings(found, provider, monkeypatch)
        with pytest.raises(BudgetExhausted):
            await complete(model, tmp_path / "run", budget_usd=0.002)
        made = len(submitted(found))
        assert 0 < made < len(ROWS)
        result = await complete(model, tmp_path / "run", budget_usd=1.0)
        assert len(result.accepted) == len(ROWS) == len(submitted(found))


async def test_a_wrong_key_suspends_and_leaves_nothing_open(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(api_key="sk-right") as found:
        model = settings(found, provider, monkeypatch)
        with pytest.raises(EnvironmentFailure, match="does not accept the API key"):
            await complete(model, tmp_path / "run", budget_usd=1.0)
        assert events(tmp_path / "run") == {"intent": 1, "lost": 1}
        assert sum(row[2] for row in journaled(tmp_path / "run", "grants")) == 0
        result = await complete({**model, "api_key": "sk-right"}, tmp_path / "run")
        assert len(result.accepted) == len(ROWS)


async def test_a_model_without_a_batch_api_is_refused_before_anything_is_asked(
    tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="batch API"):
        await complete(ScriptedModel(), tmp_path / "run")
