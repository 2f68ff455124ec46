"""What all models behind an HTTP endpoint share: their names, the connection, reading a reply."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

from selfsown.core.model import AttemptFailed, Capabilities, Price
from selfsown.core.request import JSON, Completion
from selfsown.models.address import headers_of, identity_of
from selfsown.models.failures import (
    classify,
    clean_detail,
    error_text,
    looks_like_html,
    status_failure,
)
from selfsown.models.judging import malformed
from selfsown.models.openai_format import decode
from selfsown.models.prices import price_of
from selfsown.models.settings import ModelSettings
from selfsown.models.uri import ModelURI
from selfsown.models.wire import Reply, Wire

_API_TIMEOUT_S: Final = 60.0
"""For requests that are no calls, where they carry little."""


class HttpModel:
    """Base of the endpoint backends; it has everything of the `Model` protocol but `attempt`."""

    def __init__(
        self,
        settings: ModelSettings,
        where: ModelURI,
        *,
        api_key: str,
        capabilities: Capabilities,
        key_from: str = "",
        key_header: str = "Authorization",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare everything that is the same for all calls.

        Args:
            settings: what the user said.
            where: address and name that are really asked.
            api_key: sent in `key_header`; empty for none.
            capabilities: what the endpoint is taken to be able to do.
            key_from: variable that must hold a key; empty if the endpoint may work without one.
            key_header: `Authorization` sends a bearer token, any other header the bare key.
            headers: the provider's own headers; the user's win.
        """
        parts = urlsplit(where.base_url)
        self._uri = str(settings.uri)
        self._identity = settings.identify(identity_of(where))
        self._endpoint = f"{parts.scheme}://{parts.netloc}"
        self._capabilities = capabilities
        self._is_near = parts.hostname in ("127.0.0.1", "localhost", "::1")
        self._price = price_of(settings.uri, settings.price, host=parts.hostname or "")
        self._missing_key = "" if api_key else key_from
        self._has_key = bool(api_key or where.credentials or settings.headers)
        self._timeout_s = settings.timeout_s
        self._reported = ""
        sent, self._secrets = headers_of(settings, where, api_key, key_header)
        self._wire = Wire(
            where.base_url + (f"?{where.query}" if where.query else ""),
            headers={**(headers or {}), **sent},
            secrets=self._secrets,
            connect_timeout_s=settings.connect_timeout_s,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._uri!r})"

    @property
    def uri(self) -> str:
        """The URI without user info, query and keys."""
        return self._uri

    @property
    def identity(self) -> str:
        """URL without port + `#` + name, or what the user gave; with the settings' `extra`."""
        return self._identity

    @property
    def endpoint(self) -> str:
        """Scheme, host and port: models there share their limits."""
        return self._endpoint

    @property
    def capabilities(self) -> Capabilities:
        """What the endpoint is taken to be able to do."""
        return self._capabilities

    @property
    def price(self) -> Price | None:
        """From the settings or the table; None if unknown."""
        return self._price

    @property
    def reported_model(self) -> str:
        """The model name that the endpoint reported first; empty before the first answer."""
        return self._reported

    def expect_name(self, reported: str) -> None:
        """Take this as the name that was reported before, by an earlier process."""
        self._reported = reported

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        await self._wire.close()

    async def _post(self, path: str, body: bytes, timeout_s: float | None, seed: int) -> Reply:
        """One POST, bounded by the caller's and the user's time-out, whichever is shorter."""
        self._require_key()
        if self._timeout_s is not None:
            timeout_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        return await self._wire.post(path, body, timeout_s, seed if self._is_near else None)

    async def _ask_api(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = "",
        timeout_s: float = _API_TIMEOUT_S,
    ) -> Mapping[str, JSON]:
        """The JSON object that another part of the provider's API than calls replies with.

        Raises:
            AttemptFailed: for every failure.
        """
        self._require_key()
        reply = await self._wire.exchange(
            method, path, body=body, content_type=content_type, timeout_s=timeout_s
        )
        return self._payload(reply)

    async def _json_lines(self, path: str) -> AsyncGenerator[Mapping[str, JSON], None]:
        """The JSON objects of a reply in JSONL, one at a time; what is no object is left out.

        Raises:
            AttemptFailed: for every failure.
        """
        self._require_key()
        async with aclosing(self._wire.lines(path)) as lines:
            async for line in lines:
                value = decode(line)
                if isinstance(value, dict):
                    yield value

    def _require_key(self) -> None:
        if self._missing_key:
            raise AttemptFailed("auth", f"there is no API key: set `{self._missing_key}`")

    def _payload(self, reply: Reply) -> Mapping[str, JSON]:
        """The JSON object of a good reply; any other reply is raised as the failure it is."""
        return self._good(reply, decode(reply.body))

    def _good(self, reply: Reply, payload: JSON) -> Mapping[str, JSON]:
        """The same, where the body has been read as JSON already."""
        if not 200 <= reply.status < 300:
            failure = status_failure(
                reply.status, reply.headers, reply.body, payload, self._secrets
            )
            if failure.kind == "auth" and not self._has_key:
                failure.detail += "; no API key was sent, `api_key_env` names a variable with one"
            raise failure
        if not isinstance(payload, dict):
            what = "an HTML page" if looks_like_html(reply.body) else "not a JSON object"
            raise malformed(f"the reply is {what}" if reply.body else "the reply is empty")
        if payload.get("error") and not payload.get("choices"):
            raise self._error_in_200(payload)
        return payload

    def _error_in_200(self, payload: Mapping[str, JSON]) -> AttemptFailed:
        """Routers report upstream failures in a 200; the code inside is what counts."""
        code, said = error_text(payload)
        status = int(code) if code.isdecimal() and 400 <= int(code) < 600 else 500
        kind = classify(status, f"{code} {said}")
        detail = clean_detail(f"error in the reply: {said}", self._secrets)
        return AttemptFailed(kind, detail, status=200, may_be_billed=True)

    def _check_model(self, completion: Completion) -> None:
        """Remember the first model name that is reported; refuse another one later."""
        reported = completion.model
        if not reported or reported == self._reported:
            return
        if not self._reported:
            self._reported = reported
            return
        said = f"the endpoint now reports model `{reported}`, before it was `{self._reported}`"
        raise AttemptFailed(
            "model_changed",
            clean_detail(said, self._secrets),
            status=200,
            may_be_billed=True,
            completion=completion,
        )
