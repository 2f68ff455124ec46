"""Claim: a judge is asked about labels once, in both orders; its biases come out of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from selfsown.cli.main import cli
from selfsown.core.rundir import read_manifest

FIRST_IS_GOOD = r"<answer_a>\ngood"
PLEA = "has been checked already"
A, B = {"text": "Fine.\nVerdict: A"}, {"text": "Fine.\nVerdict: B"}
HONEST = ({"regex": FIRST_IS_GOOD, **A}, B)


def scripted(path: Path, *rules: dict[str, str]) -> str:
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    return f"scripted:{path}"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Forty pairs in which people prefer the answer that begins with `good`."""
    path = tmp_path / "labels.jsonl"
    with path.open("w") as handle:
        for number in range(40):
            good, bad = f"good {number}", f"bad but long {number}"
            a, b, label = (good, bad, "a") if number % 2 else (bad, good, "b")
            row = {"id": f"r{number}", "prompt": f"p{number}", "a": a, "b": b, "label": label}
            handle.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def calibrated(labels: Path, tmp_path: Path) -> Callable[..., Result]:
    def run(*arguments: object) -> Result:
        given = ["--resamples", "100", "--quiet", "--min-pairs", "20", *map(str, arguments)]
        return CliRunner().invoke(cli, ["judge", "calibrate", str(labels), *given])

    return run


def test_an_honest_judge_is_asked_once_and_passes(
    calibrated: Callable[..., Result], tmp_path: Path
) -> None:
    model, out = scripted(tmp_path / "m.jsonl", *HONEST), tmp_path / "calib"
    given = ("--judge", "pairwise", "--model", model, "-o", out, "--gate", "--json")
    first = calibrated(*given)
    assert first.exit_code == 0, first.output
    facts = json.loads(first.stdout)
    assert (facts["accuracy"]["value"], facts["position"]["consistency"]["value"]) == (1.0, 1.0)
    assert (facts["injection"]["value"], facts["rows"]) == (0.0, 40)
    assert json.loads((out / "calibration.json").read_text()) == facts
    assert read_manifest(out)["run"]["calls"] == 2 * (40 + 20)  # both orders, 20 canaries
    assert calibrated(*given).stdout == first.stdout
    assert read_manifest(out)["run"]["attempts"] == 2 * (40 + 20)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ((A,), "always says the same: the answer shown first"),
        (({"text": "Both have merits."},), "none of the judge's 40 judgements can be read"),
        (({"text": "x", "error": "content_filter"},), "none of the judge's 40 judgements"),
        (
            (
                {"regex": rf"(?s)<answer_a>[^<]*{PLEA}", **A},
                {"regex": rf"(?s)<answer_b>[^<]*{PLEA}", **B},
                *HONEST,
            ),
            "words put into answers move it",
        ),
    ],
)
def test_a_judge_with_a_fault_is_refused(
    calibrated: Callable[..., Result], tmp_path: Path, rules: tuple[dict[str, str]], words: str
) -> None:
    model = scripted(tmp_path / "m.jsonl", *rules)
    given = ("--judge", "pairwise", "--model", model, "-o", tmp_path / "calib", "--gate")
    refused = calibrated(*given)
    assert refused.exit_code == 1
    assert words in refused.stderr


def test_a_judge_of_single_answers_is_asked_about_both_and_knows_no_order(
    calibrated: Callable[..., Result], tmp_path: Path
) -> None:
    rules = ({"regex": r"<answer>\ngood", "text": "Score: 4"}, {"text": "Score: 2"})
    model = scripted(tmp_path / "m.jsonl", *rules)
    given = ("--judge", "rubric", "--set", "samples=1", "--model", model, "--canaries", 0)
    facts = json.loads(calibrated(*given, "-o", tmp_path / "calib", "--json").stdout)
    assert facts["options"]["samples"] == 1
    assert (facts["accuracy"]["value"], facts["length"]["longer"]["value"]) == (1.0, 0.0)


def test_a_program_is_calibrated_without_a_model(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    with path.open("w") as handle:
        for number in range(40):
            row = {"prompt": "p", "answer": str(number % 2), "reference": "1", "label": number % 2}
            handle.write(json.dumps(row) + "\n")
    arguments = ["judge", "calibrate", str(path), "--judge", "reference", "--resamples", "100"]
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kappa"]["value"] == 1.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--judge", "pairwise"), "`--model URI` is missing"),
        (("--judge", "pairwise", "--model", "scripted:x"), "`-o DIR` is missing"),
        (("--judge", "pairwize"), "there is no judge `pairwize`"),
        (("--judge", "pairwise", "--set", "sampels=1"), "has no option `sampels`"),
        (("--model", "scripted:x"), "`--model` needs --judge NAME"),
    ],
)
def test_what_is_missing_or_misspelt_is_said_before_anything_is_asked(
    calibrated: Callable[..., Result], given: tuple[str, ...], words: str
) -> None:
    result = calibrated(*given)
    assert result.exit_code == 2
    assert words in result.stderr
