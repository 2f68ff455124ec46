"""Outcomes as JSON: how a completion, an effect's value or a final failure lies in the journal."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Final, cast

import orjson

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion, Usage, canonical_json

_DEFAULT: Final = Completion(text="")


def encode_completion(completion: Completion) -> str:
    """The JSON of a completion, defaults omitted."""
    form: dict[str, JSON] = {"text": completion.text}
    for name in ("finish_reason", "model", "reasoning", "parsed", "parse_mode"):
        value = getattr(completion, name)
        if value != getattr(_DEFAULT, name):
            form[name] = value
    if completion.logprobs:
        form["logprobs"] = [dict(alternatives) for alternatives in completion.logprobs]
    usage = {
        field.name: getattr(completion.usage, field.name)
        for field in fields(Usage)
        if getattr(completion.usage, field.name)
    }
    if usage:
        form["usage"] = usage
    return _encode(form)


def encode_error(error: CallFailed) -> str:
    """The JSON of a final failure."""
    return _encode({"error": [error.kind, error.what]})


def encode_value(value: JSON) -> str:
    """The JSON of an effect's value.

    Raises:
        ValueError: it holds NaN or an infinity.
    """
    return canonical_json({"value": value}).decode()


def decode_completion(text: str) -> Completion:
    """The completion, or the failure, that a call's outcome holds.

    Raises:
        CallFailed: the outcome is a final failure.
    """
    form = _decode(text)
    form["usage"] = Usage(**form.get("usage", {}))
    form["logprobs"] = tuple(form.get("logprobs", ()))
    return Completion(**form)


def decode_value(text: str) -> JSON:
    """The value, or the failure, that an effect's outcome holds.

    Raises:
        CallFailed: the outcome is a final failure.
    """
    return cast("JSON", _decode(text)["value"])


def _encode(form: dict[str, JSON]) -> str:
    try:
        return orjson.dumps(form).decode()
    except TypeError:  # integers beyond 64 bits, immutable mappings
        return canonical_json(form).decode()


def _loads(text: str) -> dict:  # type: ignore[type-arg]
    """The quick decoder, but for what it would spoil or refuses: long integers, lone surrogates."""
    if '"parsed":' not in text and '"value":' not in text:
        try:
            return orjson.loads(text)  # type: ignore[no-any-return]
        except ValueError:
            pass
    return json.loads(text)  # type: ignore[no-any-return]


def _decode(text: str) -> dict:  # type: ignore[type-arg]  # JSON of our own making
    form = _loads(text)
    if "error" in form:
        kind, what = form["error"]
        raise CallFailed(kind, what)
    return form
