"""From an HTTP status and an error body to one of the kinds of failure that the engine can treat.

Error text is shown, journaled and replayed. So it is freed of known secrets and of anything that
looks like a key, of times, request ids and ports, and of control characters; and it is kept short.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from selfsown.core.model import AttemptFailed, FailureKind
from selfsown.core.request import JSON, clean_text
from selfsown.models.rate_headers import rate_state, retry_after_s

_LONGEST_DETAIL: Final = 300
_LONGEST_SAID: Final = 4000

_QUOTA: Final = re.compile(
    r"insufficient_quota|exceeded your current quota|billing_hard_limit|billing_not_active"
    r"|credit balance is too low|insufficient[ _](?:balance|credits?|funds)|out of credits?",
    re.IGNORECASE,
)
_CONTENT_FILTER: Final = re.compile(
    r"content_filter|content_policy|content management policy|ResponsibleAIPolicy|invalid_prompt"
    r"|flagged (?:as|by|for)|safety system|requires moderation",
    re.IGNORECASE,
)
_CONTEXT_LENGTH: Final = re.compile(
    r"context_length_exceeded|exceed_context_size|string_above_max_length"
    r"|maximum context length|max(?:imum)? model len(?:gth)?"
    r"|exceeds? (?:the )?(?:available |maximum )*context"
    r"|context (?:size|length|window|limit)\w* (?:has been |is |was )?exceeded"
    r"|longer than the (?:model's|maximum) (?:context|model) length"
    r"|prompt is too long|input is too (?:long|large)|too many tokens|context the overflows"
    r"|tokens` must be <= \d+|reduce the length of the (?:input )?(?:messages|prompt)"
    r"|tokens'? must not exceed \d+|max_model_len|max_tokens must be at least 1, got -",
    re.IGNORECASE,
)
_MODEL_MISSING: Final = re.compile(
    r"model_not_found|model\b.{0,80}\b(?:does not exist|not found|is not available)", re.IGNORECASE
)

_NOISE: Final = (
    (re.compile(r"\b[Bb]earer\s+\S+"), "Bearer <key>"),
    (re.compile(r"\b(?:sk|pk|rk|key|hf|gsk|xai)[-_][A-Za-z0-9_*.\-]{6,}"), "<key>"),
    (
        re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"),
        "<time>",
    ),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b(?:req|request|chatcmpl|cmpl|msg|trace)[-_][A-Za-z0-9_\-]{6,}"), "<id>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}\b"), "<id>"),
    (re.compile(r"\b\d{9,}(?:\.\d+)?\b"), "<number>"),
    (re.compile(r"(\blocalhost|\]|\.[A-Za-z0-9-]+|//[A-Za-z0-9-]+):\d{2,5}\b"), r"\1"),
    (re.compile(r"(?<![\w.])(?:\d+(?:\.\d+)?(?:ms|h|m|s))+(?!\w)"), "<duration>"),
    (
        re.compile(r"(?<![\w.])\d+(?:\.\d+)? ?(?:milliseconds?|seconds?|minutes?|hours?)\b"),
        "<duration>",
    ),
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


def clean_detail(text: str, secrets: Sequence[str] = ()) -> str:
    """One line of at most 300 characters without secrets, times, ids, ports, control characters."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "<secret>")
    text = _CONTROL.sub(" ", clean_text(text[:_LONGEST_SAID])).strip()
    for pattern, stand_in in _NOISE:
        text = pattern.sub(stand_in, text)
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"


def status_failure(
    status: int, headers: Mapping[str, str], body: bytes, payload: JSON, secrets: Sequence[str]
) -> AttemptFailed:
    """The failure that a reply with a status other than 2xx stands for.

    Args:
        status: HTTP status.
        headers: headers of the reply, names in any case the mapping accepts.
        body: the raw body, for replies that are not JSON.
        payload: the body as JSON; None if it is none.
        secrets: strings that must not appear in the detail.
    """
    code, said = error_text(payload)
    if payload is None and body:
        said = (
            "an HTML page"
            if looks_like_html(body)
            else body[:_LONGEST_SAID].decode("utf-8", "replace")
        )
    kind = classify(status, f"{code} {said}")
    detail = f"HTTP {status}" + (f": {said}" if said else "") + (f" (`{code}`)" if code else "")
    if 300 <= status < 400:
        detail = f"HTTP {status}: the endpoint redirects elsewhere; use the address it redirects to"
    return AttemptFailed(
        kind,
        clean_detail(detail, secrets),
        status=status,
        retry_after_s=retry_after_s(headers),
        may_be_billed=status in (408, 499, 504, 524),
        rate=rate_state(headers),
    )


def classify(status: int, said: str) -> FailureKind:
    """The kind of failure of an HTTP status with this error code and text."""
    if status == 402 or (status in (400, 403, 429) and _QUOTA.search(said)):
        return "quota"
    if status == 429:
        return "rate_limit"
    if status in (400, 403, 422, 451) and _CONTENT_FILTER.search(said):
        return "content_filter"
    if status in (401, 403, 407):
        return "auth"
    if status in (400, 413, 422, 500) and _CONTEXT_LENGTH.search(said):
        return "context_length"
    if status in (404, 405, 410) or 300 <= status < 400:
        return "not_found"
    if status in (400, 422) and _MODEL_MISSING.search(said):
        return "not_found"
    if status in (408, 409, 425, 499) or status >= 500:
        return "overloaded"
    return "bad_request"


def error_text(payload: JSON) -> tuple[str, str]:
    """Code and message of an error body, in the forms of OpenAI, Anthropic, vLLM and Ollama."""
    if not isinstance(payload, Mapping):
        return "", ""
    error = payload.get("error", payload)
    if isinstance(error, str):
        return "", error
    if not isinstance(error, Mapping):
        return "", ""
    code = error.get("code") or error.get("type") or ""
    if not isinstance(code, (str, int)) or str(code) == "error":
        code = ""
    said = error.get("message") or error.get("detail") or payload.get("detail") or ""
    inner = error.get("innererror")
    if isinstance(inner, Mapping) and isinstance(inner.get("code"), str):
        code = f"{code} {inner['code']}"
    said = said if isinstance(said, str) else str(said)
    return str(code)[:_LONGEST_SAID], said[:_LONGEST_SAID]


def looks_like_html(body: bytes) -> bool:
    """Whether a body is a web page, as proxies and login walls send it."""
    head = body[:256].lstrip().lower()
    return head.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml"))
