"""Claim: judges, tournaments and reward models are scorers alike; what is not read is missing."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.preferring import draws, policy, preferring, prompts

from selfsown.core.config import make_config
from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.model import AttemptFailed
from selfsown.core.rundir import read_manifest
from selfsown.lab.oracle import check
from selfsown.lab.seed_tasks import make_seeds
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import plan, replay
from selfsown.recipes.base import get_recipe
from selfsown.recipes.preference.reading import answers_of, scored_of
from selfsown.recipes.preference.scorers import scorer_named
from selfsown.runner import run

pytestmark = pytest.mark.usefixtures("judges")


def comparing(request: Any, _seed: int) -> str:
    """Prefers the answer with the larger number; never says which of 0 and 1 is better."""
    shown = request.messages[-1].text
    first, second = map(int, re.findall(r"answer (\d+)\n</answer_", shown))
    if {first, second} == {0, 1}:
        return "Both are fine."
    return "Verdict: A" if first > second else "Verdict: B"


def test_in_a_tournament_the_contests_of_an_answer_are_its_judgements(tmp_path: Path) -> None:
    judge = ScriptedModel(comparing, identity="judge")
    (pair,) = preferring(
        tmp_path, models={"judge": judge}, scorer="tournament", scorer_options={}
    ).accepted
    told = [one.values for one in scored_of(tmp_path)]
    assert told == [(None, 0.0, 0.0), (None, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 1.0, 1.0)]
    assert (pair["chosen_id"], pair["rejected_id"]) == ("p0#3", "p0#0")
    assert pair["judge"] == "tournament of pairwise by judge"


def test_a_contest_with_an_answer_that_never_came_is_missing(tmp_path: Path) -> None:
    model = policy(lambda _, k: AttemptFailed("bad_request", "no") if k == 2 else f"answer {k}")
    judge = ScriptedModel(comparing, identity="judge")
    preferring(tmp_path, model=model, models={"judge": judge}, scorer="tournament",
               scorer_options={})  # fmt: skip
    told = [one.values for one in scored_of(tmp_path)]
    assert told == [(None, 0.0, None), (None, 0.0, None), (1.0, 1.0, None)]
    assert [one.reward for one in scored_of(tmp_path)] == [None, None, 1.0]


def test_where_a_program_decides_it_says_so_as_often_as_samples_were_to_be(tmp_path: Path) -> None:
    row = {"id": "p", "prompt": "Say.", "reference": "answer 1"}
    judge = ScriptedModel(lambda request, seed: f"Score: {1 + seed % 4}", identity="judge")
    options = {"samples": 3, "temperature": 0.7}
    preferring(tmp_path, rows=[row], models={"judge": judge}, scorer="correctness",
               scorer_options=options)  # fmt: skip
    told = [one.values for one in scored_of(tmp_path)]
    assert told[1] == (5.0, 5.0, 5.0) and judge.call_count == 3 * 3
    assert all(len(one) == 3 for one in told)
    assert scored_of(tmp_path)[0].judge == "correctness(samples=3, temperature=0.7) by judge"


def test_verifiers_that_go_first_keep_the_number_of_judgements(tmp_path: Path) -> None:
    scorer = scorer_named("verified_first", {"then": {"rubric": {"samples": 2}}})
    assert (scorer.judgements(4), scorer.calls(4), scorer.max_tokens) == (2, 8, 512)
    tournament = scorer_named(
        "tournament", {"judge": {"verified_first": {"then": {"pairwise": {}}}}}
    )
    assert (tournament.judgements(4), tournament.calls(4)) == (3, 6 * 4)
    assert scorer_named("factuality", {"max_claims": 9}).calls(2) == 20
    assert scorer_named("oracle", {"noise": 0.2}).identity({}) == "oracle(noise=0.2)"


def test_a_judge_with_another_number_of_judgements_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="judge `fickle` gave 2 judgements of an answer, not 3"):
        preferring(tmp_path, scorer="fickle", scorer_options={})


def test_a_plan_bounds_the_calls_and_meets_them_where_all_goes_well(tmp_path: Path) -> None:
    form = {
        "recipe": "self-rewarding", "models": {"policy": "scripted"}, "out": str(tmp_path / "run"),
        "options": {"answers": draws(3)},
    }  # fmt: skip
    model = ScriptedModel(
        lambda request, seed: (
            f"Score: {seed % 6}" if "<answer>" in request.messages[-1].text else f"answer {seed}"
        ),
        identity="self",
    )

    async def planned() -> Any:
        return await plan(
            make_config(form), opened={"policy": model}, rows=prompts(5), recipe=recipe
        )

    recipe = get_recipe("self-rewarding")
    before = asyncio.run(planned())
    calls = {bound.kind: bound.calls for bound in before.bounds}
    assert calls == {"answers": 15, "scores": 45}
    assert (before.new_calls, before.expected_calls, before.exact) == (60, 60, False)
    run(recipe, out=tmp_path / "run", model=model, rows=prompts(5), answers=draws(3))
    assert model.call_count == 60
    after = asyncio.run(planned())
    assert (after.new_calls, after.cached_calls, after.changes) == (0, 60, ())


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained reward model: random, but real scores."""
    pytest.importorskip("transformers", reason="needs the `local` extra")
    from selfsown.testing.tiny_llama import write_tiny_llama

    folder: Path = tmp_path_factory.mktemp("reward") / "model"
    write_tiny_llama(folder, width=16, layers=1, context=96)
    return as_reward_model(folder)


def as_reward_model(folder: Path) -> Path:
    """The language model in a folder, with one score instead of its words."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, logging

    logging.set_verbosity_error()
    config = AutoConfig.from_pretrained(folder, num_labels=1, pad_token_id=0)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(folder)
    return folder


def test_a_reward_model_scores_once_and_what_it_cannot_read_is_missing(
    tmp_path: Path, reward_model: Path
) -> None:
    from selfsown.models.answer_tokens import Question
    from selfsown.models.fingerprint import model_hash
    from selfsown.models.reward import Answered, RewardModel

    model = policy(lambda _, k: "word " * 200 if k == 2 else f"answer {k}")
    options = {"scorer": "reward", "scorer_options": {"model": str(reward_model)}}
    (pair,) = preferring(tmp_path / "run", model=model, **options).accepted
    told = scored_of(tmp_path / "run")
    question = Question("Say something, number 0.")
    expected = RewardModel(reward_model).score(
        [Answered(question, f"answer {k}") for k in (0, 1, 3)]
    )
    assert [told[k].values[0] for k in (0, 1, 3)] == [one.value for one in expected]
    assert told[2].reward is None
    record = [row for row in answers_rows(tmp_path / "run") if row["index"] == 2]
    assert record[0]["why_missing"] == "too_long"
    assert pair["judge"] == f"reward sha256:{model_hash(reward_model)}"
    assert read_manifest(tmp_path / "run")["run"]["effects"] == 1
    assert replay(tmp_path / "run").identical


def answers_rows(directory: Path) -> list[dict[str, Any]]:
    told = map(json.loads, (directory / "provenance.jsonl").read_text().splitlines())
    return [row["record"] for row in told if row["stage"] == "answers"]


def test_a_preference_model_compares_each_answer_with_each(
    tmp_path: Path, reward_model: Path
) -> None:
    from selfsown.models.answer_tokens import Question
    from selfsown.models.preference import MARK, PreferenceModel, marked
    from selfsown.testing.tiny_llama import write_tiny_llama

    folder = write_tiny_llama(tmp_path / "model", width=16, layers=1, context=128)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), MARK: marked("verbatim")}))
    preferring(
        tmp_path / "run", (0, 0, 0), scorer="preference", scorer_options={"model": str(folder)},
        model=policy(lambda _, k: "word " * 200 if k == 2 else f"answer {k}"),
    )  # fmt: skip
    question = Question("Say something, number 0.")
    value = PreferenceModel(folder).prefer(question, "answer 0", "answer 1").value
    assert value is not None
    told = [one.values for one in scored_of(tmp_path / "run")]
    assert told == [(value, None), (1 - value, None), (None, None)]
    assert answers_rows(tmp_path / "run")[0]["why_missing"] == "too_long"
    assert replay(tmp_path / "run").identical


def test_a_reward_model_with_the_tokenizer_of_another_is_refused_before_anything_is_asked(
    tmp_path: Path, reward_model: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(reward_model, other)
    path = other / "tokenizer.json"
    form = json.loads(path.read_text())
    form["model"]["vocab"]["strange"] = 100_000
    path.write_text(json.dumps(form))
    model = policy()
    with pytest.raises(InputError, match=r"tokenizer in .* has ids up to 100000"):
        preferring(tmp_path / "run", model=model, scorer="reward",
                   scorer_options={"model": str(other)})  # fmt: skip
    assert model.call_count == 0


def test_the_lab_answers_and_the_oracle_tells_right_from_wrong(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="needs the `local` extra")
    rng = random.Random(3)
    items = rng.sample(make_seeds(), 3)
    rows = [
        {"id": f"t{k}", "instruction": one.instruction.text, "input": one.input}
        for k, one in enumerate(items)
    ]
    options: dict[str, Any] = {
        "answers": [{"count": 4, "temperature": 1.0, "top_p": 1.0}], "layout": "task",
        "max_tokens": 24, "stop": ["\n"], "scorer": "oracle",
    }  # fmt: skip
    result = run("online-rlhf", out=tmp_path, model="lab", rows=rows, order="strict", **options)
    told = answers_of(tmp_path)
    assert len(told) + sum(row["stage"] == "answers" for row in result.failed) == 12
    by_id = {row["id"]: row for row in rows}
    for one in told:
        row = by_id[one.candidate.prompt.id]
        right = check(str(row["instruction"]), str(row["input"]), one.candidate.text).is_correct
        assert one.scored is not None and one.scored.values == (float(right),)
    for pair in result.accepted:
        row = by_id[pair["prompt_id"]]
        texts = (str(row["instruction"]), str(row["input"]))
        assert check(*texts, pair["chosen"]).is_correct
        assert not check(*texts, pair["rejected"]).is_correct
    assert replay(tmp_path).identical
