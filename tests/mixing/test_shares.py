"""Claim: shares are by weight, repetition stops at its limit, and a ratio is never bent."""

from __future__ import annotations

import pytest

from selfsown.core.errors import ConfigError, InputError
from selfsown.mixing.shares import Stock, plan_shares
from selfsown.mixing.sources import MixSource, parse_source

REAL, EASY = Stock("web", 1, 4, 1_000), Stock("easy", 1, 4, 500)


def test_tokens_are_divided_by_weight() -> None:
    plan = plan_shares([REAL, Stock("easy", 2, 4, 500)], tokens=600)
    assert plan.targets == (200, 400) and plan.wanted == 600
    assert not plan.shortfall and not plan.limited_by


def test_a_pass_over_one_source_gives_the_size_of_all() -> None:
    # one pass over 1,000 tokens at a weight of 1 of 1 + 3: 1,000 x 4 / 1 = 4,000 tokens
    plan = plan_shares([REAL, Stock("easy", 3, 6, 500)], pass_over="web")
    assert plan.targets == (1_000, 3_000) and not plan.shortfall  # 6 epochs of 500
    assert plan_shares([REAL], pass_over=None).targets == (1_000,)


def test_a_source_that_is_too_small_makes_the_mixture_smaller_in_the_same_ratio() -> None:
    plan = plan_shares([REAL, EASY], tokens=10_000)
    assert plan.targets == (2_000, 2_000)  # easy has 4 x 500, so web gives no more either
    assert (plan.shortfall, plan.limited_by) == (6_000, "easy")


def test_a_weight_of_zero_leaves_a_source_out() -> None:
    plan = plan_shares([Stock("web", 0, 4, 1_000), EASY], tokens=500)
    assert plan.targets == (0, 500)


@pytest.mark.parametrize(
    ("stocks", "given"),
    [
        ([REAL, EASY], {}),
        ([REAL], {"tokens": 5, "pass_over": "web"}),
        ([REAL], {"tokens": 0}),
        ([REAL, EASY], {"pass_over": "hard"}),
        ([Stock("web", 0, 4, 10)], {"tokens": 5}),
    ],
)
def test_a_size_that_cannot_be_told_is_refused(
    stocks: list[Stock], given: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        plan_shares(stocks, **given)  # type: ignore[arg-type]


def test_an_empty_source_with_a_weight_is_refused() -> None:
    with pytest.raises(InputError, match="`easy` has no text"):
        plan_shares([REAL, Stock("easy", 1, 4, 0)], tokens=5)


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("web=docs/:2", "docs", 2.0),
        ("web=docs/a.jsonl", "docs/a.jsonl", 1.0),
        ("web=C:/docs", "C:/docs", 1.0),
        ("web=C:/docs:0.5", "C:/docs", 0.5),
        ("web=a=b.txt:0", "a=b.txt", 0.0),
    ],
)
def test_a_source_is_read_from_one_word(text: str, path: str, weight: float) -> None:
    source = parse_source(text, "real")
    assert (source.path.as_posix(), source.weight, source.kind) == (path, weight, "real")


@pytest.mark.parametrize(
    "text", ["docs/", "=docs", "a b=docs", "web=docs:-1", "web=docs:nan", "w="]
)
def test_a_word_that_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_source(text)


def test_a_source_that_may_never_come_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 times"):
        MixSource("web", parse_source("web=a").path, max_epochs=0)
