"""Claim: the lab is a world of the loops: models are really trained, on their documents alone."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice

import pytest

pytest.importorskip("transformers", reason="needs the `local` extra")

from selfsown.core.errors import MissingExtra
from selfsown.guard.simulate.loops import run_arms
from selfsown.loop.lab_loops import ARMS, LAB
from selfsown.loop.lab_world import LENGTH, ROWS, LabWorld


@pytest.fixture(scope="module")
def world() -> LabWorld:
    return LabWorld(0, batch=64, steps=30, width=32)


def test_a_model_is_a_function_of_its_documents_and_the_seed(world: LabWorld) -> None:
    documents = world.human(64, draw=0)
    one, same = world.fit(documents), world.fit(documents)
    other = world.fit(world.human(64, draw=1))
    texts = [world.sample(model, 8, 1.0, draw=3) for model in (one, same, other)]
    assert texts[0] == texts[1] != texts[2]
    assert world.sample(one, 8, 1.0, draw=4) != texts[0]
    assert world.measure(documents, one) == world.measure(documents, same)


def test_training_lowers_the_loss_on_human_text(world: LabWorld) -> None:
    untrained = LabWorld(0, batch=64, steps=0, width=32)
    documents = world.human(64, draw=0)
    before = untrained.measure(documents, untrained.fit(documents))
    after = world.measure(documents, world.fit(documents))
    assert before["nll"] == pytest.approx(7.62, abs=0.15)  # ln 2048: it knows nothing
    assert after["nll"] < before["nll"] - 1.5
    assert {**after, "nll": 0} == {**before, "nll": 0}
    narrow = world.fit(["Give the capital of the country."] * 64)
    assert world.measure(documents, narrow)["nll"] > after["nll"] + 0.5


def test_human_documents_are_tasks_and_repeated_ones_are_not_diverse(world: LabWorld) -> None:
    model = world.fit(world.human(64, draw=0))
    human = world.measure(world.human(64, draw=5), model)
    repeated = world.measure(["Give the capital of the country."] * 64, model)
    assert human["tasks"] == repeated["tasks"] == 1.0
    assert world.measure(["no task of it"] * 64, model)["tasks"] == 0.0
    # 64 times 6 words are fewer than 8 per document, so all count: 5 pairs of 320.
    assert repeated["distinct_2"] == pytest.approx(5 / 320)
    assert repeated["unique_share"] == 1 / 64
    for name in ("distinct_2", "entropy_2", "rare_recall", "unique_share"):
        assert human[name] > repeated[name]
    for name in ("missing_mass", "compression_ratio"):
        assert human[name] < repeated[name]


def test_an_epoch_holds_every_document_once(world: LabWorld) -> None:
    rows = [[0, n, 0] for n in range(5 * ROWS + 3)]
    epoch = [row for batch in islice(world._batches(rows), 6) for row in batch]
    assert Counter(row[1] for row in epoch) == dict.fromkeys(range(len(rows)), 1)


def test_documents_that_do_not_end_are_cut_off(world: LabWorld) -> None:
    untrained = LabWorld(0, batch=8, steps=0, width=32)
    texts = untrained.sample(untrained.fit([]), 4, 1.0, draw=0)
    lengths = [len(one.ids) for one in untrained._tokenizer.encode_batch(texts)]
    assert len(texts) == 4 and max(lengths) > LENGTH // 2


def test_all_loops_begin_with_the_same_generation() -> None:
    found = run_arms(LabWorld(1, batch=24, steps=4, width=32), ARMS, rounds=1)
    assert list(found) == [arm.name for arm in ARMS]
    assert len({rounds[0]["nll"] for rounds in found.values()}) == 1
    assert len({rounds[1]["nll"] for rounds in found.values()}) == len(ARMS)
    assert found["replace, T=1"][0] != found["replace, T=.8"][0]
    assert {plot.metric for plot in LAB.plots} <= set(found["replace, T=1"][0])
    LAB.orderings(found)  # states something about every arm


def test_without_torch_the_world_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match="torch"):
        LabWorld()
