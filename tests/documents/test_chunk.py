"""Claim: chunks are the document again, in order and under the limit, cut where its structure says.

wrap.md 8.1.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.documents.blocks import blocks
from selfsown.documents.chunk import Chunk, chunk
from selfsown.documents.tokens import count_tokens

PARTS = (
    "# A heading\n", "Title\n=====\n", "One sentence. Another one! ", "word ", "\n", "\n\n",
    "- item\n", "  more of it\n", "1. first\n", "| a | b |\n", "|---|---|\n",
    "    code()\n", "```\n", "~~~\n",
    "+---+\n", "x" * 70, "Dr. Who said e.g. this. ", "\r\n", "\u2028", "\t", "日本語の文。",
    "e\u0301" * 20, "\U0001f469\u200d\U0001f52c", "\x0c",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS) | st.text(max_size=9), max_size=40).map("".join)
COUNTERS = {
    "estimate": count_tokens,
    "words": lambda text: len(text.split()),
    "signs": len,
    "more joined than apart": lambda text: len(text) ** 2 // 64 + 1,
    "nothing": lambda text: 0,
}


def cut(text: str, limit: int) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in chunk(text, limit)]


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(1, 60), st.sampled_from(sorted(COUNTERS)))
def test_chunks_reassemble_exactly_and_keep_order_and_limit(
    text: str, limit: int, name: str
) -> None:
    count = COUNTERS[name]
    found = chunk(text, limit, count)
    assert "".join(text[one.start : one.end] for one in found) == text
    assert [one.index for one in found] == list(range(len(found)))
    assert all(one.start < one.end for one in found)
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]
    for one in found:
        assert one.n_tokens == count(text[one.start : one.end])
        assert one.n_tokens <= limit or one.end - one.start == 1


def test_an_empty_text_has_no_chunk_and_a_blank_one_is_kept() -> None:
    assert chunk("") == []
    assert chunk(" \n\n ") == [Chunk(0, 0, 4, "prose", 1)]


def test_a_sentence_of_ten_thousand_words_is_cut_at_words_and_nothing_is_dropped() -> None:
    text = "word " * 10_000
    found = chunk(text, 300)
    assert "".join(text[one.start : one.end] for one in found) == text
    assert all(text[one.start : one.end].startswith("word") for one in found)
    assert all(one.n_tokens <= 300 for one in found)
    assert len(found) == -(-len(text) // (300 * 4))  # as full as can be


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("prose", "A paragraph of one line\nand another line."),
        ("list", "- one\n- two\n\n- three\n  and more"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("code", "```py\nx = 1\n\n# no heading\n```"),
        ("code", "    x = 1\n\n    y = 2"),
    ],
)
def test_blocks_that_fit_are_kept_whole(kind: str, block: str) -> None:
    text = f"First. {'Some words. ' * 9}\n\n{block}\n\nLast. {'Other words. ' * 9}"
    limit = max(28, count_tokens(block + "\n\n"))
    whole = [(k, piece) for k, piece in cut(text, limit) if block in piece]
    assert len(whole) == 1
    assert whole[0][0] in (kind, "prose" if kind == "list" else kind)  # lists share with prose


def test_headings_stay_with_what_follows() -> None:
    text = "Words before it. " * 3 + "\n\n# Name\n\nUnder it\n-------\n\nThe text of the section."
    pieces = [piece for _, piece in cut(text, 16)]
    assert pieces[-1].startswith("# Name")
    assert pieces[-1].endswith("section.")
    assert cut("text\n\n# End", 300) == [("prose", "text\n\n# End")]
    assert cut("# Only", 300) == [("heading", "# Only")]


def test_paragraphs_over_the_limit_are_cut_at_sentences_and_not_at_abbreviations() -> None:
    text = (
        "Dr. A. Smith left at 3.5 p.m. today. He was tired, e.g. of it! Was he? “Yes.” And so on."
    )
    assert [piece for _, piece in cut(text, 10)] == [
        "Dr. A. Smith left at 3.5 p.m. today. ",
        "He was tired, e.g. of it! Was he? ",
        "“Yes.” And so on.",
    ]


@pytest.mark.parametrize(
    "hostile",
    ["a" * 10**6, "." * 10**6, ".'" * 300_000, " " * 10**6, "# a\n" * 60_000, "|-" * 400_000],
    ids=["letters", "stops", "quotes", "blanks", "headings", "rules"],
)  # fmt: skip
def test_hostile_texts_are_cut_in_linear_time(hostile: str) -> None:
    begun = time.process_time()
    found = chunk(hostile, 300)
    assert sum(one.end - one.start for one in found) == len(hostile)
    assert time.process_time() - begun < 5


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="chunk limit of 0"):
        chunk("text", 0)


INDENTED = """\
=====
Title
=====

    A whole text may be set in by four blanks, as pages of manuals are. It is prose, since it
    is made of sentences with few signs in them.

    x = [f(1), {"a": 2}]

    After the example it goes on with more sentences, which are as plain as those before it.

Use it so::

   x = 1

.. code-block:: python

   y = 2

It was in the year
1999. Then came another.
"""


def test_what_is_set_in_is_code_only_if_it_does_not_read_like_prose() -> None:
    found = [(one.kind, INDENTED[one.start : one.end].split()[0]) for one in blocks(INDENTED)]
    assert found == [
        ("heading", "====="), ("prose", "A"), ("code", "x"), ("prose", "After"), ("prose", "Use"),
        ("code", "x"), ("prose", ".."), ("code", "y"), ("prose", "It"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "most"), [("# a\n" * 9_000 + "b\n\n" * 9_000, 20), ("a\n" * 20_000, 50)]
)
def test_a_text_of_many_short_lines_takes_little_memory(text: str, most: int) -> None:
    tracemalloc.start()
    found = chunk(text)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(one.end - one.start for one in found) == len(text)
    assert used < most * len(text)
