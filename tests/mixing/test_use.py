"""Claim: who reads a mixture sees what it has: the guard its human share, a training its texts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.mixing.texts import documents, rows_of, text, two_sources, write_rows

from selfsown.cli.main import main
from selfsown.core.errors import InputError
from selfsown.guard.trained_mixture import trained_mixture
from selfsown.mixing.mix import MixResult, mix
from selfsown.mixing.options import MixOptions
from selfsown.mixing.sources import MixSource
from selfsown.train.prepare import prepare
from selfsown.train.records import read_sources
from selfsown.train.settings import SourceConfig, TrainConfig, resolve


def mixed(folder: Path, weights: tuple[float, float], **given: object) -> MixResult:
    options = MixOptions(tokens=6_000, **given)  # type: ignore[arg-type]
    return mix(two_sources(folder, 100, weights), folder / "mixture", options)


@pytest.mark.parametrize("window", [0, 300])
def test_the_guard_counts_the_human_share_that_the_mixture_states(
    tmp_path: Path, window: int
) -> None:
    web, easy = two_sources(tmp_path, 100, (1, 2))
    documents(tmp_path / "web.jsonl", 10)  # so that they are repeated
    deep = [{**row, "model_depth": 2} for row in rows_of(easy.path)]
    write_rows(easy.path, deep)
    options = MixOptions(tokens=6_000, window=window, shard_bytes=5_000)
    result = mix([web, easy], tmp_path / "mixture", options)
    found = trained_mixture(tmp_path / "mixture")
    assert found.human_token_share == pytest.approx(result.human_share)
    assert found.human_token_share == pytest.approx(1 / 3, abs=0.02)
    assert found.human_rows == found.fresh_rows == 10 and found.unknown_rows == 0
    assert set(found.synth_rows_by_depth) == {2} and found.synth_rows > 30


def test_the_guard_alarms_where_people_wrote_too_little_of_a_mixture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("numpy", reason="needs the `curate` extra")
    mixed(tmp_path, (1, 19))
    run = write_rows(tmp_path / "run.jsonl", [{"text": text(n)} for n in range(60)])
    human = write_rows(tmp_path / "human.jsonl", [{"text": text(n + 900)} for n in range(60)])
    command = ["guard", str(run), "--reference", str(human), "-m", "50", "--json"]
    code = main([*command, "--mixture", str(tmp_path / "mixture")])
    record = json.loads(capsys.readouterr().out)
    assert record["data"]["human_token_share"] == pytest.approx(0.05, abs=0.01)
    alarms = {alarm["rule"]: alarm["level"] for alarm in record["alarms"]}
    assert alarms["human_share"] == "stop" and code == 1


def test_a_mixture_that_was_changed_or_is_not_whole_is_not_believed(tmp_path: Path) -> None:
    result = mixed(tmp_path, (1, 1))
    told = result.train[0].with_name("train.jsonl.provenance.jsonl")
    told.write_bytes(told.read_bytes().replace(b'"origin":"model"', b'"origin":"human"'))
    with pytest.raises(InputError, match="is not the file that the mixture was written with"):
        trained_mixture(tmp_path / "mixture")
    mixed(tmp_path, (1, 1), force=True)
    with result.train[0].open("ab") as file:
        file.write(b'{"text": "One more."}\n')
    with pytest.raises(InputError, match=r"train.jsonl` is not the file"):
        trained_mixture(tmp_path / "mixture")
    (tmp_path / "mixture" / "mixture.json").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        trained_mixture(tmp_path / "mixture")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model with a tokenizer."""
    pytest.importorskip("transformers", reason="needs the `local` extra")
    from selfsown.testing.tiny_llama import write_tiny_llama

    return write_tiny_llama(tmp_path_factory.mktemp("tiny") / "base", width=16, layers=1)


def test_token_rows_hold_the_tokens_of_their_texts_with_an_end_behind_each(
    tmp_path: Path, tiny: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    result = mixed(tmp_path, (1, 1), window=256, tokenizer=tiny)
    seen = Counter[str]()
    for row in rows_of(result.train[0]):
        assert 0 < len(row["input_ids"]) == sum(row["seq_lengths"]) <= 256
        start = 0
        for length, source in zip(row["seq_lengths"], row["documents"], strict=True):
            ids = row["input_ids"][start : start + length]
            assert tokenizer.eos_token_id not in ids[:-1]
            seen[row["kind"]] += length - (ids[-1] == tokenizer.eos_token_id)
            assert source["length"] == length
            start += length
    assert seen.total() == result.record["tokens"] == pytest.approx(6_000, rel=0.03)
    assert seen["real"] / seen.total() == pytest.approx(result.human_share)
    texts = {row["id"]: row["text"] for row in rows_of(tmp_path / "web.jsonl")}
    whole = next(row for row in rows_of(result.train[0]) if row["documents"][0]["source"] == "web")
    said = tokenizer.decode(whole["input_ids"][: whole["seq_lengths"][0]])
    assert said.replace(str(tokenizer.eos_token), "") in texts[whole["documents"][0]["doc_id"]]


def test_a_training_learns_texts_as_a_whole_and_repeats_what_the_mixture_repeats(
    tmp_path: Path, tiny: Path
) -> None:
    from selfsown.train.tokens import Encoder

    web, easy = two_sources(tmp_path, 30)
    documents(tmp_path / "web.jsonl", 8)
    options = MixOptions(tokens=1_600, tokenizer=tiny)
    result = mix([web, MixSource("easy", easy.path, 1, "synthetic")], tmp_path / "out", options)
    path = str(result.train[0])
    settings, _ = resolve(
        TrainConfig(data=[SourceConfig(path=path)], base="b", out="o"), has_chat_template=False
    )
    rows = read_sources([SourceConfig(path=path)], seeds=False)
    found = prepare(rows, settings, Encoder(tiny, tiny))
    assert not found.declared_count and set(found.reasons) <= {"too_long"}
    assert len(found.rows) + len(found.left_out) == len(rows_of(result.train[0]))
    assert len({row.id for row in found.rows}) < len(found.rows), "a text that comes twice"
    lead = found.rows[0].prompt_tokens
    assert all(row.prompt_tokens == lead <= 1 for row in found.rows), "no part is a prompt"
    assert {row.origin for row in found.rows} == {"human", "machine"}


def test_token_rows_are_refused_where_text_is_needed(tmp_path: Path, tiny: Path) -> None:
    result = mixed(tmp_path, (1, 1), window=256, tokenizer=tiny)
    with pytest.raises(InputError, match="has tokens and no text"):
        read_sources([SourceConfig(path=str(result.train[0]))], seeds=False)
