"""OpenAI's batch API: a file of requests is uploaded, a batch is made of it, files come back.

Our id stands in the batch's metadata, so that a batch is found by listing, whoever created it when.
Calls that succeeded and calls that failed come back in two files, in any order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from selfsown.core.batch_model import (
    BatchFound,
    BatchLimits,
    BatchResult,
    BatchSearch,
    BatchState,
)
from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Request
from selfsown.models.batch_listing import SLACK_S, listed, stamp_seconds
from selfsown.models.failures import classify, clean_detail, error_text
from selfsown.models.http_model import HttpModel
from selfsown.models.judging import malformed
from selfsown.models.openai_format import json_bytes
from selfsown.models.usage import count
from selfsown.models.wire import Reply

LIMITS: Final = BatchLimits(requests=50_000, bytes=200 * 10**6)
"""Of one input file."""
_METADATA: Final = "selfsown"
_PAGE: Final = 100
_UPLOAD_TIMEOUT_S: Final = 1800.0
_TOO_MUCH: Final = re.compile(r"token_limit_exceeded|enqueued|queue limit", re.IGNORECASE)
_RUNNING: Final = frozenset({"validating", "in_progress", "finalizing", "cancelling"})
_NOT_MADE: Final = {
    "batch_expired": AttemptFailed("timeout", "expired with its batch before it was made"),
    "batch_cancelled": AttemptFailed("overloaded", "canceled with its batch before it was made"),
}


class OpenAIBatches(HttpModel):
    """Everything of `BatchModel` but what one request and one reply look like."""

    @property
    def batch_limits(self) -> BatchLimits:
        """Of one input file."""
        return LIMITS

    def batch_address(self, request: Request) -> str:
        """One batch calls one address."""
        return "/v1/chat/completions" if request.is_chat else "/v1/completions"

    async def upload_batch(self, intent: str, lines: Sequence[bytes]) -> str:
        """Upload the lines as a file; returns its id."""
        edge = f"----selfsown-{intent}"
        name = f"selfsown-{intent}.jsonl"
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        first, *rest = lines
        body = b"\n".join([head + first, *rest, f"\r\n--{edge}--\r\n".encode()])
        kind = f"multipart/form-data; boundary={edge}"
        reply = await self._ask_api(
            "POST", "/files", body=body, content_type=kind, timeout_s=_UPLOAD_TIMEOUT_S
        )
        return _required(reply, "id")

    async def create_batch(
        self, intent: str, address: str, lines: Sequence[bytes], upload: str
    ) -> BatchState:
        """Make a batch of an uploaded file."""
        body: dict[str, JSON] = {
            "input_file_id": upload,
            "endpoint": address,
            "completion_window": "24h",
            "metadata": {_METADATA: intent},
        }
        return self._state(await self._ask_api("POST", "/batches", body=json_bytes(body)))

    async def find_batch(self, search: BatchSearch) -> BatchFound:
        """List the account's batches, newest first, back to a day before the intent."""
        after, oldest = "", stamp_seconds(search.since) - SLACK_S
        while True:
            tail = f"&after={after}" if after else ""
            page = await self._ask_api("GET", f"/batches?limit={_PAGE}{tail}")
            batches = listed(page)
            for batch in batches:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(_METADATA) == search.intent:
                    return BatchFound(self._state(batch))
            if not batches or not page.get("has_more"):
                return BatchFound(None)
            after = _required(batches[-1], "id")
            if count(batches[-1], "created_at") < oldest:
                return BatchFound(None)

    async def batch_state(self, remote: str) -> BatchState:
        """Look at a batch."""
        return self._state(await self._ask_api("GET", f"/batches/{remote}"))

    async def batch_results(self, remote: str) -> AsyncGenerator[BatchResult, None]:
        """The lines of the output file, then those of the error file."""
        batch = await self._ask_api("GET", f"/batches/{remote}")
        for name in ("output_file_id", "error_file_id"):
            file = batch.get(name)
            if isinstance(file, str) and file:
                async with aclosing(self._json_lines(f"/files/{file}/content")) as lines:
                    async for line in lines:
                        custom = line.get("custom_id")
                        if isinstance(custom, str):
                            yield BatchResult(custom, line)

    async def cancel_batch(self, remote: str) -> None:
        """Ask to cancel; what is under way is still answered."""
        await self._ask_api("POST", f"/batches/{remote}/cancel", body=b"{}")

    def _line(self, request: Request, custom_id: str, body: bytes) -> bytes:
        """A line of the input file around a request's body."""
        head = {"custom_id": custom_id, "method": "POST", "url": self.batch_address(request)}
        return json_bytes(head)[:-1] + b',"body":' + body + b"}"

    def _batched_payload(self, result: BatchResult) -> Mapping[str, JSON]:
        """The body of a call's reply in a line of the output or error file.

        Raises:
            AttemptFailed: the call was not made, or failed.
        """
        response = result.reply.get("response")
        if isinstance(response, dict) and response:
            status = count(response, "status_code")
            return self._good(Reply(status, {}, b""), response.get("body"))
        code, said = error_text(result.reply)
        if code in _NOT_MADE:
            known = _NOT_MADE[code]
            raise AttemptFailed(known.kind, known.detail)
        text = clean_detail(f"{said} (`{code}`)" if said or code else "no reply", self._secrets)
        raise AttemptFailed(classify(500, f"{code} {said}"), text)

    def _state(self, batch: Mapping[str, JSON]) -> BatchState:
        remote, status = _required(batch, "id"), str(batch.get("status"))
        counts = batch.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        done = count(counts, "completed") + count(counts, "failed")
        total = count(counts, "total")
        if status == "failed":
            return self._refused(remote, batch)
        if status not in _RUNNING and status not in ("completed", "expired", "cancelled"):
            raise malformed(f"the batch has an unknown status `{status[:40]}`")
        return BatchState(
            remote=remote,
            phase="running" if status in _RUNNING else "ended",
            done=done,
            total=total,
        )

    def _refused(self, remote: str, batch: Mapping[str, JSON]) -> BatchState:
        """A batch that did not pass validation: no call of it was made."""
        errors = batch.get("errors")
        found = listed(errors) if isinstance(errors, dict) else []
        texts = [
            clean_detail(f"{each.get('message') or ''} (`{each.get('code') or 'unknown'}`)")
            for each in found
        ]
        said = " ".join(f"{each.get('code')} {each.get('message')}" for each in found)
        about_model = "model_not_found" in said or "invalid_model" in said
        bad = {
            count(each, "line") - 1: text
            for each, text in zip(found, texts, strict=True)
            if each.get("line") and not about_model
        }
        return BatchState(
            remote=remote,
            phase="refused",
            why=texts[0] if texts else "its input was not accepted",
            too_much=bool(_TOO_MUCH.search(said)),
            bad=bad,
        )


def _required(found: Mapping[str, JSON], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise malformed(f"the reply has no `{name}`")
    return value
