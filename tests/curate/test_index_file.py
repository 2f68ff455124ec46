"""Claim: an index file answers as the index in memory does, and is refused when it was changed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import InputError
from selfsown.curate.decontaminate import DecontaminationIndex, Item
from selfsown.curate.index_file import IndexFile, write_index

WORD = st.sampled_from(["the", "red", "fox", "sat", "été", "日本", "3", "½", "\ud800", "?"])
TEXT = st.lists(WORD, max_size=14).map(" ".join)
ITEM = st.tuples(st.sampled_from(["mmlu", "arc"]), TEXT, st.booleans())


def index_of(items: list[tuple[str, str, bool]], **settings: float) -> DecontaminationIndex:
    index = DecontaminationIndex(**settings)  # type: ignore[arg-type]
    for number, (benchmark, text, is_whole) in enumerate(items):
        index.add(Item(benchmark, str(number), "question", text, is_whole))
    return index


def opened(path: Path, index: DecontaminationIndex) -> DecontaminationIndex:
    write_index(path, index.own)
    return DecontaminationIndex(stores=[IndexFile(path)])


@settings(max_examples=300, deadline=None)
@given(st.lists(ITEM, max_size=12), TEXT, TEXT, st.integers(0, 11), st.sampled_from([5, 7, 10]))
def test_answers_are_those_of_the_index_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    items: list[tuple[str, str, bool]],
    before: str,
    after: str,
    chosen: int,
    ngram: int,
) -> None:
    memory = index_of(items, ngram=ngram, threshold=0.4)
    file = opened(tmp_path_factory.mktemp("index") / "x.index", memory)
    copied = items[chosen % len(items)][1] if items else ""
    for text in (before, copied, f"{before} {copied} {after}", f"{copied[:-3]} {after}"):
        assert file.overlaps(text, [copied, after]) == memory.overlaps(text, [copied, after])
    assert file.benchmarks == memory.benchmarks


def large() -> DecontaminationIndex:
    rng = random.Random(3)
    words = [f"w{n}" for n in range(400)]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 40))) for _ in range(3000)]
    return index_of([("bench", text, False) for text in texts])


def test_every_one_of_many_items_is_found_in_the_file(tmp_path: Path) -> None:
    memory = large()
    file = opened(tmp_path / "x.index", memory)
    for number, (item, _) in enumerate(memory.own.items):
        found = file.overlaps(f"{item.text}")
        assert str(number) in [one.item for one in found]
    rng = random.Random(4)
    for _ in range(300):
        text = " ".join(f"w{rng.randrange(400)}" for _ in range(80))
        assert file.overlaps(text) == memory.overlaps(text)


def test_the_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from test_index_file import large\n"
        "from selfsown.curate.index_file import write_index\n"
        "write_index(Path(sys.argv[2]), large().own)"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / seed)],
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_several_files_and_items_in_memory_are_one_index(tmp_path: Path) -> None:
    question = "which of these three rivers flows through the city of vienna today"
    write_index(tmp_path / "1", index_of([("arc", question, False)]).own)
    one = IndexFile(tmp_path / "1")
    both = DecontaminationIndex(stores=[one])
    both.add(Item("mine", "0", "question", "name a river"))
    assert both.benchmarks == {"arc": 1, "mine": 1}
    found = both.overlaps(f"{question}\nname a river", ["name a river"])
    assert [(one.benchmark, one.how) for one in found] == [("arc", "contained"), ("mine", "equal")]


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    write_index(path, index_of([("arc", "name a river of europe please", False)]).own)
    good = path.read_bytes()
    end = good.index(b"\n")
    for position in range(len(good)):
        if good[position] == 32 and position < end:
            continue  # the padding of the first line
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(InputError):
            IndexFile(path)
    for length in (0, 10, end, end + 1, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(InputError):
            IndexFile(path)


def test_what_is_no_index_or_of_another_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    with pytest.raises(InputError, match="cannot be read"):
        IndexFile(path)
    path.write_text('{"id": 1}\n')
    with pytest.raises(InputError, match="is no decontamination index"):
        IndexFile(path)
    write_index(path, index_of([]).own)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2'))
    with pytest.raises(InputError, match="has version 2"):
        IndexFile(path)
