"""Both rates of one endpoint, requests and tokens per minute, each given, learnt, or not known."""

from __future__ import annotations

from typing import Final, NamedTuple

from selfsown.core.bucket import Bucket
from selfsown.core.model import RateState

_NEARLY_NOTHING: Final = 0.01


class Taken(NamedTuple):
    """How much had been taken from each bucket just after a call was sent."""

    requests: float = 0.0
    tokens: float = 0.0


class Buckets:
    """The pair of buckets. A rate that is neither given nor learnt holds nothing back."""

    __slots__ = ("_requests", "_tokens")

    def __init__(
        self, requests_per_minute: float | None, tokens_per_minute: float | None, now: float
    ) -> None:
        """Open full buckets of the rates that are given; `now` is in monotonic seconds."""
        rpm, tpm = requests_per_minute, tokens_per_minute
        self._requests = None if rpm is None else Bucket(rpm, now, given=True)
        self._tokens = None if tpm is None else Bucket(tpm, now, given=True)

    def __bool__(self) -> bool:
        return self._requests is not None or self._tokens is not None

    @property
    def count_tokens(self) -> bool:
        """Whether a call's tokens matter."""
        return self._tokens is not None

    def wait_s(self, now: float, tokens: int) -> float:
        """Seconds until a call of so many tokens may be sent; 0 if it may be sent now."""
        wait = 0.0
        if self._requests is not None:
            wait = self._requests.wait_s(now, 1)
        if self._tokens is not None:
            wait = max(wait, self._tokens.wait_s(now, tokens))
        return max(0.0, wait)

    def take(self, tokens: int) -> Taken:
        """Count a call that is being sent."""
        requests_taken = tokens_taken = 0.0
        if self._requests is not None:
            self._requests.take(1)
            requests_taken = self._requests.taken
        if self._tokens is not None:
            self._tokens.take(tokens)
            tokens_taken = self._tokens.taken
        return Taken(requests_taken, tokens_taken)

    def give(self, tokens: int) -> None:
        """Put back tokens that a call was estimated to use and did not."""
        if self._tokens is not None:
            self._tokens.give(tokens)

    def learn(self, now: float, rate: RateState, sent_at: float, taken: Taken) -> None:
        """Anchor what is learnt to a reply.

        Args:
            now: monotonic seconds.
            rate: what the reply says.
            sent_at: when its call was sent.
            taken: as `take` returned it for that call.
        """
        if self._requests is None and rate.limit_requests and rate.remaining_requests is not None:
            self._requests = Bucket(rate.limit_requests, now, given=False)
        if self._tokens is None and rate.limit_tokens and rate.remaining_tokens is not None:
            self._tokens = Bucket(rate.limit_tokens, now, given=False)
        if self._requests is not None:
            self._requests.learn(
                now, rate.limit_requests, rate.remaining_requests, rate.reset_requests_s,
                sent_at=sent_at, taken_before=taken.requests,
            )  # fmt: skip
        if self._tokens is not None:
            self._tokens.learn(
                now, rate.limit_tokens, rate.remaining_tokens, rate.reset_tokens_s,
                sent_at=sent_at, taken_before=taken.tokens,
            )  # fmt: skip

    def hold(self, until: float, rate: RateState) -> None:
        """Send nothing before this moment if a refusal said that one of the buckets is empty."""
        if self._requests is not None and rate.remaining_requests == 0:
            self._requests.hold(until)
        if self._tokens is not None and rate.remaining_tokens == 0:
            self._tokens.hold(until)


def nothing_left(rate: RateState | None) -> bool:
    """Whether a reply says that nearly nothing is left of one of the rates."""
    if rate is None:
        return False
    return any(
        left is not None and left <= _NEARLY_NOTHING * (limit or 0)
        for left, limit in (
            (rate.remaining_requests, rate.limit_requests),
            (rate.remaining_tokens, rate.limit_tokens),
        )
    )
