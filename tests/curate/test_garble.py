"""Claim: broken text is dropped for the reason that holds; honest text is far from every bound."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.curate.garble import (
    distinct_pair_share,
    entropy_bits,
    garbled,
    symbol_share,
)

CHECK = garbled()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Write a poem \x1b[31m in red", "control_characters"),
        ("Write a\0 poem about rain", "control_characters"),
        ("Write a poem \ud800 about rain", "control_characters"),
        ("Write a poem \ue000 about rain", "control_characters"),
        ("Write a poem \ufffd about rain", "replacement_characters"),
        ("Write about a caf\u00c3\u00a9 in Paris", "mojibake"),
        ("It\u00e2\u20ac\u2122s time to write", "mojibake"),
        ("Say aaaaaaaaaa to the doctor", "long_run"),
        ("What follows " + "=" * 60, "long_run"),
        ("yes yes yes yes yes yes yes", "repetitive"),
        ("asdkjh qwlkrjt zxmcnbv plkjhgf", "noise"),
        ("the cat sat the cat sat the cat sat the cat sat the cat sat", "repetitive"),
        ("a1 ## $$ %% ^^ && ** (( ))", "mostly_symbols"),
        ("aaa bbb aaa bbb aaa bbb aaa bbb", "low_entropy"),
    ],
)
def test_broken_text_is_dropped_with_its_reason(text: str, reason: str) -> None:
    assert CHECK(text).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "Tabs\tand\nline feeds\r\nare fine in a text",
        "Caf\u00e9, na\u00efve, \u00dcberma\u00df and fa\u00e7ade are words",
        "Escreva MA\u00c7\u00c3\u201d com aspas",
        "Say aaaaaaaaa to the doctor",  # nine letters, one below the bound
        "The first digits are 10000000000000000000000",
        "no no no no no no, I do not agree",  # six in a row, one below the bound
        "Explain HTTP, XML and HTML to a child",
        "Strč prst skrz krk je česká věta",
        "Rhythm and syzygy hold no vowel but y",
        "日本語の文章を英語に翻訳してください。日本語の文章です。",
        "Convert 0 1 1 0 0 1 0 1 1 0 0 1 to decimal",
    ],
)
def test_honest_text_is_kept(text: str) -> None:
    assert CHECK(text).ok


def test_distinct_pairs_by_hand() -> None:
    # 12 words "a b a b ...": 11 pairs, of which "a b" and "b a" are distinct.
    assert distinct_pair_share(["a", "b"] * 6) == 2 / 11
    assert distinct_pair_share(["a", "b"] * 5) == 1.0  # too short to judge
    assert distinct_pair_share(["7"] * 50) == 1.0  # numbers may repeat


def test_symbol_share_by_hand() -> None:
    assert symbol_share("abcd!!!!") == 0.5
    assert CHECK("abcd!!!!").ok  # exactly the bound is kept
    assert CHECK("abcd!!!!!").reason == "mostly_symbols"
    assert symbol_share("!!!") == 0.0  # too short to judge


def test_entropy_by_hand() -> None:
    assert entropy_bits("abcd" * 5) == 2.0  # four equally likely characters
    assert entropy_bits("ABab" * 5) == 1.0  # case is folded
    assert entropy_bits("abc") == math.inf


def test_bounds_are_options_and_checked() -> None:
    assert garbled(most_symbols=1.0)("a1 ## $$ %% ^^ && ** (( ))").ok
    for options in ({"most_symbols": 1.5}, {"least_distinct": -0.1}, {"least_entropy_bits": -1.0}):
        with pytest.raises(ConfigError):
            garbled(**options)


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_gets_a_verdict(text: str) -> None:
    verdict = CHECK(text)
    assert verdict.ok == (verdict.reason is None)


def test_a_megabyte_on_one_line_is_judged_quickly() -> None:
    for text in ("x" * 1_000_000, "\n" * 1_000_000, "ab, " * 250_000, "\u00e9\u4e2d" * 300_000):
        start = time.process_time()
        CHECK(text)
        assert time.process_time() - start < 5
