"""What a user may say about a model beside its URI, checked once, its secrets in no repr."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal, TypeVar, cast

from selfsown.core.errors import ConfigError
from selfsown.core.model import Price
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON, canonical_json
from selfsown.models.uri import ModelURI, parse_uri

Layout = Literal["chat", "completion"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Settings of one model. Keys and headers are never shown, journaled or written."""

    uri: ModelURI
    api_key: str = field(default="", repr=False)
    """From `api_key`, or the variable that `api_key_env` names; empty if neither is given."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Extra HTTP headers, sent with every request."""
    identity: str = ""
    """Replaces URL + name in the journal key: two addresses of one model then share answers."""
    price: Price | None = None
    """Overrides the built-in table."""
    layout: Layout | None = None
    """`completion` for a base model behind an endpoint; None: what the backend prefers."""
    extra: Mapping[str, JSON] = field(default_factory=dict)
    """Body parameters added to every request. They change answers and are part of the identity."""
    timeout_s: float | None = None
    """Upper bound of one attempt, on top of what the run sets; > 0."""
    connect_timeout_s: float = 10.0
    """Upper bound for reaching the endpoint; > 0."""
    native_schema: bool | None = None
    """Whether the endpoint takes `response_format` with a JSON schema; None: it is tried."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """Name of the body field for `Request.max_tokens`; None: by model and host."""
    context_tokens: int | None = None
    """Longest prompt + answer, if you know it; > 0."""
    options: Mapping[str, JSON] = field(default_factory=dict)
    """Settings of one kind of backend, which checks them itself."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment variables in force."""

    def default_key(self, variable: str) -> str:
        """The API key given by the user, else the value of the provider's standard variable."""
        return self.api_key or self.environ.get(variable, "").strip()

    def identify(self, default: str) -> str:
        """What the user gave as identity, else `default`; with `extra`, which changes answers."""
        identity = self.identity or default
        return f"{identity} {canonical_json(self.extra).decode()}" if self.extra else identity


def read_settings(
    given: str | Mapping[str, JSON], environ: Mapping[str, str] | None = None
) -> ModelSettings:
    """Read a model URI, or a mapping with the keys of `ModelSettings` plus `api_key_env`.

    Raises:
        ConfigError: an unknown key, a value of the wrong type or out of range, or an unset
            `api_key_env`.
    """
    environ = os.environ if environ is None else environ
    if isinstance(given, str):
        return ModelSettings(uri=parse_uri(given), environ=environ)
    known = {item.name for item in fields(ModelSettings)} - {"environ"} | {"api_key_env"}
    for key in given:
        if key not in known:
            raise ConfigError(
                f"unknown model setting `{key}`",
                why=f"a model takes {', '.join(f'`{name}`' for name in sorted(known))}",
                fix=did_you_mean(key, known) or "remove it, or put it under `extra` or `options`",
            )
    uri = _typed(given, "uri", str)
    if not uri:
        raise ConfigError(
            "a model's settings have no `uri`",
            why="the URI says which model is meant",
            fix="add for example `uri: openai:NAME`",
        )
    context = _typed(given, "context_tokens", int)
    if context is not None and context < 1:
        raise _bad("context_tokens", context, "a number of tokens above 0")
    return ModelSettings(
        uri=parse_uri(uri),
        api_key=_api_key(given, environ),
        headers=_headers(given),
        identity=_typed(given, "identity", str) or "",
        price=_price(given),
        layout=cast("Layout | None", _choice(given, "layout", ("chat", "completion"))),
        extra=_mapping(given, "extra") or {},
        timeout_s=_seconds(given, "timeout_s"),
        connect_timeout_s=_seconds(given, "connect_timeout_s") or 10.0,
        native_schema=_typed(given, "native_schema", bool),
        max_tokens_field=cast(
            'Literal["max_tokens", "max_completion_tokens"] | None',
            _choice(given, "max_tokens_field", ("max_tokens", "max_completion_tokens")),
        ),
        context_tokens=context,
        options=_mapping(given, "options") or {},
        environ=environ,
    )


def _bad(key: str, value: object, expected: str) -> ConfigError:
    return ConfigError(
        f"model setting `{key}` is `{value!r}`",
        why=f"it must be {expected}",
        fix=f"correct or remove `{key}`",
    )


def _typed(given: Mapping[str, JSON], key: str, kind: type[_T]) -> _T | None:
    value = given.get(key)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        shown = type(value).__name__ if key in ("api_key", "headers") else value
        raise _bad(key, shown, f"of type {kind.__name__.lower()}")
    return value


def _mapping(given: Mapping[str, JSON], key: str) -> Mapping[str, JSON] | None:
    value = given.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise _bad(key, type(value).__name__, "a mapping")
    return value


def _choice(given: Mapping[str, JSON], key: str, choices: tuple[str, ...]) -> str | None:
    value = _typed(given, key, str)
    if value is not None and value not in choices:
        raise _bad(key, value, " or ".join(f"`{choice}`" for choice in choices))
    return value


def _seconds(given: Mapping[str, JSON], key: str) -> float | None:
    value = given.get(key)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _bad(key, value, "a number of seconds")
    if not 0 < value < math.inf:
        raise _bad(key, value, "a finite number of seconds above 0")
    return float(value)


def _api_key(given: Mapping[str, JSON], environ: Mapping[str, str]) -> str:
    key = _typed(given, "api_key", str)
    variable = _typed(given, "api_key_env", str)
    if key is None and variable is not None:
        key = environ.get(variable, "")
        if not key.strip():
            raise ConfigError(
                f"the environment variable `{variable}` is not set",
                why="`api_key_env` names it as the place of the API key",
                fix=f"export {variable}=...",
            )
    key = (key or "").strip()
    if not key.isascii() or not key.isprintable():
        raise ConfigError(
            "the API key holds a character that cannot stand in an HTTP header",
            why="a key is printable ASCII without line breaks",
            fix="copy the key again",
        )
    return key


def _headers(given: Mapping[str, JSON]) -> Mapping[str, str]:
    headers = _mapping(given, "headers") or {}
    for name, value in headers.items():
        text = f"{name}{value}"
        if not isinstance(value, str) or not text.isprintable() or not str(name).isascii():
            raise ConfigError(
                f"HTTP header `{name!r}` has a value that cannot be sent",
                why="a header is one printable line of text",
                fix="quote the value, and remove line breaks",
            )
    return MappingProxyType({str(name): str(value) for name, value in headers.items()})


def _price(given: Mapping[str, JSON]) -> Price | None:
    price = _mapping(given, "price")
    if price is None:
        return None
    known = ("input", "output", "cached_input")
    for key, value in price.items():
        if key not in known:
            raise ConfigError(
                f"unknown price key `{key}`",
                why="a price takes `input`, `output` and `cached_input`, in USD per million tokens",
                fix=did_you_mean(str(key), known) or "remove it",
            )
        if (
            not isinstance(value, (int, float))
            or isinstance(value, bool)
            or not 0 <= value < math.inf
        ):
            raise _bad(f"price.{key}", value, "USD per million tokens, at least 0")
    if "input" not in price or "output" not in price:
        raise ConfigError(
            "a price needs both `input` and `output`",
            why="a budget in USD must bound both sides of a call",
            fix="write `price: {input: 0.4, output: 1.6}`, in USD per million tokens",
        )
    return Price(
        _usd(price, "input") or 0.0, _usd(price, "output") or 0.0, _usd(price, "cached_input")
    )


def _usd(price: Mapping[str, JSON], key: str) -> float | None:
    value = price.get(key)
    return float(value) if isinstance(value, (int, float)) else None
