"""One HTTP session per event loop; an exchange gives a reply or raises `AttemptFailed`.

Concurrency is not bounded here: the limits above decide how many calls are in flight, and a second
bound would hide waiting time from them. Connections are kept alive and reused by all models of the
loop. The proxy is looked up in the environment once per model (aiohttp's own look-up reads
environment and netrc file on every call). Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from selfsown.core.model import AttemptFailed
from selfsown.models.failures import clean_detail, status_failure
from selfsown.models.openai_format import decode

SEED_HEADER: Final = "X-Selfsown-Seed"
"""Sent to servers on this machine alone: `selfsown serve` samples with it, so that equal keys get
equal answers and another `sample` of the same body gets another."""
LARGEST_BODY_BYTES: Final = 64 * 2**20
"""Longer answers are refused, after decompression."""
_KEEP_ALIVE_S: Final = 4.0
"""Idle connections go before common servers drop them (uvicorn: 5 s), which would lose a call."""
_LARGE_REQUEST_BYTES: Final = 2**20
_STREAM_SILENCE_S: Final = 60.0
"""A stream of lines that says nothing for so long is broken."""


class Reply(NamedTuple):
    """A complete HTTP reply."""

    status: int
    headers: Mapping[str, str]
    """Names are case-insensitive."""
    body: bytes


class _SharedSession:
    """The session of one event loop, closed when its last user lets go."""

    def __init__(self) -> None:
        self.users = 0
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=300
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )


_SESSIONS: WeakKeyDictionary[asyncio.AbstractEventLoop, _SharedSession] = WeakKeyDictionary()


class Wire:
    """POSTs to one endpoint."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        secrets: Sequence[str] = (),
        connect_timeout_s: float = 10.0,
    ) -> None:
        self._base = url
        self._headers = CIMultiDict(headers)
        self._secrets = tuple(secrets)
        self._connect_timeout_s = connect_timeout_s
        self._proxy = _proxy_for(url)
        self._timeouts: dict[float | None, aiohttp.ClientTimeout] = {}
        self._urls: dict[str, URL] = {}
        self._shared: _SharedSession | None = None
        self._closed = False

    async def post(
        self, path: str, body: bytes, timeout_s: float | None, seed: int | None = None
    ) -> Reply:
        """Send one body and read the whole reply.

        Args:
            path: appended to the endpoint's URL.
            body: JSON bytes.
            timeout_s: bound on the whole exchange, so that a hang and a slow drip both end; None
                for no bound.
            seed: sent in the header `SEED_HEADER` if given.

        Raises:
            AttemptFailed: no complete reply came.
        """
        shared = self._shared or self._open()
        timeout = self._timeouts.get(timeout_s) or self._remember_timeout(timeout_s)
        headers = self._headers
        if seed is not None:
            headers = headers.copy()
            headers[SEED_HEADER] = str(seed)
        try:
            url = self._urls.get(path) or self._remember_url(path)
            async with shared.session.post(
                url,
                data=body if len(body) < _LARGE_REQUEST_BYTES else io.BytesIO(body),
                headers=headers,
                timeout=timeout,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                return Reply(response.status, response.headers, await _read(response))
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise translate(error, timeout_s, self._secrets) from error

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = "",
        timeout_s: float | None = None,
    ) -> Reply:
        """Any other request than a call: rare, so nothing about it is remembered.

        Args:
            method: of HTTP.
            path: appended to the endpoint's URL; may have a query of its own.
            body: of any size.
            content_type: of the body, if it is not JSON.
            timeout_s: bound on the whole exchange; None for no bound.

        Raises:
            AttemptFailed: no complete reply came.
        """
        shared = self._shared or self._open()
        headers = {**self._headers, **({"Content-Type": content_type} if content_type else {})}
        try:
            async with shared.session.request(
                method,
                self._whole_url(path),
                data=None if body is None else io.BytesIO(body),
                headers=headers,
                timeout=self._timeouts.get(timeout_s) or self._remember_timeout(timeout_s),
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                return Reply(response.status, response.headers, await _read(response))
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise translate(error, timeout_s, self._secrets) from error

    async def lines(self, path: str) -> AsyncGenerator[bytes, None]:
        """The lines of a reply of any size, one at a time, without their newlines.

        Raises:
            AttemptFailed: no good reply came, or it broke off.
        """
        shared = self._shared or self._open()
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._connect_timeout_s, sock_read=_STREAM_SILENCE_S
        )
        try:
            async with shared.session.get(
                self._whole_url(path),
                headers=self._headers,
                timeout=timeout,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    body = await _read(response)
                    raise status_failure(
                        response.status, response.headers, body, decode(body), self._secrets
                    )
                async with aclosing(_lines_of(response)) as lines:
                    async for line in lines:
                        yield line
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise translate(error, _STREAM_SILENCE_S, self._secrets) from error

    async def close(self) -> None:
        """Let go of the session; the last one out closes it. Does nothing the second time."""
        self._closed = True
        shared, self._shared = self._shared, None
        if shared is None:
            return
        shared.users -= 1
        if shared.users == 0:
            _SESSIONS.pop(asyncio.get_running_loop(), None)
            await shared.session.close()

    def _open(self) -> _SharedSession:
        if self._closed:
            raise AttemptFailed("local", "the model was closed before this call")
        loop = asyncio.get_running_loop()
        shared = _SESSIONS.get(loop)
        if shared is None:
            shared = _SESSIONS[loop] = _SharedSession()
        shared.users += 1
        self._shared = shared
        return shared

    def _remember_url(self, path: str) -> URL:
        head, mark, query = self._base.partition("?")
        url = self._urls[path] = URL(head + path + mark + query)
        return url

    def _whole_url(self, path: str) -> URL:
        head, _, query = self._base.partition("?")
        if query:
            path = f"{path}{'&' if '?' in path else '?'}{query}"
        return URL(head + path)

    def _remember_timeout(self, timeout_s: float | None) -> aiohttp.ClientTimeout:
        if len(self._timeouts) > 64:  # a caller that varies its time-outs must not fill memory
            self._timeouts.clear()
        timeout = self._timeouts[timeout_s] = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=self._connect_timeout_s
        )
        return timeout


def translate(
    error: Exception, timeout_s: float | None, secrets: Sequence[str] = ()
) -> AttemptFailed:
    """The failure that an exception of the HTTP layer stands for.

    Whether a call may have been billed follows from whether the request can have been sent before
    it broke.
    """
    said = clean_detail(str(error), secrets)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return AttemptFailed("connection", "the endpoint could not be reached in time")
    if isinstance(error, TimeoutError):
        within = "in time" if timeout_s is None else f"within {timeout_s:g} s"
        return AttemptFailed("timeout", f"no complete reply {within}", may_be_billed=True)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        said = f"the proxy answered HTTP {error.status}"
        return AttemptFailed(
            "auth" if error.status == 407 else "connection", said, status=error.status
        )
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.TooManyRedirects, UnicodeError)):
        return AttemptFailed("not_found", f"the endpoint's URL cannot be used: {said}")
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return AttemptFailed("connection", f"no secure connection: {said}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unreachable(error.os_error)
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return AttemptFailed(
            "connection", "the connection was cut during the reply", may_be_billed=True
        )
    if isinstance(error, (aiohttp.ClientResponseError, HttpProcessingError)):
        return AttemptFailed("malformed", "the reply is not valid HTTP", may_be_billed=True)
    name = type(error).__name__
    return AttemptFailed("connection", f"the connection broke ({name})", may_be_billed=True)


def _unreachable(error: OSError) -> AttemptFailed:
    """The failure to connect, by its number: asyncio's own text names address and port."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return AttemptFailed("local", "too many open files: raise `ulimit -n` or lower concurrency")
    if isinstance(error, socket.gaierror):
        return AttemptFailed("connection", "cannot connect: the host name has no address")
    reason = f": {os.strerror(error.errno)}" if error.errno else ""
    return AttemptFailed("connection", f"cannot connect{reason}")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if (
        length is not None
        and length <= LARGEST_BODY_BYTES
        and "Content-Encoding" not in response.headers
    ):
        return await response.read()
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_BODY_BYTES:
            response.close()
            raise AttemptFailed(
                "malformed",
                f"the reply is longer than {LARGEST_BODY_BYTES // 2**20} MiB",
                status=response.status,
                may_be_billed=True,
            )
    return b"".join(pieces)


async def _lines_of(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for piece in response.content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > LARGEST_BODY_BYTES:
            raise AttemptFailed("malformed", "a line of the reply is too long", status=200)
    if rest:
        yield rest


def _proxy_for(url: str) -> str | None:
    """The proxy of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`; never one for this machine."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or not parts.hostname or proxy_bypass(parts.netloc):
        return None
    if parts.hostname in ("localhost", "::1") or parts.hostname.startswith("127."):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
