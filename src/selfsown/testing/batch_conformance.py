"""Checks that every model with a batch API must pass; `check_model` beside it checks the rest.

async def test_my_batches() -> None:
    await check_batches(lambda: MyModel(...), secrets=["sk-canary"])
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from selfsown.core.batch_model import BatchModel, BatchResult, BatchSearch, custom_id, key_of
from selfsown.core.clock import SystemClock
from selfsown.core.model import Answer, AttemptFailed, Model
from selfsown.core.request import Completion, Request, message
from selfsown.testing.conformance import check_failure, require

_INTENT = "c0ffee0000000001"
_COUNT = 3


async def check_batches(
    open_: Callable[[], Model],
    *,
    secrets: Sequence[str] = (),
    pause_s: float = 0.01,
    looks: int = 1000,
) -> None:
    """Submit one batch of three short requests, find it, wait for it, read it.

    Args:
        open_: opens the model.
        secrets: keys it was opened with, which must show nowhere.
        pause_s: seconds between two looks.
        looks: how often to look before that counts as a failure.

    Raises:
        CheckFailed: with the first promise that is broken.
    """
    model = open_()
    try:
        require(isinstance(model, BatchModel), "it lacks a member of `BatchModel`")
        api = cast(BatchModel, model)
        limits = api.batch_limits
        require(limits.requests > 0 and limits.bytes > 0, "`batch_limits` allow nothing")
        asked = {bytes([number]) * 32: _request(number) for number in range(_COUNT)}
        remote = await _submitted(api, asked)
        await _wait(api, remote, pause_s, looks)
        results = [result async for result in api.batch_results(remote)]
        _check_results(api, asked, results, secrets)
        await _check_unknown(api, secrets)
    finally:
        await model.close()


async def _submitted(api: BatchModel, asked: dict[bytes, Request]) -> str:
    since = SystemClock().stamp()
    lines = [api.batch_line(each, custom_id(_INTENT, key)) for key, each in asked.items()]
    for line, key in zip(lines, asked, strict=True):
        require(b"\n" not in line, "a line holds a newline")
        require(custom_id(_INTENT, key).encode() in line, "a line does not carry its custom id")
    addresses = {api.batch_address(request) for request in asked.values()}
    require(len(addresses) == 1, "equal requests have different addresses")
    upload = await api.upload_batch(_INTENT, lines)
    state = await api.create_batch(_INTENT, addresses.pop(), lines, upload)
    require(bool(state.remote) and state.phase != "refused", "a good batch was refused")
    found = await api.find_batch(BatchSearch(_INTENT, _COUNT, since, frozenset()))
    known = found.maybe if found.state is None else (found.state.remote,)
    require(state.remote in known, "a batch that is there is not found")
    others = frozenset({state.remote})
    found = await api.find_batch(BatchSearch("another", _COUNT + 1, since, others))
    require(found.state is None, "another's batch was taken for the one that was looked for")
    return state.remote


async def _wait(api: BatchModel, remote: str, pause_s: float, looks: int) -> None:
    for _ in range(looks):
        state = await api.batch_state(remote)
        require(state.remote == remote, "a look shows another batch")
        require(0 <= state.done <= max(state.total, _COUNT), "more calls are done than there are")
        if state.phase == "ended":
            return
        require(state.phase == "running", "a good batch was refused")
        await asyncio.sleep(pause_s)
    require(False, "the batch does not end")


def _check_results(
    api: BatchModel,
    asked: dict[bytes, Request],
    results: Sequence[BatchResult],
    secrets: Sequence[str],
) -> None:
    keys = [key_of(result.custom_id, _INTENT) for result in results]
    require(sorted(key or b"" for key in keys) == sorted(asked), "not each call has one result")
    for result in results:
        key = key_of(result.custom_id, _INTENT)
        assert key is not None
        try:
            answer = api.read_batched(result, asked[key])
        except AttemptFailed as failure:
            check_failure(failure, secrets)
        else:
            require(isinstance(answer, Answer), "`read_batched` returned no `Answer`")
            require(isinstance(answer.completion, Completion), "an answer has no completion")
    for reply in ({}, {"result": None}, {"response": {"status_code": 500, "body": None}}):
        try:
            api.read_batched(BatchResult("id", reply), next(iter(asked.values())))
        except AttemptFailed as failure:
            check_failure(failure, secrets)
        else:
            require(False, "a result without an answer was taken for one")


async def _check_unknown(api: BatchModel, secrets: Sequence[str]) -> None:
    try:
        await api.batch_state("batch-that-is-not-there")
    except AttemptFailed as failure:
        check_failure(failure, secrets)
        require(failure.kind == "not_found", "an unknown batch is not `not_found`")
    else:
        require(False, "an unknown batch has a state")


def _request(number: int) -> Request:
    turns = (message("user", f"Name {number + 1} colours."),)
    return Request(messages=turns, max_tokens=16)
