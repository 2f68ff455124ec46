"""Claim: bands find pairs at the rate of the S-curve, for every stated banding and any likeness."""

from __future__ import annotations

import math
import sys

import pytest

from selfsown.core.errors import ConfigError, MissingExtra
from selfsown.curate.minhash import Banding, MinHashIndex
from selfsown.curate.near_duplicates import NearDuplicates

PAIRS = 500
SIZE = 200


def pair(number: int, jaccard: float) -> tuple[frozenset[str], frozenset[str]]:
    """Two sets of 200 shingles of about this likeness, unlike those of other numbers."""
    shared = round(2 * SIZE * jaccard / (1 + jaccard))
    common = [f"the {number} common {n}" for n in range(shared)]
    one, other = (
        frozenset(common + [f"{side} own {number} {n}" for n in range(SIZE - shared)])
        for side in ("left", "right")
    )
    return one, other


@pytest.mark.parametrize(
    "banding", [Banding(), Banding(16, 8), Banding(14, 8), Banding(9, 13), Banding(25, 5)]
)
@pytest.mark.parametrize("jaccard", [0.5, 0.6, 0.72, 0.8, 0.9, 0.95])
def test_pairs_are_found_at_the_rate_of_the_s_curve(banding: Banding, jaccard: float) -> None:
    found, expected = 0, 0.0
    index = MinHashIndex(banding)
    for number in range(PAIRS):
        one, other = pair(number, jaccard)
        index.add(number, one)
        found += number in index.candidates(other)
        expected += banding.found_rate(len(one & other) / len(one | other))
    rate = expected / PAIRS
    assert abs(found - expected) <= 3.5 * math.sqrt(PAIRS * rate * (1 - rate)) + 1


def test_the_curve_by_hand() -> None:
    # 0.8^8 = 0.16777; 1 - 0.83223^14 = 0.92354, the 0.92 that datatrove states for its 14 x 8
    assert Banding(14, 8).found_rate(0.8) == pytest.approx(0.92354, abs=1e-5)
    assert [round(Banding(16, 8).found_rate(j), 4) for j in (0.8, 0.85)] == [0.947, 0.9938]
    assert [round(Banding().found_rate(j), 4) for j in (0.8, 0.85)] == [0.991, 0.9996]
    assert Banding(1, 1).found_rate(0.3) == pytest.approx(0.3)


def test_signatures_are_those_that_were_measured() -> None:
    """Another release of `rensa` with other signatures would decide otherwise."""
    index = MinHashIndex(Banding(2, 2))
    signature = index._signature(frozenset({"a b c", "b c d"}))
    assert signature.digest() == GOLDEN


GOLDEN = [88311929, 3259559106, 3679529554, 1630376076]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    for method in ("auto", "minhash"):
        with pytest.raises(MissingExtra) as caught:
            NearDuplicates(method=method)  # type: ignore[arg-type]
        assert "selfsown[curate]" in caught.value.fix
    assert NearDuplicates(method="exact").nearest("a") is None


@pytest.mark.parametrize("numbers", [(0, 8), (16, 0), (100, 100)])
def test_bandings_that_make_no_sense_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        Banding(*numbers)
