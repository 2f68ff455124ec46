"""Whether a paid answer can be used: not filtered, not empty, and meeting its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from selfsown.core.errors import ConfigError
from selfsown.core.model import AttemptFailed, FailureKind
from selfsown.core.request import JSON, Completion, Request, Text
from selfsown.models.failures import clean_detail
from selfsown.models.structured import SchemaMissed, compiled_schema, parse_structured


def usable(completion: Completion, refusal: str, request: Request, *, native: bool) -> Completion:
    """The completion with its structured value, if it can be used.

    An answer that was cut off (`length`) is not repaired to meet a schema: what is missing is
    missing.

    Raises:
        AttemptFailed: `content_filter`, `empty` or `schema`, each with the paid completion.
    """
    if completion.finish_reason == "content_filter":
        raise _unusable("content_filter", "the provider's filter cut the answer off", completion)
    if refusal and not completion.text:
        completion = replace(completion, text=refusal)
        if request.schema is not None:
            raise _unusable("schema", "the model refused to answer", completion)
    if not completion.text or completion.text.isspace():
        spent = completion.reasoning or completion.usage.reasoning_tokens
        if spent and completion.finish_reason == "length":
            raise _unusable(
                "empty", "`max_tokens` was used up by hidden reasoning: raise it", completion
            )
        raise _unusable("empty", "the answer has no text", completion)
    if request.schema is None:
        return completion
    try:
        whole = completion.finish_reason != "length"
        value, mode = parse_structured(completion.text, request.schema, repair=whole)
    except SchemaMissed as error:
        detail = str(error) if whole else "the answer was cut off: raise `max_tokens`"
        raise _unusable("schema", clean_detail(detail), completion) from error
    return replace(
        completion, parsed=value, parse_mode="native" if native and mode == "strict" else mode
    )


def checked_schema(schema: Mapping[str, JSON]) -> None:
    """Refuse a schema that answers could not be checked against, before anything is sent.

    Raises:
        AttemptFailed: `bad_request`.
    """
    try:
        compiled_schema(schema)
    except ConfigError as error:
        raise AttemptFailed("bad_request", clean_detail(f"{error.what}: {error.why}")) from error


def text_only(request: Request) -> None:
    """Refuse what a backend that takes only text would have to drop.

    Raises:
        AttemptFailed: `bad_request` for images and tools.
    """
    for turn in request.messages:
        for part in turn.parts:
            if not isinstance(part, Text):
                raise AttemptFailed("bad_request", "this backend takes text only, not images")
    if request.tools:
        raise AttemptFailed("bad_request", "tools are not supported by this backend")


def malformed(detail: str) -> AttemptFailed:
    """A 200 that is no answer; the provider may have charged for it."""
    return AttemptFailed("malformed", detail, status=200, may_be_billed=True)


def _unusable(kind: FailureKind, detail: str, completion: Completion) -> AttemptFailed:
    return AttemptFailed(kind, detail, status=200, may_be_billed=True, completion=completion)
