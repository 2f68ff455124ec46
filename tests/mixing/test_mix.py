"""Claim: a mixture has the shares that were asked for, is reproducible, and is whole or absent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.mixing.texts import (
    documents,
    parts_of,
    rephrases,
    rows_of,
    text,
    two_sources,
    write_rows,
)

from selfsown.core.errors import CheckFailed, ConfigError, InputError
from selfsown.core.token_counts import estimate_tokens
from selfsown.mixing import mix as mixing
from selfsown.mixing.mix import mix
from selfsown.mixing.options import MixOptions
from selfsown.mixing.sources import MixSource


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a mixture, but for the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.lock"}


@pytest.mark.parametrize("window", [0, 256])
@pytest.mark.parametrize(
    ("weights", "share"), [((1, 1), 0.5), ((1, 2), 1 / 3), ((0, 1), 0.0), ((3, 1), 0.75)]
)
def test_the_realised_token_ratio_is_the_one_asked_for_within_one_percent(
    tmp_path: Path, weights: tuple[float, float], share: float, window: int
) -> None:
    sources = two_sources(tmp_path, weights=weights)
    options = MixOptions(tokens=24_000, window=window, allow_all_synthetic=not share)
    result = mix(sources, tmp_path / "out", options)
    told, tokens = rows_of(tmp_path / "out" / "train.jsonl.provenance.jsonl"), Counter[str]()
    for row, origin in zip(rows_of(tmp_path / "out" / "train.jsonl"), told, strict=True):
        assert (row["kind"], origin["origin"]) in (("real", "human"), ("synthetic", "model"))
        assert not window or estimate_tokens(row["text"]) <= window
        ends = 0 if not window else len("\n\n") * len(origin["parts"])
        tokens[row["kind"]] += (len(row["text"]) - ends) / 4  # type: ignore[assignment]
    assert tokens.total() == pytest.approx(24_000, rel=0.01)
    assert tokens["real"] / tokens.total() == pytest.approx(share, abs=0.01)
    assert result.human_share == pytest.approx(share, abs=0.01)
    record = json.loads((tmp_path / "out" / "mixture.json").read_bytes())
    assert record["human_share"] == result.human_share and record["shortfall"] == 0
    assert [source["mixed"]["share"] for source in record["sources"]] == pytest.approx(
        [share, 1 - share], abs=0.01
    )


def test_a_document_and_its_rephrase_are_never_in_one_window(tmp_path: Path) -> None:
    sources = [
        *two_sources(tmp_path, 60),
        MixSource("hard", rephrases(tmp_path / "hard.jsonl", 60, "hard"), 1, "synthetic"),
    ]
    mix(sources, tmp_path / "out", MixOptions(tokens=30_000, window=512, seed=3))
    shared = 0
    for told in rows_of(tmp_path / "out" / "train.jsonl.provenance.jsonl"):
        names = [part["doc_id"] for part in told["parts"]]
        assert len(set(names)) == len(names)
        shared += len(names) > 3
    assert shared > 20, "windows hold several documents, or this would prove nothing"


def test_a_pass_over_a_source_has_each_of_its_texts_once(tmp_path: Path) -> None:
    sources = two_sources(tmp_path, 100, weights=(1, 0.5))
    result = mix(sources, tmp_path / "out", MixOptions(pass_over="web"))
    web = [part["doc_id"] for _, part in parts_of(*result.train) if part["source"] == "web"]
    assert sorted(web) == sorted(f"d{n}" for n in range(100))
    assert result.record["tokens"] == pytest.approx(result.plan.wanted, rel=0.01)


def test_a_small_source_is_repeated_and_its_epochs_are_written(tmp_path: Path) -> None:
    web, easy = two_sources(tmp_path, 200)
    documents(tmp_path / "web.jsonl", 40)
    result = mix([web, easy], tmp_path / "out", MixOptions(tokens=18_000))
    told: Any = result.record["sources"]
    assert told[0]["mixed"]["epochs"] == pytest.approx(9_000 / told[0]["tokens"], rel=0.02)
    assert told[0]["mixed"]["distinct_texts"] == 40 and told[0]["mixed"]["texts"] > 80
    copies = Counter(part["copy"] for _, part in parts_of(*result.train) if part["source"] == "web")
    assert copies[0] == copies[1] == 40 and result.human_share == pytest.approx(0.5, abs=0.01)


def test_what_cannot_be_had_is_a_shortfall_in_the_same_ratio(tmp_path: Path) -> None:
    web, easy = two_sources(tmp_path, 60)
    result = mix([replace(web, max_epochs=2), easy], tmp_path / "out", MixOptions(tokens=50_000))
    told: Any = result.record
    assert told["limited_by"] == "web" and told["shortfall"] == result.plan.shortfall > 20_000
    assert told["sources"][0]["mixed"]["epochs"] == pytest.approx(2, rel=0.02)
    assert result.human_share == pytest.approx(0.5, abs=0.01)


def test_the_same_command_gives_the_same_bytes_whatever_hash_seed_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two_sources(tmp_path, 80)
    given = ["--real", "web=web.jsonl:2", "--synthetic", "easy=easy.jsonl", "--tokens", "9000"]
    command = [*given, "--window", "200", "--validation", "0.1", "--seed", "5", "-o", "one"]
    subprocess.run(
        [sys.executable, "-m", "selfsown", "mix", *command],
        check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "77"},
    )  # fmt: skip
    sources = [
        MixSource("web", Path("web.jsonl"), 2, "real"),
        MixSource("easy", Path("easy.jsonl"), 1, "synthetic"),
    ]
    options = MixOptions(tokens=9_000, window=200, validation=0.1, seed=5, memory_bytes=3_000)
    mix(sources, Path("two"), options)
    assert contents(Path("one")) == contents(Path("two"))
    mix(sources, Path("three"), replace(options, seed=6))
    assert contents(Path("one"))["train.jsonl"] != contents(Path("three"))["train.jsonl"]


def killed(work: Callable[[], object]) -> bool:
    """Do it in a process of its own; whether that was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("place", ["plan_shares", "write_windows", "mixture_form", "write_mixture"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork beside threads of other tests
def test_a_mix_that_is_killed_leaves_nothing_that_passes_for_a_mixture(
    tmp_path: Path, place: str
) -> None:
    sources, out = two_sources(tmp_path, 40), tmp_path / "out"

    def work() -> None:
        setattr(mixing, place, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        mix(sources, out, MixOptions(tokens=2_000, window=200))

    assert killed(work)
    assert not (out / "mixture.json").exists()
    if place != "write_mixture":  # between the files and their record
        assert not list(out.glob("train*"))
    mix(sources, out, MixOptions(tokens=2_000, window=200, force=True))
    mix(sources, tmp_path / "other", MixOptions(tokens=2_000, window=200))
    assert contents(out) == contents(tmp_path / "other"), "and nothing of the killed one is left"


def test_a_mixture_that_is_there_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    sources, out = two_sources(tmp_path, 60), tmp_path / "out"
    mix(sources, out, MixOptions(tokens=5_000, shard_bytes=4_000, validation=0.2))
    before = contents(out)
    assert {"train-00001.jsonl", "train-00001.jsonl.provenance.jsonl"} < before.keys()
    with pytest.raises(InputError, match="exists"):
        mix(sources, out, MixOptions(tokens=2_000))
    with pytest.raises(ConfigError):
        mix(sources, out, MixOptions(force=True))  # no size: refused when everything is read
    assert contents(out) == before
    own = {"train.jsonl.bak", "train-2024.csv", "validation-00000.txt"}
    for name in own:
        (out / name).touch()
    mix(sources, out, MixOptions(tokens=2_000, force=True))
    written = {"mixture.json", "train.jsonl", "train.jsonl.provenance.jsonl"}
    assert contents(out).keys() == written | own, "what others put there stays"


def test_a_run_directory_is_no_place_for_a_mixture(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").touch()
    with pytest.raises(InputError, match="directory of a run"):
        mix(two_sources(tmp_path / "x", 5), tmp_path, MixOptions(tokens=5))


def test_a_mixture_without_human_text_needs_a_word_of_its_own(tmp_path: Path) -> None:
    _, easy = two_sources(tmp_path, 20)
    with pytest.raises(CheckFailed, match="people wrote nothing"):
        mix([easy], tmp_path / "out", MixOptions())
    assert not (tmp_path / "out" / "mixture.json").exists()
    result = mix([easy], tmp_path / "out", MixOptions(allow_all_synthetic=True))
    assert result.human_share == 0


def test_validation_holds_whole_documents_out_with_all_that_says_them_again(
    tmp_path: Path,
) -> None:
    sources = two_sources(tmp_path, 300, weights=(0, 1))
    options = MixOptions(tokens=9_000, validation=0.1, allow_all_synthetic=True)
    result = mix(sources, tmp_path / "out", options)
    trained = {part["doc_id"] for _, part in parts_of(*result.train)}
    held_out = Counter(part["doc_id"] for _, part in parts_of(*result.validation))
    assert not trained & held_out.keys() and 15 < len(held_out) < 50
    assert set(held_out.values()) == {2}, "document and rephrase, once each, whatever the weights"
    other = mix(two_sources(tmp_path / "b", 300), tmp_path / "more", replace(options, tokens=9_500))
    assert {part["doc_id"] for _, part in parts_of(*other.validation)} == held_out.keys()


def test_shards_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the `parquet` extra")
    sources = two_sources(tmp_path, 80)
    options = MixOptions(tokens=8_000, window=300)
    whole = rows_of(mix(sources, tmp_path / "one", options).train[0])
    sharded = mix(sources, tmp_path / "many", replace(options, shard_bytes=6_000))
    assert len(sharded.train) > 3
    assert [row for path in sharded.train for row in rows_of(path)] == whole
    assert all(path.stat().st_size <= 6_000 for path in sharded.train)
    table = mix(sources, tmp_path / "parquet", replace(options, form="parquet")).train[0]
    assert parquet.read_table(table).to_pylist() == whole
    again = mix(
        [MixSource("again", table, 1, None)], tmp_path / "again", MixOptions()
    )  # provenance beside it says who wrote what
    assert again.human_share == pytest.approx(0.5, abs=0.02)


def test_windows_of_a_long_document_are_apart_unless_order_is_kept(tmp_path: Path) -> None:
    web, easy = two_sources(tmp_path, 150)
    long = " ".join(text(n) for n in range(40))
    write_rows(web.path, [*rows_of(web.path), {"id": "long", "text": long}])
    options = MixOptions(pass_over="web", window=200)

    def places(out: str, options: MixOptions) -> list[int]:
        told = rows_of(mix([web, easy], tmp_path / out, options).train[0].with_name(
            "train.jsonl.provenance.jsonl"))  # fmt: skip
        return [row["line"] for row in told if row["parts"][0]["doc_id"] == "long"]

    kept, shuffled = places("kept", replace(options, in_order=True)), places("shuffled", options)
    assert len(kept) == len(shuffled) > 12
    near = [sum(b - a <= 3 for a, b in pairwise(lines)) for lines in (kept, shuffled)]
    assert near[0] > 2 * near[1], (kept, shuffled)
    one, other = (rows_of(tmp_path / out / "train.jsonl") for out in ("kept", "shuffled"))
    assert one != other and sorted(map(str, one)) == sorted(map(str, other))


def test_holes_and_blank_texts_are_listed(tmp_path: Path) -> None:
    web, _ = two_sources(tmp_path, 20)
    rows = [
        {"doc_id": f"d{n}", "style": "easy", "chunk": k, "n_chunks": 3, "text": text(n * 3 + k)}
        for n in range(20)
        for k in range(3)
        if (n, k) != (4, 1)
    ]
    rows += [{"text": " \n", "id": "blank"}]
    easy = MixSource("easy", write_rows(tmp_path / "c.jsonl", rows), 1, "synthetic")
    result = mix([web, easy], tmp_path / "out", MixOptions(tokens=2_000))
    (hole,) = rows_of(tmp_path / "out" / "holes.jsonl")
    assert (hole["doc_id"], hole["chunks"], hole["missing"]) == ("d4", 3, [1])
    (left_out,) = rows_of(tmp_path / "out" / "left_out.jsonl")
    assert (left_out["source"], left_out["reason"]) == ("easy", "empty")
    told: Any = result.record["sources"]
    assert (told[1]["texts"], told[1]["joined_chunks"], told[1]["holes"]) == (20, 59, 1)
    whole = mix([web, easy], tmp_path / "whole", MixOptions(tokens=2_000, whole_only=True))
    told = whole.record["sources"]
    assert (told[1]["texts"], told[1]["left_out"]) == (19, {"empty": 1, "hole": 1})


def test_a_mixture_and_its_sources_lie_apart(tmp_path: Path) -> None:
    web, easy = two_sources(tmp_path / "docs", 20)
    folder = replace(web, path=tmp_path / "docs")
    options = MixOptions(tokens=1_000, force=True)
    with pytest.raises(ConfigError, match="lie in each other"):
        mix([folder, easy], tmp_path / "docs" / "mixture", options)
    out = mix([web, easy], tmp_path / "out", options)
    with pytest.raises(ConfigError, match="lie in each other"):
        mix([replace(web, path=out.train[0], kind=None)], tmp_path / "out", options)


def test_memory_does_not_grow_with_the_sources(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        sources = two_sources(tmp_path / str(count), count)
        options = MixOptions(pass_over="web", window=256, memory_bytes=200_000)
        tracemalloc.start()
        try:
            mix(sources, tmp_path / f"out{count}", options)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)  # what is loaded once
    small, large = peak(400), peak(1_200)
    assert large < 1.25 * small, (small, large)


@pytest.mark.parametrize(
    "given",
    [
        {"window": 3},
        {"validation": 1.0},
        {"rows": "tokens", "window": 100},
        {"shard_bytes": -1},
    ],
)
def test_settings_that_cannot_be_used_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MixOptions(**given)


def test_an_end_that_fills_a_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="what ends a document has 50 tokens"):
        mix(two_sources(tmp_path, 5), tmp_path / "out", MixOptions(window=64, end="x" * 200))


def test_two_sources_of_one_name_and_none_at_all_are_refused(tmp_path: Path) -> None:
    web, _ = two_sources(tmp_path, 5)
    for sources in ([web, web], []):
        with pytest.raises(ConfigError):
            mix(sources, tmp_path / "out", MixOptions(tokens=5))
