"""What a test server saw: every request by its body, with times; and how many were in flight."""

from __future__ import annotations

from collections import Counter

from selfsown.core.clock import Clock, SystemClock
from selfsown.core.request import JSON


class Counters:
    """Counts of one server since its start or last reset. Times are seconds since then."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.reset()

    def reset(self) -> None:
        """Forget everything, except what is in flight right now."""
        self._start = self._clock.monotonic()
        self.bodies: dict[str, list[float]] = {}
        """Hash of the canonical body -> arrival times."""
        self.by_status: Counter[int] = Counter()
        """Replies sent, by HTTP status."""
        self.by_fault: Counter[str] = Counter()
        """Faults injected, by name."""
        self.aborted = 0
        """Requests whose connection the client closed before the reply."""
        self.in_flight = getattr(self, "in_flight", 0)
        self.max_in_flight = self.in_flight
        self._area = 0.0
        self._first: float | None = None
        self._last = 0.0

    @property
    def request_count(self) -> int:
        """How many model calls arrived."""
        return sum(len(times) for times in self.bodies.values())

    @property
    def mean_in_flight(self) -> float:
        """Mean of calls in flight, from the first arrival to the last event; 0.0 before."""
        if self._first is None or self._last <= self._first:
            return 0.0
        return self._area / (self._last - self._first)

    @property
    def repeated(self) -> dict[str, int]:
        """Body hash -> arrivals, for bodies that arrived more than once."""
        return {body: len(times) for body, times in self.bodies.items() if len(times) > 1}

    def arrive(self, body_hash: str) -> int:
        """Count an arrival; returns how often this body had arrived before."""
        now = self._tick()
        times = self.bodies.setdefault(body_hash, [])
        times.append(round(now, 6))
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        return len(times) - 1

    def leave(self, status: int | None) -> None:
        """Count the end of a call: its status, or None if the client went away."""
        self._tick()
        self.in_flight -= 1
        if status is None:
            self.aborted += 1
        else:
            self.by_status[status] += 1

    def as_json(self, *, bodies: bool = True) -> dict[str, JSON]:
        """All numbers; `bodies` also lists every request."""
        numbers: dict[str, JSON] = {
            "requests": self.request_count,
            "distinct": len(self.bodies),
            "by_status": {str(status): n for status, n in sorted(self.by_status.items())},
            "by_fault": dict(sorted(self.by_fault.items())),
            "aborted": self.aborted,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "mean_in_flight": round(self.mean_in_flight, 3),
        }
        if bodies:
            numbers["bodies"] = {body: list(times) for body, times in self.bodies.items()}
        return numbers

    def _tick(self) -> float:
        now = self._clock.monotonic() - self._start
        if self._first is None:
            self._first = now
        else:
            self._area += self.in_flight * (now - self._last)
        self._last = now
        return now
