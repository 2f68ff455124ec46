"""The test server's side of a connection: a raw protocol, as it shares cores with what it measures.

Covered: keep-alive, Content-Length bodies, requests that arrive in pieces or back to back (answered
one after another). Not covered: chunked request bodies, TLS, HTTP/2. It listens on the loopback
address only and is no server for anything else.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from selfsown.testing.replies import Planned

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_LONGEST_HEAD: Final = 65536


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it arrived."""

    method: str
    path: str
    """With the query."""
    head: str
    """Request line and headers, as received."""
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty if it is absent."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.strip().lower() == name:
                return value.strip()
        return ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do with one request: the reply, when to send it, and whom to tell."""

    reply: Planned
    delay_s: float = 0.0
    """`math.inf`: not before `Connection.release`."""
    done: Callable[[int | None], None] | None = None
    """Called once with the status sent, or None if the client went away."""


class Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(
        self, handle: Callable[[Incoming], Turn], open_connections: set[Connection], drip_s: float
    ) -> None:
        self._handle = handle
        self._open = open_connections
        self._drip_s = drip_s
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._turn: Turn | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self._transport = cast(
            asyncio.Transport, transport
        )  # other loops have classes of their own
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        """Take in a piece; answer when a request is complete."""
        self._buffer += data
        if self._turn is None:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away, or we cut it off."""
        self._open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._finish(None)

    def release(self) -> None:
        """Send the reply that is held back, if there is one."""
        if self._turn is not None and self._turn.delay_s == math.inf:
            self._send()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        """Start on the next complete request in the buffer, if there is one."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                self.abort()
            return
        head = self._buffer[:end].decode("latin-1")
        length = _content_length(head)
        if len(self._buffer) < end + 4 + length:
            if "100-continue" in head and self._transport is not None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        method, _, rest = head.partition(" ")
        turn = self._turn = self._handle(Incoming(method, rest.partition(" ")[0], head, body))
        if turn.delay_s == math.inf:
            return
        if turn.delay_s > 0:
            self._timer = asyncio.get_running_loop().call_later(turn.delay_s, self._send)
        else:
            self._send()

    def _send(self) -> None:
        turn, transport = self._turn, self._transport
        if turn is None or transport is None:
            return
        reply = turn.reply
        if reply.delivery == "hang":
            return
        data = _head(reply) + reply.body
        if reply.delivery == "whole":
            transport.write(data)
            self._finish(reply.status)
            if self._buffer:
                self._next()
        elif reply.delivery == "drip":
            transport.write(_head(reply))
            self._drip(0)
        else:
            transport.write(data[: len(data) - len(reply.body) // 2 - 1])
            if reply.delivery == "stall":
                return
            if reply.delivery == "cut":
                _reset_on_close(transport)
                transport.abort()
            else:
                transport.close()
            self._finish(reply.status)

    def _drip(self, sent: int) -> None:
        """Send one byte of the body, and the next one later."""
        if self._turn is None or self._transport is None:
            return
        body = self._turn.reply.body
        if sent == len(body):
            self._finish(self._turn.reply.status)
            return
        self._transport.write(body[sent : sent + 1])
        self._timer = asyncio.get_running_loop().call_later(self._drip_s, self._drip, sent + 1)

    def _finish(self, status: int | None) -> None:
        turn, self._turn = self._turn, None
        if turn is not None and turn.done is not None:
            turn.done(status)


def _content_length(head: str) -> int:
    place = head.lower().find("\r\ncontent-length:")
    if place < 0:
        return 0
    text = head[place + 17 : place + 40].partition("\r\n")[0].strip()
    return int(text) if text.isdecimal() else 0


def _head(reply: Planned) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    return (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}\r\n"
        f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n{lines}\r\n"
    ).encode("latin-1")


def _reset_on_close(transport: asyncio.Transport) -> None:
    """Make the coming close a reset (RST) instead of an orderly end."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
