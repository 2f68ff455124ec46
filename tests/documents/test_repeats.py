"""Claim: of equal texts and own ids the first is a document, and memory hardly grows with them."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

from selfsown.documents.document import Document, Unread, content_id
from selfsown.documents.repeats import without_repeats


def documents(count: int, seed: int = 0) -> Iterator[Document]:
    """Documents of which about every third repeats an earlier text or id."""
    rng = random.Random(seed)
    for number in range(count):
        text = f'text {rng.randrange(3 * count)} \n"quoted"'
        own = rng.random() < 0.5
        name = f"own {rng.randrange(3 * count)}" if own else content_id(text)
        yield Document(name, text, f"file {number}")


def test_repeats_are_those_that_a_dictionary_finds() -> None:
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    found = list(without_repeats(documents(9_000)))
    assert {one.reason for one in found if isinstance(one, Unread)} == {"duplicate", "duplicate_id"}
    for given, one in zip(documents(9_000), found, strict=True):
        if given.text in texts:
            assert one == Unread(
                given.source, "duplicate", f"its text is that of `{texts[given.text]}`"
            )
            continue
        texts[given.text] = given.source
        if given.id != content_id(given.text) and given.id in ids:
            assert isinstance(one, Unread) and one.reason == "duplicate_id"
            assert one.detail.endswith(f"`{ids[given.id]}`")
            continue
        if given.id != content_id(given.text):
            ids[given.id] = given.source
        assert one is given or one == given


def test_memory_is_a_few_dozen_bytes_a_document() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in without_repeats(documents(count)):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(6_000) - peak(1_000) < 5_000 * 120  # twice the tables while one is made larger
