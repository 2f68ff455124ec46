"""What was written is read as it was, and a line that cannot be read is named, never skipped."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.preference.answers import answer

from selfsown.core.errors import InputError
from selfsown.preference.files import (
    read_candidates,
    read_pairs,
    read_scored,
    write_records,
)
from selfsown.preference.pairing import by_prompt, make_pairs
from selfsown.preference.pickers import picker_named
from selfsown.preference.records import Candidate, Prompt, Sampling, Scored

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CANDIDATES = st.builds(
    Candidate,
    prompt=st.builds(Prompt, id=TEXT, text=TEXT, input=TEXT, system=TEXT),
    index=st.integers(0, 99),
    text=TEXT,
    model=TEXT,
    model_depth=st.integers(0, 3),
    round=st.integers(0, 5),
    sampling=st.builds(
        Sampling,
        temperature=st.none() | st.floats(0, 2),
        top_p=st.none() | st.floats(0, 1),
        seed=st.none() | st.integers(0, 2**62),
    ),
    n_tokens=st.none() | st.integers(0, 4096),
    finish_reason=st.sampled_from(["", "stop", "length"]),
)
VALUES = st.none() | st.floats(-1e6, 1e6)
SCORED = st.builds(
    Scored,
    candidate=CANDIDATES,
    values=st.lists(VALUES, min_size=1, max_size=4).map(tuple),
    judge=TEXT,
    is_truncated=st.booleans(),
)


@given(st.lists(SCORED, min_size=1, max_size=3))
def test_scores_and_candidates_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, scored: list[Scored]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    facts = write_records(folder / "scored.jsonl", scored)
    assert facts.rows == len(scored)
    assert read_scored(folder / "scored.jsonl") == scored
    candidates = [one.candidate for one in scored]
    write_records(folder / "candidates.jsonl", candidates)
    assert read_candidates(folder / "candidates.jsonl") == candidates


def test_pairs_are_read_as_they_were_written_and_the_same_pairs_are_the_same_bytes(
    tmp_path: Path,
) -> None:
    scored = [answer(i, (float(i), None, 4.0)) for i in range(3)]
    made = make_pairs(by_prompt(scored), picker_named("max_min"))
    first = write_records(tmp_path / "a.jsonl", made.pairs)
    assert read_pairs(tmp_path / "a.jsonl") == list(made.pairs)
    again = make_pairs(by_prompt(scored), picker_named("max_min"))
    assert write_records(tmp_path / "b.jsonl", again.pairs) == first


def test_the_lines_have_the_fields_that_the_descriptions_list(tmp_path: Path) -> None:
    scored = [answer(i, (float(i), 2.0 * i)) for i in range(2)]
    pair = make_pairs(by_prompt(scored), picker_named("max_min")).pairs[0]
    assert {
        *("prompt_id", "cand_id", "text", "model", "sampling", "n_tokens", "n_chars"),
        *("finish_reason", "reward", "n_valid", "std", "judge", "truncated", "round"),
    } <= scored[0].row().keys()
    assert {
        *("prompt_id", "prompt", "chosen", "rejected", "reward_chosen", "reward_rejected"),
        *("margin", "len_chosen", "len_rejected", "round", "policy", "judge"),
    } <= pair.row().keys()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("values", [], "`values` is `\\[\\]`, not a list of numbers and nulls"),
        ("values", ["5"], "not a finite number or null"),
        ("index", -1, "`index` is `-1`, not a number from 0"),
        ("index", True, "`index` is `True`"),
        ("text", None, "`text` is `None`, not text"),
        ("judge", ..., "`judge` is missing, not text"),
        ("sampling", {"temperature": "hot"}, "`sampling`: field `temperature` is `hot`"),
    ],
)
def test_a_field_that_is_not_what_it_has_to_be_is_named_with_its_line(
    tmp_path: Path, field: str, value: object, words: str
) -> None:
    good, bad = answer(0, 1).row(), answer(1, 2).row()
    bad = {name: one for name, one in {**bad, field: value}.items() if one is not ...}
    path = tmp_path / "scored.jsonl"
    path.write_bytes(orjson.dumps(good) + b"\n" + orjson.dumps(bad) + b"\n")
    with pytest.raises(InputError, match=rf"scored\.jsonl` record 2.*{words}") as caught:
        read_scored(path)
    assert caught.value.why
    assert caught.value.fix


def test_a_file_that_is_missing_or_empty_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_pairs(tmp_path / "pairs.jsonl")
    (tmp_path / "pairs.jsonl").touch()
    with pytest.raises(InputError, match="is empty"):
        read_pairs(tmp_path / "pairs.jsonl")


@pytest.mark.parametrize("values", [(), (float("nan"),), (float("inf"), 1.0)])
def test_a_score_that_is_no_number_cannot_be_made(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"score|judged"):
        answer(0, values)
