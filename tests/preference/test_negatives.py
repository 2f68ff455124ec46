"""Every rejected record of a run becomes a pair or is listed with why not; reasons are explicit."""

from __future__ import annotations

import ast
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.preference.rejected_run import REJECTED, write_run

import selfsown
from selfsown.core.errors import CheckFailed, InputError, TooFewRecords
from selfsown.curate.monitors import PHRASES
from selfsown.preference.export import PairOptions, export_pairs
from selfsown.preference.files import read_pairs
from selfsown.preference.reasons import HONEST, NOT_THE_ANSWER, honest_reasons

PACKAGE = Path(selfsown.__file__).parent


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = write_run(tmp_path_factory.mktemp("runs") / "small")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_each_rejected_record_becomes_what_its_reason_and_its_prompt_say(
    run: Path, tmp_path: Path
) -> None:
    result = export_pairs(run, tmp_path / "pairs.jsonl")
    left = {(row["reason"], row["id"]): row["why"] for row in lines(result.left_out_path)}
    by_id = {row["id"]: row for row in lines(run / "rejected.jsonl")}
    outcomes = {one.rejected_id: "pair" for one in read_pairs(result.path)}
    outcomes |= {name: why for (_, name), why in left.items()}
    expected = {(r, i, x, o): why for r, i, x, o, why in REJECTED}
    for name, row in by_id.items():
        record = row["record"]
        if row["stage"] == "instructions":  # no answer: also where the reason is an honest one
            why = "no_answer" if row["reason"] == "boilerplate" else "not_the_answer"
            assert outcomes[name] == why
        else:
            key = (row["reason"], record["instruction"], record["input"], record["output"])
            assert outcomes[name] == expected[key], key


def test_rejected_records_in_are_pairs_and_listed_drops(run: Path, tmp_path: Path) -> None:
    result = export_pairs(run, tmp_path / "pairs.jsonl")
    rejected = lines(run / "rejected.jsonl")
    assert result.records == len(rejected) == result.pair_count + result.left_out_count
    assert result.by_reason == dict(sorted(Counter(row["reason"] for row in rejected).items()))
    assert result.left_out_count == len(lines(result.left_out_path))
    assert result.pair_count == len(lines(result.path)) == len(lines(result.provenance)) == 3


def test_a_pair_says_what_it_was_made_of(run: Path, tmp_path: Path) -> None:
    result = export_pairs(run, tmp_path / "pairs.jsonl")
    by_reason = {one.reason: one for one in read_pairs(result.path)}
    pair = by_reason["conflicting_outputs"]
    assert (pair.prompt.text, pair.prompt.input) == ("Add the numbers.", "2 3")
    assert (pair.chosen, pair.rejected) == ("5", "seven")
    assert (pair.reward_chosen, pair.margin) == (None, None)
    assert (pair.judge, pair.picker) == ("self-instruct", "rejected_record")
    assert "#tiny" in pair.policy
    assert by_reason["repetitive"].prompt.input == "", "`N/A` means no input"
    known = {row["id"]: row for row in lines(run / "provenance.jsonl")}
    for number, (row, told) in enumerate(
        zip(lines(result.path), lines(result.provenance), strict=True), start=1
    ):
        assert told["line"] == number
        assert told["id"] == f"{row['chosen_id']}>{row['rejected_id']}"
        assert told["chosen"] == known[row["chosen_id"]]
        assert told["rejected"] == known[row["rejected_id"]]
        assert told["origin"] == "model"


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    def written(name: str) -> list[bytes]:
        made = export_pairs(run, tmp_path / name)
        return [path.read_bytes() for path in (made.path, made.provenance, made.left_out_path)]

    assert written("a.jsonl") == written("b.jsonl")


def test_a_reason_from_outside_counts_when_a_person_vouches_for_it(
    run: Path, tmp_path: Path
) -> None:
    options = PairOptions(also=("too_loud",), without=("repetitive", "refusal"))
    result = export_pairs(run, tmp_path / "pairs.jsonl", options)
    assert result.pairs == {"votes_disagree": 1, "conflicting_outputs": 1, "too_loud": 1}
    assert result.left_out["repetitive"] == {"not_wanted": 1}
    assert result.left_out["garble_of_theirs"] == {"unknown_reason": 1}


def test_leaving_out_a_reason_that_is_not_used_is_an_error() -> None:
    assert "refusal" not in honest_reasons(without=["refusal"])
    with pytest.raises(InputError, match="`duplicate` is not used") as caught:
        honest_reasons(without=["duplicate"])
    assert "votes_disagree" in caught.value.why


def test_what_an_evaluation_asks_is_in_no_pair(run: Path, tmp_path: Path) -> None:
    result = export_pairs(
        run, tmp_path / "pairs.jsonl", admit=lambda row: row["output"].strip() not in ("6", "seven")
    )
    assert result.left_out["conflicting_outputs"] == {"benchmark_overlap": 1, "tied": 1}
    assert result.pairs == {"repetitive": 1}
    assert result.records == result.pair_count + result.left_out_count


def test_a_run_without_a_pair_is_an_error_that_says_why_and_leaves_no_file(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", accepted=(("Sing.", "", "la la la"),))
    with pytest.raises(TooFewRecords, match="votes_disagree: no_accepted_answer 4") as caught:
        export_pairs(run, tmp_path / "pairs.jsonl")
    assert caught.value.why
    assert "--also" in caught.value.fix
    assert not list(tmp_path.glob("*pairs*"))


def test_a_rejected_record_that_vanished_from_the_file_is_noticed(
    run: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    kept = (copy / "rejected.jsonl").read_bytes().splitlines()[:-1]
    (copy / "rejected.jsonl").write_bytes(b"\n".join(kept) + b"\n")
    with pytest.raises(CheckFailed, match="has 15 records, the manifest says 16"):
        export_pairs(copy, tmp_path / "pairs.jsonl")
    assert not list(tmp_path.glob("*pairs*"))


def test_what_cannot_be_read_or_written_is_refused_before_anything_is(tmp_path: Path) -> None:
    unfinished = write_run(tmp_path / "half", status="suspended")
    out = tmp_path / "pairs.jsonl"
    with pytest.raises(InputError, match="is suspended"):
        export_pairs(unfinished, out)
    assert export_pairs(unfinished, out, PairOptions(unfinished=True)).pair_count == 3
    with pytest.raises(InputError, match="exists"):
        export_pairs(unfinished, out, PairOptions(unfinished=True))
    bare = write_run(tmp_path / "bare", accepted=())
    with pytest.raises(InputError, match="has no accepted records"):
        export_pairs(bare, tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="the folder"):
        export_pairs(unfinished, tmp_path / "no" / "x.jsonl", PairOptions(unfinished=True))


def test_records_that_do_not_say_what_was_asked_need_a_field_named(tmp_path: Path) -> None:
    runs = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))
    run = runs["write_complete"](tmp_path / "rows", rows=3)
    with pytest.raises(InputError, match="do not say what was asked") as caught:
        export_pairs(run, tmp_path / "pairs.jsonl")
    assert "--prompt-field" in caught.value.fix


SIDES = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["", "N/A", "x"]))
ANSWERS = st.sampled_from(["yes", " yes", "no", "No", "maybe"])
REASONS = st.sampled_from(
    ["votes_disagree", "conflicting_outputs", "duplicate", "merge_refusal", "too_loud"]
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(SIDES, ANSWERS), min_size=1, max_size=6),
    st.lists(st.tuples(REASONS, SIDES, ANSWERS), min_size=1, max_size=8),
)
def test_pairs_are_an_accepted_and_an_honestly_rejected_answer_to_one_prompt(
    tmp_path_factory: pytest.TempPathFactory,
    accepted: list[tuple[tuple[str, str], str]],
    rejected: list[tuple[str, tuple[str, str], str]],
) -> None:
    run = bare_run(tmp_path_factory.mktemp("run"), accepted, rejected)
    out = run / "pairs.jsonl"
    try:
        result = export_pairs(run, out, PairOptions(unfinished=True))
    except TooFewRecords:
        assert not out.exists()
        return
    assert result.records == len(rejected) == result.pair_count + result.left_out_count
    for pair in read_pairs(out):
        number = int(pair.rejected_id.removeprefix("r"))
        reason, (instruction, _), output = rejected[number]
        assert reason in ("votes_disagree", "conflicting_outputs", "merge_refusal")
        assert (pair.prompt.text, pair.rejected) == (instruction, output)
        taken = [said for (asked, _), said in accepted if asked == instruction]
        assert pair.chosen in taken
        assert pair.chosen.strip().lower() != output.strip().lower()


def bare_run(
    folder: Path,
    accepted: list[tuple[tuple[str, str], str]],
    rejected: list[tuple[str, tuple[str, str], str]],
) -> Path:
    """The data files alone, as a run that never wrote a manifest leaves them."""
    (folder / "config.yaml").write_text("recipe: self-instruct\n")
    good = [
        {"id": f"a{i}", "instruction": asked, "input": given, "output": said}
        for i, ((asked, given), said) in enumerate(accepted)
    ]
    bad = [
        {
            "id": f"r{i}",
            "stage": "instances",
            "reason": reason,
            "record": {"instruction": asked, "input": given, "output": said},
        }
        for i, (reason, (asked, given), said) in enumerate(rejected)
    ]
    for name, rows in (("accepted", good), ("rejected", bad)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return folder


def test_no_reason_is_in_both_tables() -> None:
    assert not HONEST.keys() & NOT_THE_ANSWER.keys()


def test_every_reason_that_the_package_gives_stands_in_one_of_the_tables() -> None:
    rooms = ("curate", "documents", "recipes")
    given = {f"repeated_{kind}" for kind in PHRASES} | {
        reason
        for room in rooms
        for path in (PACKAGE / room).rglob("*.py")
        for reason in _reasons_in(ast.parse(path.read_text(encoding="utf-8")))
    }
    seen = ("votes_disagree", "rouge_l_too_similar", "cut_off", "mojibake")
    of_documents = ("encrypted", "unlabelled", "routed", "no_opening", "missing_part", "not_drawn")
    of_items = ("no_evidence", "not_grounded", "beyond_most", "answers_differ", "repeats_held_out")
    assert {*seen, *of_documents, *of_items, "nothing_to_ask", "new_date"} <= given
    assert given - HONEST.keys() - NOT_THE_ANSWER.keys() == set()


_PLACES = {
    **dict.fromkeys(("drop", "reject", "Fault", "Finding"), slice(0, 1)),
    **dict.fromkeys(("Dropped", "Piece", "Unread"), slice(1, 2)),
    "Loss": slice(0, 2),  # of `self-instruct` the second, of `grounded` the first
}
"""Call -> which of its arguments is a reason."""
_NAMED = ("REASON", "DISAGREE", "NOTHING", "TOUCHES", "NEAR", "Reason", "Unclean", "Flag", "Formal")
"""Constants and types that are reasons."""


def _reasons_in(tree: ast.Module) -> set[str]:
    """Texts given as the reason to `drop`, `reject`, `Loss` and the like, or named so."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            place = _PLACES.get(getattr(node.func, "attr", getattr(node.func, "id", "")))
            told = node.args[place] if place is not None else []
            named = (one.value for one in node.keywords if one.arg == "reason")
            found |= {word for one in (*told, *named) for word in _words(one)}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(getattr(one, "id", "") in (*_NAMED, "reason") for one in targets):
                found |= _words(node.value)
        elif isinstance(node, ast.FunctionDef) and _tells_why(ast.get_docstring(node) or ""):
            found |= {
                word
                for inner in ast.walk(node)
                if isinstance(inner, ast.Return) and inner.value is not None
                for word in _words(inner.value)
            }
    return found


def _tells_why(docstring: str) -> bool:
    return docstring.startswith("Why") or "reason" in docstring


def _words(node: ast.AST) -> set[str]:
    """The lower-case words in an expression, but for comparisons, f-strings and names of fields."""
    if isinstance(node, ast.Compare | ast.JoinedStr):
        return set()
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr":
        return set()
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        is_word = node.value.replace("_", "").isalpha() and node.value.islower()
        return {node.value} if is_word else set()
    return {word for inner in ast.iter_child_nodes(node) for word in _words(inner)}
