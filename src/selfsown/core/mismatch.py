"""What to say when a replayed draw asks for something else than the journal has recorded."""

from __future__ import annotations

from selfsown.core.errors import ReplayMismatch
from selfsown.core.journal import Journal, StoredDelivery

_SHOWN = 500
"""Characters of a request in the message."""


def mismatch(
    journal: Journal,
    flow: str,
    stored: StoredDelivery,
    asked: frozenset[bytes],
    form: bytes | None = None,
) -> ReplayMismatch:
    """The error for a draw that does not ask for what it asked for before.

    Args:
        journal: where the old requests are looked up.
        flow: the draw's flow.
        stored: how the draw was recorded.
        asked: prefixes of the keys that it asks for now.
        form: the canonical new request, where it is known.
    """
    old = frozenset(stored.asks[i : i + 8] for i in range(0, len(stored.asks), 8))
    lost = [_described(journal, prefix) for prefix in sorted(old - asked)]
    new = [prefix.hex() for prefix in sorted(asked - old)]
    return ReplayMismatch(
        f"draw {stored.draw} of `{flow}` differs from the journal: recorded "
        + (f"request {'; '.join(lost)}" if lost else "other requests")
        + (f", now asks for key {', '.join(new)}" if new else ", now does not ask for it")
        + (f": `{form.decode()[:_SHOWN]}`" if form is not None else ""),
        why="recipe and config are unchanged, so the same draw must ask for the same",
        fix="undo the change of the recipe's code, or run with `--update` to open a new epoch",
    )


def _described(journal: Journal, prefix: bytes) -> str:
    stored = journal.find_prefix(prefix)
    return f"`{stored.request[:_SHOWN]}`" if stored else f"key {prefix.hex()}"
