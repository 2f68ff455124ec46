"""Each lexical metric gives the value worked out by hand from its definition."""

from __future__ import annotations

import math
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.guard.form import ks_distance, opening_share
from selfsown.guard.lexical import compression_ratio, moving_ttr, mtld, self_bleu
from selfsown.guard.near_copies import NearCopies
from selfsown.guard.ngrams import NgramTable, ngrams_of


def words(text: str) -> list[str]:
    return text.split()


ROWS = [words("a b a b"), words("a b c")]
ALL = np.array([True, True])


def test_distinct_pairs_are_counted_within_rows_only() -> None:
    # Pairs: ab ba ab | ab bc -> 3 different of 5. Single words: a b c of 7. Triples: aba bab abc.
    assert NgramTable(ROWS, 2).distinct(ALL) == pytest.approx(3 / 5)
    assert NgramTable(ROWS, 1).distinct(ALL) == pytest.approx(3 / 7)
    assert NgramTable(ROWS, 3).distinct(ALL) == pytest.approx(1.0)


def test_a_mask_leaves_out_the_ngrams_of_its_rows() -> None:
    # Only "a b c": ab bc.
    assert NgramTable(ROWS, 2).distinct(np.array([False, True])) == 1.0
    assert NgramTable([["a"]], 2).distinct(np.array([True])) == 0.0


def test_entropy_is_in_bits() -> None:
    # Pairs ab 3, ba 1, bc 1 of 5: -(0.6 log2 0.6 + 2 * 0.2 log2 0.2) = 0.4422 + 0.9288 = 1.3710.
    assert NgramTable(ROWS, 2).entropy(ALL) == pytest.approx(1.37095, abs=1e-5)
    assert NgramTable([["a", "a"]], 1).entropy(np.array([True])) == 0.0


def test_compression_ratio_is_raw_over_zlib_bytes() -> None:
    raw = b"abc abc\nabc abc"
    assert compression_ratio(["abc abc", "abc abc"]) == len(raw) / len(zlib.compress(raw, 9))
    assert compression_ratio([]) == 0.0


def test_moving_ratio_is_the_mean_of_all_windows() -> None:
    # Windows of 3 in a b a c: (a b a) 2/3, (b a c) 3/3 -> mean 5/6.
    assert moving_ttr(words("a b a c"), window=3) == pytest.approx(5 / 6)
    assert moving_ttr(["a", "a"], window=3) == pytest.approx(1 / 2)
    assert moving_ttr([]) == 0.0


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40), st.integers(1, 10))
def test_moving_ratio_equals_the_definition(tokens: list[str], window: int) -> None:
    width = min(window, len(tokens))
    windows = [tokens[start : start + width] for start in range(len(tokens) - width + 1)]
    expected = sum(len(set(one)) / width for one in windows) / len(windows)
    assert moving_ttr(tokens, window) == pytest.approx(expected)


def test_mtld_counts_runs_down_to_the_threshold() -> None:
    # a b a: ratio 1, 1, 2/3 <= .72: one run of 3. Then b c: ratio 1, an unfinished run of 0.
    # Forward 5 / 1 = 5. Backward c b a b: 1, 1, 1, 3/4; then a: 3/5 <= .72: one run of 5. 5 / 1.
    assert mtld(words("a b a b c")) == pytest.approx(5.0)
    # Without any full run: a b c d b has ratio 4/5, which counts (1 - 0.8) / 0.28 = 0.7143 runs.
    # Backward b d c b: 3/4, then a: 4/5, the same. 5 / 0.7143 = 7.
    assert mtld(words("a b c d b")) == pytest.approx(7.0)


def test_self_bleu_of_equal_rows_is_one() -> None:
    rows = [words("the cat sat on the mat")] * 3
    assert self_bleu(rows, 3) == pytest.approx([1.0, 1.0, 1.0])


def test_self_bleu_clips_to_the_best_other_row_and_smooths_higher_orders() -> None:
    rows = [words("a a b"), words("a b c"), words("d e f")]
    # Row 0: words a a b; other rows have at most one a, one b: 2/3. Pairs aa ab: ab matches:
    # (1+1)/(2+1). Triples: 0 of 1: (0+1)/(1+1). No 4-gram. Same length: no penalty.
    expected = (2 / 3 * 2 / 3 * 1 / 2) ** (1 / 3)
    assert self_bleu(rows, 1) == pytest.approx([expected])
    assert self_bleu(rows, 3)[2] == 0.0  # no word in common


def test_self_bleu_punishes_rows_shorter_than_the_closest() -> None:
    rows = [words("a b"), words("a b c d")]
    # All n-grams match; exp(1 - 4/2) = exp(-1).
    assert self_bleu(rows, 1) == pytest.approx([math.exp(-1)])


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=2, max_size=6))
def test_self_bleu_counts_equal_brute_force(rows: list[list[str]]) -> None:
    scores = self_bleu(rows, len(rows), order=1)
    for number, row in enumerate(rows):
        others = [other for place, other in enumerate(rows) if place != number]
        matched = sum(
            min(row.count(word), max(other.count(word) for other in others)) for word in set(row)
        )
        if not row or not matched:
            assert scores[number] == 0.0
            continue
        closest = min((len(other) for other in others), key=lambda n: (abs(n - len(row)), n))
        penalty = 1.0 if len(row) >= closest else math.exp(1 - closest / len(row))
        assert scores[number] == pytest.approx(penalty * matched / len(row))


def test_opening_share_counts_the_ten_most_frequent_openings() -> None:
    # 30 rows: "write a short story ..." 3 times, 27 others once: 3 + 9 of 30.
    rows = [words("write a short story now")] * 3 + [[f"w{n}", "b"] for n in range(27)]
    assert opening_share(rows) == pytest.approx(12 / 30)


def test_ks_distance_is_the_largest_gap_of_the_distribution_functions() -> None:
    # At 2: 2/3 of (1, 2, 4) and 1/3 of (2, 5, 6) -> 1/3; at 4: 1 and 1/3 -> 2/3.
    assert ks_distance(np.array([1.0, 2, 4]), np.array([2.0, 5, 6])) == pytest.approx(2 / 3)


def test_near_copies_share_a_long_run_or_most_shingles() -> None:
    long = [f"w{n}" for n in range(60)]
    index = NearCopies([long, words("one two three four five six seven")])
    assert index.is_copy(["x"] * 30 + long[5:55] + ["y"] * 30)  # 50 in a row
    assert not index.is_copy(["x"] * 30 + long[5:54] + ["y"] * 30)  # 49
    assert index.is_copy(words("one two three four five six seven"))
    # 4 of 5 shingles, one other: 4 shared of 6 in all = 0.67.
    assert not index.is_copy(words("one two three four five six eight"))
    assert not index.is_copy([])


@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=9), max_size=6),
    st.lists(st.sampled_from("abcd"), max_size=9),
)
def test_near_copies_are_those_that_comparing_with_every_row_finds(
    rows: list[list[str]], row: list[str]
) -> None:
    def likeness(other: list[str]) -> Fraction:
        one, two = (set(ngrams_of(each, min(3, max(1, len(each))))) for each in (row, other))
        return Fraction(len(one & two), max(1, len(one | two)))

    assert NearCopies(rows).is_copy(row) == any(likeness(one) > Fraction(4, 5) for one in rows)


def test_ngrams_of_a_short_row_are_none() -> None:
    assert ngrams_of(["a", "b"], 3) == []
