"""Claim: what a text has that it should not have is listed, and rejects it where asked to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recipes.cosmopedia.scribe import asked, documents, ends, grow, text_of

from selfsown.core.request import Request
from selfsown.recipes.cosmopedia.findings import begins_with, findings
from selfsown.recipes.cosmopedia.shapes import has_form

EXTRACT = "The dam near Iloby was built in 1912 and holds 40 million litres, see Fig. 2."


def flags(text: str) -> set[str]:
    return set(findings(text, EXTRACT, "dams", ("Have you ever", "Once upon a time")).flags)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The dam holds 40 million litres.", set()),
        ("The dam near Iloby was built in 1912.", set()),
        ("Have you ever seen a dam?", {"banned_opening"}),
        ("Have you EVER, honestly, seen a dam?", {"banned_opening"}),
        ("You have ever seen a dam.", set()),
        ("# Dams\n\nA dam holds water.", {"title"}),
        ("**On dams**\n\nA dam holds water.", {"title"}),
        ("Title: Dams\nA dam holds water.", {"title"}),
        ("A dam holds water. ![a dam](dam.png)", {"image"}),
        ("As the wall rises, see figure 3, it gets thinner.", {"image", "new_number"}),
        ("It gets thinner [Image: a wall].", {"image"}),
        ("It is explained at https://dams.example/wall today.", {"reference"}),
        ("As was shown by Karlsen et al. before, walls bend.", {"reference"}),
        ("Walls bend under load (Karlsen, and McAdam & Ode 1999b).", {"reference"}),
        ("Walls bend under load [3].", {"reference", "new_number"}),
        ("It lost 12 + 5 = 17 litres.", {"new_number"}),
        ("It lost 12 + 5 = 18 litres.", {"new_number", "wrong_arithmetic"}),
        ("It holds 41 million litres.", {"new_number"}),
    ],
)
def test_each_finding_has_its_flag(text: str, expected: set[str]) -> None:
    assert flags(text) - {"new_name", "new_date"} == expected


def test_a_word_without_end_is_read_in_no_time() -> None:
    """It took time with the cube of its length."""
    assert "reference" not in flags("(" + "A" * 500_000)


@pytest.mark.parametrize(
    "right", ["1 + 2 + 3 = 6", "10 / 4 = 2.5", "3 * (2 + 1) = 9", "$1,000 + $500 = $1,500"]
)
def test_a_calculation_that_comes_out_is_no_finding(right: str) -> None:
    assert "wrong_arithmetic" not in flags(f"So {right}, as one sees.")


def test_names_and_dates_that_the_extract_lacks_are_flagged() -> None:
    assert flags("Then Peter Jones came on 3 May 1999 to look.") == {"new_name", "new_date"}


def test_what_was_found_is_listed() -> None:
    found = findings("In the year 1950 it lost 2 * 3 = 7 litres.", EXTRACT, "", ())
    assert found.grounding["arithmetic"] == ["2 * 3 = 7"]
    assert "7" in str(found.grounding["numbers"])


def test_an_opening_counts_word_by_word() -> None:
    assert begins_with("once -- upon a TIME there was", ["Once upon a time"]) == "Once upon a time"
    assert begins_with("once upon a timer", ["Once upon a time"]) is None
    assert begins_with("", ["The sun"]) is None and begins_with("x", []) is None


PAIRS = "\n".join(f"Q: What is {n}?\nA: It is {n} stones." for n in range(3))
TABLE = "| a | b |\n|---|:--:|\n" + "| 1 | 2 |\n" * 3
STEPS = "\n".join(f"{n}. Do it.\n   Then look." for n in range(1, 4))


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("faq", PAIRS, PAIRS.replace("A: It is 1", "It is 1")),
        ("faq", PAIRS.replace("Q:", "**Q1:**"), "Q: One?\nA: Yes.\nQ: Two?\nA: Yes."),
        ("table", f"Look:\n{TABLE}Done.", TABLE.replace("| 1 | 2 |\n", "", 1)),
        ("table", TABLE, "| 1 | 2 |\n" * 6),
        ("problem", "Problem: How many?\n**Solution:** Two.", "Solution: Two.\nProblem: How many?"),
        ("steps", STEPS, STEPS.replace("2.", "4.")),
        ("steps", "## Step 1: a\n## Step 2: b\n## Step 3: c", "First, do it. Then look."),
        ("prose", "Anything.", None),
    ],
)
def test_forms_are_told_by_their_lines(form: str, good: str, bad: str | None) -> None:
    assert has_form(good, form)  # type: ignore[arg-type]
    assert bad is None or not has_form(bad, form)  # type: ignore[arg-type]


def test_gates_reject_and_other_findings_are_kept_with_the_record(tmp_path: Path) -> None:
    def reckoning(request: Request, seed: int) -> str:
        rest = text_of(asked(request))
        return (f"We count 2 + 2 = 5 stones. {rest}", f"We count 31 stones. {rest}")["d1" in rest]

    rows = documents(4)
    result, _ = grow(tmp_path / "run", rows, reckoning)
    assert ends(result, "texts")["rejected"] == {"wrong_arithmetic": 4}
    kept, _ = grow(tmp_path / "kept", rows, reckoning, gates=[])
    for record in kept.accepted:
        assert "wrong_arithmetic" in str(record["flags"])
        assert "2 + 2 = 5" in str(record["grounding"])


def test_a_structured_text_of_another_form_is_rejected(tmp_path: Path) -> None:
    result, _ = grow(tmp_path / "run", documents(3), styles=["faq"])
    assert ends(result, "texts")["rejected"] == {"other_form": 3}
