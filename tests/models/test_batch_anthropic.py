"""Claim: Anthropic's message batches become states and outcomes; whose a batch is, is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from selfsown.core.batch_model import BatchModel, BatchResult, BatchSearch, custom_id
from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Request, message
from selfsown.models.anthropic import AnthropicModel
from selfsown.models.uri import open_model

ASK = Request(messages=(message("user", "Hi"),), max_tokens=8)
MESSAGE = {
    "model": "m",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
KEY = bytes(32)


def model() -> AnthropicModel:
    opened = open_model({"uri": "anthropic:m", "api_key": "sk-1"}, environ={})
    assert isinstance(opened, AnthropicModel)
    assert isinstance(opened, BatchModel)
    return opened


def line(result: JSON) -> BatchResult:
    return BatchResult("id", {"custom_id": "id", "result": result})


def error(name: str) -> BatchResult:
    inner = {"type": name, "message": "so it is"}
    return line({"type": "errored", "error": {"type": "error", "error": inner}})


def test_a_request_carries_the_body_that_a_call_alone_would_have() -> None:
    found = orjson.loads(model().batch_line(ASK, "the-id"))
    turns = [{"role": "user", "content": "Hi"}]
    params = {"model": "m", "max_tokens": 8, "messages": turns}
    assert found == {"custom_id": "the-id", "params": params}


def test_what_the_api_does_not_have_is_refused_before_it_is_sent() -> None:
    with pytest.raises(AttemptFailed, match="seed"):
        model().batch_line(Request(messages=ASK.messages, seed=1), "id")


def test_a_good_result_is_the_answer_of_a_call_alone() -> None:
    answer = model().read_batched(line({"type": "succeeded", "message": MESSAGE}), ASK)
    assert (answer.completion.text, answer.completion.usage.output_tokens) == ("hello", 2)


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (line({"type": "expired"}), "timeout"),
        (line({"type": "canceled"}), "overloaded"),
        (line({"type": "later"}), "malformed"),
        (line(None), "malformed"),
        (error("invalid_request_error"), "bad_request"),
        (error("request_too_large"), "bad_request"),
        (error("authentication_error"), "auth"),
        (error("permission_error"), "auth"),
        (error("billing_error"), "quota"),
        (error("not_found_error"), "not_found"),
        (error("rate_limit_error"), "rate_limit"),
        (error("overloaded_error"), "overloaded"),
        (error("api_error"), "overloaded"),
        (error("timeout_error"), "overloaded"),
        (error("some_new_error"), "overloaded"),
    ],
)
def test_every_other_result_is_a_failure_of_a_known_kind(result: BatchResult, kind: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        model().read_batched(result, ASK)
    assert caught.value.kind == kind
    assert caught.value.detail
    assert caught.value.may_be_billed == (kind == "malformed")


def batch(remote: str, status: str, count: int, created: str = "2026-01-01T00:00:00Z") -> JSON:
    counts = {"processing": 0 if status == "ended" else count, "succeeded": 0, "errored": 0}
    counts |= {"canceled": 0, "expired": 0}
    if status == "ended":
        counts["succeeded"] = count
    return {
        "id": remote,
        "processing_status": status,
        "request_counts": counts,
        "created_at": created,
    }


def listing(*batches: JSON, holding: dict[str, str]) -> AnthropicModel:
    """A model whose workspace has these batches; `holding`: id → intent in its results."""
    opened = model()

    async def ask_api(method: str, path: str, **_: Any) -> Any:
        return {"data": list(batches), "has_more": False}

    async def json_lines(path: str) -> AsyncIterator[Any]:
        remote = path.split("/")[-2]
        yield {"custom_id": custom_id(holding.get(remote, "elsewhere"), KEY), "result": {}}

    opened._ask_api = ask_api  # type: ignore[method-assign, assignment]
    opened._json_lines = json_lines  # type: ignore[method-assign, assignment]
    return opened


SEARCH = BatchSearch("mine", 7, "2026-01-01T00:00:00Z", frozenset({"known"}))


async def test_an_ended_batch_shows_by_its_results_whose_it_is() -> None:
    found = await listing(
        batch("b1", "ended", 7), batch("b2", "ended", 7), holding={"b2": "mine"}
    ).find_batch(SEARCH)
    assert found.state is not None
    assert found.state.remote == "b2"


async def test_a_running_batch_of_the_same_size_may_be_it() -> None:
    found = await listing(
        batch("b1", "in_progress", 7),
        batch("b2", "in_progress", 8),
        batch("known", "in_progress", 7),
        batch("b3", "canceling", 7),
        holding={},
    ).find_batch(SEARCH)
    assert found.state is None
    assert found.maybe == ("b1", "b3")


async def test_batches_of_others_and_of_other_sizes_are_not_it() -> None:
    found = await listing(
        batch("b1", "ended", 7), batch("b2", "ended", 8), holding={"b2": "mine"}
    ).find_batch(SEARCH)
    assert (found.state, found.maybe) == (None, ())
