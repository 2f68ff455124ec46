"""Claim: of the answers to a prompt the scores decide, and nothing that was asked disappears."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.graders import is_conserved, stage
from tests.recipes.preferring import Seeing, draws, policy, preferring, prompts

from selfsown.core.errors import (
    CheckFailed,
    ConfigChanged,
    ConfigError,
    GateClosed,
    InputError,
    Interrupted,
)
from selfsown.core.model import AttemptFailed
from selfsown.core.request import Completion
from selfsown.core.rundir import read_manifest
from selfsown.export.export import ExportOptions, export_run
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay
from selfsown.preference.export import export_pairs
from selfsown.preference.files import read_pairs
from selfsown.recipes.base import get_recipe
from selfsown.recipes.preference.reading import answers_of, scored_of
from selfsown.train import pair_records
from selfsown.train.settings import SourceConfig

pytestmark = pytest.mark.usefixtures("judges")

REWARDS = (1.0, 3.0, 5.0, 4.7, 0.5, 4.7)
LENGTHS = (40, 30, 900, 60, 20, 300)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def long_words(prompt: str, number: int) -> str:
    return f"{number} ".ljust(LENGTHS[number], "x")


@pytest.mark.parametrize(
    ("picker", "options", "chosen", "rejected", "margin"),
    [
        ("max_min", {}, 2, 4, 4.5),
        ("max_random", {}, 2, 0, 4.0),
        ("max_max", {}, 2, 5, 0.3),  # 3 and 5 are equally good: the longer one
        ("random", {}, 1, 0, 2.0),
        # less 0.001 a character: 0.96 2.97 4.1 4.64 0.48 4.4, so that 3 wins over 2
        ("length_penalised", {}, 3, 4, 4.16),
        # good from 3.56 on: 2, 3, 5, of which 3 is shortest; bad up to 1.94: 0, 4, of which 0 is
        # longest
        ("rho_window", {}, 3, 0, 3.7),
        ("max_max", {"min_margin": 0.5}, None, None, None),
    ],
)
def test_each_picker_gives_the_pair_of_given_rewards(
    tmp_path: Path,
    picker: str,
    options: dict[str, float],
    chosen: int,
    rejected: int,
    margin: float,
) -> None:
    given = {"picker": picker, "picker_options": options}
    result = preferring(tmp_path, REWARDS, model=policy(long_words), **given)
    if chosen is None:
        assert stage(tmp_path, "pairs")["rejected"] == {"small_margin": 1}
        assert next(iter(result.rejected))["score"] == pytest.approx(0.3)
        return
    (pair,) = result.accepted
    assert (pair["chosen_id"], pair["rejected_id"]) == (f"p0#{chosen}", f"p0#{rejected}")
    assert pair["margin"] == pytest.approx(margin)
    assert (pair["reward_chosen"], pair["reward_rejected"]) == (REWARDS[chosen], REWARDS[rejected])
    assert (pair["picker"], pair["policy"]) == (picker, "policy")


def test_equal_rewards_give_no_pair_and_a_missing_one_takes_no_part(tmp_path: Path) -> None:
    preferring(tmp_path / "a", (2.0, 2.0, None))
    assert stage(tmp_path / "a", "pairs")["rejected"] == {"equal_rewards": 1}
    (pair,) = preferring(tmp_path / "b", (None, 2.0, 3.0)).accepted
    assert (pair["chosen_id"], pair["rejected_id"]) == ("p0#2", "p0#1")
    assert lines(tmp_path / "b" / "provenance.jsonl")[0]["record"]["why_missing"] == "given"


def test_every_answer_and_every_prompt_ends_once(tmp_path: Path) -> None:
    def words(prompt: str, number: int) -> str | AttemptFailed:
        if "number 1" in prompt and number < 2:
            return AttemptFailed("content_filter", "no")
        if "number 2" in prompt:
            return AttemptFailed("bad_request", "no")
        return "same" if "number 3" in prompt else f"answer {number}"

    rows = [*prompts(4), {"instruction": "Say  something,\nnumber 0."}]
    preferring(tmp_path, model=policy(words), rows=rows)
    answers, pairs = stage(tmp_path, "answers"), stage(tmp_path, "pairs")
    assert is_conserved(answers) and is_conserved(pairs)
    assert (answers["in"], pairs["in"]) == (4 * 4, 5)
    assert answers["failed"] == {"bad_request": 4, "content_filter": 2}
    assert pairs["failed"] == {"bad_request": 1}
    assert pairs["rejected"] == {"too_few_scored": 1, "repeated_prompt": 1}
    assert pairs["accepted"] == 2
    assert [one.candidate.id for one in answers_of(tmp_path)][4:6] == ["p1#2", "p1#3"]


def test_equal_requests_are_different_samples_and_each_answer_says_how_it_was_drawn(
    tmp_path: Path,
) -> None:
    model = ScriptedModel(lambda request, seed: f"said {seed}", identity="policy")
    groups = [{"count": 2, "temperature": 0.7}, {"count": 1}, {"count": 2, "temperature": 0.7}]
    preferring(
        tmp_path, model=model, answers=groups, scorer="seeing", scorer_options={}, max_tokens=9
    )
    told = [one.candidate for one in answers_of(tmp_path)]
    assert len({one.text for one in told}) == model.call_count == 5
    seen = [(one.sampling.temperature, one.sampling.seed) for one in told]
    assert seen == [(0.7, 0), (0.7, 1), (None, 0), (0.7, 2), (0.7, 3)]
    assert all(one.n_tokens and one.finish_reason == "stop" for one in told)


def test_a_judge_is_shown_all_that_the_policy_was_told_and_not_the_human_answer(
    tmp_path: Path,
) -> None:
    row = {
        "id": 7, "instruction": "Add.", "input": "1 2", "system": "Be brief.", "output": "SECRET",
        "references": ["3", "three"], "checks": [{"kind": "x"}],
    }  # fmt: skip
    Seeing.seen.clear()
    preferring(tmp_path, rows=[row], scorer="seeing", scorer_options={})
    item = Seeing.seen[0]
    assert (item.prompt, item.reference) == ("Be brief.\n\nAdd.\n\n1 2", "3")
    assert item.metadata == {
        "instruction": "Add.", "input": "1 2", "system": "Be brief.", "references": ["three"],
        "checks": [{"kind": "x"}],
    }  # fmt: skip


def test_a_completion_model_is_asked_in_its_layout_and_a_chat_model_in_turns(
    tmp_path: Path,
) -> None:
    from selfsown.core.model import Capabilities

    row = {"id": "p", "instruction": "Add. ", "input": "1 2", "system": "Be brief."}
    base = policy(
        lambda _, k: f" answer {k}\n", capabilities=Capabilities(chat=False, completion=True)
    )
    preferring(tmp_path / "base", model=base, rows=[row], layout="task", stop=["\n\n"])
    assert base.requests[0].prompt == "Task: Be brief.\n\nAdd.\nInput: 1 2\nOutput:"
    assert base.requests[0].stop == ("\n\n",)
    assert answers_of(tmp_path / "base")[0].candidate.text == "answer 0"
    chat = policy(lambda _, k: f" answer {k}\n")
    preferring(tmp_path / "chat", model=chat, rows=[row], layout="task")
    turns = [(turn.role, turn.text) for turn in chat.requests[0].messages]
    assert turns == [("system", "Be brief."), ("user", "Add. \n\n1 2")]
    assert answers_of(tmp_path / "chat")[0].candidate.text == " answer 0\n"


def cut(prompt: str, number: int) -> Completion:
    """The best answer (2) and the worst (3) were cut off."""
    return Completion(f"answer {number}", finish_reason="length" if number > 1 else "stop")


@pytest.mark.parametrize(
    ("cut_off", "pair", "judged"),
    [("never_chosen", ("p0#1", "p0#3"), 4), ("as_any", ("p0#2", "p0#3"), 4),
     ("rejected", ("p0#1", "p0#0"), 2)],
)  # fmt: skip
def test_an_answer_that_was_cut_off_is_not_chosen_unless_asked_for(
    tmp_path: Path, cut_off: str, pair: tuple[str, str], judged: int
) -> None:
    (found,) = preferring(tmp_path, model=policy(cut), cut_off=cut_off).accepted
    assert (found["chosen_id"], found["rejected_id"]) == pair
    assert len(answers_of(tmp_path)) == judged
    assert stage(tmp_path, "answers")["rejected"].get("cut_off", 0) == 4 - judged


def test_where_only_answers_that_were_cut_off_could_be_chosen_there_is_no_pair(
    tmp_path: Path,
) -> None:
    preferring(tmp_path, (0.0, 1.0, 2.0), model=policy(lambda p, k: cut(p, 3)), scorer="seeing",
               scorer_options={})  # fmt: skip
    assert stage(tmp_path, "pairs")["rejected"] == {"equal_rewards": 1}
    model = policy(lambda p, k: Completion("x" * k + "y", finish_reason="length"))
    preferring(tmp_path / "b", model=model, scorer="seeing", scorer_options={})
    assert stage(tmp_path / "b", "pairs")["rejected"] == {"cut_off": 1}


def test_what_observers_say_is_kept_and_changes_no_byte_of_the_pairs(tmp_path: Path) -> None:
    other = {"scorer": "given", "options": {"rewards": [4, 3, None, 1]}}
    alone = preferring(tmp_path / "alone", rows=prompts(3))
    seen = preferring(tmp_path / "seen", rows=prompts(3), observers={"gold": other})
    assert list(alone.accepted) == list(seen.accepted)
    files = [read_manifest(tmp_path / name)["data"]["files"] for name in ("alone", "seen")]
    assert files[0]["accepted.jsonl"] == files[1]["accepted.jsonl"]
    told = [one.observed for one in answers_of(tmp_path / "seen")]
    assert told[:4] == [{"gold": 4.0}, {"gold": 3.0}, {"gold": None}, {"gold": 1.0}]


def test_a_human_answer_takes_part_as_the_last_candidate(tmp_path: Path) -> None:
    row = {"id": "p", "instruction": "Say.", "output": "the human says 4"}
    rewards = (1.0, 2.0, 0.5, 0.0, 9.0)
    result = preferring(tmp_path, rewards, rows=[row], answers=draws(4), human="candidate")
    (pair,) = result.accepted
    assert (pair["chosen"], pair["chosen_id"]) == ("the human says 4", "p#4")
    assert pair["policy"] == "human + policy"
    told = lines(tmp_path / "provenance.jsonl")
    assert [one["origin"] for one in told] == ["model"] * 4 + ["human", "model"]
    assert told[5]["parents"] == [told[4]["id"], told[3]["id"]]


def test_in_self_play_the_human_answer_is_the_better_one_and_nothing_is_scored(
    tmp_path: Path,
) -> None:
    rows = [{**row, "output": f"human {k}"} for k, row in enumerate(prompts(2))]
    model = ScriptedModel(lambda request, _: "human 1", identity="policy")
    from selfsown.runner import run

    result = run("self-rewarding", preset="spin", out=tmp_path, model=model, rows=rows)
    (pair,) = result.accepted
    assert (pair["chosen"], pair["rejected"], pair["margin"]) == ("human 0", "human 1", None)
    assert stage(tmp_path, "pairs")["rejected"] == {"equal_texts": 1}
    assert model.call_count == 2
    with pytest.raises(InputError, match="were not scored"):
        scored_of(tmp_path)
    assert [one.candidate.model for one in answers_of(tmp_path)] == ["policy", "human"] * 2


@pytest.mark.parametrize(
    ("judge", "words"),
    [("Fine.", "not one of 16 judgements could be read"), ("Score: 4", "said 4 in all of 16")],
)
def test_a_judge_that_is_none_stops_the_run_before_the_rest_is_paid_for(
    tmp_path: Path, judge: str, words: str
) -> None:
    def calls(*, stops: bool = True, **options: Any) -> list[int]:
        writer, grader = policy(), ScriptedModel(lambda *_: judge, identity="judge")
        options |= {"scorer": "rubric", "scorer_options": {"samples": 2}}
        with pytest.raises(GateClosed, match=words) if stops else contextlib.nullcontext():
            preferring(tmp_path, model=writer, rows=prompts(9), models={"judge": grader}, **options)
        return [writer.call_count, grader.call_count]

    assert calls(check_after=2) == [2 * 4, 2 * 4 * 2]
    told = read_manifest(tmp_path)["run"]
    assert isinstance(told, dict) and told["status"] == "suspended"
    assert words in str(told["reason"])
    assert len(lines(tmp_path / "provenance.jsonl")) == 2 * (4 + 1), "to be looked at"
    assert calls(check_after=2) == [0, 0]
    assert calls(check_after=0, stops=False) == [7 * 4, 7 * 4 * 2]
    assert stage(tmp_path, "pairs")["accepted"] == 0


def test_a_run_that_was_stopped_anywhere_ends_with_the_same_bytes(tmp_path: Path) -> None:
    def grade(request: Any, seed: int) -> str:
        return f"Score: {seed % 5}"

    def go(out: Path, most: int | None) -> tuple[int, int]:
        writer = policy(stop_after=most)
        grader = ScriptedModel(grade, identity="judge", stop_after=most)
        with contextlib.suppress(Interrupted):
            preferring(
                out, model=writer, rows=prompts(4), models={"judge": grader}, scorer="rubric",
                scorer_options={}, check_after=2,
            )  # fmt: skip
        return writer.call_count, grader.call_count

    assert go(tmp_path / "quiet", None) == (16, 48)
    quiet = read_manifest(tmp_path / "quiet")["data"]
    assert replay(tmp_path / "quiet").identical
    for most in (1, 5, 11):
        out = tmp_path / f"stopped {most}"
        asked = [go(out, stop) for stop in (most, most, None)]
        assert [sum(column) for column in zip(*asked, strict=True)] == [16, 48]
        assert read_manifest(out)["data"] == quiet
        assert (out / "accepted.jsonl").read_bytes() == (
            tmp_path / "quiet" / "accepted.jsonl"
        ).read_bytes()


def test_another_number_of_answers_is_an_error_at_every_stage(tmp_path: Path) -> None:
    preferring(tmp_path, rows=prompts(2))
    with pytest.raises(ConfigChanged, match="answers"):
        preferring(tmp_path, (1.0, 2.0), rows=prompts(2))
    assert len(scored_of(tmp_path)) == 8
    told = lines(tmp_path / "provenance.jsonl")
    path = tmp_path / "provenance.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in told[1:]))
    with pytest.raises(CheckFailed, match=r"prompt `p0` has 3 answers, not 4; so have 1 of 2"):
        scored_of(tmp_path)
    told[0]["record"]["values"] = [1.0, 2.0]
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    with pytest.raises(CheckFailed, match=r"`p0#0` has 2 judgements, not 1"):
        scored_of(tmp_path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "?"}, "row 1 is no prompt: it has no text"),
        ({"instruction": "a", "prompt": "b"}, "it has `instruction` and `prompt`"),
        ({"instruction": " \n"}, "`instruction` is blank"),
        ({"prompt": "a", "input": 3}, "`input` is int, not text"),
        ({"prompt": "a", "id": 1.5}, "its `id` is float"),
        ({"prompt": "a", "reference": ["b"]}, "`reference` is list, not text"),
        ({"prompt": "a", "references": "b"}, "`references` is no list"),
        ({"prompt": "a", "references": ["b", 1]}, "one of its `references` is no text"),
        ({"prompt": "a", "id": "p0"}, "the id `p0` is that of another prompt"),
    ],
)
def test_a_row_that_is_no_prompt_is_named_before_anything_is_asked(
    tmp_path: Path, row: dict[str, Any], words: str
) -> None:
    model = policy()
    with pytest.raises(InputError, match=words):
        preferring(tmp_path, model=model, rows=[*prompts(1), row])
    assert model.call_count == 0
    assert len(preferring(tmp_path).accepted) == 1, "the directory is as it was"


def test_a_human_answer_that_is_missing_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    model = policy()
    with pytest.raises(InputError, match="prompt `p0` has no `output`"):
        preferring(tmp_path, model=model, human="candidate")
    assert model.call_count == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scorer": "rubrik"}, "no scorer `rubrik`"),
        ({"scorer": "pairwise", "scorer_options": {}}, "scores no single answer"),
        ({"scorer": "tournament", "scorer_options": {"judge": {"rubric": {}}}}, "compares no"),
        ({"scorer": "rubric", "scorer_options": {}}, "asks role `judge`, which has no model"),
        ({"scorer": "reward", "scorer_options": {}}, "`reward` has no `model`"),
        ({"scorer": "reward", "scorer_options": {"model": "nowhere"}}, "there is no model in"),
        ({"picker": "best"}, "no picker `best`"),
        ({"picker_options": {"min_margin": -1}}, "`min_margin` is `-1`"),
        ({"layout": "chat"}, "no prompt layout `chat`"),
        ({"answers": [{"count": 1}]}, "one answer to each prompt"),
        ({"answers": [{"count": 2, "temperature": 0}]}, "2 answers at temperature 0"),
        ({"answers": [{"count": 1, "temprature": 1}]}, "temprature"),
        ({"human": "chosen"}, "`human: chosen` with 4 answers"),
        ({"observers": {"gold": {"scorer": "nobody"}}}, "no scorer `nobody`"),
        ({"observers": {"gold": {"scorer": "rubric"}}}, "asks role `judge`"),
    ],
)
def test_options_that_give_no_pairs_are_refused_before_anything_is_asked(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    model = policy()
    with pytest.raises((ConfigError, InputError), match=words):
        preferring(tmp_path, model=model, **options)
    assert model.call_count == 0


def test_the_two_recipes_have_the_papers_defaults() -> None:
    online, own = (
        get_recipe(name).resolve("default", {}) for name in ("online-rlhf", "self-rewarding")
    )
    told = [[(one.count, one.temperature, one.top_p) for one in options.answers]
            for options in (online, own)]  # fmt: skip
    assert told == [[(4, 1.0, 1.0), (4, 0.7, 1.0)], [(4, 0.7, 0.9)]]
    assert (online.scorer, online.self_judging) == ("reward", False)
    assert (own.scorer, own.self_judging, own.picker) == ("rubric", True, "max_min")
    assert own.scoring().judgements(4) == 3


def test_a_policy_that_judges_itself_is_one_model_and_named_as_the_judge(tmp_path: Path) -> None:
    def both(request: Any, seed: int) -> str:
        shown = request.messages[-1].text
        return f"Score: {seed % 6}" if "<answer>" in shown else f"answer {seed}"

    model = ScriptedModel(both, identity="self")
    preferring(tmp_path, recipe="self-rewarding", model=model, scorer="rubric", scorer_options={})
    assert model.call_count == 4 + 4 * 3
    assert {one.judge for one in scored_of(tmp_path)} == {"rubric by self"}


def test_records_carry_the_depth_of_the_policy_not_that_of_the_judge(tmp_path: Path) -> None:
    class Tuned(ScriptedModel):
        model_depth = 2

    class Deep(ScriptedModel):
        model_depth = 5

    model = Tuned(lambda request, seed: f"answer {seed}", identity="tuned")
    judge = Deep(lambda request, seed: f"Score: {seed % 6}", identity="deep")
    result = preferring(
        tmp_path, model=model, models={"judge": judge}, scorer="rubric", scorer_options={}
    )
    assert {row["model_depth"] for row in result.accepted} == {2}
    assert {one.candidate.model_depth for one in answers_of(tmp_path)} == {2}
    assert {row["model_depth"] for row in lines(tmp_path / "provenance.jsonl")} == {2}


def test_chosen_answers_are_exported_with_all_that_was_asked(tmp_path: Path) -> None:
    row = {"prompt": "Add.", "input": "1 2", "system": "Be brief."}
    preferring(tmp_path / "run", rows=[row])
    options = ExportOptions(format="messages", prompt_field="prompt", completion_field="chosen")
    export_run(tmp_path / "run", tmp_path / "out.jsonl", options)
    (line,) = lines(tmp_path / "out.jsonl")
    assert [turn["content"] for turn in line["messages"]] == [
        "Be brief.",
        "Add.\n\n1 2",
        "answer 2",
    ]


def test_pairs_and_training_take_the_run_as_it_is(tmp_path: Path) -> None:
    preferring(tmp_path / "run", rows=prompts(3))
    exported = export_pairs(tmp_path / "run", tmp_path / "pairs.jsonl")
    assert exported.is_recorded and exported.pair_count == 3
    assert [one.margin for one in read_pairs(tmp_path / "pairs.jsonl")] == [3.0] * 3
    found = pair_records.read_pairs([SourceConfig(path=str(tmp_path / "run"))])
    assert [(one.chosen, one.origin) for one in found] == [("answer 2", "machine")] * 3
