"""Claim: OpenAI's batch objects and result lines become states and outcomes, none unmapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from selfsown.core.batch_model import BatchModel, BatchResult, BatchSearch, custom_id, key_of
from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Request, message
from selfsown.models.endpoint import EndpointModel
from selfsown.models.uri import open_model

ASK = Request(messages=(message("user", "Hi"),), max_tokens=8)
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
REPLY = {
    "model": "m",
    "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def model() -> EndpointModel:
    opened = open_model("http://127.0.0.1:9/v1#m")
    assert isinstance(opened, EndpointModel)
    assert isinstance(opened, BatchModel)
    return opened


def canned(opened: EndpointModel, reply: Callable[[str, str], JSON]) -> EndpointModel:
    """The model with the transport replaced."""

    async def ask_api(method: str, path: str, **_: Any) -> Any:
        return reply(method, path)

    opened._ask_api = ask_api  # type: ignore[method-assign, assignment]
    return opened


def line(response: JSON = None, error: JSON = None) -> BatchResult:
    return BatchResult("id", {"custom_id": "id", "response": response, "error": error})


def failure(result: BatchResult, request: Request = ASK) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        model().read_batched(result, request)
    return caught.value


def test_a_line_carries_the_body_that_a_call_alone_would_have() -> None:
    found = orjson.loads(model().batch_line(ASK, "the-id"))
    assert found == {
        "custom_id": "the-id",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8},
    }


def test_a_custom_id_holds_the_whole_key_in_64_letters_that_every_provider_takes() -> None:
    key = bytes(range(224, 256))
    custom = custom_id("0123456789abcdef", key)
    assert len(custom) <= 64
    assert set(custom) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert key_of(custom, "0123456789abcdef") == key
    assert key_of(custom, "another") is None
    assert key_of("not ours", "0123456789abcdef") is None


def test_a_good_line_is_the_answer_of_a_call_alone() -> None:
    answer = model().read_batched(line({"status_code": 200, "body": REPLY}), ASK)
    assert (answer.completion.text, answer.completion.usage.output_tokens) == ("hello", 2)


@pytest.mark.parametrize(
    ("result", "kind", "billed"),
    [
        (line(error={"code": "batch_expired", "message": "late"}), "timeout", False),
        (line(error={"code": "batch_cancelled", "message": "off"}), "overloaded", False),
        (line(error={"code": "weird", "message": "?"}), "overloaded", False),
        (line(), "overloaded", False),
        (line({"status_code": 429, "body": {"error": {"message": "slow"}}}), "rate_limit", False),
        (line({"status_code": 500, "body": {"error": {"message": "ow"}}}), "overloaded", False),
        (line({"status_code": 400, "body": {"error": {"message": "no"}}}), "bad_request", False),
        (line({"status_code": 401, "body": {"error": {"message": "key"}}}), "auth", False),
        (line({"status_code": 200, "body": {"choices": []}}), "malformed", True),
        (line({"status_code": 200, "body": None}), "malformed", True),
    ],
)
def test_every_other_line_is_a_failure_of_a_known_kind(
    result: BatchResult, kind: str, billed: bool
) -> None:
    found = failure(result)
    assert (found.kind, found.may_be_billed) == (kind, billed)
    assert found.detail


def test_a_schema_mode_that_is_refused_frees_the_call_to_go_without() -> None:
    opened, asked = model(), Request(messages=ASK.messages, schema=SCHEMA)
    assert b"response_format" in opened.batch_line(asked, "id")
    body = {"error": {"message": "response_format json_schema is not supported"}}
    with pytest.warns(UserWarning, match="JSON-schema mode"):
        for _ in range(2):  # the second was sent before the first came back
            with pytest.raises(AttemptFailed) as caught:
                opened.read_batched(line({"status_code": 400, "body": body}), asked)
            assert caught.value.kind == "overloaded"
    assert b"response_format" not in opened.batch_line(asked, "id")


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("validating", "running"),
        ("in_progress", "running"),
        ("finalizing", "running"),
        ("cancelling", "running"),
        ("completed", "ended"),
        ("expired", "ended"),
        ("cancelled", "ended"),
        ("failed", "refused"),
    ],
)
async def test_every_status_is_a_phase(status: str, phase: str) -> None:
    counts = {"total": 5, "completed": 2, "failed": 1}
    found = canned(
        model(), lambda *_: {"id": "batch_1", "status": status, "request_counts": counts}
    )
    state = await found.batch_state("batch_1")
    assert state.phase == phase
    if phase != "refused":
        assert (state.done, state.total) == (3, 5)


async def test_an_unknown_status_is_not_taken_for_an_end() -> None:
    found = canned(model(), lambda *_: {"id": "batch_1", "status": "paused"})
    with pytest.raises(AttemptFailed, match="unknown status"):
        await found.batch_state("batch_1")


async def refused(*errors: dict[str, JSON]) -> Any:
    batch = {"id": "batch_1", "status": "failed", "errors": {"data": list(errors)}}
    return await canned(model(), lambda *_: batch).batch_state("batch_1")


async def test_a_refused_batch_says_which_lines_are_at_fault() -> None:
    state = await refused({"code": "invalid", "line": 3, "message": "`max_tokens` is too large"})
    assert set(state.bad) == {2}
    assert "max_tokens" in state.bad[2]
    assert not state.too_much


async def test_a_full_queue_is_told_from_a_fault() -> None:
    state = await refused({"code": "token_limit_exceeded", "message": "Enqueued token limit"})
    assert state.too_much
    assert not state.bad


async def test_a_model_that_is_not_there_is_no_fault_of_the_lines() -> None:
    state = await refused({"code": "model_not_found", "line": 1, "message": "no such model"})
    assert not state.bad
    assert "no such model" in state.why


async def test_a_batch_is_found_by_its_metadata_on_any_page() -> None:
    def page(method: str, path: str) -> JSON:
        number = 0 if "after" not in path else int(path.partition("after=b")[2]) + 1
        intent = "mine" if number == 3 else f"other-{number}"
        batch = {
            "id": f"b{number}",
            "status": "in_progress",
            "created_at": 2_000_000_000 - number,
            "metadata": {"selfsown": intent},
        }
        return {"data": [batch], "has_more": True}

    found = await canned(model(), page).find_batch(
        BatchSearch("mine", 1, "2026-01-01T00:00:00Z", frozenset())
    )
    assert found.state is not None
    assert found.state.remote == "b3"


async def test_a_search_ends_a_day_before_the_intent() -> None:
    pages = []

    def page(method: str, path: str) -> JSON:
        pages.append(path)
        batch = {
            "id": f"b{len(pages)}",
            "status": "completed",
            "created_at": 1_767_225_600 - 50_000 * len(pages),
            "metadata": None,
        }
        return {"data": [batch], "has_more": True}

    found = await canned(model(), page).find_batch(
        BatchSearch("mine", 1, "2026-01-01T00:00:00Z", frozenset())
    )
    assert found.state is None
    assert len(pages) == 2  # the second page is more than a day old
