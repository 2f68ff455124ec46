"""Which share of refused calls needs no answer: a few per cent, or what was found to be usual.

Refusals that do not depend on how much is in flight are not cured by a lower limit. Once that has
been found, their share is tolerated for a number of round trips, for twice as many each time. After
that it is looked into again; it counts as usual until many round trips have gone by without it.
"""

from __future__ import annotations

import math
from typing import Final

ALWAYS: Final = 0.05
"""Share of refused calls that is always tolerated, so that a sprinkle changes nothing."""
_SIGMAS: Final = 2.0
_SIGMAS_IF_LEARNT: Final = 3.0
"""How many standard deviations more than expected are too many: there is one look per round trip,
and a false alarm costs more where much is refused anyway."""
_ROUNDS: Final = 64
_MOST_ROUNDS: Final = 512
"""Round trips for which a share is tolerated, the first time and at most."""
_CLEAN: Final = 32
"""Round trips in a row without noteworthy refusals after which they are not usual any more."""


class Tolerance:
    """What is tolerated of one endpoint."""

    __slots__ = ("_clean", "_next_rounds", "_rounds", "share", "usual")

    def __init__(self) -> None:
        """Tolerate what is always tolerated."""
        self.share = ALWAYS
        """The share that is tolerated now, in [0, 1]."""
        self.usual = ALWAYS
        """The share that was last found not to depend on depth, in [0, 1]."""
        self._rounds = 0
        self._next_rounds = _ROUNDS
        self._clean = 0

    def exceeded(self, count: int, calls: float) -> bool:
        """Whether so many refusals of so many calls are more than chance makes of the share."""
        expected = self.share * calls
        sigmas = _SIGMAS if self.share == ALWAYS else _SIGMAS_IF_LEARNT
        return count > expected + sigmas * math.sqrt(expected)

    def learn(self, share: float) -> None:
        """This share does not depend on depth."""
        self.share = self.usual = max(ALWAYS, share)
        self._rounds = self._next_rounds
        self._next_rounds = min(_MOST_ROUNDS, 2 * self._next_rounds)
        self._clean = 0

    def depends(self) -> None:
        """Refusals were found to depend on depth."""
        self._next_rounds = _ROUNDS

    def round_ended(self, count: int, calls: int) -> None:
        """Note a round trip in which not too many calls were refused."""
        if self.usual == ALWAYS:
            return
        self._rounds -= 1
        self._clean = self._clean + 1 if count <= ALWAYS * calls else 0
        if self._clean >= _CLEAN:
            self.share = self.usual = ALWAYS
        elif self._rounds <= 0:
            self.share = ALWAYS
