"""Serve one model until a signal comes: check the address, load, listen, stop cleanly."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from selfsown.core.errors import ConfigError, EnvironmentFailure
from selfsown.core.model import AttemptFailed, Model
from selfsown.core.request import Request, message
from selfsown.server.app import Served, build_app, is_loopback

_GRACE_S: Final = 5.0
"""How long calls under way may take to end when the server is stopped."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0: any free one."""


def check_address(address: Address, api_key: str) -> None:
    """Refuse to be open to other machines without a key.

    Raises:
        ConfigError: the host is not a loopback address and there is no key.
    """
    if not is_loopback(address.host) and not api_key:
        raise ConfigError(
            f"`--host {address.host}` is reachable from other machines, and there is no API key",
            why="anyone who reaches the port could use the model",
            fix="add `--api-key KEY`, or leave `--host` at 127.0.0.1",
        )


async def serve_until_stopped(
    served: Served, address: Address, *, announce: Callable[[str], None] = lambda url: None
) -> None:
    """Serve until SIGINT or SIGTERM; then let calls under way end for five seconds.

    Args:
        served: the model; it is closed at the end.
        address: where to listen.
        announce: receives the base URL once the server listens.

    Raises:
        ConfigError: the address cannot be used.
        EnvironmentFailure: a local model cannot be loaded.
    """
    check_address(address, served.api_key)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    runner = web.AppRunner(
        build_app(served), handler_cancellation=True, shutdown_timeout=_GRACE_S, access_log=None
    )
    try:
        await _warm_up(served.model)
        await runner.setup()
        port = await _listen(runner, address)
        host = f"[{address.host}]" if ":" in address.host else address.host
        announce(f"http://{host}:{port}/v1")
        await stop.wait()
    finally:
        await runner.cleanup()
        await served.model.close()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)


async def _listen(runner: web.AppRunner, address: Address) -> int:
    """Bind; the port in use."""
    try:
        site = web.TCPSite(runner, address.host, address.port)
        await site.start()
    except OSError as error:
        raise ConfigError(
            f"cannot listen on `{address.host}:{address.port}`: {error.strerror or error}",
            why="another process may hold the port, or the address is not of this machine",
            fix="give another `--port`; 0 takes any free one",
        ) from error
    port: int = runner.addresses[0][1]
    return port


async def _warm_up(model: Model) -> None:
    """Load a local model now, so that broken weights show before the first call."""
    if not model.capabilities.local:
        return
    if model.capabilities.completion:
        request = Request(prompt="A", max_tokens=1)
    else:
        request = Request(messages=(message("user", "A"),), max_tokens=1)
    try:
        await model.attempt(request)
    except AttemptFailed as failure:
        if failure.kind == "local":
            raise EnvironmentFailure(
                f"`{model.uri}` cannot be served: {failure.detail}",
                why="the model did not load",
                fix="check its files and the memory of this machine",
            ) from failure
