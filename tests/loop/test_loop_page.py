"""Claim: the loop's page shows every number, escapes what models wrote, and loads nothing."""

from __future__ import annotations

import json
from pathlib import Path

from selfsown.report.loop_numbers import (
    VERSION,
    Alarm,
    ArmScore,
    Before,
    Comparison,
    Cost,
    Difference,
    LoopNumbers,
    Measure,
    Mix,
    PageNumbers,
    RoundNumbers,
    Score,
    Tails,
)
from selfsown.report.loop_page import render_loop_page, write_loop_page

HOSTILE = "<img src=x onerror=alert(1)> \u202e \x1b[31m"
HALF = Measure(0.5, 0.4321, 0.5678, 0.6)
BEFORE = Before(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)

TAILS = Tails(
    loop=f"x {HOSTILE}",
    metric="rare_word_recall",
    by_seed=((0.5, 0.4, 0.2), (0.5, 0.2)),
    human=0.61,
    change=Measure(-0.5, -0.6, -0.4),
    stops=(2, None),
)


def round_numbers(number: int, *, scores: bool = True) -> RoundNumbers:
    return RoundNumbers(
        round=number,
        decision="promoted" if scores else "stopped",
        reason=f"because {HOSTILE}",
        generator_depth=number,
        candidates=120,
        accepted=60,
        overlaps=3,
        kept=57,
        guard="warn",
        alarms=(Alarm("vendi", "warn", f"`vendi` fell {HOSTILE}", (HOSTILE,)),),
        remedies=("add human rows",),
        diversity={"distinct_2": HALF, "vendi": Measure(20.0, 18.0, 22.0, 30.0)},
        curated={"distinct_2": HALF},
        unbiased={"vendi": HALF},
        mix=Mix(24, {"0": 57}, 0.31),
        scores=(Score("own", "rouge_l", HALF),) if scores else (),
        cost=Cost(10, 2000, 0.25, 12.0, 30.0),
    )


def loop_numbers(count: int) -> LoopNumbers:
    return LoopNumbers(
        name=f"x {HOSTILE}",
        about="Each round starts from the human seeds.",
        base="lab",
        base_scores=(Score("own", "rouge_l", Measure(0.1, 0.05, 0.15)),),
        rounds=tuple(round_numbers(number, scores=number + 1 < count) for number in range(count)),
        examples=(BEFORE,),
        ended="The guard ended it in round 1.",
        ended_well=False,
    )


def comparison() -> Comparison:
    return Comparison(
        scores=(ArmScore("Self-Instruct", "what it wrote", "own", "rouge_l", HALF, 3, 200),),
        differences=(Difference("seeds", "self", "own", "rouge_l", HALF, (0.1, -0.2)),),
        precision={"0": 0.6},
        examples=(BEFORE,),
    )


def pages() -> list[PageNumbers]:
    one = PageNumbers(VERSION, "x", (loop_numbers(1),))
    two = PageNumbers(VERSION, "x", (loop_numbers(3), loop_numbers(2)), comparison(), (TAILS,))
    return [one, two, PageNumbers(VERSION, "x", (), comparison())]


def test_what_models_wrote_is_text_on_every_page() -> None:
    for numbers in pages():
        page = render_loop_page(numbers)
        assert "<img" not in page
        assert not set(page) & {"\u202e", "\x1b"}


def test_a_page_needs_no_network_and_no_script() -> None:
    for numbers in pages():
        page = render_loop_page(numbers)
        assert "default-src 'none'" in page
        assert "http://" not in page and "https://" not in page and "<script" not in page


def test_scores_intervals_decisions_and_alarms_are_there() -> None:
    page = render_loop_page(pages()[1])
    for text in ("50.0 (43.2 to 56.8)", "+50.0 (+43.2 to +56.8)", "promoted", "stopped", "31.0%"):
        assert text in page
    assert "add human rows" in page and "24 human records, 57 by a model of depth 0" in page


def test_equal_numbers_give_an_equal_page_and_the_same_numbers_as_json(tmp_path: Path) -> None:
    numbers = pages()[1]
    write_loop_page(numbers, tmp_path / "loop.json", tmp_path / "loop.html")
    assert (tmp_path / "loop.html").read_text() == render_loop_page(numbers)
    form = json.loads((tmp_path / "loop.json").read_bytes())
    assert form["loops"][0]["rounds"][1]["scores"][0]["measure"]["low"] == 0.4321
    assert form["comparison"]["differences"][0]["by_seed"] == [0.1, -0.2]


def test_tails_are_means_over_the_seeds_that_got_so_far() -> None:
    page = render_loop_page(pages()[1])
    assert "0.500 0.300 0.200" in page
    assert "-50.0 (-60.0 to -40.0)" in page
    assert "<td>2, never</td>" in page
