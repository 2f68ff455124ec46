"""Is a share above its gate? A test that may be looked at after every text, for many phrases.

A confidence bound that is looked at again and again crosses its gate by chance sooner or later. So
evidence is measured by a likelihood ratio that is averaged over shares above the gate: as long as
the true share is at most the gate it is a non-negative supermartingale with mean 1, which *ever*
exceeds 1 / a with probability at most a (Ville 1939; Robbins 1970, "Statistical methods related to
the law of the iterated logarithm").

Many phrases at once, not known before: an alarm needs evidence of `per_text / (alpha * gate)` and a
share above the gate also without its last occurrence. For a phrase of true share p <= gate the
same ratio against p instead of the gate is then at least `per_text / (alpha * p)` (the likelihood
of the other n - 1 texts grows with the share up to its maximum, which lies above the gate), which
happens with probability at most `alpha * p / per_text`. A text has at most `per_text` phrases, so
the p add up to at most `per_text`, and the probability of any false alarm, over all phrases and all
looks, is at most `alpha`. It holds for counts that are too low, too: the ratio grows with the
count. `tests/curate/test_sequential.py` measures it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

_TIMES: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 89.0)
"""Shares that evidence is averaged over, in multiples of the gate, as far as they are below 1."""


class ShareTest:
    """Collects evidence that a share lies above `gate`."""

    def __init__(self, gate: float) -> None:
        """A test against a gate in (0, 1)."""
        self.gate = gate
        shares = [gate * times for times in _TIMES if gate * times < 1] or [(1 + gate) / 2]
        self._steps = [
            (math.log(share / gate), math.log((1 - share) / (1 - gate))) for share in shares
        ]
        """What an occurrence and its absence add to the logarithm of each ratio."""

    def evidence(self, count: int, total: int) -> float:
        """Logarithm of the averaged likelihood ratio of `count` occurrences in `total` texts.

        Minus infinity where the share is not above the gate without its last occurrence, and so
        can never be evidence.
        """
        if count < 1 or count - 1 <= self.gate * (total - 1):
            return -math.inf
        missing = total - count
        logs = [count * hit + missing * miss for hit, miss in self._steps]
        return _log_mean(logs)

    def family(self, per_text: int) -> float:
        """By how much evidence must be larger when all phrases of texts are tested.

        Args:
            per_text: most phrases of one text.
        """
        return per_text / self.gate


def _log_mean(logs: Iterable[float]) -> float:
    values = list(logs)
    top = max(values)
    return top + math.log(math.fsum(math.exp(one - top) for one in values) / len(values))


def wilson(count: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share that is looked at once (Wilson 1927); (0, 1) without texts."""
    if not total:
        return 0.0, 1.0
    share, spread = count / total, z * z / total
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))
