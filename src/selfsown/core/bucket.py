"""A rate in requests or tokens per minute, given by the user or learnt from an endpoint's headers.

The bucket refills evenly. A learnt bucket is anchored at every reply to what the endpoint says is
left: the replied call's `remaining`, plus the refill since that call was sent, minus what was sent
after it. `reset` is read as the time until the bucket is full again, which is what the endpoints
that send it document; where the endpoint refuses although the bucket should have room, `hold` waits
until the time it names.
"""

from __future__ import annotations

from typing import Final

_EPSILON: Final = 1e-9


class Bucket:
    """One rate. Costs are requests (1 each) or tokens.

    A call that costs more than the whole bucket goes when the bucket is full, and leaves it in
    debt.
    """

    __slots__ = ("_at", "_capacity", "_held_until", "_level", "_rate", "given", "taken")

    def __init__(self, per_minute: float, now: float, *, given: bool) -> None:
        """Open a full bucket: a second's worth where the rate is given, a minute's where learnt.

        Args:
            per_minute: rate, > 0.
            now: monotonic seconds.
            given: the user set the rate; headers do not change it.
        """
        self.given = given
        self.taken = 0.0
        """Sum of all costs taken so far; a permit keeps it to tell later what was sent after it."""
        self._rate = per_minute / 60
        self._capacity = max(1.0, self._rate) if given else per_minute
        self._level = self._capacity
        self._at = now
        self._held_until = now

    def wait_s(self, now: float, cost: float) -> float:
        """Seconds until a call of this cost may be sent; 0 if it may be sent now."""
        level = self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = now
        short = min(cost, self._capacity) - level
        wait = short / self._rate if short > _EPSILON * self._capacity else 0.0
        return max(wait, self._held_until - now)

    def take(self, cost: float) -> None:
        """Count a call that is being sent."""
        self._level -= cost
        self.taken += cost

    def give(self, cost: float) -> None:
        """Put back what a call did not use of its estimate; learnt buckets hear it from replies."""
        if self.given:
            self._level = min(self._capacity, self._level + cost)

    def learn(
        self,
        now: float,
        limit: int | None,
        remaining: int | None,
        reset_s: float | None,
        *,
        sent_at: float,
        taken_before: float,
    ) -> None:
        """Anchor a learnt bucket to what a reply says.

        Args:
            now: monotonic seconds.
            limit: size of the endpoint's bucket; the size known so far where None.
            remaining: what was left when the call was accounted; nothing is learnt where None.
            reset_s: seconds until full; a minute for the whole bucket is assumed where None.
            sent_at: when the replied call was sent.
            taken_before: `taken` just after the replied call was sent.
        """
        if self.given or remaining is None:
            return
        if limit:
            self._capacity = float(limit)
        used = self._capacity - remaining
        self._rate = used / reset_s if reset_s and used > 0 else self._capacity / 60
        refilled = (now - sent_at) * self._rate
        self._level = min(self._capacity, remaining + refilled - (self.taken - taken_before))
        self._at = now

    def hold(self, until: float) -> None:
        """Send nothing before this moment: the endpoint said that nothing is left until then."""
        self._held_until = max(self._held_until, until)
