"""Claim: the starter seeds are many, mixed, right, unlike each other and the published ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from selfsown.curate.rouge_l import NoveltyPool
from selfsown.recipes.seeds import check_seeds, read_seeds

PUBLISHED = Path(__file__).parents[2] / "../shared/data/self_instruct/seed_tasks.jsonl"

STARTER = read_seeds("starter")


def test_there_are_more_than_sixty_and_the_checker_has_nothing_to_say() -> None:
    assert len(STARTER) >= 64
    assert check_seeds("starter") == []


def test_the_mix_has_classification_tasks_and_tasks_without_input() -> None:
    classification = [task for task in STARTER if task.is_classification]
    without_input = [t for t in STARTER if not any(i.input for i in t.instances)]
    assert all(task.is_classification is not None for task in STARTER)
    assert 0.2 <= len(classification) / len(STARTER) <= 0.4
    assert 0.25 <= len(without_input) / len(STARTER) <= 0.45


def test_the_first_ten_already_have_every_kind() -> None:
    first = read_seeds("starter:10")
    assert len(first) == 10
    assert {task.is_classification for task in first} == {True, False}
    assert {any(i.input for i in task.instances) for task in first} == {True, False}


def test_ids_are_numbered_in_order_and_names_are_unique() -> None:
    assert [t.id for t in STARTER] == [f"starter_{n:03d}" for n in range(len(STARTER))]
    assert len({task.name for task in STARTER}) == len(STARTER)


def test_no_two_instructions_are_alike() -> None:
    pool = NoveltyPool(tokenizer="unicode")
    for task in STARTER:
        assert pool.nearest(task.instruction).score < 0.5, task.instruction
        pool.add(task.instruction)


def test_openings_and_answers_vary() -> None:
    openings = Counter(task.instruction.split()[0].lower() for task in STARTER)
    assert openings.most_common(1)[0][1] <= 5
    lengths = [len(i.output.split()) for task in STARTER for i in task.instances]
    assert min(lengths) == 1
    assert max(lengths) >= 80
    assert any(not t.instruction.isascii() for t in STARTER)


def test_classification_tasks_with_input_show_several_labels() -> None:
    for task in STARTER:
        if task.is_classification and task.instances[0].input:
            assert len({i.output for i in task.instances}) >= 2, task.id


def test_none_resembles_a_published_seed() -> None:
    if not PUBLISHED.is_file():
        pytest.skip("the published seeds are not beside the checkout (shared/data/self_instruct)")
    pool = NoveltyPool(tokenizer="paper")
    for line in PUBLISHED.read_text(encoding="utf-8").splitlines():
        pool.add(json.loads(line)["instruction"])
    worst = max(pool.nearest(task.instruction).score for task in STARTER)
    assert worst < 0.5  # stricter than the 0.7 of the novelty filter


def _output(name: str, instance: int = 0) -> str:
    return next(t for t in STARTER if t.name == name).instances[instance].output


def test_answers_that_a_program_can_check_are_right() -> None:
    pins = sum(len(set(f"{n:04d}")) == 2 for n in range(10_000))
    assert _output("two_digit_pins").startswith(f"{pins}.")
    seconds = round(320 * 21.0975)
    assert _output("finish_time") == f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    assert len(json.loads(_output("weather_station_json"))["sensors"]) == 3
    assert [json.loads(line)["stock"] for line in _output("csv_to_json_lines").splitlines()] == [
        12,
        None,
        40,
    ]
    shifted = "".join(
        chr((ord(c) - 65 + 3) % 26 + 65) if c.isalpha() else c for c in "MEET AT NOON"
    )
    assert (shifted, _output("caesar_decode")) == ("PHHW DW QRRQ", "MEET AT NOON")


def test_answers_keep_the_limits_their_instructions_set() -> None:
    assert len(_output("leap_years").split()) <= 60
    assert len(_output("hostel_reply").split()) < 110
    assert "!" not in _output("hostel_reply")
    assert len(_output("choir_enquiry").split()) < 80
    assert len(_output("museum_label").split()) <= 60
    assert len(_output("shorten_headline").split()) <= 8
    assert len(_output("commit_message").splitlines()[0]) <= 50
    assert len(_output("alt_text")) < 125
    assert len(_output("dripping_tap_dialogue").splitlines()) == 6
    assert not {"light", "dark", "sun"} & set(_output("shadow_riddle").lower().split())
    assert "defender" not in _output("offside_for_children")
