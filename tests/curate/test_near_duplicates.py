"""Claim: nothing is dropped for a text it is not like, and the first of two that are alike stays.

Exact joins are compared with all pairs; decisions do not depend on process, hash seed or on what
came between.
"""

from __future__ import annotations

import random
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.curate.near_duplicates import (
    EXACT_UP_TO,
    Method,
    NearDuplicates,
    Repeat,
    near_duplicate,
)
from selfsown.curate.shingles import Likeness, shingles
from selfsown.curate.steps import filter_named, first_drop
from selfsown.curate.verdict import Verdict

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=12).map(" ".join)


def keep_first(near: NearDuplicates, texts: list[str]) -> list[tuple[int, float] | None]:
    """Per text: None where it is kept, else the position of what it repeats, and their likeness."""
    kept: list[int] = []
    out: list[tuple[int, float] | None] = []
    for position, text in enumerate(texts):
        found = near.nearest(text)
        if found is None:
            near.add(text)
            kept.append(position)
        out.append(found and (kept[found.number], found.likeness))
    return out


def all_pairs(texts: list[str], threshold: str, words: int) -> list[tuple[int, float] | None]:
    """The same by comparing with every kept text."""
    sets = [shingles(text, words) for text in texts]
    kept: list[int] = []
    out: list[tuple[int, float] | None] = []
    for position, of in enumerate(sets):
        shares = [
            (Fraction(len(of & sets[k]), len(of | sets[k])), -k) for k in kept if of and sets[k]
        ]
        best, negative = max(shares, default=(Fraction(0), 0))
        if best >= Fraction(threshold):
            out.append((-negative, float(best)))
        else:
            out.append(None)
            kept.append(position)
    return out


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WORDS, max_size=12),
    st.sampled_from(["0.3", "0.5", "0.55", "0.8", "1"]),
    st.integers(1, 4),
)
def test_an_exact_join_decides_as_the_comparison_of_all_pairs(
    texts: list[str], threshold: str, words: int
) -> None:
    near = NearDuplicates(float(threshold), words=words)
    assert keep_first(near, texts) == all_pairs(texts, threshold, words)


def corpus(count: int, longest: int, seed: int) -> list[str]:
    """Texts of 4 to `longest` words; every second one is an earlier one with some words changed."""
    rng = random.Random(seed)
    texts: list[str] = []
    for number in range(count):
        if number % 2 and texts:
            words = rng.choice(texts).split()
            words = words[: len(words) - rng.randint(0, len(words) // 8)]
            for _ in range(rng.randint(0, max(1, len(words) // 25))):
                words[rng.randrange(len(words))] = f"new{rng.randrange(50)}"
        else:
            words = [
                f"w{int(rng.paretovariate(0.6)) % 5000}" for _ in range(rng.randint(4, longest))
            ]
        texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8])
def test_auto_misses_no_pair_whose_smaller_text_is_short(threshold: float) -> None:
    texts = corpus(900, 2 * EXACT_UP_TO, seed=4)
    sets = [shingles(text) for text in texts]
    near = NearDuplicates(threshold, method="auto")
    for text in texts:  # all are kept, so that every pair is asked about
        near.add(text)
    likeness = Likeness(threshold)
    compared = 0
    for of in sets:
        found = {n for index in near._indexes(len(of)) for n in index.candidates(of)}
        for number, other in enumerate(sets):
            alike = likeness.is_reached(len(of & other), len(of), len(other))
            if alike and min(len(of), len(other)) <= EXACT_UP_TO:
                compared += len(of) > EXACT_UP_TO or len(other) > EXACT_UP_TO
                assert number in found
    assert compared > 0  # pairs across the border are among them


@pytest.mark.parametrize("method", ["auto", "exact", "minhash"])
def test_what_a_text_repeats_is_like_it(method: Method) -> None:
    texts = corpus(400, 150, seed=1)
    near = NearDuplicates(method=method)
    found = keep_first(near, texts)
    assert sum(one is not None for one in found) > 40
    for text, one in zip(texts, found, strict=True):
        if one is not None:
            of, other = shingles(text), shingles(texts[one[0]])
            assert one[1] == len(of & other) / len(of | other) >= 0.8


def test_of_equals_the_first_stays_and_is_named() -> None:
    near = NearDuplicates(0.5, words=1)
    for text in ("a b c", "x y z"):
        near.add(text)
    assert near.nearest("C, b, A!") == Repeat(0, 1.0)
    assert near.nearest("a b c d") == Repeat(0, 0.75)
    assert near.nearest("x y z a b c") == Repeat(0, 0.5)  # both are half of it
    assert near.nearest("a p q") is None


def test_a_chain_is_not_one_cluster_only_kept_texts_count() -> None:
    near = NearDuplicates(0.5, words=1)
    assert keep_first(near, ["a b c d", "a b c x", "a b y x"]) == [None, (0, 0.6), None]


def test_texts_without_words_repeat_only_themselves_and_blank_ones_nothing() -> None:
    near = NearDuplicates()
    assert keep_first(near, ["", " ", "?!", " ?! ", "!?", "one two", "One, two."]) == [
        *(None, None, None, (2, 1.0), None, None, (5, 1.0))
    ]


def test_a_likeness_just_at_the_threshold_counts() -> None:
    # 0.55 * 20 is 11.000000000000002 in floating point; 11 of 20 words shared are 0.55 exactly.
    one = " ".join(f"w{n}" for n in range(15))
    other = " ".join(f"w{n}" for n in range(4, 20))
    near = NearDuplicates(0.55, words=1)
    near.add(one)
    assert near.nearest(other) == Repeat(0, 0.55)


@pytest.mark.parametrize("method", ["auto", "exact", "minhash"])
def test_decisions_are_the_same_under_another_hash_seed(method: Method) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_near_duplicates import *\n"
        f"near = NearDuplicates(0.6, method={method!r}, words=2)\n"
        "print(keep_first(near, corpus(300, 120, seed=7)))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(__file__).rpartition("/")[0]],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and b"(" in runs[0]


def test_the_filter_compares_with_accepted_texts_only_and_says_how_much_is_shared() -> None:
    rule = filter_named("near_duplicate", words=1, threshold=0.75)
    assert rule.options == {
        "threshold": 0.75,
        "words": 1,
        "method": "exact",
        "bands": 20,
        "rows": 7,
    }
    assert rule("Name three green birds").ok
    assert rule("Name three green birds").ok  # it was not accepted
    rule.add("Name three green birds")
    assert rule("name three birds") == Verdict(False, "near_duplicate", 0.75)
    assert first_drop([near_duplicate(), rule], "name three birds").reason == "near_duplicate"


@pytest.mark.parametrize(
    "options", [{"threshold": 0}, {"threshold": 1.2}, {"words": 0}, {"method": "guess"}]
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        NearDuplicates(**options)  # type: ignore[arg-type]
