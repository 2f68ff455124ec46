"""Claim: styles and audiences are in balance within each topic, and what is missing is said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

from tests.recipes.cosmopedia.scribe import asked, documents, ends, grow, told

from selfsown.core.request import Request
from selfsown.offline import replay
from selfsown.recipes.cosmopedia.cells import Cells
from selfsown.recipes.cosmopedia.registry import Cell, registry

THREE = (Cell("a", "x", 0.5), Cell("b", "x", 0.25), Cell("c", "x", 0.25))
ALL = registry({}, {}, None).cells({}, {})


def cells(of: tuple[Cell, ...] = THREE, quota: int | None = None) -> Cells:
    return Cells(of, quota, lambda topic: Random(topic))


def asked_for(state: Cells, topic: str, count: int, *, good: bool = True) -> Counter[int]:
    """How often each cell is chosen when texts end at once, all kept or none."""
    found: Counter[int] = Counter()
    for _ in range(count):
        for number in state.choose(topic, 1):
            state.begin(topic, number)
            state.end(topic, number, is_kept=good)
            found[number] += 1
    return found


def test_every_cell_has_its_share_at_every_moment() -> None:
    state = cells()
    for steps in range(1, 40):
        got = asked_for(state, "t", 4)
        assert got == {0: 2, 1: 1, 2: 1}, steps


def test_topics_with_one_document_each_are_in_balance_among_themselves() -> None:
    state = cells(ALL)
    first = Counter(next(iter(asked_for(state, f"t{n}", 1))) for n in range(4_000))
    for number, cell in enumerate(ALL):
        assert 0.5 < first[number] / (4_000 * cell.share) < 1.6, cell


def test_a_cell_whose_texts_are_lost_gets_at_most_twice_its_share() -> None:
    state = cells()
    found: Counter[int] = Counter()
    for _ in range(2_000):
        (number,) = state.choose("t", 1)
        state.begin("t", number)
        state.end("t", number, is_kept=number != 0)
        found[number] += 1
    assert 1_200 < found[0] < 1_400  # 2 x 0.5 : 0.25 : 0.25, so two thirds
    assert abs(found[1] - found[2]) <= 1


def test_texts_of_one_document_are_of_different_cells() -> None:
    assert sorted(cells().choose("t", 5)) == [0, 1, 2]


def test_a_quota_holds_by_share_and_what_is_missing_is_listed() -> None:
    state = cells(quota=4)
    assert asked_for(state, "t", 100) == {0: 6, 1: 3, 2: 3}
    assert not state.choose("t", 1) and not state.may_open("t")
    assert state.note()["short_texts"] == 0
    asked_for(state, "u", 2)
    note = state.note()
    assert (note["topics"], note["short_cells"], note["short_texts"]) == (2, 3, 10)
    assert {"topic": "u", "style": "a", "audience": "x", "wanted": 6, "asked": 1, "kept": 1,
            "missing": 5} in note["short"]  # type: ignore[operator]  # fmt: skip


def test_a_run_fills_its_quotas_although_texts_are_lost_and_says_what_is_short(
    tmp_path: Path,
) -> None:
    def lossy(request: Request, seed: int) -> str:
        """Every third text is too short."""
        text = told(request, seed)
        return text if len(asked(request)) % 3 else text[:90]

    rows = [
        *({**row, "topic": "rivers"} for row in documents(40)),
        *({**row, "topic": "kilns"} for row in documents(42)[40:]),
    ]
    options = {"audiences": ["general"], "quota": 5, "ahead": 16}
    result, _ = grow(tmp_path / "run", rows, lossy, **options)
    kept = Counter((record["topic"], record["style"]) for record in result.accepted)
    assert kept["rivers", "blog_post"] == kept["rivers", "how_to"] == 5
    note = result.manifest["data"]["notes"]["cells"]
    assert {short["topic"] for short in note["short"]} == {"kilns"}
    assert note["short_texts"] == 10 - kept["kilns", "blog_post"] - kept["kilns", "how_to"]
    lost = ends(result, "texts")["rejected"]["too_short"]
    assert ends(result, "documents")["rejected"]["quota"] == 42 - 10 - lost - (kept.total() - 10)
    assert replay(tmp_path / "run").identical
