"""Whether an endpoint can be reached: closed (normal), open (probing call by call), or down.

After several failures in a row to reach it, from whichever calls, nothing but single probes is
sent; one reply closes the circuit. An endpoint that stays out of reach for too long counts as down,
which suspends the run. Before the first reply of all that bound is short, because a wrong address
should be reported while the user is still looking.
"""

from __future__ import annotations

from typing import Final

OPEN_AFTER: Final = 5
"""Failures in a row, across calls, that open the circuit."""

_FIRST_PROBE_S: Final = 0.5
_LONGEST_PROBE_S: Final = 8.0


class Circuit:
    """Reachability of one endpoint. Times are monotonic seconds."""

    __slots__ = (
        "_down_after_s", "_down_at_start_s", "_next_probe", "_pause_s", "_replied", "_row",
        "_since", "closed", "down", "probing",
    )  # fmt: skip

    def __init__(self, *, down_after_s: float, down_at_start_s: float) -> None:
        """Open for business.

        Args:
            down_after_s: seconds out of reach after which an endpoint that has replied before
                counts as down.
            down_at_start_s: the same for one that refuses connections and has never replied.
        """
        self._down_after_s = down_after_s
        self._down_at_start_s = down_at_start_s
        self._replied = False
        self._row = 0
        self._since = 0.0
        self._pause_s = _FIRST_PROBE_S
        self._next_probe = 0.0
        self.closed = True
        """Calls flow freely."""
        self.down = False
        """Given up; nothing is sent any more."""
        self.probing = False
        """A probe is under way."""

    def replied(self) -> bool:
        """Note a reply of any kind; true if that closed an open circuit."""
        self._replied = True
        self._row = 0
        if self.closed:
            return False
        self.closed, self.down, self.probing = True, False, False
        self._pause_s = _FIRST_PROBE_S
        return True

    def failed(self, now: float, *, refused: bool) -> bool:
        """Note a failure to reach the endpoint; true if that opened the circuit.

        Args:
            now: when it failed.
            refused: no connection came about, rather than a cut one or a gateway's answer.
        """
        if self._row == 0:
            self._since = now
        self._row += 1
        at_start = refused and not self._replied
        bound = min(self._down_at_start_s, self._down_after_s) if at_start else self._down_after_s
        opened = self.closed and self._row >= OPEN_AFTER
        if opened:
            self.closed = False
        elif not self.closed:
            self._pause_s = min(_LONGEST_PROBE_S, self._pause_s * 2)
        self._next_probe = min(now + self._pause_s, max(now, self._since + bound))
        self.down = not self.closed and now - self._since >= bound
        return opened

    def wait_s(self, now: float) -> float | None:
        """Seconds until a probe may be sent from an open circuit; None while one is under way."""
        return None if self.probing else max(0.0, self._next_probe - now)

    def out_of_reach_s(self, now: float) -> float:
        """Seconds since the first failure of the current row."""
        return now - self._since
