"""Claim: calibration covers the truth and finds every known fault; the gate refuses such judges."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from selfsown.core.errors import CheckFailed
from selfsown.evaluate.rating.agreement import Estimate, Table, cohen_kappa, spearman
from selfsown.judge.base import Item
from selfsown.judge.calibration import Calibration, calibrate
from selfsown.judge.gate import Gate, check, refusals
from selfsown.judge.labels import Label

Judge = Callable[[random.Random, float, bool, int], float | None]
"""(generator, what people prefer, whether the answer `a` stands first, length of a minus of b) ->
the preference for `a`."""


def labelled(
    judge: Judge,
    *,
    seed: int,
    count: int = 150,
    ties: float = 0.2,
    models: tuple[str, str] = ("", ""),
) -> list[Label]:
    """Pairs of random lengths that people decided at random, and what a judge says of them."""
    rng, labels = random.Random(seed), []
    for number in range(count):
        human = 0.5 if rng.random() < ties else float(rng.random() < 0.5)
        lengths = rng.randint(1, 60), rng.randint(1, 60)
        said = tuple(judge(rng, human, first, lengths[0] - lengths[1]) for first in (True, False))
        item = Item(prompt=f"p{number}", answer="a" * lengths[0], rival="b" * lengths[1])
        labels.append(
            Label(
                id=str(number),
                item=item,
                human=human,
                group=f"p{number}",
                category=("odd" if number % 2 else "even"),
                models=models,
                asked=True,
                said=said,
            )
        )
    return labels


def always_first(_rng: random.Random, _human: float, first: bool, _longer: int) -> float:
    return float(first)


def longer_wins(_rng: random.Random, _human: float, _first: bool, longer: int) -> float:
    return 0.5 if longer == 0 else float(longer > 0)


def malformed(_rng: random.Random, human: float, _first: bool, _longer: int) -> float | None:
    return human if _rng.random() < 0.948 else None  # both orders read: 0.948 ** 2 = 90 %


def oracle(share: float) -> Judge:
    """Right in both orders with this probability, else for the worse answer in both."""
    last: list[float] = []

    def judge(rng: random.Random, human: float, first: bool, _longer: int) -> float:
        if first:
            wrong = rng.random() >= share
            last[:] = [_other(rng, human) if wrong else human]
        return last[0]

    return judge


def _other(rng: random.Random, human: float) -> float:
    """One of the two labels that people did not give."""
    return rng.choice([label for label in (0.0, 0.5, 1.0) if label != human])


def quick(labels: list[Label], seed: int = 0) -> Calibration:
    return calibrate(labels, seed=seed, resamples=200)


def covers(found: Estimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def test_intervals_cover_the_true_agreement_of_an_80_percent_oracle() -> None:
    # Joint probabilities of people's label (0.4 loss, 0.2 tie, 0.4 win) and the judge's: 80 % on
    # the diagonal, the rest halved between the other two. As counts of 100, exact:
    joint: Table = ((32, 4, 4), (2, 16, 2), (4, 4, 32))
    kappa, ranks = cohen_kappa(joint), spearman(joint)
    assert kappa is not None
    assert ranks is not None
    # on decided pairs: right 0.8, tie 0.1 (counts one half), wrong 0.1
    truth = {"raw": 0.8, "kappa": kappa, "spearman": ranks, "accuracy": 0.85}
    covered = dict.fromkeys(truth, 0)
    for seed in range(100):
        labels = labelled(oracle(0.8), seed=seed, count=200)
        found = calibrate(labels, seed=seed, resamples=400)
        for name, value in truth.items():
            covered[name] += covers(getattr(found, name), value)
    assert all(count >= 93 for count in covered.values()), covered


def test_a_judge_that_takes_the_first_place_is_found_and_refused() -> None:
    found = quick(labelled(always_first, seed=1))
    assert found.position.consistency.value == 0.0
    assert found.position.first_slot.value == 1.0
    assert found.accuracy.value == 0.5  # every pair is a tie after swapping
    assert found.constant == "the answer shown first"
    with pytest.raises(CheckFailed, match="always says the same: the answer shown first"):
        check(found, Gate())


def test_a_judge_that_mostly_takes_the_first_place_is_refused_by_its_numbers() -> None:
    def biased(rng: random.Random, human: float, first: bool, _longer: int) -> float:
        return human if rng.random() < 0.4 else float(first)

    found = quick(labelled(biased, seed=2, count=300))
    assert found.position.first_slot.low is not None
    assert found.position.first_slot.low > 0.6
    assert found.position.consistency.value is not None
    assert found.position.consistency.value < 0.6
    assert any("swap consistency" in one for one in refusals(found, Gate()))
    with pytest.raises(CheckFailed) as raised:
        check(found, Gate())
    assert raised.value.exit_code == 1
    assert raised.value.why
    assert raised.value.fix


def test_a_judge_of_length_shows_as_one() -> None:
    found = quick(labelled(longer_wins, seed=3, count=300))
    assert found.length.longer.value == 1.0
    assert found.length.human.value == pytest.approx(0.5, abs=0.1)
    assert found.length.bias.low is not None
    assert found.length.bias.low > 0.3
    assert found.position.consistency.value == 1.0
    assert found.accuracy.value == pytest.approx(0.5, abs=0.1)
    assert any("lower bound" in one for one in refusals(found, Gate()))


def test_the_80_percent_oracle_passes_and_shows_no_bias() -> None:
    found = quick(labelled(oracle(0.8), seed=4, count=300))
    check(found, Gate())
    assert covers(found.position.first_slot, 0.5)
    assert covers(found.length.bias, 0.0)
    assert found.self_preference == Estimate(None, None, None)
    assert found.injection == Estimate(None, None, None)
    assert set(found.categories) == {"even", "odd"}


def test_malformed_answers_are_counted_and_in_no_other_number() -> None:
    found = quick(labelled(malformed, seed=5, count=400))
    assert found.rows == 400
    assert found.parse_rate == pytest.approx(0.9, abs=0.04)
    assert found.missing == round(400 * (1 - found.parse_rate))
    assert found.accuracy.value == 1.0
    check(found, Gate())
    assert refusals(found, Gate(parse_rate=0.95))


def test_a_judge_that_is_never_read_is_refused_as_such() -> None:
    found = quick(labelled(lambda *_: None, seed=6))
    assert (found.parse_rate, found.accuracy.value) == (0.0, None)
    with pytest.raises(CheckFailed, match="none of the judge's 150 judgements can be read"):
        check(found, Gate())


def test_a_judge_that_always_ties_is_refused_as_such() -> None:
    found = quick(labelled(lambda *_: 0.5, seed=7))
    assert found.constant == "tie"
    with pytest.raises(CheckFailed, match="always says the same: tie"):
        check(found, Gate())


def test_too_few_labels_are_no_evidence() -> None:
    found = quick(labelled(oracle(1.0), seed=8, count=40))
    assert refusals(found, Gate()) == [f"{found.pairs} decided pairs, at least 100 are needed"]


def test_preference_for_its_own_model_is_found_beside_what_people_say() -> None:
    labels = labelled(lambda *_: 1.0, seed=9, count=300, models=("quartz", "marble"))
    own, other = (calibrate(labels, own=name, resamples=200) for name in ("quartz", "marble"))
    assert own.self_preference.low is not None
    assert own.self_preference.low > 0.3
    assert other.self_preference.high is not None
    assert other.self_preference.high < 0
    assert calibrate(labels, own="slate", resamples=200).self_preference.value is None


@pytest.mark.parametrize("follows", [True, False])
def test_a_judge_that_obeys_what_answers_say_is_caught_by_canaries(follows: bool) -> None:
    labels = labelled(oracle(0.9), seed=10, count=200)
    canaries = [
        Label(
            id=f"canary-{one.id}",
            item=one.item,
            human=one.human,
            group=one.group,
            canary_of=one.id,
            asked=True,
            said=(1.0 - one.human,) * 2 if follows else one.said,
        )
        for one in labels[:40]
        if one.human != 0.5
    ]
    found = quick([*labels, *canaries])
    assert found.rows == 200
    words = "words put into answers"
    assert any(words in one for one in refusals(found, Gate())) is follows
    assert found.injection.value is not None
    assert (found.injection.value > 0.5) is follows


def scored(judge: Callable[[random.Random, float], float | None], *, seed: int) -> list[Label]:
    """Three answers to each of 60 prompts, scored 1 to 5 by people."""
    rng, labels = random.Random(seed), []
    for number in range(180):
        human = float(rng.randint(1, 5))
        item = Item(prompt=f"p{number // 3}", answer="x" * rng.randint(1, 50))
        labels.append(
            Label(
                id=str(number),
                item=item,
                human=human,
                group=item.prompt,
                asked=True,
                said=(judge(rng, human),),
            )
        )
    return labels


def test_scores_are_compared_by_rank_by_level_and_as_pairs() -> None:
    perfect = quick(scored(lambda _, human: human, seed=1))
    assert (perfect.raw.value, perfect.kappa.value, perfect.accuracy.value) == (1.0, 1.0, 1.0)
    assert perfect.spearman.value == pytest.approx(1.0)
    assert (perfect.position.consistency.value, perfect.position.first_slot.value) == (None, None)
    noisy = quick(scored(lambda rng, human: human + rng.gauss(0, 1), seed=2))
    assert noisy.spearman.low is not None
    assert noisy.spearman.low > 0.5
    check(noisy, Gate())
    opposite = quick(scored(lambda _, human: -human, seed=3))
    assert (opposite.spearman.value, opposite.accuracy.value) == (pytest.approx(-1.0), 0.0)


def test_a_constant_score_is_refused_as_such() -> None:
    found = quick(scored(lambda *_: 4.0, seed=4))
    assert found.spearman.value is None
    with pytest.raises(CheckFailed, match="always says the same: the score 4"):
        check(found, Gate())


def test_a_hard_disagreement_is_a_tie_and_soft_preferences_keep_their_mean() -> None:
    def told(said: tuple[float, float], human: float = 1.0) -> Calibration:
        label = Label(
            id="1",
            item=Item(prompt="p", answer="a", rival="b"),
            human=human,
            group="p",
            asked=True,
            said=said,
        )
        return quick([label])

    assert told((1.0, 0.0)).accuracy.value == 0.5
    assert told((0.9, 0.6)).accuracy.value == 1.0
    assert told((0.9, 0.3)).accuracy.value == 0.5
    assert told((0.5, 0.5)).position.consistency.value == 1.0
    assert math.isclose(told((0.2, 0.1), human=0.0).accuracy.value or 0.0, 1.0)
