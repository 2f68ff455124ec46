"""Claim (cosmopedia 8.4): planted pairs are removed at the rates that their likeness says.

500 pairs each at Jaccard 0.5, 0.72, 0.8 and 0.95. Which rates are right depends on what "removed"
should mean. Bands alone (the published 14 x 8) remove by a lottery: two of five pairs at 0.72
stay, and a twentieth of those at 0.5 go, although they share only half of their words. Ours compare
every candidate exactly, so nothing below the threshold goes; what is above it goes at the rate of
the bands with `minhash`, and always with `exact`. So the exact rates are right, and the S-curve is
what they cost to find. `test_minhash.py` has the curve itself, for more bandings.
"""

from __future__ import annotations

import math
import random

import pytest

from selfsown.curate.minhash import Banding
from selfsown.curate.near_duplicates import Method, NearDuplicates

pytest.importorskip("rensa", reason="MinHash needs the extra `curate`")

PAIRS = 500
WORDS = 90
"""Of each text, all distinct, so that shingles of one word give the likeness by counting."""
PUBLISHED = Banding(14, 8)
LIKENESS = (0.5, 0.72, 0.8, 0.95)


def planted(jaccard: float) -> list[tuple[str, str]]:
    """Pairs of texts of about this likeness, in which nothing is shared between pairs."""
    shared = round(2 * WORDS * jaccard / (1 + jaccard))
    rng, pairs = random.Random(f"{jaccard}"), []
    for number in range(PAIRS):
        common = [f"c{number}x{n}" for n in range(shared)]
        texts = []
        for side in "ab":
            words = common + [f"{side}{number}x{n}" for n in range(WORDS - shared)]
            rng.shuffle(words)
            texts.append(" ".join(words))
        pairs.append((texts[0], texts[1]))
    return pairs


def removed(jaccard: float, threshold: float, method: Method) -> float:
    """The share of the pairs whose second text goes for the first."""
    near = NearDuplicates(threshold, words=1, method=method, banding=PUBLISHED)
    gone = 0
    for number, (one, other) in enumerate(planted(jaccard)):
        assert near.add(one) == number
        found = near.nearest(other)
        gone += found is not None and found.number == number
    return gone / PAIRS


def realised(jaccard: float) -> float:
    """The likeness that whole numbers of words allow."""
    shared = round(2 * WORDS * jaccard / (1 + jaccard))
    return shared / (2 * WORDS - shared)


@pytest.mark.parametrize("jaccard", LIKENESS)
def test_8_4_planted_pairs_are_removed_at_the_rates_of_the_curve_and_exactly(
    jaccard: float,
) -> None:
    curve = PUBLISHED.found_rate(realised(jaccard))
    bands = removed(jaccard, 0.01, "minhash")
    verified = removed(jaccard, 0.8, "minhash")
    exact = removed(jaccard, 0.8, "exact")
    print(f"{jaccard}: curve {curve:.3f}, bands {bands:.3f}, {verified:.3f} verified, {exact:.3f}")
    assert abs(bands - curve) <= 3.5 * math.sqrt(curve * (1 - curve) / PAIRS) + 1 / PAIRS
    is_alike = realised(jaccard) >= 0.8
    assert verified == (bands if is_alike else 0.0)
    assert exact == float(is_alike)
