"""Claim: a win rate with length taken out is what it would be at equal length, and is symmetric."""

from __future__ import annotations

import math
import random

import pytest

from selfsown.judge.win_rate import Contest, win_rate


def contests(
    count: int, seed: int, *, quality: float = 0.0, length: float = 0.0, padded: int = 0
) -> list[Contest]:
    """Preferences drawn from a logistic model of quality and of the difference in length."""
    rng, made = random.Random(seed), []
    for number in range(count):
        first, second = rng.randint(10, 200) + padded, rng.randint(10, 200)
        logit = quality + length * math.tanh((first - second) / 78)  # sd of the difference
        wins = rng.random() < 1 / (1 + math.exp(-logit))
        made.append(Contest(float(wins), (first, second), f"p{number}"))
    return made


def longer_wins(count: int, seed: int, padded: int = 0) -> list[Contest]:
    """Answers of equal quality before a judge of nothing but length."""
    rng, made = random.Random(seed), []
    for number in range(count):
        first, second = rng.randint(10, 200) + padded, rng.randint(10, 200)
        preference = 0.5 if first == second else float(first > second)
        made.append(Contest(preference, (first, second), f"p{number}"))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_a_judge_of_length_alone_is_at_one_half_once_length_is_taken_out(seed: int) -> None:
    found = win_rate(longer_wins(2000, seed), resamples=2)
    assert found.length_controlled.mean == pytest.approx(0.5, abs=0.03)


def test_what_padding_wins_from_such_a_judge_is_mostly_taken_off() -> None:
    found = win_rate(longer_wins(3000, 1, padded=50), resamples=2)
    assert found.rate.mean > 0.7
    assert found.length_controlled.mean - 0.5 < 0.3 * (found.rate.mean - 0.5)
    assert found.is_much_corrected


def test_without_a_taste_for_length_both_rates_agree_with_the_truth() -> None:
    found = win_rate(contests(800, 2, quality=0.6), resamples=100)
    truth = 1 / (1 + math.exp(-0.6))
    assert found.rate.mean == pytest.approx(truth, abs=0.04)
    assert found.length_controlled.mean == pytest.approx(found.rate.mean, abs=0.02)
    assert not found.is_much_corrected
    assert found.rate.low > 0.5
    assert found.p_sign < 0.001


def test_padding_that_a_judge_likes_is_taken_off_the_better_system() -> None:
    plain = win_rate(contests(1500, 3, quality=0.4, length=1.5), resamples=50)
    padded = win_rate(contests(1500, 4, quality=0.4, length=1.5, padded=60), resamples=50)
    truth = 1 / (1 + math.exp(-0.4))
    assert padded.rate.mean > plain.rate.mean + 0.05
    for found in (plain, padded):
        assert found.length_controlled.mean == pytest.approx(truth, abs=0.05)


def test_intervals_cover_the_rate_at_equal_length_in_about_95_of_100_samples() -> None:
    truth = 1 / (1 + math.exp(-0.4))
    covered = 0
    for seed in range(40):
        interval = win_rate(
            contests(80, seed, quality=0.4, length=1.0, padded=30), seed=seed, resamples=100
        ).length_controlled
        covered += interval.low <= truth <= interval.high
    assert covered >= 34  # of 40; 38 expected, 34 is 2.9 standard deviations below


def test_the_second_system_has_one_minus_the_rate_of_the_first() -> None:
    given = contests(200, 5, quality=0.5, length=1.0, padded=40)
    turned = [
        Contest(1 - (one.preference or 0.0), (one.lengths[1], one.lengths[0]), one.group)
        for one in given
    ]
    first, second = win_rate(given, resamples=50), win_rate(turned, resamples=50)
    assert first.rate.mean + second.rate.mean == pytest.approx(1.0)
    both = first.length_controlled.mean + second.length_controlled.mean
    assert both == pytest.approx(1.0, abs=1e-6)
    assert (first.wins, first.losses) == (second.losses, second.wins)


def test_a_system_against_itself_is_at_one_half() -> None:
    same = win_rate([Contest(0.5, (10, 10), "") for _ in range(20)], resamples=20)
    assert (same.rate.mean, same.length_controlled.mean, same.ties) == (0.5, 0.5, 20)
    assert same.p_sign == 1.0


def test_missing_contests_are_counted_and_in_no_rate() -> None:
    given = [Contest(1.0, (5, 5), "a"), Contest(None, (5, 5), "b"), Contest(0.0, (5, 5), "c")]
    found = win_rate(given, resamples=20)
    assert (found.contests, found.missing, found.rate.mean) == (2, 1, 0.5)
    with pytest.raises(ValueError, match="at least one"):
        win_rate([Contest(None, (1, 1), "")])


def test_one_sided_wins_of_short_answers_still_have_a_fit() -> None:
    found = win_rate([Contest(1.0, (1, 400 + n), "") for n in range(30)], resamples=20)
    assert 0.5 < found.length_controlled.mean < 1.0
    assert found.rate.mean == 1.0
