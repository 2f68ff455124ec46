"""Claim: the order is a uniform shuffle of each source; every stretch has the shares of the whole.

Nothing but seed, names and ids decides it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from selfsown.mixing.order import Drawn, Shelf, interleave
from selfsown.mixing.units import Unit

COUNT = 2_000


def unit(number: int, tokens: int = 100, name: str = "d") -> Unit:
    return Unit(f"{name}{number}", f"{name}{number}", "real", "text", tokens)


def shelf(
    place: Path, name: str, units: Sequence[Unit], seed: int = 0, memory: int = 10**6
) -> Shelf:
    found = Shelf(name, seed, place / f"{name}-{seed}-{memory}", memory)
    for one in units:
        found.add(one)
    return found


def ids(drawn: Sequence[Drawn]) -> list[str]:
    return [one.unit.id for one in drawn]


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """Numbers of the texts of one source, in the order of one pass."""
    place = tmp_path_factory.mktemp("order")
    drawn = shelf(place, "web", [unit(number) for number in range(COUNT)]).once()
    return [int(one.unit.id[1:]) for one in drawn]


def test_every_text_comes_once_in_a_pass(order: list[int]) -> None:
    assert sorted(order) == list(range(COUNT))


def test_place_in_the_source_says_nothing_of_the_place_in_the_mixture(order: list[int]) -> None:
    mean = (COUNT - 1) / 2
    dot = sum((place - mean) * (number - mean) for place, number in enumerate(order))
    correlation = dot / sum((place - mean) ** 2 for place in range(COUNT))
    assert abs(correlation) < 4 / COUNT**0.5  # 4 standard errors of a random order


def test_tenths_of_the_source_are_spread_evenly_over_tenths_of_the_mixture(
    order: list[int],
) -> None:
    seen = Counter(
        (place * 10 // COUNT, number * 10 // COUNT) for place, number in enumerate(order)
    )
    expected = COUNT / 100
    chi_square = sum(
        (seen[row, column] - expected) ** 2 / expected for row in range(10) for column in range(10)
    )
    assert 40 < chi_square < 137  # 81 degrees of freedom: both ends have a probability of 1 in 10^4


def test_neighbours_are_parted(order: list[int]) -> None:
    still = sum(abs(one - other) == 1 for one, other in pairwise(order))
    assert still <= 10  # 2 are expected of a random order


def test_the_order_depends_neither_on_reading_order_nor_on_memory_nor_on_other_texts(
    tmp_path: Path,
) -> None:
    units = [unit(number) for number in range(300)]
    first = ids(list(shelf(tmp_path, "web", units).once()))
    mixed = random.Random(1).sample(units, len(units))
    assert ids(list(shelf(tmp_path / "b", "web", mixed, memory=2_000).once())) == first
    fewer = [one for one in units if one.id != "d7"]
    assert ids(list(shelf(tmp_path / "c", "web", fewer).once())) == [i for i in first if i != "d7"]
    assert ids(list(shelf(tmp_path / "d", "web", units, seed=1).once())) != first


def test_every_stretch_has_the_shares_of_the_whole(tmp_path: Path) -> None:
    rng = random.Random(2)
    shelves = [
        shelf(tmp_path, name, [unit(n, rng.randint(20, 400), name) for n in range(600)])
        for name in ("web", "easy", "qa")
    ]
    drawn = list(interleave(shelves, [40_000, 20_000, 20_000]))
    for start in range(0, len(drawn), 60):
        tokens = Counter[str]()
        for one in drawn[: start + 60]:
            tokens[one.source] += one.unit.tokens
        for name, share in (("web", 0.5), ("easy", 0.25), ("qa", 0.25)):
            assert abs(tokens[name] - share * tokens.total()) < 400, "one text at most"


def test_passes_have_orders_of_their_own_and_a_part_of_a_pass_is_a_sample_of_it(
    tmp_path: Path,
) -> None:
    one = shelf(tmp_path, "web", [unit(number) for number in range(200)], memory=2_000)
    drawn = list(interleave([one], [200 * 100 * 2.5]))
    by_copy = [[each.unit.id for each in drawn if each.copy == copy] for copy in range(3)]
    assert [len(part) for part in by_copy] == [200, 200, 100]
    assert set(by_copy[0]) == set(by_copy[1]) and by_copy[0] != by_copy[1]
    sampled = [int(name[1:]) for name in by_copy[2]]
    assert len(set(sampled)) == 100 and 80 < sum(sampled) / 100 < 120  # of a mean of 99.5
    assert not (tmp_path / "web-0-2000" / "1").exists(), "a pass that is over leaves no files"


def test_tokens_are_met_to_within_half_a_text(tmp_path: Path) -> None:
    for target in (1, 149, 151, 1_949, 1_951):
        one = shelf(tmp_path / str(target), "web", [unit(number) for number in range(30)])
        given = sum(each.unit.tokens for each in interleave([one], [target]))
        assert abs(given - target) <= 50 or given == 100
