"""Claim: what is no prose passes by, quality chooses the styles, and only originals come in."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recipes.rephrase.rivers import document, rephrasing, sentence, stages

from selfsown.core.errors import ConfigError, InputError
from selfsown.documents.document import Document
from selfsown.recipes.rephrase.formal import formal
from selfsown.recipes.rephrase.lineage import _run_above, refuse_rephrase
from selfsown.recipes.rephrase.routing import Level, Routing
from selfsown.runner import run

CODE = "```python\nprint(1 + 1)\n```\n"
MATHS = "$$\\int_0^1 x^2 \\, dx = \\frac{1}{3}$$\n"


@pytest.mark.parametrize(
    ("text", "kind", "is_"),
    [
        (CODE, "code", "code"),
        (MATHS, "prose", "maths"),
        ("\\begin{align*}\na &= b \\\\\nc &= d\n\\end{align*}", "prose", "maths"),
        ("\\[ e = m c^2 \\]", "prose", "maths"),
        ("a = b + c\nx < y\nn >= 3", "prose", "maths"),
        (f"{sentence(0)} It follows that $x = 3$.", "prose", None),
        ("The price of $$ signs is $$5 and no formula.", "prose", None),
        (sentence(1), "prose", None),
        ("====\n<br>\n> so he\n-> ok\n<b>a</b>\n===", "prose", None),
        ("- one\n- two", "list", None),
        ("", "prose", None),
    ],
)
def test_code_and_maths_are_told_from_prose(text: str, kind: str, is_: str | None) -> None:
    assert formal(text, kind) == is_


def test_maths_is_found_in_linear_time() -> None:
    for hostile in ("$$" * 50_000, "\\begin{align}" * 20_000, "= " * 100_000, "\\[" * 50_000):
        formal(hostile, "prose")  # the test's time-out is the check


@pytest.mark.parametrize(
    ("quality", "level"), [(0, "low"), (3, "low"), (3.1, "middle"), (8, "high"), (9, "high")]
)
def test_quality_is_low_high_or_between(quality: float, level: Level) -> None:
    assert Routing(low=3, high=8).level({"quality": quality}, "row 1") == level


@pytest.mark.parametrize("fields", [{}, {"quality": "9"}, {"quality": True}])
def test_a_document_without_quality_is_an_error_that_names_it(fields: dict[str, object]) -> None:
    with pytest.raises(InputError, match="row 7 has the quality"):
        Routing(low=3, high=8).level(fields, "row 7")  # type: ignore[arg-type]


def test_a_document_without_quality_is_what_the_user_says_it_is() -> None:
    assert Routing(low=3, high=8, missing="middle").level({}, "row 7") == "middle"


def test_low_quality_is_cleaned_high_quality_multiplied_and_the_rest_left(tmp_path: Path) -> None:
    rows = [document(k, 12, score=value) for k, value in enumerate((1, 5, 9))]
    result = rephrasing(
        tmp_path / "run",
        rows,
        routing={"field": "score", "low": 2, "high": 8, "high_styles": ["distil", "easy"]},
    )
    made = {(row["doc_id"], row["style"]) for row in result.accepted}
    assert made == {("d0", "wikipedia"), ("d2", "distil"), ("d2", "easy")}
    assert stages(result)["chunks"]["rejected"] == {"routed": 1}
    with pytest.raises(InputError, match="row 2 has the quality None"):
        rephrasing(tmp_path / "no", [rows[0], document(7)], routing={"field": "score", "low": 2,
                                                                     "high": 8})  # fmt: skip


def test_routes_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not below `high`"):
        rephrasing(tmp_path / "run", routing={"low": 8, "high": 2})
    with pytest.raises(ConfigError, match="there is no style `wikipdia`"):
        rephrasing(tmp_path / "run", routing={"low": 2, "high": 8, "low_styles": ["wikipdia"]})


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "model"},
        {"kind": "synthetic"},
        {"template_id": "medium/1@1"},
        {"style": "medium"},
        {"style": "textbook", "doc_id": "d1"},
        {"model_depth": 1, "keys": []},
    ],
)
def test_what_a_model_wrote_is_never_rephrased(fields: dict[str, object]) -> None:
    with pytest.raises(InputError, match="row 3, document `d`, is no original") as error:
        refuse_rephrase(Document("d", "A text.", fields=fields), "row 3")  # type: ignore[arg-type]
    assert "originals only" in error.value.why and "mix" in error.value.fix


@pytest.mark.parametrize(
    "fields",
    [
        {"record_id": "r-0123456789abcdef", "topic": "birds"},
        {"origin": "web"},
        {"style": "news"},
        {"kind": "essay", "model_depth": 0},
    ],
)
def test_originals_with_fields_of_their_own_pass(fields: dict[str, object]) -> None:
    refuse_rephrase(Document("d", "A text.", fields=fields), "row 1")  # type: ignore[arg-type]


def test_the_records_of_a_run_are_refused_as_rows_and_by_their_place(tmp_path: Path) -> None:
    made = rephrasing(tmp_path / "run", formal="pass", rows=[document(0), {"text": CODE}])
    assert {row["style"] for row in made.accepted} == {"medium", "unchanged"}
    for row in made.accepted:
        with pytest.raises(InputError, match="is no original"):
            rephrasing(tmp_path / "again", [row])
    bare = {"text": "What it said.", "source": str(tmp_path / "run" / "accepted.jsonl:1")}
    with pytest.raises(InputError, match="in the run directory"):
        rephrasing(tmp_path / "again", [bare])


def test_a_run_directory_as_documents_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    rephrasing(tmp_path / "run")
    with pytest.raises(InputError, match=r"no document can be read; the first, .*run directory"):
        run("rephrase", documents=tmp_path / "run", model="lab", out=tmp_path / "again")


def test_documents_that_a_run_only_labelled_are_originals(tmp_path: Path) -> None:
    (tmp_path / "provenance.jsonl").touch()
    (tmp_path / "journal.sqlite").touch()
    labelled = Document("d", "Labelled.", source=str(tmp_path / "accepted.jsonl:1"))
    with pytest.raises(InputError, match="in the run directory"):
        refuse_rephrase(labelled, "row 1")
    _run_above.cache_clear()
    (tmp_path / "manifest.json").write_text('{"data": {"recipe": "topics"}}')
    refuse_rephrase(labelled, "row 1")
