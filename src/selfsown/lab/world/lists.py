"""Nineteen tasks on lists: order, selection, counting, membership."""

from __future__ import annotations

import random

from selfsown.lab.world.kinds import CATEGORIES, KINDS, SINGULAR, split_list
from selfsown.lab.world.task_table import TaskRow

CATEGORY_NAMES = tuple(SINGULAR)
CONTAINED_WORDS = tuple(
    word for name in ("animals", "colours", "jobs") for word in CATEGORIES[name][:6]
)
"""Words that a list may be asked about."""


def _of(text: str, category: str) -> list[str]:
    return [item for item in split_list(text) if item in CATEGORIES[category]]


def _not_of(text: str, category: str) -> list[str]:
    return [item for item in split_list(text) if item not in CATEGORIES[category]]


def _category_of(word: str) -> str | None:
    return next((name for name, words in CATEGORIES.items() if word in words), None)


def _mixed(rng: random.Random, category: str) -> str:
    """One to three words of the category among one to three of another one."""
    other = rng.choice([name for name in CATEGORIES if name != category])
    items = rng.sample(CATEGORIES[category], rng.choice((1, 2, 2, 3)))
    items += rng.sample(CATEGORIES[other], rng.choice((1, 2, 2)))
    rng.shuffle(items)
    return ", ".join(items)


def _repeated(rng: random.Random, _: str) -> str:
    """Two to four words of which one or two occur twice."""
    words = rng.sample(CATEGORIES[rng.choice(CATEGORY_NAMES)], rng.choice((2, 3, 3)))
    items = words + rng.sample(words, rng.choice((1, 1, 2)))
    rng.shuffle(items)
    return ", ".join(items)


def _one_odd(rng: random.Random, _: str) -> str:
    """Three words of one category and one of another."""
    category, other = rng.sample(CATEGORY_NAMES, 2)
    items = [*rng.sample(CATEGORIES[category], 3), rng.choice(CATEGORIES[other])]
    rng.shuffle(items)
    return ", ".join(items)


def _odd_one(text: str) -> str | None:
    """The single item of another category than all the rest; None if there is no such item."""
    items = split_list(text)
    if len(items) < 3:
        return None
    categories = [_category_of(item) for item in items]
    lonely = [i for i, category in enumerate(categories) if categories.count(category) == 1]
    if None in categories or len(set(categories)) != 2 or len(lonely) != 1:
        return None
    return items[lonely[0]]


def _maybe_containing(rng: random.Random, word: str) -> str:
    """Three or four words of the category of `word`, half of the time with the word."""
    category = _category_of(word)
    assert category is not None
    items = rng.sample([w for w in CATEGORIES[category] if w != word], rng.choice((2, 3)))
    spare = [w for w in CATEGORIES[category] if w != word and w not in items]
    items.append(word if rng.random() < 0.5 else rng.choice(spare))
    rng.shuffle(items)
    return ", ".join(items)


def _different_lengths(rng: random.Random, _: str) -> str:
    while True:
        text = KINDS["items"].sample(rng)
        if _has_unique_extremes(text):
            return text


def _has_unique_extremes(text: str) -> bool:
    """Whether one item is longer and one shorter than all others."""
    lengths = [len(item) for item in split_list(text)]
    return lengths.count(max(lengths)) == 1 and lengths.count(min(lengths)) == 1


def _is_odd_list(text: str, _: str) -> bool:
    return _odd_one(text) is not None


LIST_TASKS: tuple[TaskRow, ...] = (
    TaskRow(
        "sort",
        "items",
        (
            "Sort {the} list in alphabetical order.",
            "Put the words of {the} list into alphabetical order.",
            "Arrange {the} list from A to Z.",
        ),
        lambda t, _: ", ".join(sorted(split_list(t), key=str.lower)),
    ),
    TaskRow(
        "reverse",
        "items",
        (
            "Reverse the order of {the} list.",
            "{v} {the} list from back to front.",
            "Turn {the} list around so that the end comes first.",
        ),
        lambda t, _: ", ".join(reversed(split_list(t))),
    ),
    TaskRow(
        "first_item",
        "items",
        (
            "{v} the first item of {the} list.",
            "Which item comes first in {the} list?",
            "What stands at the beginning of {the} list?",
        ),
        lambda t, _: split_list(t)[0],
    ),
    TaskRow(
        "last_item",
        "items",
        (
            "{v} the last item of {the} list.",
            "Which item comes last in {the} list?",
            "What stands at the end of {the} list?",
        ),
        lambda t, _: split_list(t)[-1],
    ),
    TaskRow(
        "both_ends",
        "items",
        (
            "{v} the first and the last item of {the} list.",
            "Keep only the two ends of {the} list.",
            "Which items stand at the two ends of {the} list?",
        ),
        lambda t, _: f"{split_list(t)[0]}, {split_list(t)[-1]}",
    ),
    TaskRow(
        "drop_first",
        "items",
        (
            "Remove the first item from {the} list.",
            "{v} {the} list without its first item.",
            "Leave out the first item and copy the rest of {the} list.",
        ),
        lambda t, _: ", ".join(split_list(t)[1:]),
    ),
    TaskRow(
        "drop_last",
        "items",
        (
            "Remove the last item from {the} list.",
            "{v} {the} list without its last item.",
            "Leave out the last item and copy the rest of {the} list.",
        ),
        lambda t, _: ", ".join(split_list(t)[:-1]),
    ),
    TaskRow(
        "dedupe",
        "items",
        (
            "Remove the repeated items from {the} list.",
            "{v} every item of {the} list only once.",
            "Clean {the} list of doubles.",
        ),
        lambda t, _: ", ".join(dict.fromkeys(split_list(t))),
        sampler=_repeated,
    ),
    TaskRow(
        "count",
        "items",
        (
            "Count the items of {the} list.",
            "How many items are in {the} list?",
            "{v} the number of items in {the} list.",
        ),
        lambda t, _: str(len(split_list(t))),
    ),
    TaskRow(
        "maximum",
        "numbers",
        (
            "{v} the largest number of {the} list.",
            "Which number in {the} list is the largest?",
            "What is the maximum of {the} numbers?",
        ),
        lambda t, _: str(max(map(int, split_list(t)))),
    ),
    TaskRow(
        "minimum",
        "numbers",
        (
            "{v} the smallest number of {the} list.",
            "Which number in {the} list is the smallest?",
            "What is the minimum of {the} numbers?",
        ),
        lambda t, _: str(min(map(int, split_list(t)))),
    ),
    TaskRow(
        "sort_numbers",
        "numbers",
        (
            "Sort {the} numbers from small to large.",
            "Put {the} numbers into rising order.",
            "{v} {the} numbers again with the smallest one first.",
        ),
        lambda t, _: ", ".join(map(str, sorted(map(int, split_list(t))))),
    ),
    TaskRow(
        "longest",
        "items",
        (
            "{v} the longest word of {the} list.",
            "Which word in {the} list is the longest?",
            "Look for the word with the most letters in {the} list.",
        ),
        lambda t, _: max(split_list(t), key=len),
        sampler=_different_lengths,
        validator=lambda t, _: _has_unique_extremes(t),
    ),
    TaskRow(
        "shortest",
        "items",
        (
            "{v} the shortest word of {the} list.",
            "Which word in {the} list is the shortest?",
            "Look for the word with the fewest letters in {the} list.",
        ),
        lambda t, _: min(split_list(t), key=len),
        sampler=_different_lengths,
        validator=lambda t, _: _has_unique_extremes(t),
    ),
    TaskRow(
        "keep_category",
        "items",
        (
            "{v} only the {x} of {the} list.",
            "Keep the {x} and leave out the rest of {the} list.",
            "Which {x} can you see in {the} list?",
        ),
        lambda t, x: ", ".join(_of(t, x)),
        CATEGORY_NAMES,
        sampler=_mixed,
        validator=lambda t, x: bool(_of(t, x)),
    ),
    TaskRow(
        "remove_category",
        "items",
        (
            "Remove all {x} from {the} list.",
            "{v} {the} list without the {x}.",
            "Copy what is left of {the} list when the {x} are gone.",
        ),
        lambda t, x: ", ".join(_not_of(t, x)),
        CATEGORY_NAMES,
        sampler=_mixed,
        validator=lambda t, x: bool(_not_of(t, x)),
    ),
    TaskRow(
        "count_category",
        "items",
        (
            "Count the {x} in {the} list.",
            "How many {x} are in {the} list?",
            "{v} the number of {x} that stand in {the} list.",
        ),
        lambda t, x: str(len(_of(t, x))),
        CATEGORY_NAMES,
        sampler=_mixed,
    ),
    TaskRow(
        "odd_one_out",
        "items",
        (
            "{v} the item that does not belong in {the} list.",
            "Which item of {the} list is the odd one out?",
            "One item does not fit with the others: which one is it?",
        ),
        lambda t, _: _odd_one(t) or "",
        sampler=_one_odd,
        validator=_is_odd_list,
    ),
    TaskRow(
        "contains",
        "items",
        (
            "Does {the} list contain the word {x}?",
            "Is the word {x} one of the items in {the} list?",
            "Say yes if {x} stands in {the} list and no if it does not.",
        ),
        lambda t, x: "yes" if x in split_list(t) else "no",
        CONTAINED_WORDS,
        is_classification=True,
        sampler=_maybe_containing,
    ),
)
