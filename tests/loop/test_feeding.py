"""Claim: what is said about tails follows from all rounds of all loops, and tail rules alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfsown.loop.feeding import GUARDED, SYNTHETIC, tails_of
from selfsown.report.loop_numbers import Alarm, Cost, LoopNumbers, Measure, RoundNumbers

NOTHING = RoundNumbers(
    round=0,
    decision="promoted",
    reason="",
    generator_depth=0,
    candidates=0,
    accepted=0,
    overlaps=0,
    kept=0,
    guard="pass",
    alarms=(),
    remedies=(),
    diversity={},
    curated={},
    unbiased={},
    mix=None,
    scores=(),
    cost=Cost(0, 0, 0.0, 0.0, 0.0),
)


def made(name: str, values: list[float], alarms: dict[int, Alarm] | None = None) -> LoopNumbers:
    rounds = [
        replace(
            NOTHING,
            round=number,
            alarms=(alarms[number],) if alarms and number in alarms else (),
            diversity={"rare_word_recall": Measure(value, value, value, 0.6)},
        )
        for number, value in enumerate(values)
    ]
    return LoopNumbers(name, "", "lab", (), tuple(rounds), (), "", True)


def test_the_change_is_from_the_first_round_of_a_tuned_model_to_the_last() -> None:
    loops = {
        0: [made(SYNTHETIC, [0.9, 0.5, 0.25]), made(GUARDED, [0.9, 0.5, 0.5])],
        1: [made(SYNTHETIC, [0.9, 0.4, 0.10]), made(GUARDED, [0.9, 0.4, 0.4])],
    }
    synthetic, guarded = tails_of(loops)
    assert (synthetic.loop, guarded.loop) == (SYNTHETIC, GUARDED)
    assert synthetic.change is not None and guarded.change is not None
    assert synthetic.change.value == pytest.approx((-0.5 - 0.75) / 2)
    assert synthetic.change.low < -0.75 < synthetic.change.value
    assert guarded.change.value == guarded.change.low == 0.0
    assert synthetic.by_seed == ((0.9, 0.5, 0.25), (0.9, 0.4, 0.10))
    assert synthetic.human == 0.6


def test_a_loop_that_had_nothing_left_to_lose_has_no_relative_change() -> None:
    lost = [made(SYNTHETIC, [0.9, 0.0, 0.0]), made(GUARDED, [0.9, 0.4, 0.2])]
    kept = [made(SYNTHETIC, [0.9, 0.4, 0.2]), made(GUARDED, [0.9, 0.4, 0.2])]
    synthetic, guarded = tails_of({0: lost, 1: kept})
    assert synthetic.change is None and synthetic.by_seed[0] == (0.9, 0.0, 0.0)
    assert guarded.change is not None and guarded.change.value == pytest.approx(-0.5)


def test_only_rules_on_tails_count_as_a_stop_by_tails() -> None:
    mixture = Alarm("human_share", "stop", "no human text", ())
    warning = Alarm("rare_word_recall", "warn", "some", ())
    stop = Alarm("rare_word_recall", "stop", "many", ())
    loops = {
        0: [made(SYNTHETIC, [1, 1, 1, 1], {0: mixture, 1: warning, 2: stop, 3: stop})],
        1: [made(SYNTHETIC, [1, 1, 1, 1], {0: mixture, 1: warning})],
    }
    loops[0].append(made(GUARDED, [1.0]))
    loops[1].append(made(GUARDED, [1.0]))
    synthetic, guarded = tails_of(loops)
    assert synthetic.stops == (2, None)
    assert guarded.stops == (None, None) and guarded.change is None


def test_a_metric_that_a_small_round_does_not_have_is_left_out() -> None:
    empty = replace(made(SYNTHETIC, [0.5]), rounds=(NOTHING,))
    assert [one.loop for one in tails_of({0: [empty, made(GUARDED, [0.5])]})] == [GUARDED]
