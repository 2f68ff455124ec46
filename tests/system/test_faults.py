"""Claim: whatever an endpoint does, a run ends or says why it stops; no record is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from benchmarks.faults import PERMANENT, TRANSIENT, bulk, misbehaving

from selfsown.core.clock import SystemClock
from selfsown.core.config import make_config
from selfsown.core.errors import EnvironmentFailure
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.rundir import DATA_FILES
from selfsown.offline import replay
from selfsown.runner import RunResult, Start, arun, execute
from selfsown.testing.faults import Faults
from selfsown.testing.replies import Planned, error_reply, pseudo_answer
from selfsown.testing.server import LocalServer, ServerOptions

ROWS = 1000


async def complete(model: Any, out: Path, rows: int = 12, **given: Any) -> RunResult:
    limits = {"attempts": 3, "timeout_s": 2.0, "resend": 0, **given.pop("limits", {})}
    items = [{"n": n} for n in range(rows)]
    return await arun(
        "complete", rows=items, prompt="Say {{ n }}.", model=model, out=out, limits=limits, **given
    )


def conserved(result: RunResult) -> bool:
    return all(
        stage["in"]
        == stage["accepted"] + sum(stage["rejected"].values()) + sum(stage["failed"].values())
        for stage in result.manifest["data"]["stages"]
    )


async def replays(run: Path) -> bool:
    found = await asyncio.to_thread(replay, run)
    return found.identical


@pytest.mark.slow
async def test_transient_faults_lose_no_record(tmp_path: Path) -> None:
    async with LocalServer(misbehaving(TRANSIENT)) as server:
        found = await bulk(server, tmp_path, ROWS)
        again = await bulk(server, tmp_path, ROWS)
    assert set(found.faults) == {"rate_limit", "server_error", "hang", "malformed"}
    assert found.ended == {"accepted": ROWS, "rejected": 0, "failed": 0}
    assert found.calls == ROWS
    assert conserved(found.result)
    # Every call that the server saw is an attempt in the journal, by its right name.
    assert found.attempts.total() == found.requests == ROWS + found.faults.total()
    assert found.attempts == {
        "ok": ROWS,
        "rate_limit": found.faults["rate_limit"],
        "overloaded": found.faults["server_error"],
        "timeout": found.faults["hang"],
        "malformed": found.faults["malformed"],
    }
    assert again.requests == 0
    assert await replays(tmp_path)


@pytest.mark.slow
async def test_permanent_400s_fail_exactly_their_records_and_only_they_are_retried(
    tmp_path: Path,
) -> None:
    async with LocalServer(misbehaving(PERMANENT)) as server:
        found = await bulk(server, tmp_path, ROWS)
        refused = server.counters.by_status[400]
        again = await bulk(server, tmp_path, ROWS)
    assert found.ended == {"accepted": ROWS - refused, "rejected": 0, "failed": refused}
    assert refused > 0
    assert conserved(found.result)
    assert again.requests == 0
    failed = {record["record"]["n"] for record in again.result.failed}
    async with LocalServer(misbehaving(Faults())) as mended:
        retried = await bulk(mended, tmp_path, ROWS, retry_failed=True)
        assert retried.requests == refused
        assert retried.ended == {"accepted": ROWS, "rejected": 0, "failed": 0}
    attempts = attempts_of(tmp_path)
    assert len(failed) == sum(kind == "bad_request" for kind, _ in attempts) == refused


STOPS: dict[str, tuple[ServerOptions, str]] = {
    "401": (ServerOptions(api_key="sk-right-000000"), "does not accept the API key"),
    "404 model": (ServerOptions(models=("another",)), "is not there"),
    "429 storm": (ServerOptions(capacity=0, retry_after_s=0.0), "refuses every call for load"),
}


@pytest.mark.parametrize("name", STOPS)
async def test_what_no_retry_can_mend_suspends_the_run_and_resumes(
    tmp_path: Path, name: str
) -> None:
    options, said = STOPS[name]
    async with LocalServer(options) as server:
        with pytest.raises(EnvironmentFailure, match=said) as stopped:
            await complete(server.model_uri("test-model"), tmp_path)
    assert "same command again" in stopped.value.fix
    assert stopped.value.exit_code == 3
    assert outcomes_of(tmp_path) == 0, "a failure of the environment became an outcome"
    manifest = orjson.loads((tmp_path / "manifest.json").read_bytes())
    assert manifest["run"]["status"] == "suspended"
    async with LocalServer() as server:
        result = await complete(server.model_uri(), tmp_path)
    assert len(result.accepted) == 12


async def test_an_endpoint_that_is_down_is_reported_within_10_seconds(tmp_path: Path) -> None:
    server = LocalServer()
    await server.start()
    await server.stop()
    began = time.monotonic()
    with pytest.raises(EnvironmentFailure) as stopped:
        await complete(server.model_uri(), tmp_path)
    waited = time.monotonic() - began
    assert waited < 10
    assert "127.0.0.1" in stopped.value.what
    async with LocalServer() as back:
        result = await complete(back.model_uri(), tmp_path)
    assert len(result.accepted) == 12
    print(f"\nrefused connection reported after {waited:.1f} s: {stopped.value.what}")


async def test_an_endpoint_that_dies_in_the_middle_keeps_what_was_answered(tmp_path: Path) -> None:
    async with LocalServer(ServerOptions(latency_median_s=0.01)) as server:
        running = asyncio.create_task(
            complete(server.model_uri(), tmp_path, rows=400, concurrency=4)
        )
        while server.counters.by_status[200] < 100:
            await asyncio.sleep(0.005)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    kept = outcomes_of(tmp_path)
    assert kept >= 90
    async with LocalServer() as back:
        result = await complete(back.model_uri(), tmp_path, rows=400)
        assert back.counters.request_count == 400 - kept
    assert len(result.accepted) == 400


HEALED: dict[str, Faults] = {
    "500": Faults(server_error=0.3),
    "bare 429": Faults(rate_limit_bare=0.3),
    "malformed JSON": Faults(malformed=0.2),
    "HTML instead of JSON": Faults(html=0.2),
    "empty choices": Faults(empty_choices=0.2),
    "cut connection": Faults(cut=0.2),
    "body shorter than promised": Faults(wrong_length=0.2),
    "hang": Faults(hang=0.1),
    "slow drip": Faults(drip=0.1),
}


@pytest.mark.parametrize("name", HEALED)
async def test_a_passing_fault_costs_an_attempt_and_no_record(tmp_path: Path, name: str) -> None:
    async with LocalServer(ServerOptions(faults=HEALED[name], retry_after_s=0.05)) as server:
        limits = {"timeout_s": 0.4, "attempts": 8}
        result = await complete(server.model_uri(), tmp_path, rows=30, limits=limits)
        assert server.counters.by_fault.total() > 0
    assert len(result.accepted) == 30
    assert result.manifest["run"]["attempts"] > 30
    assert await replays(tmp_path)


FAILED: dict[str, tuple[Faults, str]] = {
    "bad request": (Faults(bad_request=0.2), "bad_request"),
    "context too long": (Faults(context_length=0.2), "context_length"),
    "content filter": (Faults(content_filter=0.2), "content_filter"),
}


@pytest.mark.parametrize("name", FAILED)
async def test_a_lasting_refusal_fails_its_own_record_at_the_first_attempt(
    tmp_path: Path, name: str
) -> None:
    faults, kind = FAILED[name]
    async with LocalServer(ServerOptions(faults=faults)) as server:
        result = await complete(server.model_uri(), tmp_path, rows=40)
        assert server.counters.request_count == 40
        struck = server.counters.by_fault.total()
    assert struck > 0
    assert {record["error"]["kind"] for record in result.failed} == {kind}
    assert (len(result.failed), len(result.accepted)) == (struck, 40 - struck)


@pytest.mark.parametrize("name", ["500", "HTML", "empty choices", "cut"])
async def test_a_fault_that_never_passes_fails_the_record_after_the_last_attempt(
    tmp_path: Path, name: str
) -> None:
    def answer(body: Mapping[str, Any]) -> Planned | str:
        if body["messages"][0]["content"] != "Say 3.":
            return pseudo_answer(body)
        return {
            "500": error_reply(500, "server_error", "down"),
            "HTML": Planned(200, b"<html><h1>Log in</h1></html>", content_type="text/html"),
            "empty choices": Planned(200, b'{"choices": []}'),
            "cut": Planned(200, b'{"choices": [{"message"', delivery="cut"),
        }[name]

    async with LocalServer(ServerOptions(answer=answer)) as server:
        result = await complete(server.model_uri(), tmp_path)
        assert server.counters.request_count == 11 + 3
    (failed,) = result.failed
    assert failed["record"] == {"n": 3}
    assert failed["error"]["kind"] == "retries_exhausted"
    assert "3 attempts" in failed["error"]["what"]
    assert len(result.accepted) == 11


async def test_an_answer_cut_off_at_max_tokens_is_rejected_as_such(tmp_path: Path) -> None:
    async with LocalServer(ServerOptions(faults=Faults(length=0.3))) as server:
        result = await complete(server.model_uri(), tmp_path, rows=40)
        cut = server.counters.by_fault["length"]
    assert cut > 0
    assert [record["reason"] for record in result.rejected] == ["cut_off"] * cut
    assert len(result.accepted) == 40 - cut


async def test_an_answer_without_text_fails_after_three_paid_attempts(tmp_path: Path) -> None:
    def empty(body: Mapping[str, Any]) -> str:
        return "   " if "Say 3." in str(body) else "fine"

    async with LocalServer(ServerOptions(answer=empty)) as server:
        result = await complete(server.model_uri(), tmp_path, limits={"attempts": 8})
        assert server.counters.request_count == 11 + 3
    (failed,) = result.failed
    assert (failed["record"], failed["error"]["kind"]) == ({"n": 3}, "empty")


def raw(content: str) -> Planned:
    """A good reply whose JSON escapes whatever the text holds, lone surrogates included."""
    import json

    body = {"model": "m", "choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    return Planned(200, json.dumps(body).encode("ascii"))


HOSTILE: dict[str, tuple[str, str]] = {
    "terminal escapes": (
        "\x1b]0;owned\x07\x1b[2J red \x1b[31m",
        "\x1b]0;owned\x07\x1b[2J red \x1b[31m",
    ),
    "NUL bytes": ("a\x00b\x00", "a\x00b\x00"),
    "lone surrogates": ("a\ud800b\udfff", "a\ufffdb\ufffd"),
    "a line of 1 MB": ("x" * 1_000_000, "x" * 1_000_000),
    "line and paragraph separators": ("a\u2028b\u2029c\r\nd\x85", "a\u2028b\u2029c\r\nd\x85"),
    "HTML and script": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "a template": ("{{ 7 * 7 }} {% raw %}", "{{ 7 * 7 }} {% raw %}"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_text_is_kept_as_data_and_shown_harmless(tmp_path: Path, name: str) -> None:
    sent, kept = HOSTILE[name]
    async with LocalServer(ServerOptions(answer=lambda _: raw(sent))) as server:
        result = await complete(server.model_uri(), tmp_path, rows=2)
    assert [record["completion"] for record in result.accepted] == [kept, kept]
    for file in DATA_FILES:
        lines = (tmp_path / file).read_bytes().splitlines()
        assert all(orjson.loads(line) for line in lines)
    assert len((tmp_path / "accepted.jsonl").read_bytes().split(b"\n")) == 3
    for page in ("report.html", "README.md", "report.json"):
        text = (tmp_path / page).read_bytes()
        assert b"\x1b" not in text
        assert b"\x00" not in text
        assert b"<script>alert" not in text or page == "report.json"
    assert await replays(tmp_path)


class BackwardsClock(SystemClock):
    """A wall clock that loses an hour at every look; durations stay right."""

    def __init__(self) -> None:
        super().__init__()
        self._now = datetime(2030, 1, 1, tzinfo=UTC)

    def stamp(self) -> str:
        self._now -= timedelta(hours=1)
        return self._now.isoformat()


async def test_a_clock_that_goes_backwards_changes_stamps_only(tmp_path: Path) -> None:
    async with LocalServer() as server:
        await complete(server.model_uri(), tmp_path / "usual", rows=50)
        config = make_config(
            {
                "recipe": "complete",
                "options": {"prompt": "Say {{ n }}."},
                "models": {"generator": server.model_uri()},
                "out": str(tmp_path / "odd"),
            }
        )
        rows = [{"n": n} for n in range(50)]
        result = await execute(config, Start(clock=BackwardsClock()), rows=rows)
    ended = result.manifest["run"]
    assert ended["ended"] < ended["started"]
    assert ended["wall_s"] >= 0
    for name in DATA_FILES:
        assert (tmp_path / "odd" / name).read_bytes() == (tmp_path / "usual" / name).read_bytes()
    assert await replays(tmp_path / "odd")


def read_journal(run: Path, ask: Callable[[Journal], Any]) -> Any:
    journal = Journal(run / JOURNAL_NAME, read_only=True)
    try:
        return ask(journal)
    finally:
        journal.close()


def outcomes_of(run: Path) -> int:
    count: int = read_journal(run, lambda j: j.scalar("SELECT count(*) FROM outcomes"))
    return count


def attempts_of(run: Path) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = read_journal(
        run, lambda j: [(row[4], row[5]) for row in j.rows("attempts")]
    )
    return found
