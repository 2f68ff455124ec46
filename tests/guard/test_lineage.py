"""Depth and human share are counted from provenance rows, as on paper."""

from __future__ import annotations

import pytest

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.guard.lineage import Lineage, TrainedRow, Training


def row(name: str, model: str, parents: list[str], **extra: JSON) -> dict[str, JSON]:
    return {
        "id": name,
        "origin": "model",
        "models": {"generator": model},
        "parents": parents,
        "model_depth": 0,
        **extra,
    }


ROWS = [
    row("a1", "base", ["seed:s1"]),  # round 0
    row("a2", "base", ["a1", "seed:s2"]),
    row("b1", "m1", ["a2"]),  # round 1: m1 was trained on s1, a1, a2
    row("c1", "m2", ["seed:s1"]),  # round 2: m2 on a1, b1
    row("d1", "m3", ["c1"]),  # round 3: m3 only on seeds
    row("d2", "m4", ["c1", "b1"]),  # round 3: m4 on everything so far
]
TRAININGS = [
    Training("m1", [TrainedRow("s1", 10), TrainedRow("a1", 10), TrainedRow("a2", 10)]),
    Training("m2", [TrainedRow("a1", 10), TrainedRow("b1", 10)]),
    Training("m3", [TrainedRow("seed:s1", 10), TrainedRow("s2", 10)]),
    Training("m4", [TrainedRow(name, 10) for name in ("s1", "a1", "a2", "b1", "c1")]),
]
LINEAGE = Lineage(ROWS, ["s1", "s2"], TRAININGS)


@pytest.mark.parametrize(
    ("name", "model_depth", "parent_depth"),
    [
        ("s1", 0, 0),
        ("a1", 0, 1),  # the base was trained on no machine data of ours
        ("a2", 0, 2),
        ("b1", 1, 3),  # 1 + depth of a1, a2
        ("c1", 2, 1),  # 1 + depth of b1; its only parent is a seed
        ("d1", 0, 2),  # m3 saw human rows only
        ("d2", 3, 4),  # 1 + depth of c1; longest chain s1 a1 a2 b1 d2
    ],
)
def test_depths_on_a_graph_of_four_rounds(name: str, model_depth: int, parent_depth: int) -> None:
    assert LINEAGE.model_depth(name) == model_depth
    assert LINEAGE.parent_depth(name) == parent_depth


def test_maximum_and_mean_are_over_the_given_rows() -> None:
    found = LINEAGE.depths(["a1", "b1", "d2"])
    assert (found.model_depth_max, found.model_depth_mean) == (3, pytest.approx(4 / 3))
    assert (found.parent_depth_max, found.parent_depth_mean) == (4, pytest.approx(8 / 3))
    assert LINEAGE.depths([]).model_depth_max == 0


def test_human_share_counts_tokens_times_epochs() -> None:
    rows = [
        TrainedRow("seed:s1", 100, epochs=4),
        TrainedRow("s2", 50, epochs=4),
        TrainedRow("a1", 300, epochs=2),
        TrainedRow("b1", 200, epochs=2),
    ]
    found = LINEAGE.mixture(rows, earlier=[TrainedRow("s1", 100)])
    # Human 150 x 4 = 600 of 600 + 500 x 2 = 1,600; rows 8 of 12.
    assert found.human_token_share == pytest.approx(600 / 1600)
    assert found.human_row_share == pytest.approx(8 / 12)
    assert (found.human_rows, found.human_tokens, found.fresh_rows) == (2, 150, 1)
    assert (found.synth_rows_by_depth, found.synth_tokens) == ({0: 1, 1: 1}, 500)


def test_rows_without_provenance_count_as_machine_made() -> None:
    lineage = Lineage(ROWS, ["s1"], [Training("m5", [TrainedRow("web", 5)])])
    found = lineage.mixture([TrainedRow("s1", 10), TrainedRow("web", 30)])
    assert (found.unknown_rows, found.unknown_tokens, found.synth_rows) == (1, 30, 1)
    assert found.human_token_share == pytest.approx(0.25)
    written = Lineage([row("e1", "m5", [])], [], [Training("m5", [TrainedRow("web", 5)])])
    assert written.model_depth("e1") == 1


def test_a_model_that_no_training_names_keeps_the_stamped_depth() -> None:
    assert Lineage([row("x", "elsewhere", [], model_depth=2)]).model_depth("x") == 2


def test_a_row_declared_human_by_provenance_is_human() -> None:
    human: dict[str, JSON] = {"id": "h", "origin": "human", "models": {}, "parents": []}
    assert Lineage([human]).origin("h") == "human"
    assert Lineage([human]).origin("other") == "unknown"


def test_a_circle_of_parents_or_of_trainings_is_refused() -> None:
    with pytest.raises(InputError, match="its own ancestors"):
        Lineage([row("x", "m", ["y"]), row("y", "m", ["x"])]).parent_depth("x")
    with pytest.raises(InputError, match="wrote itself"):
        Lineage([row("x", "m", [])], [], [Training("m", [TrainedRow("x", 1)])]).model_depth("x")


def test_a_long_chain_of_parents_needs_no_deep_stack() -> None:
    rows = [row(f"r{n}", "m", [f"r{n - 1}"] if n else []) for n in range(5000)]
    assert Lineage(rows).parent_depth("r4999") == 4999


def test_an_empty_mixture_has_no_human_share() -> None:
    assert LINEAGE.mixture([]).human_token_share == 0.0
