"""Clock and sleep as parameters, so that limits and budgets are tested on a fake clock."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """Where durations, stamps and waiting come from."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean anything."""

    def stamp(self) -> str:
        """The wall-clock time in UTC, ISO 8601 to the second. For people; never computed with."""

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""


class SystemClock:
    """The real clock."""

    def __init__(self) -> None:
        self._second = -1
        self._stamp = ""

    def monotonic(self) -> float:
        """Seconds of the system's monotonic clock."""
        return time.monotonic()

    def stamp(self) -> str:
        """Now, in UTC."""
        second = int(time.time())  # noqa: TID251 this is the place
        if second != self._second:
            self._second = second
            self._stamp = dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._stamp

    async def sleep(self, seconds: float) -> None:
        """Wait in the event loop."""
        await asyncio.sleep(max(0.0, seconds))
