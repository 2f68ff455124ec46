"""Claim: a training is one command: killed and started again it ends with the same weights."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the `local` extra")

from selfsown.core.errors import ConfigChanged, ConfigError, InputError, Interrupted, MissingExtra
from selfsown.core.request import JSON
from selfsown.models.fingerprint import model_hash
from selfsown.models.lineage import read_lineage
from selfsown.train import sft
from selfsown.train.child import run
from selfsown.train.plan import make_plan, refuse_change, write_plan
from selfsown.train.settings import TrainConfig
from selfsown.train.sft import TrainResult, train

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def config_for(base: Path, rows: Path, out: Path, **given: object) -> TrainConfig:
    form = {
        "data": [{"path": str(rows)}], "base": str(base), "out": str(out), "preset": "lab",
        "threads": 1, "max_steps": 6, "checkpoint_every_s": 0, **given,
    }  # fmt: skip
    return TrainConfig.model_validate(form)


def train_here(config: TrainConfig) -> dict[str, JSON]:
    """The child's work in this process, which has loaded torch already."""
    plan = make_plan(config)
    write_plan(plan)
    run(plan, lambda line: None)
    record: dict[str, JSON] = json.loads((plan.out / "training.json").read_text())
    return record


@pytest.fixture(scope="module")
def finished(
    tiny: Path, rows_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainConfig, TrainResult]:
    config = config_for(tiny, rows_file, tmp_path_factory.mktemp("finished") / "model")
    result = train(config)
    result.raise_for_failure()
    return config, result


def test_the_folder_is_a_model_with_its_record(
    finished: tuple[TrainConfig, TrainResult], tiny: Path
) -> None:
    from selfsown.models.uri import open_model

    config, result = finished
    folder = Path(config.out)
    assert result.is_new and result.failure is None
    assert result.model_hash == model_hash(folder) != model_hash(tiny)
    assert (folder / "tokenizer.json").read_bytes() == (tiny / "tokenizer.json").read_bytes()
    assert json.loads((folder / "config.json").read_text()).get("use_cache", True)
    assert not (folder / "training" / "checkpoints").exists()
    settings = result.record["settings"]
    assert isinstance(settings, dict)
    assert settings["max_steps"] == {"value": 6, "source": "given"}
    assert all(one["source"] for one in settings.values())
    said = result.record["result"]
    assert isinstance(said, dict)
    assert [step for step, _ in said["losses"]] == [1, 2, 3, 4, 5, 6]
    assert said["losses"][-1][1] < said["losses"][0][1]
    assert open_model(f"lab:{folder}").identity.endswith(model_hash(folder))


def test_the_same_again_does_nothing(finished: tuple[TrainConfig, TrainResult]) -> None:
    config, result = finished
    again = train(config.model_copy(update={"checkpoint_every_s": 60.0}))
    assert not again.is_new
    assert again.record == result.record


def test_a_process_that_waited_while_another_finished_trains_nothing_again(
    finished: tuple[TrainConfig, TrainResult],
) -> None:
    folder = Path(finished[0].out)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}
    plan = folder / "training" / "plan.json"
    command = [sys.executable, "-m", "selfsown.train.child", str(plan)]
    late = subprocess.run(command, capture_output=True, check=False)
    assert (late.returncode, late.stdout) == (0, b"")
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_what_a_kill_after_the_record_left_behind_goes_at_the_next_call(
    finished: tuple[TrainConfig, TrainResult],
) -> None:
    left = Path(finished[0].out) / "training" / "checkpoints" / "checkpoint-6"
    left.mkdir(parents=True)
    assert not train(finished[0]).is_new
    assert not left.parent.exists()


def test_a_process_that_crashes_behind_its_record_has_trained(
    tiny: Path, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interpreters that end under torch sometimes do."""
    ended = sft._run_child
    monkeypatch.setattr(sft, "_run_child", lambda *given: (-11, ended(*given)[1]))
    result = train(config_for(tiny, rows_file, tmp_path / "model", max_steps=1))
    assert result.is_new and result.failure is None and result.model_depth == 1


def test_another_config_is_refused_with_what_differs(
    finished: tuple[TrainConfig, TrainResult], rows_file: Path, tmp_path: Path
) -> None:
    config, _ = finished
    with pytest.raises(ConfigChanged, match=r"settings.learning_rate: `0.001` → `0.002`"):
        train(config.model_copy(update={"learning_rate": 0.002}))
    changed = tmp_path / "rows.jsonl"
    changed.write_bytes(b"\n".join(rows_file.read_bytes().splitlines()[:-1]))
    data = config.data[0].model_copy(update={"path": str(changed)})
    with pytest.raises(ConfigChanged, match="data"):
        train(config.model_copy(update={"data": [data]}))


def test_data_that_only_moved_is_the_same_data(
    finished: tuple[TrainConfig, TrainResult], rows_file: Path, tmp_path: Path
) -> None:
    config, _ = finished
    moved = tmp_path / "rows.jsonl"
    moved.write_bytes(rows_file.read_bytes())
    data = config.data[0].model_copy(update={"path": str(moved)})
    assert not train(config.model_copy(update={"data": [data]})).is_new


def test_a_killed_child_is_a_result_and_the_same_command_ends_with_the_same_weights(
    finished: tuple[TrainConfig, TrainResult], tiny: Path, rows_file: Path, tmp_path: Path
) -> None:
    config = config_for(tiny, rows_file, tmp_path / "model")

    def kill_at_three(line: Mapping[str, JSON]) -> None:
        if line.get("checkpoint") == 3:
            lock = tmp_path / "model" / "training" / "run.lock"
            os.kill(int(lock.read_text()), signal.SIGKILL)

    killed = train(config, on_progress=kill_at_three)
    assert killed.failure is not None
    assert killed.failure.kind == "crashed" and killed.failure.exit_status == -signal.SIGKILL
    assert killed.failure.checkpoint is not None
    assert int(killed.failure.checkpoint.name.rpartition("-")[2]) >= 3
    assert killed.failure.log_tail.count("'loss'") >= 3
    resumed = train(config)
    resumed.raise_for_failure()
    said = resumed.record["result"]
    assert isinstance(said, dict) and said["resumed_from_step"] >= 3
    assert resumed.model_hash == finished[1].model_hash


def test_what_the_child_refuses_is_raised_here(tiny: Path, tmp_path: Path) -> None:
    rows = tmp_path / "one.jsonl"
    rows.write_text('{"instruction": "Say it.", "input": "", "output": "It."}\n')
    config = config_for(tiny, rows, tmp_path / "model", encoding="plain")
    with pytest.raises(InputError, match=r"one record to train on from .*one\.jsonl"):
        train(config)
    assert not (tmp_path / "model" / "training.json").exists()
    with rows.open("a") as file:
        file.write('{"instruction": "Say two.", "input": "", "output": "Two."}\n')
    refuse_change(make_plan(config))  # the folder is free for the corrected data


def test_a_model_that_was_changed_afterwards_is_noticed(
    finished: tuple[TrainConfig, TrainResult], tmp_path: Path
) -> None:
    config, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(config.out, copy)
    with (copy / "tokenizer_config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match=r"not the one that `training\.json` describes"):
        train(config.model_copy(update={"out": str(copy)}))
    with pytest.raises(InputError, match=r"not the one that `selfsown\.json` describes"):
        read_lineage(copy)


def test_a_second_tuning_stands_on_the_first(
    finished: tuple[TrainConfig, TrainResult], rows_file: Path, tmp_path: Path
) -> None:
    config, first = finished
    again = config_for(Path(config.out), rows_file, tmp_path / "second", max_steps=1)
    record = train_here(again)
    model = record["model"]
    assert isinstance(model, dict)
    assert (first.model_depth, model["base_depth"], model["model_depth"]) == (1, 1, 2)
    assert read_lineage(tmp_path / "second") is not None
    human = config_for(
        Path(config.out), rows_file, tmp_path / "human", max_steps=1,
        data=[{"path": str(rows_file), "origin": "human"}],
    )  # fmt: skip
    model = train_here(human)["model"]
    assert isinstance(model, dict)
    assert (model["model_depth"], model["human_share"]) == (1, 1.0)


def test_a_base_of_another_size_and_tokenizer_needs_only_its_name(
    rows_file: Path, tmp_path: Path
) -> None:
    """Two layers, grouped heads, untied embeddings, 700 tokens, no token put before a text."""
    base = write_other_base(tmp_path / "other")
    record = train_here(config_for(base, rows_file, tmp_path / "model", epochs=2, max_steps=None))
    said = record["result"]
    assert isinstance(said, dict)
    assert said["losses"][-1][1] < said["losses"][0][1]
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.config.num_hidden_layers == 2 and len(tokenizer) <= 700


def write_other_base(folder: Path) -> Path:
    from itertools import islice

    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from selfsown.lab.corpus import documents, text_of

    trained = ByteLevelBPETokenizer()
    texts = [text_of(document) for document in islice(documents(0), 60)]
    trained.train_from_iterator(texts, vocab_size=700, special_tokens=["</s>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, eos_token="</s>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=704, hidden_size=24, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=200,
        tie_word_embeddings=False, bos_token_id=None, eos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    return folder


def test_a_base_that_changes_while_it_is_read_is_refused(
    tiny: Path, rows_file: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny, base)
    plan = make_plan(config_for(base, rows_file, tmp_path / "model"))
    write_plan(plan)
    with (base / "tokenizer_config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match="changed while they were read: base: "):
        run(plan, lambda line: None)
    assert not (tmp_path / "model" / "training.json").exists()


def test_missing_packages_are_named_with_the_install_command(
    tiny: Path, rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "selfsown.train.sft.find_spec", lambda name: None if name == "trl" else found(name)
    )
    with pytest.raises(MissingExtra, match="training needs `trl`") as caught:
        train(config_for(tiny, rows_file, tmp_path / "model"))
    assert "selfsown[local]" in caught.value.fix
    assert not (tmp_path / "model").exists()


def test_folders_that_are_not_ours_or_not_there_are_refused(
    tiny: Path, rows_file: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        train(config_for(tiny, rows_file, mine))
    with pytest.raises(ConfigError, match=r"no folder with a `config\.json`"):
        train(config_for(tmp_path / "nowhere", rows_file, tmp_path / "out"))
    with pytest.raises(InputError, match="does not exist"):
        train(config_for(tiny, tmp_path / "no.jsonl", tmp_path / "out"))
    (mine / "config.json").write_text("{}")
    with pytest.raises(InputError, match="has no tokenizer files"):
        train(config_for(mine, rows_file, tmp_path / "out"))


@pytest.mark.slow
def test_ctrl_c_stops_the_child_and_says_how_to_go_on(
    tiny: Path, rows_file: Path, tmp_path: Path
) -> None:
    def interrupt(line: Mapping[str, JSON]) -> None:
        if line.get("checkpoint") == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="was interrupted") as caught:
        train(config_for(tiny, rows_file, tmp_path / "model"), on_progress=interrupt)
    assert "same command" in caught.value.fix
    assert not _lives(int((tmp_path / "model" / "training" / "run.lock").read_text()))


@pytest.mark.slow
def test_the_child_ends_with_its_parent(tiny: Path, rows_file: Path, tmp_path: Path) -> None:
    config = config_for(tiny, rows_file, tmp_path / "model", max_steps=100_000)
    program = (
        "import sys; from selfsown.train.sft import train; "
        "from selfsown.train.settings import TrainConfig; "
        "train(TrainConfig.model_validate_json(sys.argv[1]), on_progress=lambda line: "
        "print(line, flush=True))"
    )
    command = [sys.executable, "-c", program, config.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        while "checkpoint" not in parent.stdout.readline():
            continue
        child = int((tmp_path / "model" / "training" / "run.lock").read_text())
        parent.kill()
    descriptor = os.pidfd_open(child) if _lives(child) else None
    if descriptor is not None:
        import select

        assert select.select([descriptor], [], [], 20)[0], "the child outlived its parent by 20 s"
        os.close(descriptor)
    assert not _lives(child)


@pytest.mark.slow
def test_accelerate_trains_the_same_weights_as_one_process(
    finished: tuple[TrainConfig, TrainResult], tmp_path: Path
) -> None:
    config, alone = finished
    file = tmp_path / "accelerate.yaml"
    lines = ("compute_environment: LOCAL_MACHINE", "distributed_type: 'NO'", "use_cpu: true")
    file.write_text("\n".join([*lines, "mixed_precision: 'no'", "num_processes: 1"]))
    out = str(tmp_path / "model")
    result = train(config.model_copy(update={"out": out, "accelerate": str(file)}))
    result.raise_for_failure()
    assert result.model_hash == alone.model_hash


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
