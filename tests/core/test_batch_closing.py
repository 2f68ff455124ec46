"""Claim: what a run does about batches ends with it, begun or not."""

from __future__ import annotations

import asyncio
import gc
import warnings
from pathlib import Path

import pytest
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.attempt import Call, Route
from selfsown.core.batch_book import Batch, BatchBook
from selfsown.core.batch_model import BatchSettings
from selfsown.core.batches import Batches
from selfsown.core.budget import Budget
from selfsown.core.clock import SystemClock
from selfsown.core.cost import NOTHING
from selfsown.core.journal import Journal
from selfsown.core.limiter import Limiter
from selfsown.core.limits import LimitSettings
from selfsown.core.model import Price


async def test_a_run_that_is_stopped_before_it_looks_at_a_batch_leaves_nothing_unawaited(
    tmp_path: Path,
) -> None:
    clock, model = SystemClock(), SimulatedModel(FakeClock(), price=Price(1, 1))
    journal = Journal(tmp_path / "journal.sqlite")
    book = BatchBook(journal, 0, clock)
    batch = Batch(intent="b", session=0, model="m", uri="u", keys=(key_of(1),), worst=NOTHING)
    await book.intend(batch, NOTHING)
    batches = Batches(
        BatchSettings(), book, Budget(), clock, in_flight=lambda: 1, on_event=lambda text: None
    )
    limiter = Limiter("http://e", LimitSettings(), clock, lambda text: None)
    waiting = asyncio.create_task(
        batches.attempt(Call(Route(model, limiter, raced=False), ask(), key_of(1)))
    )
    await asyncio.sleep(0)  # it waits, and the task that looks at its batch has not begun
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        await batches.close()
        gc.collect()
    assert [str(each.message) for each in heard] == []
    with pytest.raises(asyncio.CancelledError):
        await waiting
    journal.close()
