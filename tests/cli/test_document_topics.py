"""`selfsown documents topics` lists what the recipe would find, and asks and writes nothing."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tests.topics.worlds import topics

from selfsown.cli.main import main
from selfsown.core.config import make_config
from selfsown.models.scripted import ScriptedModel
from selfsown.runner import Start, execute, run_loop

pytest.importorskip("sklearn", reason="clustering needs the extra `topics`")
pytest.importorskip("bm25s", reason="retrieval needs the extra `topics`")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("documents")
    for number, text in enumerate(topics(3, 25)[0]):
        (place / f"{number:03}.txt").write_text(text, encoding="utf-8")
    (place / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    return place


def test_it_finds_what_a_run_with_the_same_options_finds(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["documents", "topics", str(folder), "--seed", "3", "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert [one["documents"] for one in found["topics"]] == [25, 25, 25]
    form = {"recipe": "topics", "models": {"generator": "scripted"}, "seed": 3}
    config = make_config(
        {**form, "documents": {"paths": [str(folder)]}, "out": str(tmp_path / "run")}
    )
    opened = {"generator": ScriptedModel([{"text": "?"}])}
    noted = run_loop(execute(config, Start(), opened=opened)).manifest["data"]["notes"]["topics"]
    assert [one["terms"] for one in noted] == [one["terms"] for one in found["topics"]]


def test_queries_are_read_from_a_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word = (folder / "000.txt").read_text().split()[3]
    file = tmp_path / "topics.txt"
    file.write_text(f"{word}\n", encoding="utf-8")
    command = ["documents", "topics", str(folder), "--queries", str(file), "--per-topic", "4"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert out.startswith("topic") and word in out
    assert main([*command[:4], str(tmp_path / "absent")]) == 2


def test_nothing_found_says_what_to_change(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["documents", "topics", str(folder), "--min-cluster", "60"]) == 0
    assert "lower --min-cluster" in capsys.readouterr().out


def test_a_run_cannot_be_split_into_shards_of_which_each_has_topics_of_its_own(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--documents", str(folder), "--model", "scripted", "-o", str(tmp_path / "job")]
    assert main(["run", "topics", *given, "--shards", "2", "--quiet"]) == 2
    assert "does not suit recipe `topics`" in capsys.readouterr().err
    assert not (tmp_path / "job" / "shards").exists()


def test_a_preview_and_a_run_say_what_comes_next(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"text": "Topic: Something\\nEducational value: 7"}\n', encoding="utf-8")
    run = ["topics", "--documents", str(folder), "--model", f"scripted:{answers}"]
    assert main(["preview", *run]) == 0, "all documents are looked at, whatever -n"
    shown = capsys.readouterr().out
    assert shown.count("    answer") == 3 and "topic: Something" in shown
    assert main(["run", *run, "-o", str(tmp_path / "run"), "--yes"]) == 0
    told = capsys.readouterr().err
    assert "accepted 75/76" in told and "run cosmopedia --rows" in told
    (row,) = (tmp_path / "run" / "accepted.jsonl").read_text().splitlines()[:1]
    assert main(["why", str(tmp_path / "run"), orjson.loads(row)["id"]]) == 0
    explained = capsys.readouterr().out
    assert explained.index("  topics  accepted") < explained.index("  documents  passed")
