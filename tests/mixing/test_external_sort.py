"""Claim: the external sort gives what a stable sort in memory gives, whatever memory it has."""

from __future__ import annotations

import tracemalloc
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.mixing.external_sort import FAN_IN, ExternalSort
from selfsown.mixing.units import Unit


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=3), st.binary(max_size=40)), max_size=60),
    st.sampled_from([1, 500, 5_000, 10**6]),
)
def test_it_sorts_as_the_stable_sort_in_memory(
    entries: list[tuple[bytes, bytes]], memory: int
) -> None:
    with TemporaryDirectory() as folder:
        sort = ExternalSort(Path(folder) / "runs", memory)
        for key, value in entries:
            sort.add(key, value)
        expected = sorted(entries, key=itemgetter(0))
        assert list(sort) == expected
        assert list(sort) == expected, "as often as wanted"


def test_more_runs_than_may_be_open_are_merged_first(tmp_path: Path) -> None:
    sort = ExternalSort(tmp_path / "runs", memory_bytes=1)  # a run for each entry
    entries = [(bytes([number * 7 % 251]), b"%d" % number) for number in range(FAN_IN * 2 + 5)]
    for key, value in entries:
        sort.add(key, value)
    assert list(sort) == sorted(entries, key=itemgetter(0))
    assert len(list((tmp_path / "runs").iterdir())) <= FAN_IN


def test_what_fits_in_memory_touches_no_disk(tmp_path: Path) -> None:
    sort = ExternalSort(tmp_path / "runs")
    sort.add(b"b", b"")
    sort.add(b"a", b"")
    assert [key for key, _ in sort] == [b"a", b"b"]
    assert not (tmp_path / "runs").exists()


def test_no_more_memory_is_held_than_was_given(tmp_path: Path) -> None:
    memory = 200_000
    sort = ExternalSort(tmp_path / "runs", memory)
    tracemalloc.start()
    try:
        for number in range(1_500):
            sort.add(b"%08d" % (number * 7919 % 1_500), Unit("d", "d", "real", "x" * 900, 1).pack())
        assert sum(1 for _ in sort) == 1_500
        assert tracemalloc.get_traced_memory()[1] < 2 * memory
    finally:
        tracemalloc.stop()
