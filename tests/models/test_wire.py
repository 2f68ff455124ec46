"""No exception of the HTTP library escapes unmapped, whatever later releases add."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp import http_exceptions
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from selfsown.core.model import AttemptFailed
from selfsown.models import wire
from selfsown.models.wire import Wire, translate

KEY = ConnectionKey("h", 80, False, True, None, None, None)
INFO = RequestInfo(URL("http://h/"), "POST", CIMultiDictProxy(CIMultiDict()), URL("http://h/"))


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """A class and everything below it, from aiohttp itself."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__.startswith("aiohttp"):
            yield from subclasses(below)


def make(kind: type[BaseException]) -> BaseException:
    """An instance with the arguments its constructor wants."""
    os_error = OSError(111, "Connection refused")
    if kind is aiohttp.ClientConnectorCertificateError:
        return kind(KEY, Exception("bad certificate"))
    if kind is aiohttp.ServerFingerprintMismatch:
        return kind(b"a", b"b", "h", 1)
    if issubclass(kind, UnixClientConnectorError):
        return kind("/socket", KEY, os_error)
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(KEY, os_error)
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(INFO, (), status=407)
    if issubclass(kind, aiohttp.InvalidURL):
        return kind("http://")
    if issubclass(kind, http_exceptions.LineTooLong):
        return kind(b"line", 1)
    if issubclass(kind, http_exceptions.InvalidHeader):
        return kind(b"header")
    if issubclass(kind, http_exceptions.BadHttpMessage):
        return kind("text")
    return kind()


KINDS = sorted(
    {
        *subclasses(aiohttp.ClientError),
        *subclasses(http_exceptions.HttpProcessingError),
        TimeoutError,
        asyncio.TimeoutError,
        ConnectionResetError,
        BrokenPipeError,
        OSError,
        ssl.SSLError,
        ssl.CertificateError,
        UnicodeError,
        ValueError,
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_no_exception_of_the_http_library_escapes_unmapped(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(*_: object, **__: object) -> object:
        raise make(kind)

    monkeypatch.setattr(aiohttp.ClientSession, "post", post)
    transport = Wire("http://127.0.0.1:9/v1", headers={})
    try:
        with pytest.raises(AttemptFailed) as caught:
            await transport.post("/x", b"{}", 1.0)
    finally:
        await transport.close()
    assert caught.value.detail
    assert caught.value.__cause__ is not None


def test_the_enumeration_really_covers_the_library() -> None:
    names = {kind.__name__ for kind in KINDS}
    assert {"ServerDisconnectedError", "ClientPayloadError", "ClientConnectorDNSError"} <= names
    assert len(KINDS) > 30


@pytest.mark.parametrize(
    ("error", "kind", "billed"),
    [
        (make(aiohttp.ClientConnectorError), "connection", False),
        (make(aiohttp.ClientConnectorCertificateError), "connection", False),
        (aiohttp.ClientConnectorError(KEY, OSError(24, "Too many open files")), "local", False),
        (aiohttp.ConnectionTimeoutError(), "connection", False),
        (aiohttp.SocketTimeoutError(), "timeout", True),
        (TimeoutError(), "timeout", True),
        (aiohttp.ServerDisconnectedError(), "connection", True),
        (aiohttp.ClientPayloadError(), "connection", True),
        (aiohttp.InvalidURL("x"), "not_found", False),
        (make(aiohttp.ClientHttpProxyError), "auth", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_break_has_its_kind_and_says_whether_it_may_cost(
    error: Exception, kind: str, billed: bool
) -> None:
    failure = translate(error, 1.0)
    assert (failure.kind, failure.may_be_billed) == (kind, billed)


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://h/v1", {"http_proxy": "http://p:3128"}, "http://p:3128"),
        ("https://h/v1", {"https_proxy": "p:3128"}, "http://p:3128"),
        ("http://h/v1", {"http_proxy": "http://p", "no_proxy": "h"}, None),
        ("http://127.0.0.1:1/v1", {"http_proxy": "http://p"}, None),
        ("http://localhost:1/v1", {"http_proxy": "http://p"}, None),
        ("http://h/v1", {}, None),
    ],
)
def test_the_proxy_of_the_environment_is_honoured_except_for_this_machine(
    url: str, environ: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert wire._proxy_for(url) == proxy
