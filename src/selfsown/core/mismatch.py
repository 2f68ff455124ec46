"""What to say when a replayed draw asks for something else than the journal has recorded."""

from __future__ import annotations

from selfsown.core.errors import CallFailed, ReplayMismatch
from selfsown.core.journal import Journal, StoredDelivery

_SHOWN = 500
"""Characters of a request in the message."""


def mismatch(
    journal: Journal,
    flow: str,
    stored: StoredDelivery,
    asked: frozenset[bytes],
    form: bytes | None = None,
    error: CallFailed | None = None,
) -> ReplayMismatch:
    """The error for a draw that does not ask for what it asked for before.

    Args:
        journal: where the old requests are looked up.
        flow: the draw's flow.
        stored: how the draw was recorded.
        asked: prefixes of the keys that it asks for now.
        form: the canonical new request, where it is known.
        error: how the work fails now, where it fails.
    """
    if form is None and stored.asks == b"".join(sorted(asked)):
        return _mismatch(stored, flow, _ended(stored, error))
    old = frozenset(stored.asks[i : i + 8] for i in range(0, len(stored.asks), 8))
    lost = [_described(journal, prefix) for prefix in sorted(old - asked)]
    new = [prefix.hex() for prefix in sorted(asked - old)]
    what = f"recorded request {'; '.join(lost)}" if lost else "recorded other requests"
    what += f", now asks for key {', '.join(new)}" if new else ", now does not ask for it"
    if form is not None:
        what += f": `{form.decode()[:_SHOWN]}`"
    return _mismatch(stored, flow, what)


def _mismatch(stored: StoredDelivery, flow: str, what: str) -> ReplayMismatch:
    return ReplayMismatch(
        f"draw {stored.draw} of `{flow}` differs from the journal: {what}",
        why="recipe and config are unchanged, so the same draw must come to the same",
        fix="undo the change of the recipe's code, or run with `--update` to open a new epoch",
    )


def _ended(stored: StoredDelivery, error: CallFailed | None) -> str:
    now = "it succeeds" if error is None else f"it fails with `{error.kind}`: {error.what}"
    return f"recorded as {'a success' if stored.ok else 'a failure'}, now {now}"


def _described(journal: Journal, prefix: bytes) -> str:
    stored = journal.find_prefix(prefix)
    return f"`{stored.request[:_SHOWN]}`" if stored else f"key {prefix.hex()}"
