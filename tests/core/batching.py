"""Runs over the local server's batch APIs, as both providers speak them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.model import Model
from selfsown.core.rundir import DATA_FILES
from selfsown.runner import RunResult, arun
from selfsown.testing.batch_desk import BatchOptions
from selfsown.testing.server import LocalServer, ServerOptions

PROVIDERS = ("openai", "anthropic")
QUICK = {"linger_s": 0.02, "poll_s": 0.01, "poll_most_s": 0.02, "lookup_s": 0.0}
ROWS = [{"n": n} for n in range(40)]
PRICE = {"input": 1.0, "output": 2.0}


def server(api_key: str = "", **options: Any) -> LocalServer:
    return LocalServer(ServerOptions(batches=BatchOptions(**options), api_key=api_key))


def settings(
    found: LocalServer, provider: str, monkeypatch: pytest.MonkeyPatch, name: str = "test-model"
) -> dict[str, Any]:
    """Settings of a model behind one of the two batch APIs of the server."""
    base = found.url.removesuffix("/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", found.url)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", base)
    identity = f"http://127.0.0.1/v1#{name}"
    return {"uri": f"{provider}:{name}", "price": PRICE, "api_key": "sk-1", "identity": identity}


async def complete(
    model: Mapping[str, Any] | Model,
    out: Path,
    *,
    batch: Mapping[str, Any] | bool = True,
    rows: list[dict[str, Any]] = ROWS,
    **given: Any,
) -> RunResult:
    """A run of the recipe `complete` in batches."""
    if batch is True:
        batch = QUICK
    elif isinstance(batch, Mapping):
        batch = {**QUICK, **batch}
    given.setdefault("prompt", "Say {{ n }}.")
    return await arun("complete", model=model, rows=rows, out=out, batch=batch, **given)


def data(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in DATA_FILES}


def journaled(directory: Path, table: str) -> list[tuple[Any, ...]]:
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        return list(journal.rows(table))
    finally:
        journal.close()


def events(directory: Path) -> Counter[str]:
    """How often each event of the table `batches` was written."""
    return Counter(row[2] for row in journaled(directory, "batches"))


def submitted(found: LocalServer) -> list[tuple[str, str, str, str]]:
    """(batch, key as in the custom id, body's hash, fate) of everything that was ever submitted."""
    return [
        (batch.id, item.custom_id.partition("_")[2], item.body_hash, item.fate)
        for batch in found.desk.batches.values()
        if batch.status != "failed"
        for item in batch.items
    ]


def sizes(found: LocalServer) -> list[int]:
    """Calls in each batch, in the order of creation."""
    return list(Counter(batch for batch, *_ in submitted(found)).values())


def twice(found: LocalServer) -> list[str]:
    """Keys that were submitted again although an earlier batch made their call."""
    made: set[str] = set()
    again = []
    for _, key, _, fate in submitted(found):
        if key in made:
            again.append(key)
        if fate in ("succeeded", "bad"):
            made.add(key)
    return again
