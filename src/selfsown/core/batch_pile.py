"""Calls that wait to be submitted, in piles that can become one batch each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias, cast

from selfsown.core.batch_model import BatchModel, custom_id
from selfsown.core.batch_work import Waiter
from selfsown.core.model import AttemptFailed, Model

Place: TypeAlias = tuple[int, str]
"""A model (by `id`) and an address of its provider: what shares a batch."""


class Piles:
    """The piles of one run, and how much of one goes into a batch."""

    def __init__(self, requests: int | None) -> None:
        """Begin empty; `requests` is the most calls in a batch, None: what the provider takes."""
        self.arrivals = 0
        """Calls that ever came."""
        self._requests = requests
        self._piles: dict[Place, list[Waiter]] = {}
        self._lowered: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._piles)

    def __iter__(self) -> Iterator[Waiter]:
        return (waiter for pile in self._piles.values() for waiter in pile)

    @property
    def places(self) -> list[Place]:
        """Where calls lie."""
        return list(self._piles)

    def add(self, waiter: Waiter) -> None:
        """Put a call on the pile where it belongs."""
        model = waiter.call.route.model
        address = cast(BatchModel, model).batch_address(waiter.call.request)
        self._piles.setdefault((id(model), address), []).append(waiter)
        self.arrivals += 1

    def next_batch(self, place: Place) -> tuple[list[Waiter], bool]:
        """The calls of a place that go next, and whether they fill a batch; none if none wait."""
        pile = [waiter for waiter in self._piles.get(place, ()) if not waiter.result.done()]
        if not pile:
            self._piles.pop(place, None)
            return [], False
        self._piles[place] = pile
        most = self._most(pile[0].call.route.model)
        return pile[:most], len(pile) >= most

    def remove(self, place: Place, taken: Sequence[Waiter]) -> None:
        """These are in a batch."""
        inside = set(taken)
        self._piles[place] = [each for each in self._piles[place] if each not in inside]

    def lower(self, model: Model, most: int) -> None:
        """The provider found more calls of a model in a batch too much."""
        self._lowered[id(model)] = most

    def is_lowered(self, model: Model) -> bool:
        """Whether it did."""
        return id(model) in self._lowered

    def clear(self) -> None:
        """Drop everything."""
        self._piles.clear()

    def _most(self, model: Model) -> int:
        own = cast(BatchModel, model).batch_limits.requests
        return min(self._requests or own, self._lowered.get(id(model), own), own)


def lines_of(
    intent: str, waiters: Sequence[Waiter], now: float
) -> tuple[list[Waiter], list[bytes]]:
    """As many of the calls as fit into one batch by their bytes, with their lines.

    A call that the provider cannot be asked ends here; the first that can is taken at any size.

    Args:
        intent: our id of the batch.
        waiters: calls of one place, at least one.
        now: monotonic seconds.
    """
    api = cast(BatchModel, waiters[0].call.route.model)
    room = api.batch_limits.bytes
    taken: list[Waiter] = []
    lines: list[bytes] = []
    for waiter in waiters:
        try:
            line = api.batch_line(waiter.call.request, custom_id(intent, waiter.call.key))
        except AttemptFailed as failure:
            waiter.call.sent += 1
            waiter.refuse(failure, now)
            continue
        room -= len(line) + 1  # and its newline or comma
        if room < 0 and taken:
            break
        taken.append(waiter)
        lines.append(line)
    return taken, lines
