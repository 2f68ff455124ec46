"""Anthropic's Message Batches: requests are sent in one body, results come back as JSON lines.

A batch has no metadata, and its list shows no custom ids. So one whose creation is uncertain is
looked for among those with as many requests: an ended one shows by its first result whose it is,
one that is under way may be ours until it ends.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from selfsown.core.batch_model import (
    BatchFound,
    BatchLimits,
    BatchResult,
    BatchSearch,
    BatchState,
    key_of,
)
from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Request
from selfsown.models.batch_listing import SLACK_S, listed, stamp_seconds
from selfsown.models.failures import status_failure
from selfsown.models.http_model import HttpModel
from selfsown.models.judging import malformed
from selfsown.models.openai_format import json_bytes
from selfsown.models.usage import count

LIMITS: Final = BatchLimits(requests=100_000, bytes=256 * 10**6 - 64)
"""Of one body, less its frame."""
_PATH: Final = "/messages/batches"
_PAGE: Final = 1000
_UPLOAD_TIMEOUT_S: Final = 1800.0
_ENDS: Final = ("succeeded", "errored", "canceled", "expired")
_STATUS: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status that a call alone would have got with an error."""


class AnthropicBatches(HttpModel):
    """Everything of `BatchModel` but what one request and one reply look like."""

    @property
    def batch_limits(self) -> BatchLimits:
        """Of one body."""
        return LIMITS

    def batch_address(self, request: Request) -> str:
        """All requests are messages."""
        return "/v1/messages"

    async def upload_batch(self, intent: str, lines: Sequence[bytes]) -> str:
        """Nothing is uploaded ahead."""
        return ""

    async def create_batch(
        self, intent: str, address: str, lines: Sequence[bytes], upload: str
    ) -> BatchState:
        """Send all requests in one body."""
        first, *rest = lines
        body = b",".join([b'{"requests":[' + first, *rest]) + b"]}"
        return _state(await self._ask_api("POST", _PATH, body=body, timeout_s=_UPLOAD_TIMEOUT_S))

    async def find_batch(self, search: BatchSearch) -> BatchFound:
        """List the workspace's batches, newest first, back to a day before the intent."""
        after, oldest = "", stamp_seconds(search.since) - SLACK_S
        maybe: list[str] = []
        while True:
            tail = f"&after_id={after}" if after else ""
            page = await self._ask_api("GET", f"{_PATH}?limit={_PAGE}{tail}")
            batches = listed(page)
            for batch in batches:
                state = _state(batch)
                if state.remote in search.others or state.total != search.count:
                    continue
                if state.phase == "running":
                    maybe.append(state.remote)
                elif await self._holds(state.remote, search.intent):
                    return BatchFound(state)
            last = _state(batches[-1]).remote if batches else ""
            too_old = batches and stamp_seconds(str(batches[-1].get("created_at"))) < oldest
            if not page.get("has_more") or not last or too_old:
                return BatchFound(None, tuple(maybe))
            after = last

    async def batch_state(self, remote: str) -> BatchState:
        """Look at a batch."""
        return _state(await self._ask_api("GET", f"{_PATH}/{remote}"))

    async def batch_results(self, remote: str) -> AsyncGenerator[BatchResult, None]:
        """The results; read from the endpoint's own address, whatever URL the batch names."""
        async with aclosing(self._json_lines(f"{_PATH}/{remote}/results")) as lines:
            async for line in lines:
                custom = line.get("custom_id")
                if isinstance(custom, str):
                    yield BatchResult(custom, line)

    async def cancel_batch(self, remote: str) -> None:
        """Ask to cancel; what is under way is still answered."""
        await self._ask_api("POST", f"{_PATH}/{remote}/cancel", body=b"{}")

    def _batched_payload(self, result: BatchResult) -> Mapping[str, JSON]:
        """The message in a line of the results.

        Raises:
            AttemptFailed: the call was not made, or failed.
        """
        found = result.reply.get("result")
        found = found if isinstance(found, dict) else {}
        kind, message = found.get("type"), found.get("message")
        if kind == "succeeded" and isinstance(message, dict):
            return message
        if kind == "expired":
            raise AttemptFailed("timeout", "expired with its batch before it was made")
        if kind == "canceled":
            raise AttemptFailed("overloaded", "canceled with its batch before it was made")
        if kind == "errored":
            raise self._errored(found.get("error"))
        raise malformed("the result is of no known type")

    def _errored(self, error: JSON) -> AttemptFailed:
        inner = error.get("error", error) if isinstance(error, dict) else None
        name = inner.get("type") if isinstance(inner, dict) else None
        status = _STATUS.get(name, 500) if isinstance(name, str) else 500
        failure = status_failure(status, {}, b"", {"error": inner}, self._secrets)
        failure.may_be_billed = False  # errored requests are not billed
        return failure

    async def _holds(self, remote: str, intent: str) -> bool:
        """Whether an ended batch is the one with our id, by its first result."""
        try:
            async with aclosing(self.batch_results(remote)) as results:
                async for result in results:
                    return key_of(result.custom_id, intent) is not None
        except AttemptFailed as failure:
            if failure.kind != "not_found":  # archived: older than anything looked for
                raise
        return False


def batch_request(custom_id: str, params: bytes) -> bytes:
    """One request of a batch around a message request's body."""
    return json_bytes({"custom_id": custom_id})[:-1] + b',"params":' + params + b"}"


def _state(batch: Mapping[str, JSON]) -> BatchState:
    remote, status = batch.get("id"), batch.get("processing_status")
    if not isinstance(remote, str) or not remote or not isinstance(status, str):
        raise malformed("the reply is no batch")
    counts = batch.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    done = sum(count(counts, name) for name in _ENDS)
    return BatchState(
        remote=remote,
        phase="ended" if status == "ended" else "running",
        done=done,
        total=done + count(counts, "processing"),
    )
