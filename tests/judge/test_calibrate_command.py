"""Claim: `selfsown judge calibrate` reads labels exactly, reports, and with a gate refuses."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from selfsown.cli.main import cli

Row = dict[str, object]


def called(*arguments: object) -> Result:
    return CliRunner().invoke(
        cli, ["judge", "calibrate", "--resamples", "100", *map(str, arguments)]
    )


def written(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(verdicts: Callable[[random.Random, str], tuple[str | None, str | None]]) -> list[Row]:
    rng, rows = random.Random(1), []
    for number in range(150):
        label = rng.choice("ab")
        first, second = verdicts(rng, label)
        rows.append(
            {
                "prompt": f"p{number}",
                "a": "x" * rng.randint(1, 40),
                "b": "y" * rng.randint(1, 40),
                "label": label,
                "verdict": first,
                "verdict_swapped": second,
                "category": "short",
            }
        )
    return rows


def honest(rng: random.Random, label: str) -> tuple[str, str]:
    said = label if rng.random() < 0.85 else "tie"
    return said, said


def test_an_honest_judge_is_reported_and_passes(tmp_path: Path) -> None:
    labels = written(tmp_path / "labels.jsonl", pairs(honest))
    result = called(labels, "--gate")
    assert result.exit_code == 0, result.output
    assert "passes every bound" in result.stdout
    facts = json.loads(called(labels, "--json").stdout)
    assert facts["rows"] == facts["pairs"] == 150
    assert facts["refusals"] == []
    assert facts["accuracy"]["low"] > 0.8
    assert facts["categories"]["short"] == facts["accuracy"]
    assert called(labels, "--json").stdout == called(labels, "--json").stdout


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (lambda *_: ("a", "b"), "always says the same: the answer shown first"),
        (lambda *_: (None, None), "none of the judge's 150 judgements can be read"),
        (lambda *_: ("tie", "tie"), "always says the same: tie"),
        (lambda rng, _: (rng.choice("ab"),) * 2, "lower bound of the accuracy"),
        (
            lambda rng, label: (label, label) if rng.random() < 0.5 else ("a", "b"),
            "swap consistency",
        ),
        (
            lambda rng, label: (label, label) if rng.random() < 0.7 else (None, label),
            "parse rate",
        ),
    ],
)
def test_a_judge_with_a_fault_is_refused_with_reason_and_remedy(
    tmp_path: Path,
    verdicts: Callable[[random.Random, str], tuple[str | None, str | None]],
    words: str,
) -> None:
    labels = written(tmp_path / "labels.jsonl", pairs(verdicts))
    assert called(labels).exit_code == 0
    refused = called(labels, "--gate")
    assert refused.exit_code == 1
    assert words in refused.stderr
    assert "why: " in refused.stderr
    assert "hint: " in refused.stderr


def test_scores_are_calibrated_too(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"prompt": f"p{n // 4}", "answer": "x" * n, "label": n % 4 + 1, "judged": n % 4 + 0.8}
        for n in range(80)
    ]
    result = called(written(tmp_path / "labels.jsonl", rows), "--gate")
    assert result.exit_code == 0, result.output
    assert "Spearman                      1.00 (1.00 to 1.00)" in result.stdout


def test_an_own_model_that_is_favoured_is_warned_of(tmp_path: Path) -> None:
    rows = [
        {**row, "verdict": "a", "verdict_swapped": "a", "a_model": "quartz", "b_model": "marble"}
        for row in pairs(honest)
    ]
    result = called(written(tmp_path / "labels.jsonl", rows), "--own", "quartz")
    assert "warning: prefers answers of its own model" in result.stdout


def test_labels_may_be_a_table_with_numbers_as_text_and_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("prompt,answer,label,judged\np,x,1,1.5\np,y,2,2.5\np,z,3,\n")
    facts = json.loads(called(path, "--json").stdout)
    assert (facts["rows"], facts["missing"], facts["accuracy"]["value"]) == (3, 1, 1.0)


PAIR = {"prompt": "p", "a": "x", "b": "y", "label": "a", "verdict": "a", "verdict_swapped": "a"}
SCORE = {"prompt": "p", "answer": "x", "label": 1, "judged": 2}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{**PAIR, "label": "x"}], "`label` is 'x'"),
        ([{**PAIR, "verdict": 2}], "`verdict` is 2"),
        ([{**PAIR, "b": None}], "no text in `b`"),
        ([{name: PAIR[name] for name in PAIR if name != "verdict"}], "only one of"),
        ([{name: PAIR[name] for name in ("prompt", "a", "b", "label")}], "does not say what"),
        ([PAIR, SCORE], "holds pairs and scores"),
        ([{**SCORE, "label": "good"}], "`label` is 'good'"),
        ([{**SCORE, "judged": True}], "`judged` is True"),
        ([{**SCORE, "label": float("nan")}], "`label` is nan"),
        ([{**PAIR, "id": "x"}, {**PAIR, "id": "x"}], "1 ids stand for several rows"),
        ([{**PAIR, "canary_of": "nobody"}], "which is no row"),
        ([], "has no rows"),
    ],
)
def test_a_row_that_cannot_be_used_is_an_error_that_names_it(
    tmp_path: Path, rows: list[Mapping[str, object]], words: str
) -> None:
    result = called(written(tmp_path / "labels.jsonl", [dict(row) for row in rows]))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "hint: " in result.stderr
