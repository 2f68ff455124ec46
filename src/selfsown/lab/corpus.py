"""The pretraining corpus: worksheets, lists and facts of the micro-world, streamed from a seed.

A document is a sequence of spans; the spans that answer something carry a weight, since most other
text (which exercise comes next) cannot be predicted. Each sheet has one hidden style for all its
answers: left blank, right and bare, wrapped in words, or wrong. That style is what demonstrations
and tuning select. Bare worksheets never answer at all, so the base model does not either when it is
given a bare instruction. Held-out families and combinations never occur here (`world.splits`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from selfsown.core.randomness import rng_for
from selfsown.lab.layouts import (
    BLANK,
    CLASSIFICATION_HEADERS,
    CLASSIFICATION_LIST_HEADER,
    CLASSIFICATION_QUESTION,
    EXAMPLE_HEADERS,
    FIELD_NAMES,
    LABEL_HEADERS,
    LIST_HEADER,
    LIST_HEADERS,
    LIST_MARKS,
    SHEET_HEADERS,
    STYLE_SHARES,
    WORDY_FRAMES,
)
from selfsown.lab.noise import noisy_line, sloppy_line
from selfsown.lab.world import FAMILIES, Item, sample_instruction, sample_item
from selfsown.lab.world.facts import facts_by_subject, letters_of, spelled_words

ANSWER_WEIGHT = 6
"""Loss weight of answer tokens; measured in `docs/log.md`."""
INPUT_WEIGHT = 2
"""Loss weight of inputs in example sheets: predictable in kind, though not in value."""
LABELLED_INPUT_WEIGHT = 4
"""Loss weight of inputs that must fit a label."""
LIST_WEIGHT = 3
"""Loss weight of instruction lists, whose grammar the recipes depend on."""


class Span(NamedTuple):
    """A piece of a document with the loss weight of its tokens."""

    text: str
    weight: int = 1


Document = list[Span]


def documents(seed: int, start: int = 0) -> Iterator[Document]:
    """An endless stream of documents; document k depends on the seed and k alone.

    Args:
        seed: the data seed.
        start: number of the first document.
    """
    for _, document in documents_by_kind(seed, start):
        yield document


def documents_by_kind(seed: int, start: int = 0) -> Iterator[tuple[str, Document]]:
    """The same stream, each document with its kind: a key of `DOCUMENT_SHARES`."""
    shares = [share for _, share in DOCUMENT_SHARES.values()]
    index = start
    while True:
        rng = rng_for(seed, "lab-corpus", index)
        kind = rng.choices(list(DOCUMENT_SHARES), shares)[0]
        yield kind, DOCUMENT_SHARES[kind][0](rng)
        index += 1


def text_of(document: Document) -> str:
    """The document as plain text."""
    return "".join(span.text for span in document)


def _item(rng: random.Random, families: tuple[str, ...] | None = None) -> Item:
    return sample_item(rng, sample_instruction(rng, "seen", families))


def _sheet_size(rng: random.Random) -> int:
    """Number of blocks: mostly few, one sheet in ten long, so that long prompts are familiar."""
    return rng.randint(12, 20) if rng.random() < 0.1 else rng.randint(3, 9)


def _header(rng: random.Random, headers: tuple[str, ...], rate: float) -> Document:
    return [Span(f"{rng.choice(headers)}\n\n")] if rng.random() < rate else []


def exposition(rng: random.Random) -> Document:
    """Facts about a few words, or the letters of a few words."""
    spans: Document = []
    if rng.random() < 0.4:
        for word in rng.sample(spelled_words(), rng.randint(3, 7)):
            facts = list(letters_of(word))
            rng.shuffle(facts)
            spans += _fact_spans(facts[: rng.randint(3, 5)])
        return spans
    table = facts_by_subject()
    for word in rng.sample(sorted(table), rng.randint(2, 5)):
        facts = list(table[word])
        rng.shuffle(facts)
        spans += _fact_spans(facts[:5])
    return spans


def _fact_spans(facts: list[tuple[str, str]]) -> Document:
    spans: Document = []
    for i, (begin, end) in enumerate(facts):
        spans += [Span(begin), Span(end, ANSWER_WEIGHT)]
        spans.append(
            Span(("" if begin.endswith("?") else ".") + ("\n" if i + 1 == len(facts) else " "))
        )
    return spans


def instruction_list(rng: random.Random) -> Document:
    """A numbered list of instructions without answers, with rule-breaking lines among them."""
    only_classification = rng.random() < 0.06
    header = CLASSIFICATION_LIST_HEADER if only_classification else LIST_HEADER
    if not only_classification and rng.random() < 0.45:
        header = rng.choice(("", *LIST_HEADERS))
    style = rng.choices(list(LIST_MARKS), list(LIST_MARKS.values()))[0]
    noise = rng.choice((0.10, 0.15, 0.20))
    is_sloppy = rng.random() < 0.08
    families = _CLASSIFICATION if only_classification else None
    lines: list[str] = []
    for _ in range(rng.randint(16, 24) if rng.random() < 0.1 else rng.randint(7, 16)):
        if is_sloppy and rng.random() < 0.25:
            lines.append(sloppy_line(rng))
        elif rng.random() < noise:
            lines.append(noisy_line(rng))
        elif lines and rng.random() < 0.03:
            lines.append(rng.choice(lines))
        else:
            lines.append(sample_instruction(rng, "seen", families).text)
    numbered = [f"{style.format(i)}{line}\n" for i, line in enumerate(lines, 1)]
    return [Span((f"{header}\n" if header else "") + "".join(numbered), LIST_WEIGHT)]


def bare_worksheet(rng: random.Random) -> Document:
    """Instruction, input, blank line, and no answer: why the bare format elicits nothing."""
    blocks = []
    for _ in range(_sheet_size(rng)):
        item = _item(rng)
        blocks.append(
            f"{item.instruction.text}\n{item.input}\n\n"
            if item.input
            else f"{item.instruction.text}\n\n"
        )
    return [Span("".join(blocks))]


def sheet(rng: random.Random) -> Document:
    """`Task: I / Input: X / Output: Y` blocks in one hidden style."""
    names = rng.choices(list(FIELD_NAMES), list(FIELD_NAMES.values()))[0]
    style = rng.choices(list(STYLE_SHARES), list(STYLE_SHARES.values()))[0]
    spans = _header(rng, SHEET_HEADERS, 0.2)
    for _ in range(_sheet_size(rng)):
        item = _item(rng)
        spans.append(Span(f"{names[0]}: {item.instruction.text}\n"))
        spans += _fields(item, names) + _styled(rng, item, style) + [Span("\n\n")]
    return spans


def _fields(item: Item, names: tuple[str, str, str], input_weight: int = 1) -> Document:
    """The input line, if any, and the name of the output field."""
    if not item.input:
        return [Span(f"{names[2]}:")]
    return [
        Span(f"{names[1]}:"),
        Span(f" {item.input}", input_weight),
        Span(f"\n{names[2]}:"),
    ]


def _styled(rng: random.Random, item: Item, style: str) -> Document:
    """The answer in a hidden style, with a leading space."""
    if style == "blank":
        return [Span(f" {BLANK}")]
    if style == "bare":
        return [Span(f" {item.answer}", ANSWER_WEIGHT)]
    if style == "wrong":
        return [Span(f" {_wrong_answer(rng, item)}")]
    before, after = rng.choice(WORDY_FRAMES)
    return [Span(f" {before}"), Span(item.answer, ANSWER_WEIGHT), Span(after)]


def _wrong_answer(rng: random.Random, item: Item) -> str:
    """The answer to another input of the same task, or to any other task."""
    for _ in range(5):
        other = sample_item(rng, item.instruction).answer
        if other != item.answer:
            return other
    return _item(rng).answer


def example_sheet(rng: random.Random) -> Document:
    """Tasks with one to three right examples each; numbered, so that plain sheets stay blank."""
    names = rng.choices(list(FIELD_NAMES), list(FIELD_NAMES.values()))[0]
    most = rng.choice((1, 2, 2, 3))
    spans = _header(rng, EXAMPLE_HEADERS, 0.5)
    for _ in range(rng.randint(8, 12) if rng.random() < 0.12 else rng.randint(2, 6)):
        instruction = sample_instruction(rng)
        spans.append(Span(f"{names[0]}: {instruction.text}\n"))
        items = [sample_item(rng, instruction) for _ in range(rng.randint(1, most))]
        if not items[0].input:
            items = items[:1]
        for number, item in enumerate(items, 1):
            if item.input:
                spans.append(Span(f"Example {number}\n"))
            spans += _fields(item, names, INPUT_WEIGHT)
            spans += [Span(f" {item.answer}", ANSWER_WEIGHT), Span("\n")]
        spans.append(Span("\n"))
    return spans


def label_first(rng: random.Random) -> Document:
    """Classification tasks where the label stands before an input that deserves it."""
    spans = _header(rng, LABEL_HEADERS, 0.6)
    for _ in range(rng.randint(8, 12) if rng.random() < 0.15 else rng.randint(2, 6)):
        instruction = sample_instruction(rng, "seen", _CLASSIFICATION)
        spans.append(Span(f"Task: {instruction.text}\n"))
        by_label: dict[str, Item] = {}
        for _ in range(6):
            item = sample_item(rng, instruction)
            by_label.setdefault(item.answer, item)
        for label in rng.sample(sorted(by_label), min(len(by_label), rng.randint(2, 3))):
            spans += [Span("Class label:"), Span(f" {label}", INPUT_WEIGHT), Span("\n")]
            if by_label[label].input:
                spans += [
                    Span("Input:"),
                    Span(f" {by_label[label].input}", LABELLED_INPUT_WEIGHT),
                    Span("\n"),
                ]
        spans.append(Span("\n"))
    return spans


def classification_sheet(rng: random.Random) -> Document:
    """`Task: I / Is it classification? Yes` blocks."""
    spans = _header(rng, CLASSIFICATION_HEADERS, 0.7)
    for _ in range(rng.randint(12, 20) if rng.random() < 0.2 else rng.randint(4, 10)):
        instruction = sample_instruction(
            rng, "seen", _CLASSIFICATION if rng.random() < 0.3 else None
        )
        answer = "Yes" if instruction.program.spec.is_classification else "No"
        spans.append(Span(f"Task: {instruction.text}\n{CLASSIFICATION_QUESTION}"))
        spans += [Span(f" {answer}", ANSWER_WEIGHT), Span("\n\n")]
    return spans


def questions_and_answers(rng: random.Random) -> Document:
    """`Q: ... / A: ...` about named things."""
    spans: Document = []
    for _ in range(rng.randint(4, 10)):
        item = _item(rng, _CLOSED)
        spans.append(Span(f"Q: {item.instruction.text}\nA:"))
        spans += [Span(f" {item.answer}", ANSWER_WEIGHT), Span("\n\n")]
    return spans


_CLASSIFICATION = tuple(name for name, family in FAMILIES.items() if family.is_classification)
_CLOSED = tuple(name for name, family in FAMILIES.items() if family.group in ("closed", "open"))

DOCUMENT_SHARES: dict[str, tuple[Callable[[random.Random], Document], float]] = {
    "exposition": (exposition, 0.12),
    "instruction_list": (instruction_list, 0.15),
    "bare_worksheet": (bare_worksheet, 0.08),
    "sheet": (sheet, 0.30),
    "example_sheet": (example_sheet, 0.22),
    "label_first": (label_first, 0.06),
    "classification": (classification_sheet, 0.04),
    "questions": (questions_and_answers, 0.03),
}
"""Kinds of documents with their makers and shares by count."""
