"""The whole recipe grows a pool that conserves, resumes, extends and stops, without barriers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.gardener import BASE, CHAT, JSON_CHAT, SEEDS, gardener

from selfsown.core.errors import ConfigError, InputError, Interrupted
from selfsown.core.model import AttemptFailed, Capabilities
from selfsown.core.request import Completion, Request
from selfsown.curate.shingles import shingles
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.recipe import RECIPE, call_bounds
from selfsown.runner import RunResult, run


def grow(out: Path, model: ScriptedModel | None = None, **given: Any) -> RunResult:
    given.setdefault("target", 12)
    given.setdefault("seeds", SEEDS)
    return run("self-instruct", model=model or gardener(), out=out, **given)


def stages(result: RunResult) -> dict[str, dict[str, Any]]:
    return {stage["stage"]: stage for stage in result.manifest["data"]["stages"]}


def lines(directory: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / name).read_text("utf-8").splitlines()]


def data_files(directory: Path) -> dict[str, bytes]:
    names = ("accepted", "rejected", "failed", "provenance")
    return {name: (directory / f"{name}.jsonl").read_bytes() for name in names}


def prompts(model: ScriptedModel) -> list[str]:
    return [
        request.prompt or "\n".join(turn.text for turn in request.messages)
        for request in model.requests
    ]


def kind(prompt: str) -> str:
    if prompt.rstrip().endswith("Is it classification?"):
        return "classification"
    if prompt.startswith("Come up with") or "Write 7 more" in prompt:
        return "list"
    return "instances"


def answering(**special: Any) -> ScriptedModel:
    """A gardener whose answers to one kind of call come from a function instead."""
    usual = gardener()

    def answer(request: Request, seed: int) -> str | Completion | AttemptFailed:
        prompt = request.prompt or "\n".join(turn.text for turn in request.messages)
        chosen = special.get(kind(prompt))
        assert usual._function is not None
        return chosen(request, seed) if chosen else usual._function(request, seed)

    return ScriptedModel(answer, capabilities=BASE, identity="gardener")


# -- growth


@pytest.mark.parametrize("capabilities", [BASE, CHAT, JSON_CHAT])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_a_run_grows_to_its_target_in_every_layout(
    tmp_path: Path, capabilities: Capabilities, preset: str
) -> None:
    result = grow(tmp_path / "a", gardener(capabilities=capabilities), preset=preset)
    found = stages(result)
    assert result.stop == "target"
    assert found["tasks"]["accepted"] >= 12
    for stage in found.values():
        ended = stage["accepted"] + sum(stage["rejected"].values()) + sum(stage["failed"].values())
        assert stage["in"] == ended > 0
    assert {type(row["is_classification"]) for row in result.accepted} == {bool}
    assert all(row["instruction"] and row["output"] for row in result.accepted)


def test_the_default_target_counts_tasks_with_an_instance(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", target=10)
    assert len({row["instruction"] for row in result.accepted}) == 10
    assert stages(result)["tasks"]["accepted"] == 10


def test_every_record_leads_back_to_human_seeds(tmp_path: Path) -> None:
    grow(tmp_path / "a", target=30)
    known = {line["id"]: line for line in lines(tmp_path / "a", "provenance.jsonl")}

    def depth(record_id: str) -> int:
        if record_id.startswith("seed:"):
            assert record_id.removeprefix("seed:") in {str(seed["id"]) for seed in SEEDS}
            return 0
        return 1 + max(depth(parent) for parent in known[record_id]["parents"])

    for line in known.values():
        assert line["parent_depth"] == depth(line["id"])
        assert line["keys"], "model-made records name their calls"
    assert any(
        parent in known for line in known.values() if line["stage"] == "instructions"
        for parent in line["parents"]
    ), "machine-made instructions become demonstrations"  # fmt: skip


def test_tasks_are_asked_before_the_last_list_is(tmp_path: Path) -> None:
    model = gardener(new=2)
    grow(tmp_path / "a", model, target=40)
    kinds = [kind(prompt) for prompt in prompts(model)]
    assert kinds.index("instances") < len(kinds) - 1 - kinds[::-1].index("list")


def test_a_labeler_answers_the_question_where_one_is_given(tmp_path: Path) -> None:
    generator, labeler = gardener(), gardener(yes=1.0)
    result = grow(tmp_path / "a", generator, models={"labeler": labeler})
    assert {kind(prompt) for prompt in prompts(labeler)} == {"classification"}
    assert "classification" not in {kind(prompt) for prompt in prompts(generator)}
    assert all(row["is_classification"] for row in result.accepted)


def test_equal_list_prompts_are_new_samples(tmp_path: Path) -> None:
    model = gardener(fresh=0.0)
    one_seed = [SEEDS[0]]
    grow(tmp_path / "a", model, seeds=one_seed, max_requests=6)
    lists = [prompt for prompt in prompts(model) if kind(prompt) == "list"]
    assert len(lists) == 6 and max(Counter(lists).values()) > 1


# -- durability


def test_resume_after_an_interruption_spends_no_call_twice(tmp_path: Path) -> None:
    whole = gardener()
    expected = grow(tmp_path / "b", whole, order="strict")
    first, second = gardener(), gardener()
    first._stop_after = 17
    with pytest.raises(Interrupted):
        grow(tmp_path / "a", first, order="strict")
    resumed = grow(tmp_path / "a", second, order="strict")
    assert data_files(tmp_path / "a") == data_files(tmp_path / "b")
    assert resumed.manifest["data"] == expected.manifest["data"]
    assert first.call_count + second.call_count == whole.call_count


def test_the_same_command_again_asks_nothing(tmp_path: Path) -> None:
    grow(tmp_path / "a")
    before = data_files(tmp_path / "a")
    again = gardener()
    grow(tmp_path / "a", again)
    assert again.call_count == 0 and data_files(tmp_path / "a") == before


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("order", ["arrival", "strict"])
def test_a_run_extends_without_asking_anything_again(
    tmp_path: Path, preset: str, order: str
) -> None:
    first, second, third = gardener(), gardener(), gardener()
    grow(tmp_path / "a", first, target=10, preset=preset, order=order)
    short = {row["id"] for row in lines(tmp_path / "a", "accepted.jsonl")}
    grow(tmp_path / "a", second, target=25, preset=preset, order=order)
    long = grow(tmp_path / "a", third, target=40, preset=preset, order=order)
    assert short < {row["id"] for row in long.accepted}
    assert stages(long)["tasks"]["accepted"] >= 40
    total = first.call_count + second.call_count + third.call_count
    assert total == long.manifest["run"]["calls"], "each call was made once"


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_replay_rebuilds_a_run_and_its_extension(tmp_path: Path, preset: str) -> None:
    for target, shuffle in ((10, False), (25, True)):
        grow(tmp_path / "a", target=target, preset=preset)
        found = replay(tmp_path / "a", shuffle=shuffle)
        assert found.complete and found.identical, found.different


@pytest.mark.parametrize("kill_after", [1, 4, 9, 23, 41])
def test_a_resumed_run_in_order_of_arrival_replays(tmp_path: Path, kill_after: int) -> None:
    first, second = gardener(new=3), gardener(new=3)
    first._stop_after = kill_after
    with pytest.raises(Interrupted):
        grow(tmp_path / "a", first, target=20)
    resumed = grow(tmp_path / "a", second, target=20)
    assert first.call_count + second.call_count == resumed.manifest["run"]["calls"]
    assert replay(tmp_path / "a").identical


def test_in_strict_order_concurrency_does_not_matter(tmp_path: Path) -> None:
    for name, concurrency in (("a", 1), ("b", 32)):
        grow(tmp_path / name, order="strict", concurrency=concurrency)
    assert data_files(tmp_path / "a") == data_files(tmp_path / "b")


# -- ends


def test_a_run_that_finds_nothing_new_is_saturated(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", gardener(fresh=0.0), saturation_window=10)
    assert result.stop == "saturated"
    assert result.manifest["data"]["notes"]["saturated_by"] == "lists"
    assert stages(result)["instructions"]["rejected"].keys() >= {"rouge_l_too_similar"}


def test_a_run_whose_tasks_all_fail_the_format_is_saturated_too(tmp_path: Path) -> None:
    model = answering(instances=lambda request, seed: "I would rather not.")
    result = grow(tmp_path / "a", model, saturation_window=10, target=50)
    assert result.stop == "saturated"
    assert result.manifest["data"]["notes"]["saturated_by"] == "tasks"
    assert stages(result)["tasks"]["rejected"] == {
        "no_instance_read": stages(result)["tasks"]["in"]
    }


def test_max_requests_bounds_the_lists(tmp_path: Path) -> None:
    model = gardener(new=1)
    result = grow(tmp_path / "a", model, max_requests=7, target=500)
    assert result.stop == "max_requests"
    assert Counter(map(kind, prompts(model)))["list"] == 7
    assert stages(result)["tasks"]["in"] == stages(result)["instructions"]["accepted"]


def test_max_requests_that_cut_a_block_short_lose_nothing(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", preset="paper", max_requests=7, target=500)
    assert stages(result)["completions"]["in"] == 7


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize(("fresh", "new"), [(1.0, 7), (0.3, 2), (0.02, 1)])
def test_the_calls_stay_below_the_planned_bounds(
    tmp_path: Path, preset: str, fresh: float, new: int
) -> None:
    options = {"saturation_window": 8, "least_yield": 0.2, "least_task_yield": 0.2}
    model = gardener(fresh=fresh, new=new)
    grow(tmp_path / "a", model, preset=preset, target=15, **options)
    bounds = call_bounds(RECIPE.resolve(preset, options), 15, len(SEEDS))
    counts = Counter(map(kind, prompts(model)))
    allowed = {bound.kind: bound.calls for bound in bounds}
    assert counts["list"] <= allowed["instruction lists"]
    assert counts["classification"] <= allowed["classification questions"]
    assert counts["instances"] <= allowed["instances"]


def test_bounds_follow_max_requests_and_need_a_least_yield() -> None:
    lists = call_bounds(Options(max_requests=9), 100, 25)[0]
    assert lists.calls == 9
    endless = call_bounds(Options(least_yield=0.0), 100, 25)[0]
    assert endless.calls > 10**12


# -- failures and bad answers


def failing(request: Request, seed: int) -> AttemptFailed:
    return AttemptFailed("content_filter", "refused by the filter")


def test_a_failed_question_fails_its_task_alone(tmp_path: Path) -> None:
    bad = {"hit": 0}

    def sometimes(request: Request, seed: int) -> str | AttemptFailed:
        bad["hit"] += 1
        return failing(request, seed) if bad["hit"] % 3 == 0 else " No"

    result = grow(tmp_path / "a", answering(classification=sometimes), order="strict")
    tasks = stages(result)["tasks"]
    assert tasks["failed"]["content_filter"] > 0 and tasks["accepted"] == 12
    assert {line["stage"] for line in result.failed} == {"tasks"}


def test_defect_11_a_failed_question_is_no_in_the_paper_preset_only(tmp_path: Path) -> None:
    model = answering(classification=failing)
    result = grow(tmp_path / "a", model, preset="paper")
    assert result.manifest["data"]["notes"]["classification_readings"].keys() == {"failed"}
    assert not any(row["is_classification"] for row in result.accepted)


def test_failed_lists_are_counted_and_end_a_hopeless_run(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", answering(list=failing), saturation_window=10)
    assert result.stop == "saturated"
    assert stages(result)["completions"]["failed"]["content_filter"] >= 10
    assert len(result.accepted) == 0


def test_an_unreadable_yes_or_no_is_asked_again_as_a_new_sample(tmp_path: Path) -> None:
    model = answering(classification=lambda request, seed: " maybe")
    result = grow(tmp_path / "a", model)
    asked = [
        request for request in model.requests if kind(request.prompt or "") == "classification"
    ]
    per_prompt = Counter(request.prompt for request in asked)
    assert set(per_prompt.values()) == {3}
    assert {request.temperature for request in asked} == {0.0, 0.7}
    assert result.manifest["data"]["notes"]["classification_readings"].keys() == {"unread"}
    assert not any(row["is_classification"] for row in result.accepted)


def test_an_unreadable_yes_or_no_rejects_the_task_where_that_is_chosen(tmp_path: Path) -> None:
    model = answering(classification=lambda request, seed: " maybe")
    result = grow(tmp_path / "a", model, unread_classification="reject", saturation_window=10)
    assert stages(result)["tasks"]["rejected"].keys() == {"unread_classification"}
    assert "instances" not in set(map(kind, prompts(model)))


def test_defect_14_unreadable_instances_get_a_second_chance(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def second_time(request: Request, seed: int) -> str:
        seen[request.prompt or ""] += 1
        return "Output: fine" if seen[request.prompt or ""] == 2 else "hm"

    result = grow(tmp_path / "a", answering(instances=second_time))
    assert stages(result)["tasks"]["accepted"] == 12
    paper = grow(tmp_path / "b", answering(instances=lambda request, seed: "hm"), preset="paper")
    assert stages(paper)["tasks"]["accepted"] == 0


def test_a_missed_schema_is_asked_again(tmp_path: Path) -> None:
    usual = gardener(capabilities=JSON_CHAT)
    turns: Counter[str] = Counter()

    def first_broken(request: Request, seed: int) -> str | Completion | AttemptFailed:
        name = "".join(turn.text for turn in request.messages)
        turns[name] += 1
        assert usual._function is not None
        if turns[name] == 1 and "is_classification" in json.dumps(dict(request.schema or {})):
            return AttemptFailed("schema", "no JSON")
        return usual._function(request, seed)

    model = ScriptedModel(first_broken, capabilities=JSON_CHAT, identity="g")
    result = grow(tmp_path / "a", model)
    assert stages(result)["tasks"]["failed"] == {} and result.stop == "target"


def test_defect_3_the_items_before_a_cut_are_kept(tmp_path: Path) -> None:
    usual = gardener()

    def cut(request: Request, seed: int) -> Completion:
        assert usual._function is not None
        text = usual._function(request, seed)
        assert isinstance(text, str)
        return Completion(text, finish_reason="length")

    result = grow(tmp_path / "a", answering(list=cut))
    found = stages(result)["instructions"]
    assert found["rejected"]["cut_off"] == stages(result)["completions"]["in"]
    paper = grow(tmp_path / "b", answering(list=cut), preset="paper", saturation_window=10)
    assert stages(paper)["completions"]["rejected"].keys() == {"cut_off"}
    assert stages(paper)["instructions"]["in"] == 0


@pytest.mark.parametrize(
    "text",
    ["\x1b[31m\x00", "\ud800 broken", "x" * 1_000_000, "Output:" * 5000, "\n" * 9999, "9. " * 999],
)
def test_hostile_answers_end_as_rejects(tmp_path: Path, text: str) -> None:
    def answer(request: Request, seed: int) -> str:
        return text

    model = ScriptedModel(answer, capabilities=BASE, identity="hostile")
    result = grow(tmp_path / "a", model, saturation_window=5)
    assert result.stop == "saturated" and len(result.accepted) == 0


def test_hostile_instances_leave_only_text(tmp_path: Path) -> None:
    model = answering(instances=lambda request, seed: "Input: {{ 7*7 }}\nOutput: \x1b[2J<b>49</b>")
    result = grow(tmp_path / "a", model, max_requests=3)
    assert stages(result)["instances"]["in"] > 0


# -- what is refused before the first call


def test_a_layout_that_the_model_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not take the chat layout"):
        grow(tmp_path / "a", gardener(), layout="chat")


def test_classification_only_needs_classification_seeds(tmp_path: Path) -> None:
    plain = [{**seed, "is_classification": False} for seed in SEEDS]
    with pytest.raises(InputError, match="no seed task"):
        grow(tmp_path / "a", seeds=plain, classification_only=True)
    result = grow(tmp_path / "b", classification_only=True, target=3)
    parents = {p for line in lines(tmp_path / "b", "provenance.jsonl") for p in line["parents"]}
    human = {parent for parent in parents if parent.startswith("seed:")}
    assert human <= {f"seed:{seed['id']}" for seed in SEEDS if seed["is_classification"]}
    assert result.stop == "target"


def test_a_run_without_classification_seeds_goes_input_first(tmp_path: Path) -> None:
    plain = [{**seed, "is_classification": False} for seed in SEEDS]
    model = gardener(yes=1.0)
    result = grow(tmp_path / "a", model, seeds=plain)
    assert result.stop == "target"
    assert not any("Class label:" in prompt for prompt in prompts(model))


def test_a_filter_with_memory_compares_with_seeds_and_accepted_instructions(tmp_path: Path) -> None:
    near = {"near_duplicate": {"words": 1, "threshold": 0.3}}
    result = grow(tmp_path / "a", filters=near, novelty_threshold=1.0, target=20)
    rejected = stages(result)["instructions"]["rejected"]
    assert rejected.keys() == {"near_duplicate"} and result.stop == "target"
    sets = [shingles(str(seed["instruction"]), 1) for seed in SEEDS]
    for row in lines(tmp_path / "a", "provenance.jsonl"):
        if row["stage"] == "instructions" and row["end"] == "passed":
            of = shingles(row["record"]["instruction"], 1)
            assert all(len(of & other) < 0.3 * len(of | other) for other in sets)
            sets.append(of)
    assert len(sets) > len(SEEDS) and replay(tmp_path / "a").identical


def test_further_filters_are_chosen_by_name(tmp_path: Path) -> None:
    strict = {"length": {"least": 99}}
    result = grow(tmp_path / "a", filters=strict, saturation_window=5)
    assert stages(result)["instructions"]["rejected"].keys() == {"too_short"}
    with pytest.raises(ConfigError, match="languag"):
        grow(tmp_path / "b", filters={"languag": {"allowed": ["en"]}})
    with pytest.raises(ConfigError, match="allow"):
        grow(tmp_path / "c", filters={"language": {"allow": ["en"]}})
    assert grow(tmp_path / "d", filters={"language": {"allowed": ["en"]}}).stop == "target"


def test_an_unknown_option_names_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="novelty_treshold") as caught:
        grow(tmp_path / "a", novelty_treshold=0.5)
    assert "novelty_threshold" in caught.value.fix


# -- the paper's blocks


def test_the_paper_preset_draws_blocks_of_five_from_one_pool_state(tmp_path: Path) -> None:
    model = gardener()
    grow(tmp_path / "a", model, preset="paper", target=60, order="strict")
    records = lines(tmp_path / "a", "provenance.jsonl")
    made = [line for line in records if line["stage"] == "completions"]
    assert len(made) % 5 == 0 and len(made) >= 10
    birth = {
        line["id"]: line["order"][0] for line in records
        if line["stage"] == "instructions" and line["end"] == "passed"
    }  # fmt: skip
    ordinals = [line["order"][0] for line in made]
    for position, line in enumerate(made):
        first_of_block = ordinals[position - position % 5]
        machine = [parent for parent in line["parents"] if parent in birth]
        assert len(machine) == (0 if position < 5 else 2)
        assert all(birth[parent] < first_of_block for parent in machine)


def test_the_paper_preset_counts_instructions_and_may_overshoot_by_a_block(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", preset="paper", target=12)
    found = stages(result)
    assert 12 <= found["instructions"]["accepted"] <= 12 + 35
    assert found["tasks"]["in"] == found["instructions"]["accepted"]


def test_options_of_a_request_reach_the_model(tmp_path: Path) -> None:
    model = gardener()
    grow(tmp_path / "a", model, preset="paper", lists={"temperature": 0.1})
    request = next(r for r in model.requests if kind(r.prompt or "") == "list")
    assert (request.temperature, request.top_p, request.presence_penalty) == (0.1, 0.5, 2.0)
    assert request.stop == ("\n\n", "\n16", "16.", "16 .")
