"""Claim: no embedding is computed twice, and rows near a kept one go, with the row they are near.

The encoder is a tiny untrained model: its points depend on every token, and mean nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfsown.cleaning.near_duplicates import dedup_file
from selfsown.cleaning.semantic import open_semantic
from selfsown.cli.main import main
from selfsown.core.errors import ConfigError, EnvironmentFailure, InputError
from selfsown.curate.near_duplicates import NearDuplicates
from selfsown.testing.tiny_llama import write_tiny_llama

TEXTS = ["write the word owl", "sort these three numbers", "name a bird", "write the word owl now"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return path


def cosines(encoder: Path, out: Path) -> list[list[float]]:
    with open_semantic(encoder, out) as points:
        points.prefetch(TEXTS)
        near = points._near
        return [
            [sum(x * y for x, y in zip(near[a], near[b], strict=True)) for b in TEXTS]
            for a in TEXTS
        ]


def test_rows_near_a_kept_one_go_and_nothing_is_computed_twice(
    tmp_path: Path, rows: Path, encoder: Path
) -> None:
    out = tmp_path / "out.jsonl"
    table = cosines(encoder, out)
    assert all(abs(table[n][n] - 1) < 1e-5 for n in range(4))
    threshold = table[3][0] - 1e-4  # the fourth is near the first
    for computed in (0, 0):  # `cosines` journaled them beside the same file
        with open_semantic(encoder, out, threshold) as points:
            done = dedup_file(rows, out, NearDuplicates(1), semantic=points)
            assert points.computed == computed
        kept: list[int] = []
        for number in range(4):
            if all(table[number][other] < threshold for other in kept):
                kept.append(number)
        assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == [
            TEXTS[number] for number in kept
        ]
        listed = [json.loads(line) for line in done.list_path.read_text().splitlines()]
        assert {one["reason"] for one in listed} == {"semantic_near_duplicate"}
        last = listed[-1]
        assert last["line"] == 4 and table[3][last["repeats"] - 1] >= threshold
        assert last["score"] == pytest.approx(table[3][last["repeats"] - 1], abs=1e-5)


def test_the_command_says_what_was_compared(
    tmp_path: Path, rows: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.jsonl")
    assert main(["dedup", str(rows), "-o", out]) == 0
    assert "no encoder was given" in capsys.readouterr().err
    asked = ["dedup", str(rows), "-o", out, "--semantic", str(encoder), "--cosine", "1"]
    assert main(asked) == 0
    assert "embeddings: 4 computed" in capsys.readouterr().err
    assert main(asked) == 0
    assert "embeddings: 0 computed" in capsys.readouterr().err


def test_a_folder_without_encoder_and_a_senseless_cosine_are_errors(
    tmp_path: Path, encoder: Path
) -> None:
    with (
        pytest.raises(InputError, match="cannot be loaded"),
        open_semantic(tmp_path, tmp_path / "o"),
    ):
        pass
    with pytest.raises(ConfigError), open_semantic(encoder, tmp_path / "o", 1.5):
        pass


def test_two_at_once_are_told_apart_and_no_journal_is_called_damaged(
    tmp_path: Path, encoder: Path
) -> None:
    with (
        open_semantic(encoder, tmp_path / "o"),
        pytest.raises(EnvironmentFailure, match=r"`.*/o` is in use by process \d+"),
        open_semantic(encoder, tmp_path / "o"),
    ):
        pass
    with open_semantic(encoder, tmp_path / "o"):
        pass


def test_a_folder_that_is_not_there_is_never_looked_for_on_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def resolve(*given: object, **_: object) -> None:
        asked.append(given)
        raise OSError("no network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with (
        pytest.raises(InputError, match=r"`some-encoder` cannot be loaded: it has no config\.json"),
        open_semantic(Path("some-encoder"), tmp_path / "o"),
    ):
        pass
    assert not asked
