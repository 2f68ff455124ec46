"""Claim: content alone says what is held out, and what nearly repeats it is found wherever it is.

The split is checked over sets of random texts; the guard with copies that were cut and changed.
"""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.recipes.grounded.scholar import document, documents

from selfsown.documents.document import Document, Unread
from selfsown.recipes.grounded.guard import Guard
from selfsown.recipes.grounded.split import HeldOut, choose_split


def texts(count: int) -> list[Document]:
    return [Document(id=str(k), text=f"text number {k}") for k in range(count)]


def held_out(found: list[Document], options: HeldOut) -> set[str]:
    split = choose_split(found, options)
    return {one.id for one in found if split.is_held_out(one)}


@given(st.permutations(texts(30)), st.integers(0, 5))
def test_neither_order_nor_unread_files_move_a_document(order: list[Document], seed: int) -> None:
    options = HeldOut(share=0.2, seed=seed)
    assert held_out(order, options) == held_out(texts(30), options)
    mixed = [Unread("a", "empty"), *order]
    split = choose_split(mixed, options)
    assert {one.id for one in order if split.is_held_out(one)} == held_out(order, options)


@given(st.integers(2, 40), st.floats(0.001, 0.999), st.integers(0, 20))
def test_of_several_documents_some_are_on_either_side(count: int, share: float, seed: int) -> None:
    found = held_out(texts(count), HeldOut(share=share, seed=seed))
    assert 0 < len(found) < count


def test_the_share_is_kept_within_three_sigma_and_below_the_most() -> None:
    found = texts(4000)
    assert abs(len(held_out(found, HeldOut(share=0.1))) - 400) < 3 * (4000 * 0.1 * 0.9) ** 0.5
    few = held_out(found, HeldOut(share=0.1, most=25))
    assert len(few) == 25 and few < held_out(found, HeldOut(share=0.1))


def test_other_seeds_hold_out_other_documents() -> None:
    assert held_out(texts(200), HeldOut(seed=1)) != held_out(texts(200), HeldOut(seed=2))


def test_equal_texts_are_on_one_side_and_one_text_alone_is_for_training() -> None:
    twins = [Document(id="a", text="one  text"), Document(id="b", text="one\ntext")]
    assert held_out(twins, HeldOut()) == set()
    assert held_out([*twins, *texts(9)], HeldOut(share=0)) == set()
    for seed in range(20):
        found = held_out([*twins, *texts(1)], HeldOut(seed=seed))
        assert found in ({"a", "b"}, {"0"})


def test_copies_are_found_cut_anywhere_and_with_every_tenth_word_changed() -> None:
    held = [document(k, paragraphs=6)["text"] for k in range(5)]
    guard = Guard(held)
    words = held[3].split()
    changed = [word if k % 10 else "otherwise" for k, word in enumerate(words)]
    assert guard.share(held[3]) == 1.0
    assert guard.share(" ".join(words[17:90])) == 1.0
    assert guard.share(" ".join(changed).upper()) > 0.4
    assert guard.share("Quite another text. " + " ".join(words[:60])) > 0.8


def test_other_texts_on_the_same_subject_are_not() -> None:
    guard = Guard(one["text"] for one in documents(50))
    shares = [guard.share(document(k)["text"]) for k in range(100, 150)]
    assert max(shares) < HeldOut().near
    assert Guard().share("no document is held out at all") == 0.0
    shuffled = document(0)["text"].split()
    random.Random(0).shuffle(shuffled)
    assert guard.share(" ".join(shuffled)) == 0.0
