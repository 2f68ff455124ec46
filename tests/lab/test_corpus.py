"""Claim: the corpus is a function of its seed, with the stated shares."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from itertools import islice

import pytest

from selfsown.lab import oracle
from selfsown.lab.corpus import (
    ANSWER_WEIGHT,
    DOCUMENT_SHARES,
    documents,
    example_sheet,
    instruction_list,
    label_first,
    sheet,
    text_of,
)
from selfsown.lab.layouts import BLANK, LIST_HEADER, STYLE_SHARES
from selfsown.lab.noise import noisy_line, sloppy_line

KEYWORDS = re.compile(r"\b(images?|graphs?|pictures?|files?|maps?|draw|plot|go to)\b", re.I)


def breaks_a_rule(line: str) -> bool:
    return (
        len(line.split()) <= 3
        or KEYWORDS.search(line) is not None
        or line.startswith("Write a program")
        or not re.match(r"[A-Za-z0-9]", line)
    )


def test_document_k_is_the_same_from_wherever_the_stream_starts() -> None:
    from_zero = list(islice(documents(seed=4), 40))
    assert list(islice(documents(seed=4, start=25), 15)) == from_zero[25:]
    assert list(islice(documents(seed=5), 40)) != from_zero


def test_the_corpus_is_still_the_one_that_the_shipped_weights_were_trained_on() -> None:
    digest = hashlib.sha256()
    for document in islice(documents(seed=1), 300):
        digest.update(text_of(document).encode())
    assert digest.hexdigest() == (
        "f0121dd4e34d0ff779096113023f45ba638ad1f84f4f0cadcdc3bbb28cbe5a02"
    )


def test_shares_add_up_to_one() -> None:
    assert sum(share for _, share in DOCUMENT_SHARES.values()) == pytest.approx(1.0)
    assert sum(STYLE_SHARES.values()) == pytest.approx(1.0)


def test_a_sheet_keeps_one_hidden_style_and_blank_is_the_clear_mode() -> None:
    styles: Counter[str] = Counter()
    for seed in range(400):
        spans = sheet(random.Random(seed))
        is_blank = [f" {BLANK}" == span.text for span in spans if BLANK in span.text]
        is_weighted = any(span.weight == ANSWER_WEIGHT for span in spans)
        assert not (is_blank and is_weighted)
        styles["blank" if is_blank else "answered" if is_weighted else "wrong"] += 1
    assert 0.33 < styles["blank"] / 400 < 0.47
    assert 0.14 < styles["wrong"] / 400 < 0.26


def test_every_answer_of_an_example_sheet_is_right() -> None:
    graded = 0
    for seed in range(200):
        for block in text_of(example_sheet(random.Random(seed))).split("\n\n"):
            lines = [line.split(": ", 1) for line in block.split("\n") if ": " in line]
            if len(lines) < 2:
                continue
            instruction = lines[0][1]
            fields = [value for _, value in lines[1:]]
            pairs = (
                [("", fields[0])]
                if len(fields) == 1
                else zip(fields[::2], fields[1::2], strict=True)
            )
            for text, answer in pairs:
                assert oracle.check(instruction, text, answer).is_correct, block
                graded += 1
    assert graded > 800


def test_every_label_deserves_its_input() -> None:
    for seed in range(100):
        for block in text_of(label_first(random.Random(seed))).split("\n\n"):
            head, *parts = block.split("\nClass label: ")
            if not head.startswith("Task: "):
                continue
            for part in parts:
                label, _, rest = part.partition("\n")
                text = rest.removeprefix("Input: ").strip()
                assert oracle.check(head.removeprefix("Task: "), text, label).is_correct, block


def test_lists_hold_enough_noise_for_filters_and_little_that_only_the_oracle_sees() -> None:
    lines = [
        re.sub(r"^(?:Task \d+: |\d+[.)] |- |\(\d+\) )", "", line)
        for seed in range(400)
        for line in text_of(instruction_list(random.Random(seed))).split("\n")
        if line and not line.endswith(":")
    ]
    broken = [line for line in lines if breaks_a_rule(line)]
    senseless = [line for line in lines if not breaks_a_rule(line) and oracle.parse(line) is None]
    assert 0.12 < len(broken) / len(lines) < 0.22
    assert len(senseless) / len(lines) < 0.04


def test_every_noisy_line_breaks_a_rule() -> None:
    rng = random.Random(0)
    for _ in range(500):
        line = noisy_line(rng)
        assert breaks_a_rule(line), line


def test_sloppy_lines_are_mostly_no_tasks() -> None:
    rng = random.Random(0)
    parsed = sum(oracle.parse(sloppy_line(rng)) is not None for _ in range(300))
    assert parsed < 60  # a swap may hit the same word twice


def test_lists_use_the_header_that_recipes_prompt_with() -> None:
    texts = [text_of(instruction_list(random.Random(seed))) for seed in range(200)]
    assert sum(text.startswith(f"{LIST_HEADER}\nTask 1: ") for text in texts) > 30
    assert sum(text.startswith(f"{LIST_HEADER}\n1. ") for text in texts) > 25
