"""One URI names a model, and no secret in it is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.core.model import Model
from selfsown.extensions import MODELS, load_extension
from selfsown.models.uri import open_model, parse_uri


@pytest.mark.parametrize(
    ("text", "scheme", "name", "base_url", "shown"),
    [
        ("openai:gpt-4.1-mini", "openai", "gpt-4.1-mini", "", "openai:gpt-4.1-mini"),
        ("anthropic:claude-x", "anthropic", "claude-x", "", "anthropic:claude-x"),
        ("ollama:llama3.2:1b", "ollama", "llama3.2:1b", "", "ollama:llama3.2:1b"),
        ("hf:org/name", "hf", "org/name", "", "hf:org/name"),
        ("hf:/models/a b", "hf", "/models/a b", "", "hf:/models/a b"),
        ("lab", "lab", "", "", "lab"),
        ("scripted:answers.jsonl", "scripted", "answers.jsonl", "", "scripted:answers.jsonl"),
        ("http://h:8000/v1#m", "http", "m", "http://h:8000/v1", "http://h:8000/v1#m"),
        ("https://h/v1/#a/b", "https", "a/b", "https://h/v1", "https://h/v1#a/b"),
        ("http://[::1]:80/v1#m", "http", "m", "http://[::1]:80/v1", "http://[::1]:80/v1#m"),
    ],
)
def test_each_kind_of_uri_is_read(
    text: str, scheme: str, name: str, base_url: str, shown: str
) -> None:
    uri = parse_uri(text)
    assert (uri.scheme, uri.name, uri.base_url, str(uri)) == (scheme, name, base_url, shown)


def test_user_info_and_query_are_kept_apart_and_never_shown() -> None:
    uri = parse_uri("https://me:s3cret@host/v1?api-key=t0ken#m")
    assert uri.credentials == ("me", "s3cret")
    assert uri.query == "api-key=t0ken"
    for shown in (str(uri), repr(uri)):
        assert "s3cret" not in shown
        assert "t0ken" not in shown
        assert "me:" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpt-4",
        "openai:",
        "http://",
        "http://host/v1",
        "http:///v1#m",
        "http://h:99999/v1#m",
        "/x:y",
    ],
)
def test_what_names_no_model_is_refused_with_a_fix(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_uri(text)
    assert caught.value.fix
    assert caught.value.why


@pytest.mark.parametrize(
    "text",
    [
        "http://me:s3cret@host:bad/v1#m",
        "http://me:s3cret@host/v1?key=s3cret",
        "ftp//me:s3cret@host/v1",
        "http://me:s3cret@:1/v1#m",
        "http://me:s3cret/x@host/v1#m",
        "http://me:s3cret?x@host/v1#m",
        "http://me:s3cret#x@host/v1#m",
        "http://host?key=s3cret",
    ],
)
def test_errors_about_urls_hide_their_secrets(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_uri(text)
    assert "s3cret" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        uri = parse_uri(text)
    except ConfigError:
        return
    assert str(parse_uri(str(uri))) == str(uri)


def test_an_unknown_scheme_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError) as caught:
        open_model("opena:gpt", plugins=False)
    assert "did you mean `openai`?" in str(caught.value)


@pytest.mark.parametrize("uri", ["openai:m", "anthropic:m", "ollama:m", "http://h/v1#m"])
def test_endpoints_open_without_network_or_key(uri: str) -> None:
    model = open_model(uri, environ={})
    assert isinstance(model, Model)
    assert model.uri == uri


def test_every_registered_backend_can_be_imported() -> None:
    for scheme in ("openai", "anthropic", "http", "https", "ollama", "scripted"):
        assert callable(load_extension("models", MODELS, scheme, plugins=False))


def test_a_plug_in_cannot_replace_a_built_in_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def entry_points(*, group: str, name: str) -> list[object]:
        asked.append(name)
        return []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    load_extension("models", MODELS, "scripted")
    assert load_extension("models", MODELS, "mycloud") is None
    assert asked == ["models.mycloud"]
