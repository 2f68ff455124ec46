"""Claim: what cannot work is said before anything is asked or trained, with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.loop.preference.small_loop import PER_ROUND, form, lab_prompts, small, write_rows

from selfsown.cli.main import cli
from selfsown.core.errors import CheckFailed, ConfigChanged, ConfigError, InputError, SelfsownError
from selfsown.lab.weights import weights_folder
from selfsown.loop.preference.config import make_preference_loop_config
from selfsown.loop.preference.rounds import turn_preferences
from selfsown.loop.preference.setup import set_up
from selfsown.models.fingerprint import decisive_files, model_hash
from selfsown.testing.tiny_llama import write_tiny_llama

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = pytest.mark.skipif(
    not any(weights_folder().glob("*.safetensors")), reason="the lab weights are not here"
)

RUBRIC = {"layout": "task", "scorer": "rubric", "self_judging": True}


def refused(home: Path, said: str, kind: type[SelfsownError] = InputError, **changes: Any) -> None:
    """The loop is refused with a whole error, and leaves nothing but its lock."""
    with pytest.raises(kind, match=said) as caught:
        turn_preferences(small(home, **changes))
    assert caught.value.why and caught.value.fix
    assert {path.name for path in (home / "loop").iterdir()} == {"run.lock"}


def test_a_sound_loop_is_set_up_without_a_trace(tmp_path: Path) -> None:
    setup = set_up(small(tmp_path))
    assert setup.encoding == "task", "trained in the layout that it is asked in"
    assert not (tmp_path / "loop").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompts": {"per_round": 2}}, "`prompts` names no source"),
        ({"prompts": {"file": "a", "files": ["b", "c"]}}, "`prompts` names `file`, `files`"),
        ({"prompts": {"files": ["a"]}}, "1 `prompts.files` for 2 rounds"),
        ({"prompts": {"writer": "lab"}}, "`prompts.writer` and `prompts.seeds` go together"),
        ({"models": {"policy": "lab"}}, "`models.policy` is set by the loop itself"),
        ({"controls": ["offline"], "offline_pairs": None}, "the control `offline` has no pairs"),
        ({"train": {"reference": "ema"}}, "`train.reference` is set by the loop itself"),
        ({"train": {"data": []}}, "`train.data` is set by the loop itself"),
        ({"sft": {"seed": 3}}, "`sft.seed` is set by the loop itself"),
        ({"floor": {}}, "unknown key `floor`"),
        ({"floors": {"tie_rate": 2}}, "`floors.tie_rate` is `2`"),
        ({"recipe": "complete"}, "`recipe` is `complete`"),
        ({"promotion": {"on": ["anchor"]}}, "`promotion.on` asks for `anchor`"),
        ({"promotion": {"best_by": "second"}}, "`promotion.best_by` asks for `second`"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        make_preference_loop_config(form(tmp_path, **changes))


def test_the_verb_takes_the_config_by_its_recipe_and_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(json.dumps({**form(tmp_path), "flors": {}}), encoding="utf-8")
    done = CliRunner().invoke(cli, ["loop", str(path)])
    assert done.exit_code == 2
    assert "unknown key `flors`" in done.stderr and "did you mean `floors`" in done.stderr


def test_a_chat_model_is_trained_in_its_template_as_it_is_asked(tmp_path: Path) -> None:
    base = write_tiny_llama(tmp_path / "base", width=16, layers=1, context=128)
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    (base / "chat_template.jinja").write_text(template, encoding="utf-8")
    given: dict[str, Any] = {"base": str(base), "sft": {}, "train": {"threads": 1}}
    assert set_up(small(tmp_path, **given)).encoding == "chat"


def test_too_few_prompts_for_all_rounds_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, "18 prompts, and 4 rounds of 6 need 24", rounds=4)


def test_prompts_that_two_rounds_share_are_refused(tmp_path: Path) -> None:
    rows = lab_prompts(6)
    first = write_rows(tmp_path / "a.jsonl", rows[2:5])
    second = write_rows(tmp_path / "b.jsonl", [{**rows[4], "id": "another"}, rows[5]])
    files = {"files": [str(first), str(second)]}
    refused(tmp_path, "is in `round 0` and in `round 1`", CheckFailed, prompts=files)


def test_a_validation_prompt_that_is_trained_on_is_refused(tmp_path: Path) -> None:
    probe = {"prompts": str(write_rows(tmp_path / "v.jsonl", lab_prompts(5)[2:4]))}
    refused(tmp_path, "is in `validation` and in `round", CheckFailed, probe=probe)


def test_the_scorer_that_pairs_are_made_by_does_not_evaluate_unasked(tmp_path: Path) -> None:
    gold = {"scorer": "oracle", "options": {"noise": 0.5}}
    probe = {**form(tmp_path)["probe"], "gold": gold}
    refused(tmp_path, "scores the pairs and evaluates", probe=probe)
    set_up(small(tmp_path, probe=probe, allow_equal_judges=True))
    second = {**probe, "gold": None, "second": gold}
    refused(tmp_path, "scores the pairs and evaluates", probe=second, allow_equal_judges=True)


def test_a_model_does_not_measure_what_it_judged_for_training_by_another_name(
    tmp_path: Path,
) -> None:
    gold = {"scorer": "rubric", "options": {"samples": 1, "role": "observer"}}
    probe = {**form(tmp_path)["probe"], "gold": gold}
    refused(tmp_path, "`policy` scores the pairs and evaluates", probe=probe, options=RUBRIC)
    hired = {"layout": "task", "scorer": "rubric"}
    models = {}
    for role in ("judge", "observer"):
        script = tmp_path / f"{role}.jsonl"
        script.write_text('{"text": "Score: 1"}', encoding="utf-8")
        models[role] = f"scripted:{script}"
    set_up(small(tmp_path, probe=probe, options=hired, models=models))
    models["observer"] = models["judge"]
    given: Any = {"probe": probe, "options": hired, "models": models}
    refused(tmp_path, "scores the pairs and evaluates", **given)
    set_up(small(tmp_path, **given, allow_equal_judges=True))


def test_a_scorer_that_nobody_answers_for_is_refused(tmp_path: Path) -> None:
    asked = {"layout": "task", "scorer": "rubric"}
    refused(tmp_path, "scorer `rubric` asks role `judge`", ConfigError, options=asked)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": {"jugde": "lab"}}, "has no role `jugde`"),
        ({"models": {"judge": "opnai:x"}}, "no model backend has the scheme `opnai`"),
        ({"prompts": {"writer": "opnai:x", "seeds": "lab"}}, "no model backend has the scheme"),
        ({"prompts": {"writer": "lab", "seeds": "none.jsonl"}}, "none.jsonl"),
        ({"prompts": {"writer": "lab", "seeds": "lab", "options": {"x": 1}}}, "unknown key `x`"),
        ({"preset": "spin"}, "has no `output`"),
        (
            {"preset": "spin", "prompts": {"writer": "lab", "seeds": "lab"}},
            "takes answers of people, and prompts are written",
        ),
        ({"probe": {"prompts": "none.jsonl"}}, "`none.jsonl` does not exist"),
    ],
)
def test_models_prompts_and_seeds_that_cannot_be_used_are_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    if "preset" in changes:
        changes = {"options": {"layout": "task"}, **changes}
    refused(tmp_path, said, **changes)


def test_a_reward_model_that_is_none_is_refused(tmp_path: Path) -> None:
    options = {"layout": "task", "scorer": "reward"}
    missing = {**options, "scorer_options": {"model": str(tmp_path / "none")}}
    refused(tmp_path, "there is no model in", options=missing)
    causal = {**options, "scorer_options": {"model": str(weights_folder())}}
    refused(tmp_path, "is no reward model that can be used", options=causal)


def test_a_reward_model_with_the_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = reward_model(tmp_path / "reward", vocabulary=50)
    options = {"layout": "task", "scorer": "reward", "scorer_options": {"model": str(folder)}}
    refused(tmp_path, "and the model 50 embeddings", options=options)


def test_another_reward_model_at_the_same_place_is_not_taken_for_the_one_before(
    tmp_path: Path,
) -> None:
    words = json.loads((weights_folder() / "config.json").read_bytes())["vocab_size"]
    folder = reward_model(tmp_path / "reward", vocabulary=words)
    second = {"scorer": "reward", "options": {"model": str(folder)}}
    config = small(tmp_path, probe={**form(tmp_path)["probe"], "second": second})
    known = set_up(config).scorers
    assert "sha256" in str(known["second"]) and "oracle" in str(known["proxy"])
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "loop.yaml").write_text(json.dumps(config.shown()), encoding="utf-8")
    (tmp_path / "loop" / "scorers.yaml").write_text(json.dumps(known), encoding="utf-8")
    reward_model(folder, vocabulary=words, seed=1)
    with pytest.raises(ConfigChanged, match="second: `reward sha256:"):
        turn_preferences(config)


def reward_model(folder: Path, *, vocabulary: int, seed: int = 0) -> Path:
    """One that never learned, with the lab's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(seed)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads: dict[str, Any] = {"num_attention_heads": 1, "num_labels": 1, "pad_token_id": 0}
    config = LlamaConfig(vocab_size=vocabulary, **sizes, **heads)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(weights_folder() / name, folder / name)
    return folder


@pytest.mark.parametrize(
    "changes",
    [{"reference": "initial"}, {"reference": "previous", "controls": ["other_reference"]}],
)
def test_a_base_with_a_past_of_its_own_has_no_plain_initial_policy(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(weights_folder(), base)
    told = json.loads((base / "config.json").read_bytes())
    (base / "config.json").write_text(json.dumps({**told, "use_cache": False}), encoding="utf-8")
    past = {"folder": str(weights_folder()), "model_hash": model_hash(weights_folder())}
    record = {"reference": {"kind": "initial", **past}, "policy": past}
    (base / "training.json").write_text(json.dumps(record), encoding="utf-8")
    refused(tmp_path, "was trained on pairs itself", ConfigError, base=str(base), **changes)


def test_a_reference_without_weights_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    for path in decisive_files(weights_folder()):
        if path.suffix != ".safetensors":
            shutil.copy(path, folder / path.name)
    refused(tmp_path, "has no weights", reference=str(folder))
    refused(tmp_path, "no folder with a `config.json`", reference=str(tmp_path / "gone"))


def test_a_policy_is_not_trained_in_another_text_than_it_is_asked_in(tmp_path: Path) -> None:
    train = {"preset": "lab", "encoding": "plain"}
    refused(tmp_path, "`train.encoding` is `plain`", ConfigError, train=train)
    options = {**form(tmp_path)["options"], "layout": "published"}
    refused(tmp_path, "in which no pair can be trained on", ConfigError, options=options)


def test_an_anchor_is_of_the_policy_and_of_prompts_that_nobody_trains_on(tmp_path: Path) -> None:
    rounds = lab_prompts(6)[2:]
    told = ["\n\n".join(filter(None, map(str, row.values()))) for row in rounds]
    rows = [{"prompt": text, "a": "x", "b": "y", "label": "a"} for text in told]
    fresh = [{**row, "prompt": f"Fresh: {row['prompt']}"} for row in rows]
    apart = str(write_rows(tmp_path / "apart.jsonl", fresh))
    shared = str(write_rows(tmp_path / "shared.jsonl", rows))  # type: ignore[arg-type]
    tied = str(write_rows(tmp_path / "tied.jsonl", [{**row, "label": "tie"} for row in fresh]))
    refused(tmp_path, "the policy does not judge itself", anchor=apart)
    refused(tmp_path, "labels are of prompts that are trained on", anchor=shared, options=RUBRIC)
    refused(tmp_path, "prompts with answers that people told apart: 0", anchor=tied, options=RUBRIC)
    alone = [{"prompt": f"Fresh {n}", "answer": f"{a}", "label": a} for n in (0, 1) for a in (0, 1)]
    scores = str(write_rows(tmp_path / "scores.jsonl", alone))
    tournament = {**RUBRIC, "scorer": "tournament"}
    refused(tmp_path, "compares two answers, and", anchor=scores, options=tournament)
    setup = set_up(small(tmp_path, anchor=apart, options=RUBRIC))
    assert setup.judge is not None and setup.judge.name == "rubric" and len(setup.labels) == 4


def test_policies_are_not_measured_on_what_something_trains_on(tmp_path: Path) -> None:
    row = lab_prompts(2)[1]
    start = write_rows(tmp_path / "start.jsonl", [{**row, "output": "yes"}])
    said = "1 of 2 validation prompts are asked by a record of `start`"
    refused(tmp_path, said, CheckFailed, start=[str(start)])
    pair = {"prompt": row["instruction"], "input": row["input"], "chosen": "a", "rejected": "b"}
    offline = str(write_rows(tmp_path / "pairs.jsonl", [pair]))
    control = {"controls": ["offline"], "offline_pairs": offline}
    refused(tmp_path, "are asked by a pair of `offline_pairs`", CheckFailed, **control)
    set_up(small(tmp_path, offline_pairs=offline))  # which is not used


def test_offline_pairs_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps({"prompt": "Name a bird.", "chosen": "owl"}) + "\n")
    control = {"controls": ["offline"], "offline_pairs": str(path)}
    refused(tmp_path, "field `rejected` is missing", **control)


def test_another_config_in_the_same_directory_is_refused_with_what_differs(tmp_path: Path) -> None:
    config = small(tmp_path)
    home = tmp_path / "loop"
    home.mkdir()
    (home / "loop.yaml").write_text(json.dumps(config.shown()), encoding="utf-8")
    with pytest.raises(ConfigChanged, match="seed: `0` → `1`"):
        turn_preferences(small(tmp_path, seed=1))
    assert config.identity() == small(tmp_path, rounds=PER_ROUND, out="elsewhere").identity()


def test_what_a_loop_writes_down_holds_no_key(tmp_path: Path) -> None:
    judge = {"uri": "http://me:secret-1@host/v1?key=secret-2#m", "api_key": "secret-3"}
    prompts = {"writer": judge, "seeds": "lab"}
    config = small(tmp_path, models={"judge": judge}, prompts=prompts)
    assert "secret" not in str(config.shown())
