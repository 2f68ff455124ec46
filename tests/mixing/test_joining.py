"""Claim: chunks come back in the order of their document, and what is missing is told."""

from __future__ import annotations

import random
from pathlib import Path

from selfsown.core.token_counts import estimate_tokens
from selfsown.mixing.joining import Hole, Joiner
from selfsown.mixing.units import Kind, Passage, Unit


def passage(
    doc: str,
    index: int,
    text: str,
    *,
    style: str = "easy",
    count: int = 0,
    kind: Kind = "synthetic",
) -> Passage:
    depth = 1 if kind == "synthetic" else 0
    unit = Unit(f"r-{doc}-{style}-{index}-{text}", doc, kind, text, 1, depth)
    return Passage(unit, style, index, count)


def joined(place: Path, passages: list[Passage]) -> tuple[dict[str, Unit], list[Hole]]:
    joiner = Joiner("easy", estimate_tokens, place / "joins", memory_bytes=500)
    for one in passages:
        joiner.add(one)
    found = list(joiner)
    return {unit.id: unit for unit, _ in found}, [hole for _, hole in found if hole]


def test_chunks_are_joined_in_order_whatever_order_they_come_in(tmp_path: Path) -> None:
    passages = [
        passage(f"d{doc}", index, f"d{doc} part {index}.", count=12)
        for doc in range(5)
        for index in range(12)
    ]
    random.Random(3).shuffle(passages)
    texts, holes = joined(tmp_path, passages)
    assert not holes and sorted(texts) == [f"d{doc}:easy" for doc in range(5)]
    expected = "\n\n".join(f"d3 part {index}." for index in range(12))
    unit = texts["d3:easy"]
    assert unit.text == expected and unit.tokens == estimate_tokens(expected)
    assert unit.doc_id == "d3" and len(unit.parents) == 12 and unit.model_depth == 1


def test_holes_are_listed_also_at_the_end(tmp_path: Path) -> None:
    texts, holes = joined(
        tmp_path,
        [passage("d", 0, "a", count=5), passage("d", 2, "c", count=5), passage("d", 3, "d")],
    )
    assert texts["d:easy"].text == "a\n\nc\n\nd"
    assert [(hole.chunks, hole.missing) for hole in holes] == [(5, (1, 4))]


def test_each_style_and_each_second_answer_is_a_text_of_its_own(tmp_path: Path) -> None:
    texts, holes = joined(
        tmp_path,
        [
            passage("d", 0, "easy 0", count=2),
            passage("d", 1, "easy 1", count=2),
            passage("d", 1, "easy 1 again", count=2),
            passage("d", 0, "hard 0", style="hard", count=2),
            passage("d", 1, "hard 1", style="hard", count=2),
        ],
    )
    assert {name: unit.text for name, unit in texts.items()} == {
        "d:easy": "easy 0\n\neasy 1",
        "d:easy:1": "easy 1 again",
        "d:hard": "hard 0\n\nhard 1",
    }
    assert [(hole.id, hole.missing) for hole in holes] == [("d:easy:1", (0,))]


def test_what_passed_unchanged_is_in_the_text_of_every_style(tmp_path: Path) -> None:
    code = passage("d", 1, "    x = 1\n", style="unchanged", count=2, kind="real")
    texts, holes = joined(
        tmp_path,
        [
            passage("d", 0, "easy 0", count=2),
            passage("d", 0, "hard 0", style="hard", count=2),
            code,
            passage("only", 0, "    y = 2\n", style="unchanged", count=1, kind="real"),
        ],
    )
    assert not holes
    assert {name: (unit.text, unit.kind) for name, unit in texts.items()} == {
        "d:easy": ("easy 0\n\n    x = 1\n", "synthetic"),
        "d:hard": ("hard 0\n\n    x = 1\n", "synthetic"),
        "only:unchanged": ("    y = 2\n", "real"),
    }


def test_blank_lines_that_are_there_are_not_doubled(tmp_path: Path) -> None:
    texts, _ = joined(tmp_path, [passage("d", 0, "a\n"), passage("d", 1, "\nb\n\n"),
                                 passage("d", 2, "c")])  # fmt: skip
    assert texts["d:easy"].text == "a\n\nb\n\nc"
