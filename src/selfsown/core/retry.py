"""When a failed attempt is tried again, and after how long.

Waits grow exponentially with full jitter, so that calls that failed together do not come back
together. Two kinds of failure are not the request's fault and do not use up its attempts: a refusal
for load (429) waits as long as the endpoint asks, with an allowance of its own, and a connection
that never came about is left to the circuit breaker.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from selfsown.core.model import RETRYABLE, AttemptFailed

_RECONNECT_CAP_S: Final = 1.0
"""Longest wait of a call before it asks for a new connection; the circuit spaces the attempts
beyond that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How persistent a call is. None of it can change an answer, only whether there is one."""

    attempts: int = 8
    """Attempts that count: every kind of retryable failure but 429 and connections that never came
    about."""
    base_s: float = 0.5
    """Upper bound of the first wait; doubled for each further one."""
    cap_s: float = 30.0
    """Upper bound of every wait."""
    total_s: float = 900.0
    """No attempt that counts begins later than so many seconds after the first failure that
    counted."""
    refusals: int = 100
    """Refusals for load (429) that a call puts up with."""
    retry_after_cap_s: float = 300.0
    """Longest wait that an endpoint's Retry-After can ask for."""
    empty: int = 3
    """Attempts that may come back empty; each of them is paid."""


class Tries:
    """The failures of one call so far. Made at the first one."""

    __slots__ = (
        "_policy",
        "_rng",
        "_since",
        "counted",
        "empty",
        "refused",
        "refused_since",
        "unreached",
    )

    def __init__(self, policy: RetryPolicy, rng: random.Random) -> None:
        """Count from nothing; `rng` spreads the waits and nothing else."""
        self._policy = policy
        self._rng = rng
        self._since: float | None = None  # the first failure that counted
        self.counted = 0
        """Failures that used up an attempt."""
        self.refused = 0
        self.refused_since = 0.0
        """When the call was first refused for load."""
        self.unreached = 0
        self.empty = 0

    def wait_s(self, failure: AttemptFailed, now: float) -> float | None:
        """Seconds to wait before the next attempt; None if there is none.

        Args:
            failure: how the last attempt ended.
            now: monotonic seconds.
        """
        policy = self._policy
        if failure.kind not in RETRYABLE:
            return None
        if failure.kind == "rate_limit":
            if self.refused == 0:
                self.refused_since = now
            self.refused += 1
            return self._after_refusal(failure) if self.refused < policy.refusals else None
        if never_connected(failure):
            self.unreached += 1
            return self._jitter(min(_RECONNECT_CAP_S, self._bound_s(self.unreached)))
        self.counted += 1
        self.empty += failure.kind == "empty"
        if self._since is None:
            self._since = now
        if self.counted >= policy.attempts or self.empty >= policy.empty:
            return None
        wait = self._jitter(self._bound_s(self.counted))
        if failure.retry_after_s is not None:
            wait = max(wait, min(failure.retry_after_s, policy.retry_after_cap_s))
        return wait if now + wait - self._since <= policy.total_s else None

    def _after_refusal(self, failure: AttemptFailed) -> float:
        if failure.retry_after_s is None:
            return self._jitter(self._bound_s(self.refused))
        wait = min(max(0.0, failure.retry_after_s), self._policy.retry_after_cap_s)
        return wait + self._jitter(min(self._policy.base_s, 0.1 * wait))

    def _bound_s(self, failures: int) -> float:
        return min(self._policy.cap_s, self._policy.base_s * 2.0 ** min(failures - 1, 32))

    def _jitter(self, bound: float) -> float:
        return bound * self._rng.random()


def never_connected(failure: AttemptFailed) -> bool:
    """Whether the request never reached a server, so that it cannot be what is wrong."""
    return failure.kind == "connection" and not failure.may_be_billed
