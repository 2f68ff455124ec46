"""A copy in the store of what each shard may spend, made before it counts.

Without it, a driver that lost its disk would split the cap anew, while a shard that had been handed
more has spent more than its new share: the sum could exceed the cap.
"""

from __future__ import annotations

import orjson

from selfsown.scale.ledger import Ledger, Split
from selfsown.scale.store import Store

_FOLDER = "caps"


class KeptCaps:
    """The caps of a job in its store; without a store it does nothing."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def keep(self, split: Split) -> None:
        """Keep new caps."""
        if self._store is not None:
            number = len(self._store.names(_FOLDER)) + 1
            self._store.create(f"{_FOLDER}/{number:06d}", orjson.dumps(list(split)))

    def bring(self, ledger: Ledger) -> None:
        """Give a new ledger the last caps that were kept, if there are any."""
        names = self._store.names(_FOLDER) if self._store is not None else []
        if self._store is not None and names:
            totals, caps = orjson.loads(self._store.read(f"{_FOLDER}/{names[-1]}") or b"")
            ledger.adopt(Split(tuple(totals), caps))
