"""Claim: the merge keeps first, loses nothing, and gives the same bytes for the same runs."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scale.jobs import Inline, data, do, make_job, merged, plain

import selfsown.scale.streams as streams
from selfsown.cleaning.indexes import make_index
from selfsown.core.errors import ConfigError, InputError
from selfsown.core.rundir import read_manifest
from selfsown.curate.decontaminate import MissingIndex
from selfsown.curate.rouge_l import rouge_l
from selfsown.curate.tokens import tokenize_unicode
from selfsown.evaluate.suite import Instance, Suite
from selfsown.export.export import ExportOptions, export_run
from selfsown.scale.data_set import Asked, merge_directories
from selfsown.scale.filters import Mix, read_mix

ECHO: list[dict[str, Any]] = [
    {"match": "apple", "text": "the apple falls far from the old tree"},
    {"match": "pear", "text": "the apple falls far from the old trunk"},
    {"match": "plum", "text": "nothing like the others at all"},
]
FRUIT = [{"text": f"{name} {n}", "kind": name} for n in range(4) for name in ("apple", "pear")]
FRUIT += [{"text": "plum", "kind": "plum"}]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def conserved(out: Path) -> dict[str, Any]:
    """The merge's own numbers, once it is clear that nothing disappeared."""
    manifest: Any = read_manifest(out)
    provenance = Counter((row["stage"], row["end"]) for row in rows(out / "provenance.jsonl"))
    for stage in manifest["data"]["stages"]:
        rejected, failed = sum(stage["rejected"].values()), sum(stage["failed"].values())
        assert stage["in"] == stage["accepted"] + rejected + failed
        assert provenance[stage["stage"], "rejected"] == rejected
        assert provenance[stage["stage"], "failed"] == failed
        kept = "accepted" if stage["output"] else "passed"
        assert provenance[stage["stage"], kept] == stage["accepted"]
    facts: dict[str, Any] = manifest["data"]["notes"]["merge"]
    assert facts["in"] == facts["accepted"] + sum(facts["rejected"].values())
    assert len(rows(out / "accepted.jsonl")) == facts["accepted"]
    return facts


def test_novelty_over_all_shards_is_that_of_one_pool_in_the_order_of_the_merge(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path, "job", shards=3, rules=ECHO)
    do(job, rows=FRUIT)
    merged(job)
    before = rows(job.places.home / "merged" / "accepted.jsonl")
    merged(job, novelty=0.7, field="completion")
    kept: list[list[str]] = []
    expected = []
    for row in before:
        tokens = tokenize_unicode(row["completion"])
        if all(rouge_l(tokens, other) <= 0.7 for other in kept):
            kept.append(tokens)
            expected.append(row["id"])
    out = job.places.home / "merged"
    assert [row["id"] for row in rows(out / "accepted.jsonl")] == expected
    assert len(expected) == 2
    assert conserved(out)["rejected"] == {"merge_rouge_l_too_similar": 7}
    first = rows(out / "rejected.jsonl")[0]
    assert first["record"]["completion"].startswith("the apple")
    assert "id" not in first["record"]


def test_near_duplicates_over_all_shards_go_but_the_first(tmp_path: Path) -> None:
    pytest.importorskip("rensa", reason="rensa is not installed (extra `curate`)")
    job = make_job(tmp_path, "job", shards=3, rules=ECHO)
    do(job, rows=FRUIT)
    merged(job, near_duplicates=0.9, field="completion")
    out = job.places.home / "merged"
    assert conserved(out)["rejected"] == {"merge_near_duplicate": 6}
    texts = [row["text"] for row in rows(out / "accepted.jsonl")]
    assert texts == ["apple 0", "pear 0", "plum"]


def test_the_mix_is_the_largest_set_with_these_shares(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=2, rules=ECHO)
    do(job, rows=FRUIT)
    merged(job, mix="kind=apple:2,pear:1")
    out = job.places.home / "merged"
    kinds = Counter(row["kind"] for row in rows(out / "accepted.jsonl"))
    assert kinds == {"apple": 4, "pear": 2}
    assert conserved(out)["rejected"] == {"merge_mix": 3}
    kept = [row["text"] for row in rows(out / "accepted.jsonl") if row["kind"] == "pear"]
    assert kept == ["pear 0", "pear 1"], "the first ones stay"


@pytest.mark.parametrize(
    ("mix", "said", "fix"),
    [
        ("kind=apple:2,grape:1", "has `grape` as its `kind`", "`apple`, `pear`"),
        ("kin=apple:1", "has `apple` as its `kin`", "name a field that the records have"),
    ],
)
def test_a_mix_of_what_is_not_there_is_refused_and_never_makes_an_empty_set(
    tmp_path: Path, mix: str, said: str, fix: str
) -> None:
    job = make_job(tmp_path, "job", shards=2, rules=ECHO)
    do(job, rows=FRUIT)
    with pytest.raises(ConfigError, match=said) as found:
        merged(job, mix=mix)
    assert fix in found.value.fix


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 50), min_size=3),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1),
)
def test_quotas_are_within_the_counts_and_one_value_is_used_up(
    counts: dict[str, int], weights: dict[str, int]
) -> None:
    mix = Mix("f", {value: Fraction(weight, 7) for value, weight in weights.items()})
    quotas = mix.quotas(Counter(counts))
    assert all(quotas[value] <= counts[value] for value in weights)
    assert any(quotas[value] == counts[value] for value in weights)


@pytest.mark.parametrize("text", ["", "kind", "kind=", "kind=a", "kind=a:0", "k=a:1,a:2", "k=a:x"])
def test_a_mix_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no mix"):
        read_mix(text)


def test_records_that_repeat_a_suite_are_rejected(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=2, rules=ECHO)
    do(job, rows=FRUIT)
    question = "nothing like the others at all"
    instance = Instance(id="1", prompt=question, instruction="", input="", references=())
    suite = Suite(name="s", about="", instances=(instance,), metrics=(), overlap="whole")
    merged(job, suites=[suite])
    out = job.places.home / "merged"
    assert conserved(out)["rejected"] == {"merge_repeats_suite": 1}


def test_records_that_repeat_what_an_index_holds_are_rejected_and_one_must_be_there(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path, "job", shards=2, rules=ECHO)
    do(job, rows=FRUIT)
    rows_of_quiz = tmp_path / "quiz.jsonl"
    rows_of_quiz.write_text(json.dumps({"q": "nothing like the others at all"}))
    path, _ = make_index(str(rows_of_quiz), tmp_path / "quiz.index", fields=["q"])
    merged(job, indexes=[str(path)])
    out = job.places.home / "merged"
    facts = conserved(out)
    assert facts["rejected"] == {"merge_repeats_suite": 1}
    assert facts["filters"] == ["decontamination against quiz"]
    with pytest.raises(MissingIndex, match="no index of `mmlu`"):
        merged(job, indexes=[str(path), "mmlu"])


def test_more_runs_than_files_may_be_open_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path, "job", shards=9)
    do(job)
    expected = merged(job)
    monkeypatch.setattr(streams, "FAN_IN", 2)
    assert merged(job) == expected
    assert not (job.places.home / "merged" / ".merge").exists()


def test_runs_that_are_no_shards_are_merged_too_but_no_run_twice(tmp_path: Path) -> None:
    a = plain(tmp_path, "a", [{"text": f"a {n}"} for n in range(3)])
    b = plain(tmp_path, "b", [{"text": f"b {n}"} for n in range(2)])
    merge_directories([a, b], tmp_path / "ab", Asked())
    texts = [row["text"] for row in rows(tmp_path / "ab" / "accepted.jsonl")]
    assert texts == ["a 0", "b 0", "a 1", "b 1", "a 2"]
    with pytest.raises(InputError, match="in two of the runs"):
        merge_directories([a, a], tmp_path / "aa", Asked())
    assert not (tmp_path / "aa" / "manifest.json").exists()


def test_a_merge_is_exported_like_a_run(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=2)
    do(job)
    merged(job)
    result = export_run(
        job.places.home / "merged",
        tmp_path / "out.jsonl",
        ExportOptions(format="messages", prompt_field="text"),
    )
    assert result.files[0].row_count == 21


def test_a_run_that_has_not_finished_is_not_merged(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=2)
    do(job)
    path = job.places.shard(1) / "manifest.json"
    path.write_text(path.read_text().replace('"finished"', '"suspended"'))
    with pytest.raises(InputError, match="00001` has not finished"):
        merged(job)
    path.unlink()
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        merged(job)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=2)
    do(job)
    accepted = job.places.shard(1) / "accepted.jsonl"
    lines = accepted.read_bytes().splitlines(keepends=True)
    for torn in (lines[1:], [*lines, lines[0]], [lines[1], lines[0], *lines[2:]]):
        accepted.write_bytes(b"".join(torn))
        with pytest.raises(InputError, match="do not belong together"):
            merged(job)


def test_a_merge_into_the_directory_of_a_run_is_refused(tmp_path: Path) -> None:
    alone = plain(tmp_path)
    before = data(alone)
    with pytest.raises(InputError, match="is the directory of a run"):
        merge_directories([alone], alone, Asked())
    assert data(alone) == before
    job = make_job(tmp_path, "job", shards=2)
    do(job)
    with pytest.raises(InputError, match="is the directory of a job"):
        merge_directories([job.places.home], job.places.home, Asked())
    assert not (job.places.home / "accepted.jsonl").exists()
    assert Inline().ran == []
