"""Reply bodies in the form that OpenAI-compatible clients read: answers, errors, event streams."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Completion

_STATUS: Final[Mapping[str, tuple[int, str]]] = {
    "bad_request": (400, "invalid_request_error"),
    "context_length": (400, "context_length_exceeded"),
    "content_filter": (400, "content_filter"),
    "schema": (422, "schema_missed"),
    "rate_limit": (429, "rate_limit_exceeded"),
    "overloaded": (503, "overloaded"),
    "timeout": (504, "timeout"),
    "local": (500, "model_failed"),
}
"""Failure kind -> HTTP status and error code; all others are the fault of an endpoint behind."""


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, said: str, *, status: int = 400, code: str = "invalid_request_error", param: str = ""
    ) -> None:
        super().__init__(said)
        self.said = said
        self.status = status
        self.code = code
        self.param = param
        """The body field at fault, if it is one."""

    def body(self) -> bytes:
        """The error object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.said, "type": kind, "param": self.param or None, "code": self.code}
        return orjson.dumps({"error": error})


def refusal_of(failure: AttemptFailed) -> Refused:
    """The error that a failed attempt is answered with."""
    status, code = _STATUS.get(failure.kind, (502, f"upstream_{failure.kind}"))
    return Refused(failure.detail, status=status, code=code)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call is answered with, before it takes the form of a body or of a stream."""

    call_id: str
    """A function of the request."""
    model: str
    fingerprint: str
    """Identity of the model."""
    is_chat: bool
    completions: Sequence[Completion]
    """One per choice: for each prompt its `n` answers."""
    prompt_count: int

    def body(self) -> bytes:
        """The whole answer as one JSON object."""
        kind = "chat.completion" if self.is_chat else "text_completion"
        choices = [self._choice(i, each) for i, each in enumerate(self.completions)]
        return orjson.dumps({**self._head(kind), "choices": choices, "usage": self._usage()})

    def events(self, *, with_usage: bool) -> bytes:
        """The whole answer as server-sent events: per choice the text, then its end."""
        kind = "chat.completion.chunk" if self.is_chat else "text_completion"
        head = self._head(kind)
        chunks: list[dict[str, JSON]] = []
        for i, completion in enumerate(self.completions):
            for choice in self._pieces(i, completion):
                chunks.append({**head, "choices": [choice]})
        if with_usage:
            chunks.append({**head, "choices": [], "usage": self._usage()})
        lines = [b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks]
        return b"".join(lines) + b"data: [DONE]\n\n"

    def _head(self, kind: str) -> dict[str, JSON]:
        return {
            "id": f"{'chatcmpl' if self.is_chat else 'cmpl'}-{self.call_id}",
            "object": kind,
            "created": int(dt.datetime.now(dt.UTC).timestamp()),
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }

    def _choice(self, index: int, completion: Completion) -> dict[str, JSON]:
        ending = {"index": index, "logprobs": None, "finish_reason": completion.finish_reason}
        if not self.is_chat:
            return {**ending, "text": completion.text}
        return {**ending, "message": _turn(completion)}

    def _pieces(self, index: int, completion: Completion) -> list[dict[str, JSON]]:
        """A choice as the two pieces of a stream."""
        empty: dict[str, JSON] = {"index": index, "logprobs": None}
        ended = {**empty, "finish_reason": completion.finish_reason}
        running = {**empty, "finish_reason": None}
        if not self.is_chat:
            return [{**running, "text": completion.text}, {**ended, "text": ""}]
        return [{**running, "delta": _turn(completion)}, {**ended, "delta": {}}]

    def _usage(self) -> dict[str, JSON]:
        """Token counts; a prompt that has several answers counts once."""
        per_prompt = len(self.completions) // self.prompt_count
        read = sum(each.usage.input_tokens for each in self.completions[::per_prompt])
        written = sum(each.usage.output_tokens for each in self.completions)
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }


def _turn(completion: Completion) -> dict[str, JSON]:
    turn: dict[str, JSON] = {"role": "assistant", "content": completion.text}
    if completion.reasoning:
        turn["reasoning_content"] = completion.reasoning
    return turn
