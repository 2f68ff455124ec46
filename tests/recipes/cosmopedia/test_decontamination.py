"""Claim: nothing that an evaluation asks comes in or goes out (cosmopedia.md, check 8.5)."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.recipes.cosmopedia.scribe import WORDS, asked, digests, documents, ends, grow, text_of

from selfsown.core.errors import CheckFailed, ConfigError
from selfsown.core.request import Request
from selfsown.curate.decontaminate import DecontaminationIndex, Item
from selfsown.curate.index_file import write_index

WHOLE = (
    "Which of these gases do the leaves of green plants take in from the air around them by day"
    " when the sun is high, and what do they give back to it in the hours before the night falls"
)
OTHER = "A train leaves the old station at noon and rides along the coast for three hours straight"
SHORT = "what metal melts in a warm hand"  # 7 words
EIGHT = "who painted the blue horses on the hill"  # 8 words
FIELD = "why is it so"  # 4 words: only where it is all that a field says


def altered(share: float) -> str:
    """The item with so much of its end replaced by letters that it does not have."""
    kept = round(len(WHOLE) * (1 - share))
    rng = Random(7)
    return WHOLE[:kept] + "".join(rng.choice("zqxj ") for _ in WHOLE[kept:])


def ten_words_of(item: str) -> str:
    return " ".join(item.split()[4:14])


PLANTED = {
    "verbatim": (f"We ask: {WHOLE}?", True),
    "in capitals": (WHOLE.upper(), True),
    "40 % altered": (altered(0.4), True),
    "60 % altered": (altered(0.6), False),
    "one 10-gram": (f"They said {ten_words_of(WHOLE)} and went home.", False),
    "8 tokens": (f"Tell me, {EIGHT}, if you can.", True),
    "8 tokens, apart": ("Who painted the hill? The blue horses are on it.", False),
    "7 tokens": (f"And {SHORT.title()}?", True),
    "two items": (f"{OTHER}. Then: {EIGHT}?", True),
    "4 tokens within": ("Nobody knows why is it so cold here.", False),
    "nothing": ("The kiln has to be dry before it is lit.", False),
}


@pytest.fixture
def index(tmp_path: Path) -> str:
    items = DecontaminationIndex()
    for name, text in (("w", WHOLE), ("o", OTHER), ("s", SHORT), ("e", EIGHT), ("f", FIELD)):
        items.add(Item("quiz", name, "question", text))
    path = tmp_path / "quiz.index"
    write_index(path, items.own)
    return str(path)


def around(planted: str, key: str) -> str:
    """Something planted among words that no item has."""
    rng = Random(key)
    before, after = (" ".join(rng.choice(WORDS) for _ in range(40)) for _ in range(2))
    return f"{before.capitalize()}. {planted} {after}."


def test_the_verdict_on_every_kind_of_seed_is_the_expected_one_twice(
    tmp_path: Path, index: str
) -> None:
    rows: list[dict[str, Any]] = [
        {"id": name, "text": around(planted, name)} for name, (planted, _) in PLANTED.items()
    ]
    runs = [grow(tmp_path / name, rows, benchmarks=[index]) for name in ("one", "two")]
    result, model = runs[0]
    dropped = {str(line["record"]["id"]) for line in result.rejected}  # type: ignore[index,call-overload]
    assert dropped == {name for name, (_, is_dropped) in PLANTED.items() if is_dropped}
    assert ends(result, "documents")["rejected"] == {"benchmark_overlap": len(dropped)}
    assert model.call_count == len(PLANTED) - len(dropped)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_both_items_of_a_document_are_told_apart() -> None:
    items = DecontaminationIndex()
    for name, text in (("w", WHOLE), ("o", OTHER), ("e", EIGHT)):
        items.add(Item("quiz", name, "question", text))
    found = items.overlaps(around(PLANTED["two items"][0], "x"))
    assert {one.item for one in found} == {"o", "e"}


def test_a_text_that_repeats_an_item_is_rejected(tmp_path: Path, index: str) -> None:
    def leaking(request: Request, seed: int) -> str:
        text = text_of(asked(request))
        return f"{text} {OTHER}." if "Number 1." in asked(request) else text

    result, _ = grow(tmp_path / "run", documents(3), leaking, benchmarks=[index])
    assert ends(result, "documents")["rejected"] == {}
    assert ends(result, "texts")["rejected"] == {"benchmark_overlap": 1}


def test_a_prompt_that_repeats_an_item_is_never_asked(tmp_path: Path, index: str) -> None:
    rows = documents(3)
    rows[1]["topic"] = EIGHT
    result, model = grow(tmp_path / "run", rows, benchmarks=[index], topic_share=1.0)
    assert ends(result, "texts")["rejected"] == {"prompt_overlap": 1}
    assert not any(EIGHT in asked(request) for request in model.requests)


def test_a_benchmark_without_an_index_stops_the_run_before_a_call(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="no index of `mmlu`"):
        grow(tmp_path / "run", documents(1), benchmarks=["mmlu"])


def test_the_filter_of_benchmarks_is_an_option_of_its_own(tmp_path: Path, index: str) -> None:
    with pytest.raises(ConfigError, match="looks at extracts or texts alone"):
        grow(tmp_path / "run", documents(1), filters={"benchmark_overlap": {"indexes": [index]}})
