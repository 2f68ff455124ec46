"""Claim: a row is a document or says why it is none; nothing else."""

from __future__ import annotations

import pytest

from selfsown.core.errors import InputError
from selfsown.documents.document import Document, Unread, content_id, document_rows


def test_a_document_is_its_row_again() -> None:
    one = Document("a", "text", "a.txt", "MIT", "text", "A", {"quality": 3, "topic": "t"})
    assert one.row()["quality"] == 3
    assert list(document_rows([one.row()])) == [one]
    gone = Unread("b.pdf", "encrypted", "it asks for a password")
    assert list(document_rows([gone.row()])) == [gone]


def test_a_row_without_an_id_gets_one_of_its_content() -> None:
    first, second = document_rows([{"text": "a", "n": 1}, {"text": "b"}])
    assert isinstance(first, Document) and isinstance(second, Document)
    assert (first.id, second.id) == (content_id("a"), content_id("b"))
    assert first.id != second.id


def test_a_repeated_text_or_id_is_no_second_document() -> None:
    rows = [{"text": "a", "id": "1"}, {"text": "a"}, {"text": "b", "id": "1"}, {"text": "c"}]
    found = list(document_rows(rows))
    assert found[1] == Unread(content_id("a"), "duplicate", "its text is that of document `1`")
    assert found[2] == Unread("1", "duplicate_id", "its id `1` is that of document `1`")
    assert [isinstance(one, Document) for one in found] == [True, False, False, True]


def test_a_row_without_text_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match="row 2 has no text"):
        list(document_rows([{"text": "a"}, {"body": "b"}]))
    assert list(document_rows([{"text": " \n", "source": "a"}])) == [
        Unread("a", "empty", "row 1 has a blank text")
    ]


def test_other_spellings_and_types_of_what_is_known_are_read() -> None:
    (one,) = document_rows([{"text": "a", "id": 7, "license": ["MIT", "BSD"], "title": None}])
    assert one == Document("7", "a", licence="MIT, BSD")
