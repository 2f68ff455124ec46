"""Claim: a run's records carry the depth that the model's own folder tells, without being told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import selfsown
from selfsown.cli.main import cli
from selfsown.core.config import make_config
from selfsown.core.errors import ConfigChanged, InputError
from selfsown.core.rundir import read_manifest
from selfsown.guard.directory import guard_directory
from selfsown.guard.judge import judge
from selfsown.guard.policy import Policy
from selfsown.guard.sample import Settings
from selfsown.models.fingerprint import model_hash
from selfsown.models.lineage import LINEAGE, ModelLineage, write_lineage
from selfsown.offline import plan, replay
from selfsown.preparation import Inputs, data_form, with_true_depth
from selfsown.recipes.base import get_recipe
from selfsown.runner import run_loop

pytest.importorskip("transformers", reason="local models need the extra `local`")

ROWS = [{"id": n, "text": f"Name {n} things."} for n in range(4)]
OPTIONS: dict[str, Any] = {"prompt": "{{ text }}", "max_tokens": 8, "keep_cut_off": True}


@pytest.fixture(scope="module")
def folder_of_depth(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Folders of models that stand on so many trainings."""
    from selfsown.testing.tiny_llama import write_tiny_llama

    def folder(depth: int) -> Path:
        path = tmp_path_factory.mktemp("models") / f"depth-{depth}"
        write_tiny_llama(path, width=16, layers=1)
        if depth:
            own = model_hash(path)
            write_lineage(path, ModelLineage(own, depth, 0.5, "lab", "", depth - 1, depth - 1, 3.0))
        return path

    return folder


def run(folder: Path, out: Path, *, scheme: str = "lab", **given: Any) -> selfsown.RunResult:
    config = {"recipe": "complete", "rows": ROWS, "model": f"{scheme}:{folder}", "out": out}
    return selfsown.run(**{**config, **OPTIONS, **given})


def stamped(out: Path, name: str = "model_depth") -> set[int]:
    lines = (out / "provenance.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)[name] for line in lines}


@pytest.mark.parametrize("scheme", ["hf", "lab"])
def test_the_folder_of_a_tuned_model_tells_the_depth_of_its_records(
    scheme: str, folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    run(folder_of_depth(2), out, scheme=scheme)
    assert stamped(out) == {2}
    assert "model_depth: 2\n" in (out / "config.yaml").read_text(encoding="utf-8")


def test_a_folder_that_tells_nothing_is_a_base(
    folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    run(folder_of_depth(0), tmp_path / "run")
    assert stamped(tmp_path / "run") == {0}


def test_the_guard_stops_at_a_deep_run_that_declared_nothing(
    folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    run(folder_of_depth(4), out)
    reference = [{"text": f"Say {n} words about the sea."} for n in range(40)]
    record = guard_directory(out, reference, settings=Settings(m=20, replicates=4))
    alarms = judge([record], Policy(baseline="human")).alarms
    assert [(a.rule, a.level) for a in alarms if a.rule == "model_depth"] == [
        ("model_depth", "stop")
    ]
    beside = tmp_path / "human.jsonl"
    beside.write_text("".join(json.dumps(row) + "\n" for row in reference), encoding="utf-8")
    shown = CliRunner().invoke(cli, ["guard", str(out), "--reference", str(beside), "-m", "20"])
    assert shown.exit_code == 1
    assert "the generator stands on 4 trainings on machine data" in shown.output


def test_a_smaller_value_given_by_hand_is_not_stamped_and_a_larger_one_is(
    folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = folder_of_depth(2)
    manifest = from_file(folder, tmp_path / "smaller", 1)
    assert stamped(tmp_path / "smaller") == {2}
    assert "`model_depth` is 1, and the model's folder says 2" in str(manifest["run"])
    manifest = from_file(folder, tmp_path / "larger", 3)
    assert stamped(tmp_path / "larger") == {3}
    assert "model_depth" not in str(manifest["run"])


def test_the_round_is_stamped_and_is_the_guards(
    folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    from_file(folder_of_depth(0), tmp_path / "run", 0, round=5)
    assert stamped(tmp_path / "run", "round") == {5}
    reference = [{"text": f"Say {n} words about the sea."} for n in range(40)]
    found = guard_directory(tmp_path / "run", reference, settings=Settings(m=20, replicates=4))
    assert found.round == 5


def from_file(folder: Path, out: Path, depth: int, **given: Any) -> Mapping[str, Any]:
    """Run a config file by the command line; the manifest."""
    rows, file = out.with_suffix(".jsonl"), out.with_suffix(".yaml")
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    form = {"recipe": "complete", "models": {"generator": f"lab:{folder}"}, "rows": str(rows)}
    file.write_text(
        json.dumps({**form, "options": OPTIONS, "model_depth": depth, **given}), encoding="utf-8"
    )
    done = CliRunner().invoke(cli, ["run", str(file), "-o", str(out), "--yes"])
    assert done.exit_code == 0, done.output
    return read_manifest(out)


def test_resume_plan_and_replay_see_the_same_depth(
    folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    folder, out = folder_of_depth(1), tmp_path / "run"
    first = run(folder, out)
    assert run(folder, out).manifest["data"] == first.manifest["data"]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8"
    )
    form = {"recipe": "complete", "models": {"generator": f"lab:{folder}"}, "options": OPTIONS}
    config = make_config({**form, "rows": str(tmp_path / "rows.jsonl"), "out": str(out)})
    found = run_loop(plan(config))
    assert found.changes == () and found.new_calls == 0
    (folder / LINEAGE).unlink()
    assert replay(out).identical


def test_a_run_from_before_the_training_is_not_mixed_with_one_after_it(
    folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    """The depth belongs to what the data depend on, so an old directory says what differs."""
    folder, out = folder_of_depth(1), tmp_path / "run"
    hidden = (folder / LINEAGE).rename(folder / "hidden")
    run(folder, out)
    hidden.rename(folder / LINEAGE)
    with pytest.raises(ConfigChanged, match="model_depth: `0` → `1`"):
        run(folder, out)


def test_a_record_of_other_weights_is_refused(
    folder_of_depth: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = folder_of_depth(1)
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    with pytest.raises(InputError, match=r"is not the one that `selfsown\.json` describes"):
        run(folder, tmp_path / "run")
    (folder / LINEAGE).write_text('{"version": 1, "kind": "model", "model_depth": "9"}')
    with pytest.raises(InputError, match="cannot be read"):
        run(folder, tmp_path / "run")


def test_only_the_writer_of_the_records_counts() -> None:
    class Deep:
        def __init__(self, depth: int) -> None:
            self.model_depth = depth

    models: dict[str, Any] = {"generator": Deep(1), "labeler": Deep(7)}
    config = make_config({"recipe": "self-instruct"})
    assert with_true_depth(config, models).model_depth == 1
    assert with_true_depth(config, {"model": Deep(2), "judge": Deep(3)}).model_depth == 3  # type: ignore[dict-item]
    assert with_true_depth(config, {"generator": object()}).model_depth == 0  # type: ignore[dict-item]


def test_runs_outside_a_loop_depend_on_what_they_always_did() -> None:
    """A key more would refuse every directory from before; the round is there only in a loop."""
    recipe = get_recipe("complete")
    options = recipe.resolve("default", {"prompt": "{{ text }}"})
    usual = ["recipe", "recipe_version", "options", "models", "inputs", "seed", "order"]
    for round_, keys in ((0, [*usual, "model_depth"]), (3, [*usual, "model_depth", "round"])):
        config = make_config({"recipe": "complete", "round": round_})
        assert list(data_form(config, recipe, options, {}, Inputs({}))) == keys
