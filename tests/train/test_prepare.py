"""Claim: what is not trained on is counted with its reason, and too little data is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the `local` extra")

from selfsown.core.errors import ConfigError, InputError
from selfsown.train.prepare import Prepared, prepare
from selfsown.train.records import read_sources
from selfsown.train.settings import Settings, SourceConfig, TrainConfig, resolve
from selfsown.train.tokens import Encoder


@pytest.fixture(scope="module")
def encoder(tiny: Path) -> Encoder:
    return Encoder(tiny, tiny)


def config_with(**given: object) -> TrainConfig:
    form = {"data": [{"path": "x"}], "base": "b", "out": "o", **given}
    return TrainConfig.model_validate(form)


def settings_for(**given: object) -> Settings:
    return resolve(config_with(**given), has_chat_template=False)[0]


def prepared_from(
    path: Path, rows: list[dict[str, str]], settings: Settings, encoder: Encoder
) -> Prepared:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return prepare(read_sources([SourceConfig(path=str(path))], seeds=False), settings, encoder)


def row(instruction: str, output: str = "Y", text: str = "") -> dict[str, str]:
    return {"instruction": instruction, "input": text, "output": output}


def test_what_is_left_out_is_listed_by_reason(tmp_path: Path, encoder: Encoder) -> None:
    rows = [
        row("Name a cat."),
        row("Name a dog."),
        row("Name a cat.  "),
        row("End <|endoftext|> it."),
        row("Say " + "much " * 200),
    ]
    found = prepared_from(tmp_path / "r", rows, settings_for(encoding="plain"), encoder)
    assert len(found.rows) == 2 and found.record_count == 5
    assert Counter(one.reason for one in found.left_out) == {
        "duplicate": 1,
        "special_token": 1,
        "too_long": 1,
    }
    assert found.longest == max(len(one.input_ids) for one in found.rows) <= 128


def test_the_given_limit_counts_below_the_context(tmp_path: Path, encoder: Encoder) -> None:
    rows = [row("Name a cat."), row("Name a dog."), row("Name " + "a very " * 20 + "old dog.")]
    settings = settings_for(encoding="plain", max_tokens=20)
    assert len(prepared_from(tmp_path / "r", rows, settings, encoder).rows) == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no record to train on"),
        ([row("Name a cat.")], "one record to train on"),
        ([row("Name a cat."), row("Name a cat.")], "one record.*left out: duplicate"),
        ([row("x" * 2000), row("y" * 2000)], "no record.*left out: too_long"),
    ],
)
def test_empty_and_one_row_training_sets_are_refused(
    tmp_path: Path, encoder: Encoder, rows: list[dict[str, str]], message: str
) -> None:
    for encoding in ("plain", "task+plain"):  # the latter makes two texts of each record
        with pytest.raises(InputError, match=message):
            prepared_from(tmp_path / "r", rows, settings_for(encoding=encoding), encoder)


def test_human_records_win_over_equal_machine_records(tmp_path: Path, encoder: Encoder) -> None:
    for name, rows in (("machine", ["a", "b", "c"]), ("human", ["b", "d"])):
        lines = [json.dumps(row(f"Name the letter {text}.")) + "\n" for text in rows]
        (tmp_path / name).write_text("".join(lines))
    configs = [
        SourceConfig(path=str(tmp_path / "machine")),
        SourceConfig(path=str(tmp_path / "human"), origin="human"),
    ]
    settings = settings_for(encoding="plain", human_share=0.5)
    found = prepare(read_sources(configs, seeds=False), settings, encoder)
    by_origin = {share.origin: share for share in found.shares}
    assert (by_origin["human"].distinct_rows, by_origin["machine"].distinct_rows) == (2, 2)
    assert by_origin["human"].share == pytest.approx(0.5, abs=0.2)


def test_the_same_seed_gives_the_same_rows(tmp_path: Path, encoder: Encoder) -> None:
    rows = [row(f"Name the letter {text}.") for text in "abcdefgh"]

    def made(seed: int) -> object:
        return prepared_from(tmp_path / "r", rows, settings_for(seed=seed), encoder).rows

    assert made(0) == made(0) != made(1)


def test_every_value_has_a_source_and_presets_give_the_published_ones() -> None:
    for preset in ("default", "paper", "lab"):
        for method in ("full", "lora"):
            for has_template in (True, False):
                config = config_with(preset=preset, method=method)
                settings, sources = resolve(config, has_chat_template=has_template)
                assert set(sources) == set(settings.as_record())
                assert all(sources.values())
    lab = settings_for(preset="lab")
    assert (lab.learning_rate, lab.warmup_steps, lab.schedule) == (1e-3, 10, "linear")
    assert (lab.batch_size, lab.epochs, lab.encoding) == (16, 3.0, "task+plain")
    paper = settings_for(preset="paper")
    assert (paper.epochs, paper.strip_field_names, paper.encoding) == (2.0, True, "published")
    assert resolve(config_with(), has_chat_template=True)[0].encoding == "chat"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strip_field_names": True}, "`strip_field_names` is on in preset `default`"),
        ({"lora_rank": 4}, "`lora_rank` is given, and the method is `full`"),
        ({"batch_size": 10, "micro_batch_size": 4}, "not a multiple"),
    ],
)
def test_values_that_contradict_each_other_are_refused(
    given: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        settings_for(**given)
