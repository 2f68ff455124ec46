"""Claim: gains, gaps and contests of a policy are what their definitions say, computed by hand."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping

import pytest

from selfsown.loop.preference.standing import (
    Answer,
    Answers,
    Place,
    average,
    by_prompt,
    contested,
    gains,
    gap,
    policy_answers,
    rates,
    rewards,
    spread,
)
from selfsown.preference.records import Candidate, Prompt, Sampling, Scored
from selfsown.recipes.preference.reading import ReadAnswer


def answers(scores: Mapping[str, list[Mapping[str, float]]], text: str = "four") -> Answers:
    """Prompt id -> rewards of each of its answers, by scorer."""
    return {
        Place(name, number): Answer(Prompt(id=name, text=name), text, False, True, given)
        for name, found in scores.items()
        for number, given in enumerate(found)
    }


def of(scorer: str, *values: float) -> list[Mapping[str, float]]:
    return [{scorer: value} for value in values]


def test_a_gain_is_the_rise_in_standard_deviations_within_prompts() -> None:
    start = answers({"a": of("gold", 0.0, 2.0), "b": of("gold", 10.0, 14.0)})
    now = answers({"a": of("gold", 2.0, 2.0), "b": of("gold", 12.0, 15.0)})
    # within a: (0-1)² + (2-1)² = 2, within b: 8, freedom 1 + 1: sqrt(10 / 2)
    assert spread(rewards(start, "gold")) == pytest.approx(math.sqrt(5))
    found = gains(now, start, "gold")
    assert found == pytest.approx({"a": 1 / math.sqrt(5), "b": 1.5 / math.sqrt(5)})
    assert gains(start, start, "gold") == {"a": 0.0, "b": 0.0}


def test_what_differs_between_prompts_alone_changes_no_gain() -> None:
    """A reward model's scores of two prompts are not comparable: any offset per prompt is free."""
    rng = random.Random(0)
    first = {name: [rng.gauss(0, 1) for _ in range(4)] for name in "abcdef"}
    then = {name: [rng.gauss(1, 1) for _ in range(4)] for name in "abcdef"}
    offset = {name: rng.gauss(0, 100) for name in "abcdef"}

    def shifted(values: Mapping[str, list[float]], scale: float) -> Answers:
        return answers(
            {
                name: of("x", *(scale * one + offset[name] for one in values[name]))
                for name in values
            }
        )

    plain = gains(
        answers({name: of("x", *one) for name, one in then.items()}),
        answers({name: of("x", *one) for name, one in first.items()}),
        "x",
    )
    assert gains(shifted(then, 7.0), shifted(first, 7.0), "x") == pytest.approx(plain)
    unit = math.sqrt(statistics.fmean(statistics.variance(one) for one in first.values()))
    by_hand = {
        name: (statistics.fmean(then[name]) - statistics.fmean(first[name])) / unit
        for name in first
    }
    assert plain == pytest.approx(by_hand)


def test_the_gap_is_what_the_proxy_gained_and_gold_did_not() -> None:
    def both(proxy: float, gold: float) -> Mapping[str, float]:
        return {"proxy": proxy, "gold": gold}

    start = answers({"a": [both(0, 0), both(2, 1)], "b": [both(0, 1), both(2, 0)]})
    now = answers({"a": [both(4, 1), both(4, 0)], "b": [{"proxy": 3.0}, {"proxy": 3.0}]})
    # proxy: spread sqrt((2 + 2) / 2); a rises by 3, b by 2. gold of a does not move, b has none
    assert gap(now, start, "proxy", "gold") == pytest.approx({"a": 3 / math.sqrt(2)})
    assert gap(start, start, "proxy", "gold") == {"a": 0.0, "b": 0.0}


def test_an_initial_policy_whose_answers_all_score_alike_gives_no_unit() -> None:
    start, now = answers({"a": of("gold", 1.0, 1.0)}), answers({"a": of("gold", 3.0, 4.0)})
    assert spread(rewards(start, "gold")) is None
    assert gains(now, start, "gold") == {}
    assert average({}) is None
    alone = answers({"a": of("gold", 1.0), "b": of("gold", 2.0)})
    assert spread(rewards(alone, "gold")) is None


def test_every_prompt_counts_once_however_many_answers_have_a_score() -> None:
    found = answers({"a": [{"gold": 1.0}, {"gold": 0.0}, {}], "b": [{"gold": 1.0}]})
    means = by_prompt(rewards(found, "gold"))
    assert means == {"a": 0.5, "b": 1.0}
    measure = average(means)
    assert measure is not None
    assert measure.value == 0.75
    assert measure.low == 0.5 and measure.high == 1.0


def test_contests_are_between_answers_with_one_number_to_one_prompt() -> None:
    start = answers({name: of("gold", 1.0, 1.0) for name in "abcd"})
    now = answers(
        {
            "a": of("gold", 2.0, 2.0),
            "b": of("gold", 0.0, 2.0),
            "c": [{"gold": 1.0}, {}],
            "e": of("gold", 9.0),
        },
    )
    found = contested(now, start, "gold")
    assert found is not None
    assert (found.wins, found.ties, found.losses, found.missing) == (3, 1, 1, 1)
    assert found.rate.mean == pytest.approx(3.5 / 5)
    assert contested(now, start, "second") is None
    assert rates(None) == (None, None)


def test_at_equal_length_a_policy_that_only_pads_wins_less() -> None:
    """The judge of these contests likes what is longer, and nothing else."""
    rng = random.Random(1)
    lengths = {name: [rng.randint(10, 60), rng.randint(30, 80)] for name in map(str, range(150))}

    def policy(which: int) -> Answers:
        return {
            Place(name, 0): Answer(
                Prompt(id=name, text=name), "x" * one[which], False, True, {"gold": one[which]}
            )
            for name, one in lengths.items()
        }

    raw, matched = rates(contested(policy(1), policy(0), "gold"))
    assert raw is not None and matched is not None
    assert raw.value > 0.7
    assert matched.value < raw.value - 0.1


def test_answers_are_read_with_all_scorers_and_without_people() -> None:
    prompt = Prompt(id="p", text="Say it.")

    def read(
        index: int, model: str, gold: float | None, temperature: float = 1.0, why: str = "stop"
    ) -> ReadAnswer:
        candidate = Candidate(
            prompt=prompt,
            index=index,
            text="it",
            model=model,
            sampling=Sampling(temperature=temperature, top_p=1.0),
            finish_reason=why,
        )
        scored = Scored(candidate=candidate, values=(1.0, None, 2.0), judge="j")
        return ReadAnswer(candidate, scored, {"gold": gold})

    told = [read(0, "m", 0.5), read(1, "m", None, 0.7, "length"), read(2, "human", 1.0)]
    found = policy_answers(told, "proxy")
    assert list(found) == [Place("p", 0), Place("p", 1)]
    first, second = found.values()
    assert first.rewards == {"gold": 0.5, "proxy": 1.5}
    assert second.rewards == {"proxy": 1.5}
    assert (first.is_plain, second.is_plain) == (True, False)
    assert (first.is_cut_off, second.is_cut_off) == (False, True)
    assert policy_answers(told, None)[Place("p", 0)].rewards == {"gold": 0.5}
