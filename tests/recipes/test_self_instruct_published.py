"""Preset `paper` on the 175 published seeds has the published numbers and shapes.

The seeds are not part of the project; the tests read them from the folder `shared` beside it.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from tests.recipes.gardener import gardener

from selfsown.core.randomness import rng_for
from selfsown.core.request import Completion
from selfsown.curate.rouge_l import NoveltyPool
from selfsown.curate.rules import first_drop, instruction_rules
from selfsown.recipes.seeds import SeedTask, read_seeds
from selfsown.recipes.self_instruct.answers import instructions_in
from selfsown.recipes.self_instruct.demonstrations import choose_shots
from selfsown.recipes.self_instruct.layouts import Layout, Voice
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.presets import PAPER
from selfsown.recipes.self_instruct.templates import Templates
from selfsown.runner import run

DATA = Path(__file__).parents[2] / "../shared/data/self_instruct"
pytestmark = pytest.mark.skipif(
    not (DATA / "seed_tasks.jsonl").exists(),
    reason="the published seeds are not beside the checkout",
)

PUBLISHED = Options.model_validate(PAPER)
BASE = Voice(False, False, None)


@pytest.fixture(scope="module")
def seeds() -> tuple[SeedTask, ...]:
    return tuple(read_seeds(DATA / "seed_tasks.jsonl"))


@pytest.fixture(scope="module")
def layout(seeds: tuple[SeedTask, ...]) -> Layout:
    shots = choose_shots(seeds, PUBLISHED, lambda prompt: rng_for(42, prompt))
    return Layout(PUBLISHED, Templates({}), shots, BASE, BASE)


def test_the_seed_file_has_the_published_counts(seeds: tuple[SeedTask, ...]) -> None:
    assert len(seeds) == 175
    assert Counter(seed.is_classification for seed in seeds) == {False: 149, True: 26}


def test_seeds_would_not_all_pass_the_filters_that_they_are_spared(
    seeds: tuple[SeedTask, ...],
) -> None:
    # Two seeds have three words, one begins with "Write a program"; keywords hit others.
    rules = instruction_rules("paper")
    reasons = Counter(first_drop(rules, seed.instruction).reason for seed in seeds)
    assert reasons["too_short"] == 2 and reasons["write_a_program"] == 1


def test_a_list_prompt_has_eight_items_and_an_open_ninth(
    seeds: tuple[SeedTask, ...], layout: Layout
) -> None:
    prompt = layout.list_request([seed.instruction for seed in seeds[:8]]).request.prompt
    assert prompt is not None
    first, *items = prompt.split("\n")
    assert first.endswith(":")
    assert [re.match(r"(\d+)\.", item)[1] for item in items] == [*"123456789"]  # type: ignore[index]
    assert items[-1] == "9." and not any(item.endswith(":") for item in items)


def test_the_classification_prompt_has_12_yes_and_19_no(layout: Layout) -> None:
    prompt = layout.classification_request("Sort the list.").prompt
    assert prompt is not None
    header, *blocks = prompt.split("\n\n")
    assert "Task:" not in header
    answers = Counter(block.rsplit(" ", 1)[-1] for block in blocks[:-1])
    assert answers == {"Yes": 12, "No": 19}
    assert blocks[-1] == "Task: Sort the list.\nIs it classification?"
    assert len(prompt) < 3 * 3560, "the published text has 3,560 characters"


def test_the_instance_prompts_have_11_and_16_worked_tasks(layout: Layout) -> None:
    assert len(layout.shots.input_first) == 11 and len(layout.shots.output_first) == 16
    bare = [seed for seed in layout.shots.input_first if not seed.instances[0].input.strip()]
    assert len(bare) == 4
    prompt = layout.instance_request("Sort the list.", label_first=True).prompt
    assert prompt is not None and prompt.count("Class label:") == 16
    assert prompt.endswith("\n\nTask: Sort the list.\n")


def test_requests_are_sampled_as_published(layout: Layout, seeds: tuple[SeedTask, ...]) -> None:
    lists = layout.list_request([seed.instruction for seed in seeds[:8]]).request
    assert (lists.max_tokens, lists.temperature, lists.top_p) == (1024, 0.7, 0.5)
    assert (lists.presence_penalty, lists.stop) == (2.0, ("\n\n", "\n16", "16.", "16 ."))
    question = layout.classification_request("Sort the list.")
    assert (question.max_tokens, question.temperature) == (3, 0.0)
    given = layout.instance_request("Sort the list.", label_first=False)
    labels = layout.instance_request("Sort the list.", label_first=True)
    assert (given.max_tokens, labels.max_tokens) == (350, 300)
    assert given.presence_penalty == labels.presence_penalty == 1.5
    assert given.stop == ("Example 6", "Task:")


def test_released_instructions_survive_the_published_reading_unchanged() -> None:
    # 1,000 of 1,000 released instructions are lower case after their first character (defect 4).
    path = DATA / "gpt3_generated_sample_1000.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        released = [json.loads(line)["instruction"] for line in handle]
    text = " " + "\n10. ".join(released[:7])
    assert instructions_in(Completion(text), BASE, PUBLISHED) == tuple(
        " ".join(one.split()) for one in released[:7]
    )
    assert all(one[1:] == one[1:].lower() for one in released)


def test_the_mean_overlap_with_the_user_tasks_is_the_published_one(
    seeds: tuple[SeedTask, ...],
) -> None:
    # Paper, appendix: 0.34; the released data give 0.339.
    pool = NoveltyPool(0.7, "paper")
    for line in (DATA / "user_oriented_instructions.jsonl").read_text("utf-8").splitlines():
        pool.add(json.loads(line)["instruction"])
    mean = sum(pool.nearest(seed.instruction).score for seed in seeds) / len(seeds)
    assert mean == pytest.approx(0.339, abs=0.001)


def test_the_paper_preset_runs_on_the_published_seeds(tmp_path: Path) -> None:
    model = gardener()
    result = run(
        "self-instruct",
        model=model,
        seeds=DATA / "seed_tasks.jsonl",
        preset="paper",
        target=40,
        out=tmp_path / "a",
        order="strict",
    )
    lists = [r.prompt for r in model.requests if r.prompt and r.prompt.endswith("\n9.")]
    assert len(lists) % 5 == 0 and result.stop == "target"
    assert all(re.search(r"^8\. .+\n9\.$", prompt, re.MULTILINE) for prompt in lists)
    accepted = {row["instruction"] for row in result.accepted}
    assert all(one[1:] == one[1:].lower() for one in accepted)
