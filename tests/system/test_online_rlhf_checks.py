"""Claim: the scripted checks of online RLHF (arXiv:2405.07863) hold, one test for each.

1. every way to choose yields exactly its pair, from numbered answers with given rewards: here,
   through whole runs
2. another number of answers than a stage expects is an error, and rows in are rows out and listed
   drops: here, through a whole run
3. after three iterations the reference is the first policy, unless the config says otherwise: here
4. the iterations' prompts are disjoint and all declared: here
5. swapping A and B turns a preference around, and a model that always says A is at exactly one
   half: `tests/train/test_pairwise.py` (a tuned model), `tests/judge/test_model_judges.py` (a
   prompted one)
6. a padded text scores as it does alone, also where padding is the end of text, and the first loss
   is ln 2: `tests/train/test_reward.py`
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.graders import grading, is_conserved, numbering, stage
from tests.train.pair_files import lab_pairs, write_pairs

from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.model import AttemptFailed
from selfsown.core.request import Request
from selfsown.loop.preference.config import PreferenceLoopConfig, make_preference_loop_config
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.loop.preference.prompts import PromptSets
from selfsown.models.scripted import ScriptedModel
from selfsown.recipes.preference.reading import scored_of
from selfsown.runner import RunResult, run


def answered(
    out: Path,
    rewards: dict[str, str],
    *,
    policy: ScriptedModel | None = None,
    words: Callable[[str, int], str] = lambda prompt, number: f"{prompt} {number}",
    **options: Any,
) -> RunResult:
    """A run over one prompt whose answer `words("p", n)` gets the reward of its last character."""

    def says(prompt: str, answer: str, seed: int) -> str:
        return f"Score: {rewards[answer[-1]]}"

    return run(
        "online-rlhf",
        models={"policy": policy or numbering(words), "judge": grading(says)},
        rows=[{"id": "p", "prompt": "p"}],
        out=out,
        scorer="rubric",
        scorer_options={"samples": 1},
        answers=[{"count": len(rewards), "temperature": 1.0}],
        **options,
    )


@pytest.mark.parametrize(
    ("picker", "pair"),
    [
        ("random", (0, 1)),  # the first two, the better one first
        ("max_random", (2, 0)),  # the best against the first other one
        ("max_min", (2, 4)),
        ("max_max", (2, 3)),  # the best against the second best
        ("length_penalised", (2, 4)),  # as max_min, all of one length
    ],
)
def test_1_every_way_to_choose_yields_its_pair_and_equal_rewards_none(
    tmp_path: Path, picker: str, pair: tuple[int, int]
) -> None:
    rewards = {"0": "0.3", "1": "0.2", "2": "0.9", "3": "0.5", "4": "0.1"}
    (row,) = answered(tmp_path / "pair", rewards, picker=picker).accepted
    assert (row["chosen"], row["rejected"]) == tuple(f"p {number}" for number in pair)
    assert (row["chosen_id"], row["rejected_id"]) == tuple(f"p#{number}" for number in pair)
    if picker == "length_penalised":
        assert row["margin"] == pytest.approx(0.8)
    even = answered(tmp_path / "tie", dict.fromkeys("01234", "0.7"), picker=picker, check_after=0)
    assert list(even.accepted) == []
    assert stage(tmp_path / "tie", "pairs")["rejected"] == {"equal_rewards": 1}


@pytest.mark.parametrize(("reward", "chosen"), [("0.59", "1"), ("0.61", "0")])
def test_1_the_penalty_flips_a_longer_answer_that_wins_by_less_than_its_length_costs(
    tmp_path: Path, reward: str, chosen: str
) -> None:
    # answer 0 has 100 characters more, which cost 0.001 * 100 = 0.1; answer 1 has 0.5
    (row,) = answered(
        tmp_path,
        {"0": reward, "1": "0.5"},
        words=lambda prompt, number: "long " * (20 * (1 - number)) + str(number),
        picker="length_penalised",
        picker_options={"penalty": 0.001},
    ).accepted
    assert str(row["chosen"])[-1] == chosen


def test_2_another_number_of_answers_is_an_error_and_what_goes_in_comes_out_or_is_listed(
    tmp_path: Path,
) -> None:
    numbered = numbering()

    def failing(request: Request, seed: int) -> str | AttemptFailed:
        said = numbered._function(request, seed)  # type: ignore[misc]
        assert isinstance(said, str)
        return AttemptFailed("content_filter", "no") if said.endswith("2") else said

    policy = ScriptedModel(failing, identity="policy")
    answered(tmp_path, {"0": "1", "1": "4", "2": "2", "3": "3"}, policy=policy)
    answers, pairs = stage(tmp_path, "answers"), stage(tmp_path, "pairs")
    assert (answers["in"], answers["accepted"], answers["failed"]) == (4, 3, {"content_filter": 1})
    assert (pairs["in"], pairs["accepted"]) == (1, 1)
    assert is_conserved(answers)
    assert is_conserved(pairs)
    assert len(scored_of(tmp_path)) == 3
    lines = (tmp_path / "provenance.jsonl").read_text().splitlines()
    lost = next(line for line in lines if json.loads(line)["end"] == "passed")
    (tmp_path / "provenance.jsonl").write_text("\n".join(line for line in lines if line != lost))
    with pytest.raises(CheckFailed, match="prompt `p` has 3 answers, not 4"):
        scored_of(tmp_path)


def loop_config(home: Path, **given: Any) -> PreferenceLoopConfig:
    """A loop of three iterations with 4 prompts each, of 14 declared ones."""
    for name, texts in (("prompts", range(14)), ("validation", range(20, 22))):
        rows = (json.dumps({"prompt": f"Say {number}."}) + "\n" for number in texts)
        (home / f"{name}.jsonl").write_text("".join(rows))
    form = {
        "recipe": "online-rlhf",
        "prompts": {"file": str(home / "prompts.jsonl"), "per_round": 4},
        "probe": {"prompts": str(home / "validation.jsonl")},
        "options": {"scorer": "rubric"},
        "models": {"judge": "lab"},
        "rounds": 3,
        "out": str(home / "loop"),
        **given,
    }
    return make_preference_loop_config(form)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_3_after_three_iterations_the_reference_is_the_first_policy_unless_asked_otherwise(
    tmp_path: Path,
) -> None:
    pytest.importorskip("trl", reason="needs the `local` extra")
    from selfsown.models.fingerprint import model_hash
    from selfsown.testing.tiny_llama import write_tiny_llama
    from selfsown.train.child import run as trained_here
    from selfsown.train.plan import make_plan, write_plan

    train = {"preset": "lab", "encoding": "task", "threads": 1, "max_steps": 1, "suites": []}
    config = loop_config(tmp_path, train=train)
    moving = loop_config(tmp_path, train=train, reference="previous")
    first = write_tiny_llama(tmp_path / "0", width=16, layers=1, context=128)
    pairs = write_pairs(tmp_path / "pairs.jsonl", lab_pairs(8))
    policy = first
    for iteration in range(1, 4):
        out = tmp_path / str(iteration)
        plan = make_plan(config.preferring([{"path": str(pairs)}], str(policy), str(out)))
        write_plan(plan)
        trained_here(plan, lambda line: None)
        record = json.loads((out / "training.json").read_bytes())
        assert record["reference"]["kind"] == "initial"
        assert record["reference"]["model_hash"] == model_hash(first)
        other = make_plan(moving.preferring([{"path": str(pairs)}], str(policy), str(out)))
        assert other.reference is not None
        assert other.reference.model_hash == model_hash(policy)
        policy = out
    assert len({model_hash(tmp_path / str(number)) for number in range(4)}) == 4


def test_4_the_iterations_prompts_are_disjoint_and_all_declared(tmp_path: Path) -> None:
    config = loop_config(tmp_path)
    sets = PromptSets(config, PreferencePlaces(Path(config.out)))
    texts = [[row["prompt"] for row in sets.rows(number)] for number in range(3)]
    assert [len(one) for one in texts] == [4, 4, 4]
    assert len(set().union(*texts)) == 12
    assert set().union(*texts) <= {f"Say {number}." for number in range(14)}
    again = PromptSets(config, PreferencePlaces(Path(config.out)))
    assert [[row["prompt"] for row in again.rows(number)] for number in range(3)] == texts
    with pytest.raises(InputError, match="14 prompts, and 4 rounds of 4 need 16"):
        PromptSets(loop_config(tmp_path, rounds=4), PreferencePlaces(tmp_path / "other"))
    shared = str(tmp_path / "prompts.jsonl")
    with pytest.raises(CheckFailed, match="is in `round 0` and in `round 1`"):
        PromptSets(
            loop_config(tmp_path, prompts={"files": [shared] * 3}),
            PreferencePlaces(tmp_path / "other"),
        )
