"""Claim: raters cannot see whose answer they rate, and what they say is read back exactly."""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from selfsown.core.errors import InputError
from selfsown.evaluate.predictions import Predictions, read_predictions
from selfsown.evaluate.rating.agreement import (
    LEVELS,
    Table,
    agreement,
    cohen_kappa,
    spearman,
    two_classes,
    weighted_kappa,
)
from selfsown.evaluate.rating.reading import read_ratings
from selfsown.evaluate.rating.sheet import Sheet, make_sheet
from selfsown.evaluate.rating.sources import answers_of

NAMES = ("quartz-7b", "marble-13b")


def answers(path: Path, name: str, count: int = 12) -> Predictions:
    rows = [
        {
            "prompt": f"p{n}",
            "instruction": f"Task {n} </script><b>",
            "input": "",
            "response": f"=SUM({n}) by nobody {name[0]}",
            "target": "t",
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_predictions(path)


@pytest.fixture
def sheet(tmp_path: Path) -> Sheet:
    given = {name: answers(tmp_path / f"{name}.jsonl", name) for name in NAMES}
    return make_sheet(given, tmp_path / "sheet", seed=4)


def rated(sheet: Sheet, path: Path, levels: dict[str, str]) -> Path:
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("item", "rating"))
        writer.writerows((one.code, levels.get(one.code, "")) for one in sheet.items)
    return path


def test_what_raters_get_contains_no_name_of_a_model(sheet: Sheet) -> None:
    for name in ("sheet.csv", "rate.html"):
        text = (sheet.directory / name).read_text()
        assert not any(model in text for model in NAMES)
        assert "jsonl" not in text
    assert (sheet.directory / "key.json").stat().st_mode & 0o077 == 0


def test_every_answer_is_there_once_and_no_instance_twice_in_a_row(sheet: Sheet) -> None:
    pairs = [(one.instance, one.model) for one in sheet.items]
    assert len(set(pairs)) == len(pairs) == 24
    assert all(a[0] != b[0] for a, b in pairwise(pairs))
    first_half = Counter(model for _, model in pairs[:12])
    assert 0 < first_half[NAMES[0]] < 12


def test_the_order_follows_from_the_seed(tmp_path: Path) -> None:
    given = {name: answers(tmp_path / f"{name}.jsonl", name) for name in NAMES}
    made = [
        [(one.instance, one.model) for one in make_sheet(given, tmp_path / name, seed=seed).items]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert made[0] == made[1] != made[2]


def test_texts_cannot_break_out_of_the_page_or_become_formulas(sheet: Sheet) -> None:
    page = (sheet.directory / "rate.html").read_text()
    assert page.count("</script>") == 1 and "<b>" not in page
    found = re.search(r"const items = (\[.*\]);\n", page)
    assert found is not None
    shown = json.loads(found[1])
    assert [one["code"] for one in shown] == [one.code for one in sheet.items]
    assert shown[0]["instruction"].endswith("</script><b>")
    assert "http" not in page.replace("http-equiv", "")
    with (sheet.directory / "sheet.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert all(row["response"].startswith("'=SUM(") for row in rows)
    assert len(rows) == 24


def test_an_answer_that_names_its_model_is_counted(tmp_path: Path) -> None:
    given = {name: answers(tmp_path / f"{name}.jsonl", name) for name in NAMES}
    given[NAMES[0]].answers["line-1"] = "I am Quartz-7B, a model"
    assert make_sheet(given, tmp_path / "sheet").leaks == 1


def test_ratings_are_counted_per_model_and_rater(sheet: Sheet, tmp_path: Path) -> None:
    all_a = {one.code: "a " for one in sheet.items}
    by_model = {one.code: "B" if one.model == NAMES[0] else "D" for one in sheet.items[:-2]}
    files = [rated(sheet, tmp_path / "x.csv", all_a), rated(sheet, tmp_path / "y.csv", by_model)]
    x, y = read_ratings(sheet.directory, files).raters
    assert (x.rated, x.unrated, y.rated, y.unrated) == (24, 0, 22, 2)
    assert [one.counts for one in x.models] == [{"A": 12, "B": 0, "C": 0, "D": 0}] * 2
    first, second = y.models
    assert (first.model, first.a_or_b.mean, second.a_or_b.mean) == (NAMES[0], 1.0, 0.0)
    assert first.n + second.n == 22


def test_two_raters_are_compared_on_what_both_rated(sheet: Sheet, tmp_path: Path) -> None:
    rng = random.Random(6)
    first = {one.code: rng.choice(LEVELS) for one in sheet.items}
    second = {code: level for code, level in first.items() if rng.random() < 0.7}
    files = [rated(sheet, tmp_path / "x.csv", first), rated(sheet, tmp_path / "y.csv", second)]
    (pair,) = read_ratings(sheet.directory, files).pairs
    assert (pair.first, pair.second, pair.agreement.n) == ("x", "y", len(second))
    assert pair.agreement.raw.value == pair.agreement.kappa.value == 1.0
    assert pair.agreement.spearman.value == pytest.approx(1.0)


def test_a_sheet_saved_with_semicolons_is_read(sheet: Sheet, tmp_path: Path) -> None:
    lines = ["item;rating;note", *(f"{one.code};C;a, b" for one in sheet.items)]
    (tmp_path / "z.csv").write_text("\ufeff" + "\r\n".join(lines))
    (rater,) = read_ratings(sheet.directory, [tmp_path / "z.csv"]).raters
    assert rater.rated == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,note\n", "line 1 has no column `rating`"),
        ("item,rating\nzz-1,A\n", "line 2 has the unknown item `zz-1`"),
        ("item,rating\nCODE,E\n", "line 2 has the rating `E`"),
        ("item,rating\nCODE,A\nCODE,B\n", "line 3 rates `CODE` again"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(
    sheet: Sheet, tmp_path: Path, text: str, message: str
) -> None:
    code = sheet.items[0].code
    (tmp_path / "x.csv").write_text(text.replace("CODE", code))
    with pytest.raises(InputError) as caught:
        read_ratings(sheet.directory, [tmp_path / "x.csv"])
    assert message.replace("CODE", code) in caught.value.what


def test_a_sheet_is_never_replaced_and_models_must_have_answered_the_same(
    sheet: Sheet, tmp_path: Path
) -> None:
    one = answers(tmp_path / "one.jsonl", "one")
    with pytest.raises(InputError, match="holds a rating sheet already"):
        make_sheet({"one": one}, sheet.directory)
    with pytest.raises(InputError, match="different instances"):
        make_sheet({"one": one, "two": answers(tmp_path / "two.jsonl", "t", 5)}, tmp_path / "n")


def test_sources_are_files_or_evaluations_by_name(tmp_path: Path) -> None:
    answers(tmp_path / "one.jsonl", "one")
    (tmp_path / "eval/predictions").mkdir(parents=True)
    answers(tmp_path / "eval/predictions/s1.jsonl", "s")
    found = answers_of([str(tmp_path / "one.jsonl"), f"best={tmp_path / 'eval'}"])
    assert list(found) == ["one", "best"]
    answers(tmp_path / "eval/predictions/s2.jsonl", "s")
    with pytest.raises(InputError, match="2 suites to rate: `s1`, `s2`"):
        answers_of([str(tmp_path / "eval")])
    assert list(answers_of([str(tmp_path / "eval")], "s2")) == ["eval"]
    with pytest.raises(InputError, match="two models are called `eval`"):
        answers_of([str(tmp_path / "eval")] * 2, "s2")


def test_kappa_of_a_textbook_table() -> None:
    # 50 grants, readers yes/no: 20, 5, 10, 15; p_o 0.7, p_e 0.5*0.6 + 0.5*0.4 = 0.5; kappa 0.4
    assert cohen_kappa(((20, 5), (10, 15))) == pytest.approx(0.4)
    # weights (i-j)^2 of a 2 x 2 table are those of plain kappa
    assert weighted_kappa(((20, 5), (10, 15))) == pytest.approx(0.4)
    assert cohen_kappa(((9, 0), (0, 0))) is None


def test_levels_fold_to_two_classes() -> None:
    table: Table = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 1, 2, 3), (4, 5, 6, 7))
    assert two_classes(table) == ((14, 22), (19, 18))


def test_spearman_from_a_table_equals_pearson_on_mid_ranks() -> None:
    rng = random.Random(8)
    pairs = [(rng.randrange(4), rng.randrange(4)) for _ in range(60)]
    counts = Counter(pairs)
    table = tuple(tuple(counts[i, j] for j in range(4)) for i in range(4))

    def ranks(values: list[int]) -> list[float]:
        ordered = sorted(values)
        return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]

    first, second = (ranks([pair[side] for pair in pairs]) for side in (0, 1))
    mean = (len(pairs) + 1) / 2
    top = sum((a - mean) * (b - mean) for a, b in zip(first, second, strict=True))
    spread = sum((a - mean) ** 2 for a in first) * sum((b - mean) ** 2 for b in second)
    assert spearman(table) == pytest.approx(top / spread**0.5)


def test_raters_who_agree_by_chance_get_a_kappa_near_zero_within_its_interval() -> None:
    rng = random.Random(1)
    pairs = [(rng.choice(LEVELS), rng.choice(LEVELS)) for _ in range(250)]
    found = agreement(pairs, [str(n) for n in range(250)])
    assert found.kappa.low is not None and found.kappa.high is not None
    assert found.kappa.low < 0 < found.kappa.high
    assert found.raw.value == pytest.approx(0.25, abs=0.1)
