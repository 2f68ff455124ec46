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


# --- win rates ------------------------------------------------------------------------------


def predictions(path: Path, answer: Callable[[int], str], count: int = 24) -> Path:
    """A prediction file; the answer to instance n is `answer(n)`."""
    rows = (
        {"prompt": f"p{n}", "instruction": f"i{n}", "input": "", "target": "t"}
        | {"response": answer(n)}
        for n in range(count)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., Result]:
    """Compares a system that is better on 18 of 24 instances with another."""
    first = predictions(tmp_path / "one.jsonl", lambda n: f"good {n}" if n < 18 else f"bad {n}")
    second = predictions(tmp_path / "two.jsonl", lambda n: f"bad {n}" if n < 18 else f"good {n}")

    def run(*arguments: object) -> Result:
        given = [f"tuned={first}", f"base={second}", "--resamples", "100", "--quiet"]
        return CliRunner().invoke(cli, ["judge", "compare", *given, *map(str, arguments)])

    return run


def test_a_win_rate_comes_with_its_rate_at_equal_length_and_what_is_known_of_the_judge(
    compared: Callable[..., Result], calibrated: Callable[..., Result], tmp_path: Path
) -> None:
    model = scripted(tmp_path / "m.jsonl", *HONEST)
    given = ("--judge", "pairwise", "--model", model)
    facts = json.loads(compared(*given, "-o", tmp_path / "contest", "--json").stdout)
    assert (facts["wins"], facts["ties"], facts["losses"]) == (18, 0, 6)
    assert facts["rate"]["mean"] == 0.75
    assert facts["length_controlled"]["mean"] > 0.5
    assert facts["validation"].startswith("unvalidated")
    calibrated(*given, "-o", tmp_path / "calib")
    told = compared(*given, "-o", tmp_path / "contest", "--calibration", tmp_path / "calib")
    assert "`tuned` against `base`" in told.stdout
    assert told.stdout.rstrip().endswith("validated: agrees with people on 100.0%, at least 100.0%")


def test_a_calibration_of_another_judge_does_not_validate_this_one(
    compared: Callable[..., Result], calibrated: Callable[..., Result], tmp_path: Path
) -> None:
    model = scripted(tmp_path / "m.jsonl", *HONEST)
    given = ("--judge", "pairwise", "--model", model)
    calibrated(*given, "-o", tmp_path / "calib")
    other = compared(
        *(*given, "--set", "retries=0", "-o", tmp_path / "contest"),
        *("--calibration", tmp_path / "calib"),
    )
    assert other.exit_code == 2
    assert "is of another judge: other options" in other.stderr
    none = compared(*given, "-o", tmp_path / "contest", "--calibration", tmp_path / "nowhere")
    assert "calibration.json` is not there" in none.stderr


def test_a_calibration_is_of_what_the_model_is_not_of_where_it_lies(
    compared: Callable[..., Result], calibrated: Callable[..., Result], tmp_path: Path
) -> None:
    given = ("--judge", "pairwise", "--model")
    model = scripted(tmp_path / "m.jsonl", *HONEST)
    calibrated(*given, model, "-o", tmp_path / "calib")
    known = ("--calibration", tmp_path / "calib")
    moved = scripted(tmp_path / "moved.jsonl", *HONEST)
    told = compared(*given, moved, "-o", tmp_path / "contest", *known)
    assert told.stdout.rstrip().endswith("at least 100.0%")
    changed = scripted(tmp_path / "m.jsonl", A)
    other = compared(*given, changed, "-o", tmp_path / "other", *known)
    assert other.exit_code == 2
    assert "is of another judge: other model" in other.stderr


def test_a_refused_judge_stays_unvalidated(
    compared: Callable[..., Result], calibrated: Callable[..., Result], tmp_path: Path
) -> None:
    model = scripted(tmp_path / "m.jsonl", A)
    given = ("--judge", "pairwise", "--model", model)
    calibrated(*given, "-o", tmp_path / "calib")
    told = compared(*given, "-o", tmp_path / "contest", "--calibration", tmp_path / "calib")
    assert "unvalidated: lower bound of the accuracy" in told.stdout
    assert "0, 24, 0" in told.stdout
    gated = compared(*given, "-o", tmp_path / "new", "--gate")
    assert gated.exit_code == 1
    assert "is unvalidated: no calibration" in gated.stderr
    assert not (tmp_path / "new").exists()


def test_pairs_of_which_none_could_be_judged_are_no_win_rate(
    compared: Callable[..., Result], tmp_path: Path
) -> None:
    model = scripted(tmp_path / "m.jsonl", {"text": "Both have merits."})
    refused = compared("--judge", "pairwise", "--model", model, "-o", tmp_path / "contest")
    assert refused.exit_code == 1
    assert "none of 24 pairs could be judged" in refused.stderr


def test_answers_to_other_questions_are_not_compared(tmp_path: Path) -> None:
    first = predictions(tmp_path / "one.jsonl", str)
    second = predictions(tmp_path / "two.jsonl", str, count=5)
    arguments = ["judge", "compare", str(first), str(second), "--judge", "reference"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "answered different instances" in result.stderr
