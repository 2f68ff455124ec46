"""A run directory becomes one guard record: candidates measured, lineage counted, file whole."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.recipes.rephrase.rivers import document, rephrasing

from selfsown.cli.guard import guard
from selfsown.cli.mad import mad
from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.guard.directory import RoundFacts, guard_directory
from selfsown.guard.judge import judge
from selfsown.guard.lineage import TrainedRow, Training
from selfsown.guard.policy import Policy
from selfsown.guard.record import GuardRecord, read_record, write_record
from selfsown.guard.sample import Settings
from selfsown.guard.simulate.planted import Knobs, PlantedSource
from selfsown.guard.texts import Reading
from selfsown.models.lab import WEIGHTS

RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))
SETTINGS = Settings(m=60, replicates=10)
SOURCE = PlantedSource(2)


def rows(count: int, draw: int, knobs: Knobs | None = None) -> list[dict[str, JSON]]:
    drawn = SOURCE.draw(count, draw, knobs or Knobs())
    return [{"instruction": row.text, "label": row.label} for row in drawn]


def write(path: Path, given: list[dict[str, JSON]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return path


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("guard") / "run")
    return directory


@pytest.fixture(scope="module")
def record(run_dir: Path) -> GuardRecord:
    return guard_directory(run_dir, rows(200, 0), settings=SETTINGS)


def read(path: Path) -> list[dict[str, JSON]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def count(run_dir: Path, name: str, stage: str) -> int:
    lines = read(run_dir / name)
    return sum(line["stage"] == stage and "record" in line for line in lines)


def test_raw_is_every_candidate_and_curated_the_accepted(run_dir: Path) -> None:
    large = Settings(m=500, replicates=4)
    found = guard_directory(run_dir, rows(1000, 0), settings=large)
    kept = count(run_dir, "provenance.jsonl", "instructions")
    rejected = count(run_dir, "rejected.jsonl", "instructions")
    assert kept and rejected
    assert found.metrics["raw"].m == kept + rejected
    accepted = {row["instruction"] for row in read(run_dir / "accepted.jsonl")}
    assert found.metrics["curated"].m == len(accepted)
    candidates = sum(one.candidates for one in found.rejections)
    rate = sum(one.candidates * one.rejection_rate for one in found.rejections)
    assert (candidates, rate) == (kept + rejected, pytest.approx(rejected))


def test_a_record_survives_its_file(record: GuardRecord, tmp_path: Path) -> None:
    judged = record.judged(judge([record], Policy(baseline="human")))
    assert judged.verdict is not None and judged.verdict.alarms
    path = write_record(judged, tmp_path)
    assert read_record(tmp_path) == judged
    first = path.read_bytes()
    assert write_record(judged, tmp_path).read_bytes() == first
    form = json.loads(first)
    assert set(form["metrics"]["raw.distinct_2"]) >= {"value", "lo", "hi", "baseline", "ratio"}
    assert form["verdict"] == judged.verdict.level and form["alarms"][0]["evidence"] is not None


def test_the_same_run_gives_the_same_record(record: GuardRecord, run_dir: Path) -> None:
    assert guard_directory(run_dir, rows(200, 0), settings=SETTINGS) == record


def test_share_and_depth_are_counted_from_provenance(run_dir: Path) -> None:
    first = str(read(run_dir / "accepted.jsonl")[0]["id"])
    mixture = [TrainedRow("seed:s0", 30, epochs=2), TrainedRow(first, 60)]
    behind = Training(RUNS["MODEL"], [TrainedRow("s1", 10), TrainedRow("elsewhere", 10)])
    facts = RoundFacts(round=3, trained=mixture, trainings=[behind])
    found = guard_directory(run_dir, rows(200, 0), settings=SETTINGS, facts=facts)
    assert found.data is not None and found.round == 3
    assert found.data.human_token_share == pytest.approx(0.5)  # 60 of 120
    # The generator was trained on a row of unknown origin, which counts as machine-made.
    assert found.depths.model_depth_max == 1 and found.data.synth_rows_by_depth == {1: 1}


def test_unbiased_rows_give_the_effective_bias(run_dir: Path) -> None:
    facts = RoundFacts(unbiased=rows(60, 5))
    found = guard_directory(run_dir, rows(200, 0), settings=SETTINGS, facts=facts)
    assert found.scores is not None and 0 < found.scores["effective_bias"] < 1
    assert set(found.metrics) == {"unbiased", "raw", "curated"}


def test_a_data_file_is_measured_too(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", rows(80, 3))
    found = guard_directory(file, rows(200, 0), settings=SETTINGS)
    assert set(found.metrics) == {"raw"} and "rare_label_recall" in found.metrics["raw"].values


def test_the_model_s_own_words_are_measured_not_its_input(tmp_path: Path) -> None:
    run = RUNS["write_complete"](tmp_path / "run", rows=60)
    (run / "inputs").mkdir()
    inputs = [{"id": f"row-{n}", "text": f"text number {n}"} for n in range(60)]
    write(run / "inputs" / "rows.jsonl", inputs)
    human = [{"text": row["instruction"]} for row in rows(200, 0)]
    found = guard_directory(run, human, settings=SETTINGS)
    assert found.fields == ("completion", "text")
    named = guard_directory(run, human, settings=SETTINGS, reading=Reading("text"))
    assert named.fields == ("text", "text")


def test_texts_made_of_documents_are_measured_and_not_the_documents(tmp_path: Path) -> None:
    given = [document(number, sentences=3) for number in range(30)]
    given += [{"id": "tiny", "text": "Too short."}, {"id": "again", "text": given[0]["text"]}]
    run = rephrasing(tmp_path / "run", given, styles=["easy"]).directory
    human = [{"text": row["instruction"]} for row in rows(200, 0)]
    found = guard_directory(run, human, settings=Settings(m=500, replicates=4))
    assert found.fields == ("text", "text")
    accepted = len(read(run / "accepted.jsonl"))
    rejected = count(run, "rejected.jsonl", "rephrases")
    assert found.metrics["raw"].m == accepted + rejected >= 30, "no chunk, which people wrote"


def test_equal_answers_to_different_rows_all_count(tmp_path: Path) -> None:
    run = RUNS["write_complete"](tmp_path / "run", rows=40)
    lines = read(run / "accepted.jsonl")
    write(run / "accepted.jsonl", [{**line, "completion": "the same"} for line in lines])
    found = guard_directory(run, rows(200, 0), settings=SETTINGS)
    assert found.metrics["raw"].m == 40
    assert set(found.metrics) == {"raw"}  # nothing was rejected: the curated rows are the same


def test_a_missing_field_or_directory_is_explained(run_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has text in `story`"):
        guard_directory(run_dir, rows(50, 0), reading=Reading("story"))
    with pytest.raises(InputError, match="is not a directory"):
        guard_directory(tmp_path / "nowhere", rows(50, 0))
    with pytest.raises(InputError, match="cannot be read as a guard record"):
        read_record(tmp_path)
    (tmp_path / "guard.json").write_text('{"round": 1}')
    with pytest.raises(InputError, match="a guard record cannot be read"):
        read_record(tmp_path)


Command = Callable[..., Result]


@pytest.fixture
def program(tmp_path: Path) -> Command:
    reference = write(tmp_path / "human.jsonl", rows(200, 0))

    def invoke(*arguments: object) -> Result:
        given = [*map(str, arguments), "--reference", str(reference), "-m", "100"]
        return CliRunner().invoke(guard, given)

    return invoke


def test_the_command_passes_human_text_and_stops_a_collapse(
    program: Command, tmp_path: Path
) -> None:
    healthy = program(write(tmp_path / "good.jsonl", rows(100, 3)))
    assert (healthy.exit_code, healthy.stdout.splitlines()[-1]) == (0, "verdict: pass")
    collapsed = program(write(tmp_path / "bad.jsonl", rows(100, 4, Knobs(temperature=0.4))))
    assert collapsed.exit_code == 1
    assert "stop: distinct_2 (raw)" in collapsed.stdout and "lost topic" in collapsed.stdout
    assert "remedy 1: generate at a higher temperature" in collapsed.stdout


def test_later_rounds_are_compared_with_the_first(
    program: Command, run_dir: Path, tmp_path: Path
) -> None:
    before = program(run_dir)
    assert (run_dir / "guard.json").is_file() and before.exit_code in (0, 1)
    again = program(run_dir, "--after", run_dir, "--json")
    assert again.exit_code == 0
    assert (
        json.loads(again.stdout)["round"]
        == json.loads((run_dir / "guard.json").read_text())["round"]
    )


def test_a_small_reference_names_the_skipped_metrics(program: Command, tmp_path: Path) -> None:
    few = write(tmp_path / "few.jsonl", rows(30, 0))
    found = CliRunner().invoke(guard, [str(few), "--reference", str(few)])
    assert "coverage" in found.stdout and "needs 100 rows of human reference" in found.stdout


@pytest.mark.skipif(
    not (WEIGHTS / "model.safetensors").exists(), reason="the lab weights are not here"
)
def test_a_model_in_this_process_is_asked_how_likely_held_out_human_text_is(
    program: Command, tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="needs the extra `local`")
    made = write(tmp_path / "made.jsonl", rows(100, 3))
    asked = program(made, "--model", "lab", "--json")
    scores = json.loads(asked.stdout)["scores"]
    assert scores["human_nll"] > 7.6  # made-up words; to guess costs ln 2048
    assert "human_nll_tail" in scores
    known = program(made, "--model", "lab", "--trained-on", tmp_path / "human.jsonl")
    assert "skipped human_nll, human_nll_tail: it needs 20 held-out human rows" in known.stdout
    assert json.loads(program(made, "--json").stdout)["scores"] == {}


def test_a_model_elsewhere_cannot_be_asked_how_likely_text_is(
    program: Command, tmp_path: Path
) -> None:
    made = write(tmp_path / "made.jsonl", rows(100, 3))
    refused = program(made, "--model", "http://127.0.0.1:9/v1#model")
    assert refused.exit_code == 2 and "is no model in this process" in refused.stderr


def test_mad_prints_the_closed_forms_and_writes_the_page(tmp_path: Path) -> None:
    found = CliRunner().invoke(mad, ["--json", "-o", str(tmp_path / "out"), "--world", "unigram"])
    forms = json.loads(found.stdout)["closed_forms"]
    assert found.exit_code == 0
    assert all({"name", "expected", "measured", "standard_error"} == set(form) for form in forms)
    assert (tmp_path / "out" / "mad.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "out" / "mad.json").read_text())["closed_forms"] == forms
