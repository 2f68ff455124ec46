"""Claim: set arithmetic on big integers counts and selects exactly like counting one by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.curate.bitsets import at_least, by_count, count_planes, from_hits, members

SIZE = 200
SETS = st.lists(st.sets(st.integers(0, SIZE - 1)), max_size=12)


def as_bits(numbers: set[int]) -> int:
    return sum(1 << number for number in numbers)


@given(SETS, st.sets(st.integers(0, SIZE - 1)), st.integers(0, 15))
@settings(deadline=None)
def test_planes_count_like_a_counter(sets: list[set[int]], among: set[int], least: int) -> None:
    counts = {number: sum(number in each for each in sets) for number in among}
    planes = count_planes([as_bits(each) for each in sets])
    found = set(members(at_least(planes, least, as_bits(among))))
    assert found == {number for number, count in counts.items() if count >= least}
    groups = dict(by_count(planes, as_bits(among)))
    assert list(groups) == sorted(set(counts.values()), reverse=True)
    for count, bits in groups.items():
        assert set(members(bits)) == {number for number in among if counts[number] == count}


@given(st.sets(st.integers(0, 70_000), max_size=40))
@settings(deadline=None)
def test_members_are_ascending_and_complete(numbers: set[int]) -> None:
    assert list(members(as_bits(numbers))) == sorted(numbers)


@given(SETS)
@settings(deadline=None)
def test_layers_of_hits_add_up_to_the_hits(hits: list[set[int]]) -> None:
    layers = from_hits(hits, SIZE)
    for number in range(SIZE):
        wanted = sum(number in each for each in hits)
        assert sum(layer >> number & 1 for layer in layers) == wanted
