"""One URI names a model; secrets inside it are split off before anything is shown or written.

openai:gpt-4.1-mini               anthropic:claude-sonnet-4-5        ollama:llama3.2
http://localhost:8000/v1#name     https://host/v1#name               (any OpenAI-compatible server)
hf:PATH-OR-NAME                   lab                                scripted:FILE
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from selfsown.core.errors import ConfigError
from selfsown.core.hidden import hide_url_secrets
from selfsown.core.model import Model
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON

_WITHOUT_NAME = frozenset({"lab"})


@dataclass(frozen=True, slots=True)
class ModelURI:
    """A parsed model URI.

    Only `credentials` and `query` may hold secrets, and they are in no repr.
    """

    scheme: str
    """`openai`, `anthropic`, `http`, `https`, `ollama`, `hf`, `lab`, `scripted`, or a plug-in's."""
    name: str
    """Model name, path or file; empty for `lab`."""
    base_url: str = ""
    """For `http` and `https`: the URL without user info, query, fragment and trailing slash."""
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    """User and password from the URL, sent as basic authentication."""
    query: str = field(default="", repr=False)
    """Query of the URL, sent with every request (for example `api-version=...`)."""

    def __str__(self) -> str:
        """The URI without user info and query; this is what run directories and messages show."""
        if self.base_url:
            return f"{self.base_url}#{self.name}"
        return f"{self.scheme}:{self.name}" if self.name else self.scheme


def parse_uri(text: str) -> ModelURI:
    """Read a model URI.

    Raises:
        ConfigError: no scheme, no model name, or a URL that cannot be used. Whether the scheme has
            a backend is checked by `open_model`.
    """
    text = text.strip()
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon and scheme in _WITHOUT_NAME:
        return ModelURI(scheme, "")
    if not colon or not scheme or "/" in scheme:
        raise ConfigError(
            f"`{hide_url_secrets(text)}` is not a model URI",
            why="a model is named as `scheme:name`",
            fix="write `openai:NAME`, `http://localhost:8000/v1#NAME`, `hf:PATH` or `lab`",
        )
    if scheme in ("http", "https"):
        return _parse_http(text)
    if not rest and scheme not in _WITHOUT_NAME:
        raise ConfigError(
            f"model URI `{text}` has no name after the colon",
            why=f"`{scheme}:` needs to know which model",
            fix=f"write `{scheme}:NAME`",
        )
    return ModelURI(scheme, rest)


def open_model(
    uri: str | Mapping[str, JSON], *, environ: Mapping[str, str] | None = None, plugins: bool = True
) -> Model:
    """Open the model that a URI, or settings with the key `uri`, names. Nothing is sent yet.

    Only the backend that is asked for is imported.

    Args:
        uri: the URI, or settings as `ModelSettings` describes them.
        environ: environment variables to honour; the process's own if None.
        plugins: look for installed plug-ins when no built-in backend has the scheme.

    Raises:
        ConfigError: an unknown scheme or setting, or a value out of range.
        MissingExtra: the backend needs a package that is not installed.
    """
    from selfsown.extensions import MODELS, load_extension
    from selfsown.models.settings import read_settings

    settings = read_settings(uri, environ)
    scheme = settings.uri.scheme
    factory = load_extension("models", MODELS, scheme, plugins=plugins)
    if factory is None:
        raise ConfigError(
            f"`{settings.uri}`: no model backend has the scheme `{scheme}`",
            why=f"known schemes are {', '.join(f'`{name}`' for name in sorted(MODELS))}",
            fix=did_you_mean(scheme, MODELS) or "install the plug-in that provides it",
        )
    model = factory(settings)
    if not isinstance(model, Model):
        raise ConfigError(
            f"the backend of `{scheme}:` returned `{type(model).__name__}`, which is no model",
            why="a backend must have every member of `selfsown.core.model.Model`",
            fix="run `selfsown.testing.conformance.check_model` on it",
        )
    return model


def _parse_http(text: str) -> ModelURI:
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise ConfigError(
            f"model URL `{hide_url_secrets(text)}` cannot be read",
            why="the port must be a number from 0 to 65535 and the host a name or address",
            fix="write `http://HOST:PORT/v1#NAME`",
        ) from None  # the parser's own text may repeat a password
    if not host:
        raise ConfigError(
            f"model URL `{hide_url_secrets(text)}` has no host",
            why="the endpoint's address is unknown",
            fix="write `http://HOST:PORT/v1#NAME`",
        )
    if "@" in url.path and "@" not in url.netloc:
        raise ConfigError(
            f"model URL `{hide_url_secrets(text)}` has an `@` after the host",
            why="it may belong to a password with a `/`, which would be taken for host and path",
            fix="write `/` in a password as `%2F`, and `@` in a path as `%40`",
        )
    if not url.fragment:
        shown = hide_url_secrets(text)
        raise ConfigError(
            f"model URL `{shown}` names no model",
            why="an endpoint can serve several models; the part after `#` says which",
            fix=f"append `#NAME`; `curl {shown.rstrip('/')}/models` lists the names",
        )
    address = f"[{host}]" if ":" in host else host
    base = f"{url.scheme}://{address}{f':{port}' if port is not None else ''}{url.path.rstrip('/')}"
    credentials = (unquote(url.username or ""), unquote(url.password or ""))
    return ModelURI(
        url.scheme,
        unquote(url.fragment),
        base,
        credentials if any(credentials) else None,
        url.query,
    )
