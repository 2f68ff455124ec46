"""How much of a source comes again in a text, where it does not, and how much of it is copied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from selfsown.curate.faithful_reading import Reading

WINDOW: Final = 0.35
"""Share of the source that may be missing in one piece."""
RUN: Final = 8
"""Words in a row that count as copied."""
_PREFIX: Final = 5


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the content words of a source come again."""

    share: float
    """Of all of them, those that several sentences have weighing less, in [0, 1]; 1.0 for none."""
    least: float
    """The same of the worst piece of `WINDOW` of the source."""
    rest: float
    """The same of the source without that piece."""
    first: int
    """Index of the first token of the piece."""
    last: int
    """Index of its last token."""


def coverage(source: Reading, text: Reading) -> Coverage:
    """See `Coverage`. A word comes again if its stem does, or its first five letters do."""
    content = source.content
    if not content:
        return Coverage(1.0, 1.0, 1.0, 0, 0)
    counts = Counter(each for stems in source.sentences for each in stems)
    stems = text.stems
    starts = {each[:_PREFIX] for each in stems}
    weights: list[float] = []
    covered: list[float] = []
    for each, _ in content:
        weight = 1 / counts[each]
        is_back = each in stems or (len(each) >= _PREFIX and each[:_PREFIX] in starts)
        weights.append(weight)
        covered.append(weight if is_back else 0.0)
    total, back = sum(weights), sum(covered)
    least, low, high = _worst(weights, covered, total * WINDOW)
    inside = sum(weights[low:high])
    found = sum(covered[low:high])
    rest = (back - found) / (total - inside) if total - inside > 1e-9 else 1.0
    return Coverage(back / total, least, rest, content[low][1], content[high - 1][1])


def _worst(weights: list[float], covered: list[float], size: float) -> tuple[float, int, int]:
    """The least share of any run of at least `size` weight, with its bounds."""
    best, bounds = 2.0, (0, len(weights))
    low, weight, back = 0, 0.0, 0.0
    for high, (each, found) in enumerate(zip(weights, covered, strict=True), start=1):
        weight += each
        back += found
        while weight - weights[low] >= size:
            weight -= weights[low]
            back -= covered[low]
            low += 1
        if weight >= size and back / weight < best:
            best, bounds = back / weight, (low, high)
    return min(best, 1.0), *bounds


@dataclass(frozen=True, slots=True)
class Copied:
    """How much of a text stands in its source word for word."""

    share: float
    """Of the text's words, those in common runs of `RUN` words or more, in [0, 1]."""
    longest: float
    """Of the text's words, those in the longest such stretch."""


def copied(source: Reading, text: Reading) -> Copied:
    """See `Copied`; a text of fewer words than a run is copied if the source has all of it."""
    theirs, ours = source.keys, text.keys
    size = min(RUN, len(ours))
    if size == 0:
        return Copied(0.0, 0.0)
    runs = set(zip(*(theirs[start:] for start in range(size)), strict=False))
    total = longest = stretch = end = 0
    for place, run in enumerate(zip(*(ours[start:] for start in range(size)), strict=False)):
        if run in runs:
            total += place + size - max(place, end)
            stretch += 1 if stretch else size
            longest = max(longest, stretch)
            end = place + size
        else:
            stretch = 0
    return Copied(total / len(ours), longest / len(ours))
