"""A model's settings are checked key by key, and no key or header shows in a repr or an error."""

from __future__ import annotations

import pytest

from selfsown.core.errors import ConfigError
from selfsown.core.model import Price
from selfsown.core.request import JSON
from selfsown.models.settings import read_settings
from selfsown.models.uri import open_model

CANARY = "sk-canary-0123456789"


def test_a_bare_uri_takes_every_default() -> None:
    settings = read_settings("lab", {})
    assert (settings.api_key, settings.timeout_s, settings.connect_timeout_s) == ("", None, 10.0)


def test_all_keys_are_read() -> None:
    settings = read_settings(
        {
            "uri": "http://h/v1#m",
            "api_key_env": "MY_KEY",
            "headers": {"X-Team": "a"},
            "identity": "my-model@1",
            "price": {"input": 1, "output": 2.5, "cached_input": 0.5},
            "layout": "completion",
            "extra": {"top_k": 5},
            "timeout_s": 30,
            "connect_timeout_s": 2,
            "native_schema": False,
            "max_tokens_field": "max_completion_tokens",
            "context_tokens": 4096,
            "options": {"anything": 1},
        },
        {"MY_KEY": f"  {CANARY}\n"},
    )
    assert settings.api_key == CANARY
    assert settings.price == Price(1.0, 2.5, 0.5)
    assert settings.timeout_s == 30.0
    assert settings.identify("default") == 'my-model@1 {"top_k":5}'


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"uri": "lab", "api_kee": "x"}, "api_key"),
        ({"uri": "lab", "price": {"input": 1, "outputs": 2}}, "output"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(given: dict[str, JSON], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(given, {})
    assert f"did you mean `{named}`?" in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"uri": 3},
        {"uri": "lab", "timeout_s": 0},
        {"uri": "lab", "timeout_s": "soon"},
        {"uri": "lab", "timeout_s": float("inf")},
        {"uri": "lab", "context_tokens": 0},
        {"uri": "lab", "context_tokens": True},
        {"uri": "lab", "layout": "letters"},
        {"uri": "lab", "max_tokens_field": "n"},
        {"uri": "lab", "native_schema": "yes"},
        {"uri": "lab", "headers": ["a"]},
        {"uri": "lab", "headers": {"X-A": "one\ntwo"}},
        {"uri": "lab", "headers": {"X-A": 3}},
        {"uri": "lab", "extra": []},
        {"uri": "lab", "price": 3},
        {"uri": "lab", "price": {"input": 1}},
        {"uri": "lab", "price": {"input": -1, "output": 1}},
        {"uri": "lab", "price": {"input": "1", "output": 1}},
        {"uri": "lab", "api_key_env": "NOT_SET"},
    ],
)
def test_values_out_of_range_are_refused(given: dict[str, JSON]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(given, {})
    assert caught.value.fix


@pytest.mark.parametrize("key", [CANARY + "\nX: y", CANARY + "\x00", CANARY + "é"])
def test_a_key_that_cannot_be_a_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings({"uri": "lab", "api_key": key}, {})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("uri", ["openai:m", "anthropic:m", "http://u:sk-canary-0123456789@h/v1#m"])
def test_no_secret_shows_in_any_description(uri: str) -> None:
    given: dict[str, JSON] = {"uri": uri, "api_key": CANARY, "headers": {"X-Secret": CANARY}}
    settings = read_settings(given, {"OPENAI_API_KEY": CANARY})
    model = open_model(given, environ={})
    shown = [repr(settings), repr(model), str(model), model.uri, model.identity, model.endpoint]
    assert not any(CANARY in text for text in shown)


def test_body_parameters_of_the_settings_change_the_identity() -> None:
    plain = open_model("http://h/v1#m", environ={})
    other = open_model({"uri": "http://h/v1#m", "extra": {"reasoning_effort": "low"}}, environ={})
    assert plain.identity != other.identity
