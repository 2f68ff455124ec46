"""Claim: every candidate ends once, is counted once, and lies in the files in a fixed order."""

from __future__ import annotations

import random
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfsown.core.errors import CallFailed, ConservationError
from selfsown.core.stages import Candidate, Origin, Sink, Stage, check_conservation, data_line

ORIGIN = Origin("r", "1", {"generator": "m"})
FILES = ("accepted.jsonl", "rejected.jsonl", "failed.jsonl", "provenance.jsonl")


def stage(directory: Path, *, output: bool = True) -> tuple[Stage, Sink]:
    sink = Sink(directory / "scratch.sqlite", ORIGIN)
    return Stage("words", "word", output, 0, sink), sink


def end(candidate: Candidate, how: str) -> None:
    if how == "keep":
        candidate.keep({"y": 1}, score=0.5)
    elif how == "reject":
        candidate.reject("dull", 0.1)
    else:
        candidate.fail(CallFailed("schema", "no object"))


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=30)
@given(ends=st.lists(st.sampled_from(["keep", "reject", "fail"]), max_size=30), seed=st.integers())
def test_counts_conserve_and_files_do_not_depend_on_arrival(
    tmp_path_factory: pytest.TempPathFactory, ends: list[str], seed: int
) -> None:
    numbered = list(enumerate(ends))
    files = []
    for shuffled in (numbered, random.Random(seed).sample(numbered, len(numbered))):
        words, sink = stage(tmp_path_factory.mktemp("run"))
        for number, how in shuffled:
            end(words.enter({"x": number}, order=(number, 0), keys=("ab",)), how)
        check_conservation([words])
        counts = words.counts
        assert counts.entered == len(ends)
        assert counts.kept == ends.count("keep")
        assert (counts.rejected["dull"], counts.failed["schema"]) == (
            ends.count("reject"),
            ends.count("fail"),
        )
        files.append({name: list(sink.lines(name)) for name in FILES})
        sink.close()
    assert files[0] == files[1]
    lines = [orjson.loads(line) for line in files[0]["provenance.jsonl"]]
    assert [line["order"] for line in lines] == [[number, 0] for number, _ in numbered]
    ids = [orjson.loads(line)["id"] for name in FILES[:3] for line in files[0][name]]
    assert sorted(ids) == sorted(line["id"] for line in lines), "a record without provenance"


@pytest.mark.parametrize("first", ["keep", "reject", "fail"])
@pytest.mark.parametrize("second", ["keep", "reject", "fail"])
def test_a_candidate_ends_once(tmp_path: Path, first: str, second: str) -> None:
    words, sink = stage(tmp_path)
    candidate = words.enter({"x": 1}, order=(0,))
    end(candidate, first)
    with pytest.raises(ConservationError, match="ended twice"):
        end(candidate, second)
    assert words.counts.open == 0
    assert len(list(sink.lines("provenance.jsonl"))) == 1
    sink.close()


def test_a_candidate_that_never_ends_is_named_by_stage_and_number(tmp_path: Path) -> None:
    words, sink = stage(tmp_path)
    for number in range(3):
        words.enter({"x": number}, order=(number,))
    with pytest.raises(ConservationError, match="`words`: 3"):
        check_conservation([words])
    sink.close()


def test_ids_tell_records_apart_and_content_ids_do_not(tmp_path: Path) -> None:
    words, sink = stage(tmp_path)
    same = [words.enter({"a": 1, "b": 2}, order=(n,)) for n in range(3)]
    turned = words.enter({"b": 2, "a": 1}, order=(0,))
    assert len({candidate.id for candidate in same}) == 3
    assert {candidate.content_id for candidate in [*same, turned]} == {turned.content_id}
    assert turned.id == same[0].id, "the order of keys changed an id"
    assert words.enter({"a": 1, "b": 3}, order=(0,)).content_id != turned.content_id
    assert words.enter({"a": 1, "b": 2}, order=(0,), keys=("ff",)).id != turned.id
    sink.close()


def test_what_keep_adds_changes_the_record_and_no_id(tmp_path: Path) -> None:
    words, sink = stage(tmp_path)
    candidate = words.enter({"a": 1}, order=(0,))
    record = candidate.keep({"b": 2})
    assert (record.id, record.content_id) == (candidate.id, candidate.content_id)
    (line,) = sink.lines("accepted.jsonl")
    assert orjson.loads(line) == {"id": candidate.id, "a": 1, "b": 2}
    sink.close()


def test_a_row_with_an_id_of_its_own_keeps_it(tmp_path: Path) -> None:
    words, sink = stage(tmp_path)
    candidate = words.enter({"id": "mine"}, order=(0,))
    candidate.keep()
    (line,) = sink.lines("accepted.jsonl")
    assert orjson.loads(line) == {"record_id": candidate.id, "id": "mine"}
    (line,) = sink.lines("provenance.jsonl")
    assert orjson.loads(line)["row_id"] == "mine"
    sink.close()


def test_a_stage_that_is_no_output_keeps_its_records_in_provenance_alone(tmp_path: Path) -> None:
    words, sink = stage(tmp_path, output=False)
    words.enter({"a": 1}, order=(0,)).keep()
    assert list(sink.lines("accepted.jsonl")) == []
    (line,) = sink.lines("provenance.jsonl")
    assert (orjson.loads(line)["end"], orjson.loads(line)["record"]) == ("passed", {"a": 1})
    sink.close()


def test_large_orders_sort_as_numbers_and_the_scratch_file_goes(tmp_path: Path) -> None:
    words, sink = stage(tmp_path)
    places = [(n,) for n in (2**40, 255, 256, 0, 9, 10, 2**62)]
    for place in places:
        words.enter({"at": place[0]}, order=place).keep()
    found = [orjson.loads(line)["at"] for line in sink.lines("accepted.jsonl")]
    assert found == sorted(place[0] for place in places)
    sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [2**80, -(2**70)])
def test_integers_of_any_size_are_written(value: int) -> None:
    assert data_line({"n": value, "t": "é"}).startswith(f'{{"n":{value}'.encode())


def test_lone_surrogates_do_not_make_a_line_that_nobody_can_read() -> None:
    assert orjson.loads(data_line({"a\ud800": ["b\udfff"]})) == {"a\ufffd": ["b\ufffd"]}
