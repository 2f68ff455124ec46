"""Claim: novelty decisions, maxima and witnesses are those of rouge_score over all pairs."""

from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer, _score_lcs
from rouge_score.tokenizers import DefaultTokenizer

from selfsown.core.errors import ConfigError
from selfsown.curate import tokens as unicode_tokens
from selfsown.curate.rouge_l import (
    Nearest,
    NoveltyPool,
    lcs_length,
    rouge_l,
    tokenize_paper,
    tokenize_unicode,
)
from selfsown.curate.verdict import Verdict, keep

PUBLISHED = (
    Path(__file__).parents[2] / "../shared/data/self_instruct/gpt3_generated_sample_1000.jsonl.gz"
)
SCORER = RougeScorer(["rougeL"], use_stemmer=False)
REFERENCE_TOKENS = DefaultTokenizer(use_stemmer=False)

# Few words, so that random texts collide; some of them fall apart or vanish in the paper's tokens.
WORDS = ["a", "b", "c", "d", "the", "naïve", "Straße", "日本", "🙂", "x-y", "don't", "İ", "—"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
TOKENS = st.lists(st.sampled_from("abcde"), max_size=30)

ADVERSARIAL = [
    "",
    "!!! ...",
    "日本語の指示を英語に翻訳してください",
    "Переведите это предложение на английский",
    "café naïve Übermaß",
    "İstanbul'da hava nas\u0131l?",
    " ".join(f"w{i}" for i in range(65)),  # just over one 64-bit word
    " ".join(f"w{i}" for i in range(64)),
    " ".join(f"w{i % 90}" for i in range(257)),
    " ".join(f"w{i % 90}" for i in range(300)),
    " ".join(f"w{i % 90}" for i in range(430)),
    " ".join(f"w{(i * 7) % 90}" for i in range(300)),
    "one two three four five six seven eight nine ten",
    "one two three four five six seven x y z",  # LCS 7 of 10 and 10: exactly 0.7
    "ten nine eight seven six five four three two one",  # the same bag in reverse
    "the the the the the the the",
    "the the the",
    "lone surrogate \ud800 and nul \0 and escape \x1b[31m",
]


def published() -> list[str]:
    if not PUBLISHED.exists():
        pytest.skip("the published sample lies in the folder `shared` beside the checkout")
    with gzip.open(PUBLISHED, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["instruction"] for line in lines]


def brute_lcs(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for left in a:
        before = row
        row = [0]
        for j, right in enumerate(b):
            row.append(before[j] + 1 if left == right else max(before[j + 1], row[j]))
    return row[-1]


def reference_score(a: str, b: str) -> float:
    return float(SCORER.score(a, b)["rougeL"].fmeasure)


def check_against_reference(texts: list[str], threshold: float) -> int:
    """Replay `texts` with all pairs scored by rouge_score; returns how many were rejected."""
    pool, kept, rejected = NoveltyPool(threshold, "paper"), list[list[str]](), 0
    for text in texts:
        tokens = REFERENCE_TOKENS.tokenize(text)
        scores = [float(_score_lcs(tokens, other).fmeasure) for other in kept]
        witness = next((score for score in scores if score > threshold), None)
        best = max(scores, default=0.0)
        assert pool.nearest(text) == Nearest(best, scores.index(best) if best else None)
        verdict = pool.admit(text)
        assert verdict == (
            keep() if witness is None else Verdict(False, "rouge_l_too_similar", witness)
        )
        if verdict.ok:
            assert pool.add(text) == len(kept)
            kept.append(tokens)
        rejected += not verdict.ok
    return rejected


@pytest.mark.slow
def test_published_thousand_and_adversarial_texts_decide_as_rouge_score() -> None:
    texts = published()
    shortened = [" ".join(text.split()[1:-1]) for text in texts[::8]]
    assert check_against_reference(ADVERSARIAL + texts + shortened, 0.7) > 60


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.7, 0.95, 1.0])
def test_adversarial_texts_decide_as_rouge_score_at_any_threshold(threshold: float) -> None:
    check_against_reference(ADVERSARIAL + ADVERSARIAL[::-1], threshold)


@given(texts=st.lists(TEXTS, max_size=25), threshold=st.sampled_from([0.2, 0.5, 0.7, 0.8]))
@settings(deadline=None, max_examples=60)
def test_random_texts_decide_as_rouge_score(texts: list[str], threshold: float) -> None:
    check_against_reference(texts, threshold)


@given(
    texts=st.lists(TEXTS, max_size=40),
    query=TEXTS,
    k=st.integers(1, 12),
    tokenizer=st.sampled_from(["paper", "unicode"]),
)
@settings(deadline=None, max_examples=80)
def test_nearest_many_equals_sorting_all_scores(
    texts: list[str], query: str, k: int, tokenizer: str
) -> None:
    tokenize = tokenize_paper if tokenizer == "paper" else tokenize_unicode
    pool = NoveltyPool(tokenizer=tokenizer)  # type: ignore[arg-type]
    for text in texts:
        pool.add(text)
    scores = [rouge_l(tokenize(query), tokenize(text)) for text in texts]
    ranked = sorted((-score, index) for index, score in enumerate(scores) if score)
    assert pool.nearest_many(query, k) == [Nearest(-score, index) for score, index in ranked[:k]]
    expected = Nearest(-ranked[0][0], ranked[0][1]) if ranked else Nearest(0.0, None)
    assert pool.nearest(query) == expected


@given(
    lengths=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    length=st.integers(0, 400),
    distinct=st.integers(1, 60),
    threshold=st.sampled_from([0.3, 0.7]),
)
@settings(deadline=None, max_examples=60)
def test_long_texts_and_length_classes_lose_no_witness(
    lengths: list[int], length: int, distinct: int, threshold: float
) -> None:
    def text(size: int, step: int) -> str:
        return " ".join(f"w{i * step % distinct}" for i in range(size))

    texts = [text(size, 1 + i % 3) for i, size in enumerate(lengths)]
    query = text(length, 1)
    pool = NoveltyPool(threshold)
    for each in texts:
        pool.add(each)
    scores = [rouge_l(query.split(), each.split()) for each in texts]
    witness = next((score for score in scores if score > threshold), None)
    assert (pool.admit(query).ok, pool.admit(query).score) == (witness is None, witness)


@given(TOKENS, TOKENS)
@settings(deadline=None)
def test_lcs_equals_dynamic_programming_and_rouge_l_is_symmetric(
    a: list[str], b: list[str]
) -> None:
    assert lcs_length(a, b) == brute_lcs(a, b)
    assert rouge_l(a, b) == rouge_l(b, a) == reference_score(" ".join(a), " ".join(b))


def test_lcs_crosses_the_edges_at_64_and_256_tokens() -> None:
    for size in (63, 64, 65, 255, 256, 257, 1000):
        a = [f"w{i}" for i in range(size)]
        assert lcs_length(a, a) == size
        assert lcs_length(a, a[::2]) == len(a[::2])
        assert lcs_length(a, a[::-1]) == 1


def test_seven_of_ten_is_kept_like_the_released_code_and_dropped_like_the_paper_text() -> None:
    # p = r = 7/10, F = 2 * 0.7 * 0.7 / 1.4 = 0.7 up to one rounding, which must be rouge_score's.
    left, right = ADVERSARIAL[12], ADVERSARIAL[13]
    score = rouge_l(tokenize_paper(left), tokenize_paper(right))
    assert score == reference_score(left, right)
    code = NoveltyPool(score, "paper")
    code.add(left)
    assert code.admit(right) == keep()
    text = NoveltyPool(score, "paper", keep_equal=False)
    text.add(left)
    assert text.admit(right) == Verdict(False, "rouge_l_too_similar", score)


def test_every_pair_of_lengths_with_f_near_seven_tenths_has_rouge_scores_float() -> None:
    for m in range(1, 40):
        for n in range(1, 40):
            common = round(0.35 * (m + n))
            if common <= min(m, n):
                a, b = ["x"] * common + ["y"] * (m - common), ["x"] * common + ["z"] * (n - common)
                assert rouge_l(a, b) == _score_lcs(a, b).fmeasure


def test_empty_pool_and_texts_without_overlap_have_no_nearest() -> None:
    pool = NoveltyPool()
    assert pool.nearest("anything") == Nearest(0.0, None)
    assert pool.admit("anything") == keep()
    pool.add("")
    pool.add("other words")
    assert pool.nearest("anything") == Nearest(0.0, None)
    assert pool.nearest("") == Nearest(0.0, None)
    assert pool.admit("") == keep()
    assert len(pool) == 2


def test_equal_scores_name_the_lowest_index_even_across_lengths() -> None:
    pool = NoveltyPool(0.5)
    for text in ["a b x y", "b a", "a b", "a b"]:
        pool.add(text)
    assert pool.nearest("a b") == Nearest(1.0, 2)
    assert pool.admit("a b").score == pytest.approx(2 * 2 / 6)  # the witness is text 0, not text 2


def test_admit_does_not_add() -> None:
    pool = NoveltyPool()
    assert pool.admit("sort the list of words").ok
    assert pool.admit("sort the list of words").ok
    assert len(pool) == 0


def test_texts_in_later_segments_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsown.curate.rouge_l.SEGMENT_TEXTS", 8)
    small, texts = NoveltyPool(0.6), [f"take w{i} and w{i % 5} now please" for i in range(50)]
    monkeypatch.undo()
    whole = NoveltyPool(0.6)
    for text in texts:
        monkeypatch.setattr("selfsown.curate.rouge_l.SEGMENT_TEXTS", 8)
        small.add(text)
        found = small.nearest_many(text + " or w3", 5), small.admit(text + " or w3")
        monkeypatch.undo()
        whole.add(text)
        assert found == (whole.nearest_many(text + " or w3", 5), whole.admit(text + " or w3"))


def test_tokens_that_become_common_keep_their_texts() -> None:
    pool = NoveltyPool()
    for number in range(300):
        pool.add(f"shared u{number}")
    assert [found.index for found in pool.nearest_many("shared", 300)] == list(range(300))


@given(st.text(max_size=60))
@settings(deadline=None)
def test_paper_tokens_equal_rouge_scores(text: str) -> None:
    assert tokenize_paper(text) == REFERENCE_TOKENS.tokenize(text)


@given(st.text(st.characters(max_codepoint=127), max_size=60))
@settings(deadline=None)
def test_unicode_tokens_equal_paper_tokens_on_ascii(text: str) -> None:
    assert tokenize_unicode(text) == tokenize_paper(text)


@given(
    st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=40)
    | st.text(alphabet=st.characters(max_codepoint=0x20FF), max_size=8)
)
@settings(deadline=None)
def test_the_quick_way_to_unicode_tokens_is_the_one_by_character(text: str) -> None:
    visible = "".join(char for char in text if unicode_tokens._KINDS[char] != "ignored")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    assert tokenize_unicode(text) == unicode_tokens._tokenize_by_character(folded)


@given(st.text(max_size=40))
@settings(deadline=None)
def test_unicode_tokens_do_not_depend_on_composition_or_case(text: str) -> None:
    tokens = tokenize_unicode(text)
    assert tokenize_unicode(unicodedata.normalize("NFD", text)) == tokens
    assert tokenize_unicode(" ".join(tokens)) == tokens
    assert all(tokens)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Cafe\u0301 ＣＡＦÉ", ["café", "café"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("翻译这句话 now", ["翻", "译", "这", "句", "话", "now"]),
        ("AとB", ["a", "と", "b"]),
        ("นี่คือ", ["นี่", "คื", "อ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 번역", ["한국어", "번역"]),
        ("co\u00adoperate \u200bzero\u200bwidth", ["cooperate", "zero", "width"]),
        ("snake_case 3.5 🙂", ["snake", "case", "3", "5"]),
        ("\u0301 x", ["\u0301", "x"]),
    ],
)
def test_unicode_tokens_of_known_texts(text: str, tokens: list[str]) -> None:
    assert tokenize_unicode(text) == tokens


def test_other_scripts_are_compared_by_the_unicode_key_only() -> None:
    paper, ours = NoveltyPool(tokenizer="paper"), NoveltyPool(tokenizer="unicode")
    for pool in (paper, ours):
        pool.add("将下面的句子翻译成英文")
    assert paper.admit("将下面的句子翻译成英文").ok
    assert ours.admit("将下面的句子翻译成英文。") == Verdict(False, "rouge_l_too_similar", 1.0)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_thresholds_outside_the_unit_interval_are_refused(threshold: float) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        NoveltyPool(threshold)


def test_bad_arguments_say_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match="out of range"):
        NoveltyPool(0.0, keep_equal=False)
    with pytest.raises(ConfigError, match="unknown tokenizer"):
        NoveltyPool(tokenizer="words")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="`k` is 0"):
        NoveltyPool().nearest_many("x", 0)
