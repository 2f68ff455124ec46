"""Claim: our ROUGE-L is `rouge_score`'s, stemmer on or off, to the last bit."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer  # type: ignore[import-untyped]
from rouge_score.rouge_scorer import RougeScorer

from selfsown.curate.porter import stem
from selfsown.evaluate.rouge import best_rouge_l, rouge_tokens
from selfsown.lab.suites import load_suite

DATA = Path(__file__).parents[2] / "../shared/data"
REFERENCE = PorterStemmer()
SCORERS = {flag: RougeScorer(["rougeL"], use_stemmer=flag) for flag in (False, True)}

WORDS = (  # all suffixes of the algorithm, and some that only look like them
    "s ies sses ss ied eed ed ing y ational tional enci anci izer bli abli alli entli eli ousli "
    "ization ation ator alism iveness fulness ousness aliti iviti biliti fulli logi icate ative "
    "alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion sion tion ou "
    "ism ate iti ous ive ize e ll lle yy"
)
SUFFIXES = WORDS.split()


def texts() -> Iterator[str]:
    """Every text of the published data; skips the test where they are absent."""
    if not DATA.is_dir():
        pytest.skip("the published data are not beside the checkout (shared/data)")
    for path in sorted(DATA.glob("*/*.jsonl*")):
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        for line in text.splitlines():
            yield from _strings(json.loads(line))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def expected(answer: str, references: list[str], stemmed: bool) -> float:
    scorer = SCORERS[stemmed]
    return max(scorer.score(target, answer)["rougeL"].fmeasure for target in references)


def test_stems_equal_those_of_nltk_on_the_vocabulary_of_the_published_data() -> None:
    vocabulary = {word for text in texts() for word in re.findall(r"[a-z0-9]+", text.lower())}
    assert len(vocabulary) > 20_000
    assert [word for word in vocabulary if stem(word) != REFERENCE.stem(word)] == []


def test_stems_equal_those_of_nltk_on_made_up_words_with_every_suffix() -> None:
    rng = random.Random(5)
    for _ in range(20_000):
        root = "".join(rng.choices("aeiouyybcdlmnrstwxz7", k=rng.randrange(6)))
        word = root + "".join(rng.choices(SUFFIXES, k=rng.randrange(1, 3)))
        assert stem(word) == REFERENCE.stem(word), word


@given(st.text("abcdefilnosty", max_size=14))
def test_stems_equal_those_of_nltk_on_any_letters(word: str) -> None:
    assert stem(word) == REFERENCE.stem(word)


@pytest.mark.parametrize("stemmed", [False, True])
def test_scores_equal_rouge_score_on_5000_pairs_of_lab_and_unicode_texts(stemmed: bool) -> None:
    rng = random.Random(11)
    pool = [text for item in load_suite() for text in (item.instruction, item.reference)]
    pool += [
        "",
        " ",
        "...",
        "naïve café",
        "日本語の文",
        "Ünïted straße",
        "İstanbul",
        "a1 b2",
        "ﬁne",
    ]
    worst = 0.0
    for _ in range(5_000):
        answer, references = rng.choice(pool), rng.choices(pool, k=rng.randrange(1, 4))
        ours = best_rouge_l(answer, references, stemmed=stemmed)
        worst = max(worst, abs(ours - expected(answer, references, stemmed)))
    assert worst == 0.0


@pytest.mark.parametrize("stemmed", [False, True])
def test_scores_equal_rouge_score_on_5000_pairs_of_published_texts(stemmed: bool) -> None:
    rng = random.Random(12)
    pool = [text[:1_500] for text in texts()]
    worst = 0.0
    for _ in range(5_000):
        answer, target = rng.choice(pool), rng.choice(pool)
        if rng.random() < 0.5:  # a changed copy, so that scores lie in all of [0, 1]
            words = target.split(" ")
            answer = " ".join(word for word in words if rng.random() < 0.7)
        ours = best_rouge_l(answer, [target], stemmed=stemmed)
        worst = max(worst, abs(ours - expected(answer, [target], stemmed)))
    assert worst <= 1e-12


@given(st.text(max_size=60), st.text(max_size=60), st.booleans())
def test_scores_equal_rouge_score_on_any_unicode(answer: str, target: str, stemmed: bool) -> None:
    ours = best_rouge_l(answer, [target], stemmed=stemmed)
    assert ours == expected(answer, [target], stemmed)


def test_short_tokens_are_not_stemmed() -> None:
    assert rouge_tokens("his gas was moving", stemmed=True) == ["his", "gas", "was", "move"]


def test_a_score_worked_out_by_hand() -> None:
    # LCS of (the, cat, sat) and (the, cat, is, sat) is 3: P 3/3, R 3/4, F = 2*3/(3+4) = 6/7
    assert best_rouge_l("The cat sat", ["The cat is sat", "dogs"], stemmed=False) == pytest.approx(
        6 / 7, abs=1e-15
    )
    assert best_rouge_l("anything", [], stemmed=True) == 0.0
