"""What the accepted records look like: lengths, openings, verbs, labels, distance to the seeds.

One pass over `accepted.jsonl`. Instructions are counted once each, however many instances they
have: instances of one task stand together in the file. Memory grows with the number of distinct
openings and verb-noun pairs only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from selfsown.core.request import JSON
from selfsown.export.run_files import RunFiles, string
from selfsown.report.absent import NOT_WRITTEN, Absent
from selfsown.report.histogram import Histogram, unit_interval, whole_numbers
from selfsown.report.shown import shown_line
from selfsown.report.text_numbers import (
    Lengths,
    Opening,
    Openings,
    Shares,
    Texts,
    Verb,
    VerbNouns,
)

TOP_OPENINGS: Final = 12
TOP_VERBS: Final = 20
"""Self-Instruct (arXiv:2212.10560, figure 2) shows the 20 most frequent verbs …"""
TOP_NOUNS: Final = 4
"""… and their 4 most frequent objects."""
EIGHTHS: Final = 8
LOOKED_AT: Final = 20_000
"""Characters of an instruction that openings, verbs and likeness look at."""
_FIELDS: Final = ("prompt", "input", "output", "completion", "text", "chosen", "rejected")
"""Whose lengths are shown, beside instructions."""
NO_INSTRUCTIONS: Final = "the records of this recipe have no field `instruction`"


@dataclass(slots=True)
class _Pass:
    """What one pass collects."""

    records: int = 0
    instructions: int = 0
    classification: int = 0
    classified: int = 0
    with_input_field: int = 0
    empty_input: int = 0
    words: dict[str, Counter[int]] = field(default_factory=dict)
    openings: list[Counter[str]] = field(
        default_factory=lambda: [Counter() for _ in range(EIGHTHS)]
    )
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    nearest: Counter[int] = field(default_factory=Counter)
    """Thousandths of ROUGE-L → instructions."""


@dataclass(slots=True)
class _Seeds:
    count: int = 0
    openings: Counter[str] = field(default_factory=Counter)
    nearest: Callable[[str], float] | None = None


def read_texts(run: RunFiles, record_count: int) -> Texts:
    """Everything about the accepted texts.

    Args:
        run: the run.
        record_count: accepted records, to know in which eighth of the run a record lies.
    """
    if not record_count:
        none = Absent("no record has been accepted" if run.manifest else NOT_WRITTEN)
        return Texts(none, none, none, none, none)
    seeds = _read_seeds(run)
    seen = _Pass()
    previous: JSON = None
    for number, row in enumerate(run.rows("accepted")):
        _count_record(seen, row)
        instruction = row.get("instruction")
        if isinstance(instruction, str) and instruction != previous:
            _count_instruction(seen, row, instruction, number * EIGHTHS // record_count, seeds)
        previous = instruction
    return Texts(
        _shares(seen),
        _lengths(seen),
        _openings(seen, seeds),
        _verb_nouns(seen),
        _novelty(seen, seeds),
    )


def _read_seeds(run: RunFiles) -> _Seeds:
    from selfsown.curate.openings import opening
    from selfsown.curate.rouge_l import NoveltyPool

    seeds, pool = _Seeds(), NoveltyPool()
    for row in run.seeds():
        instruction = string(row.get("instruction"))
        seeds.count += 1
        seeds.openings[shown_line(opening(instruction[:LOOKED_AT]), 60)] += 1
        pool.add(instruction)
    if seeds.count:
        seeds.nearest = lambda text: pool.nearest(text).score
    return seeds


def _count_record(seen: _Pass, row: dict[str, JSON]) -> None:
    seen.records += 1
    if isinstance(given := row.get("input"), str):
        seen.with_input_field += 1
        seen.empty_input += not given.strip()
    for name in _FIELDS:
        if isinstance(text := row.get(name), str) and (text or name != "input"):
            seen.words.setdefault(name, Counter())[len(text.split())] += 1


def _count_instruction(
    seen: _Pass, row: dict[str, JSON], instruction: str, eighth: int, seeds: _Seeds
) -> None:
    from selfsown.curate.openings import opening, root_verb_noun

    seen.instructions += 1
    seen.words.setdefault("instruction", Counter())[len(instruction.split())] += 1
    seen.openings[min(eighth, EIGHTHS - 1)][shown_line(opening(instruction[:LOOKED_AT]), 60)] += 1
    if isinstance(label := row.get("is_classification"), bool):
        seen.classified += 1
        seen.classification += label
    head = instruction[:LOOKED_AT]
    verb, noun = root_verb_noun(head)
    if verb and noun:
        seen.pairs[shown_line(verb, 40), shown_line(noun, 40)] += 1
    if seeds.nearest is not None:
        seen.nearest[round(seeds.nearest(head) * 1000)] += 1


def _shares(seen: _Pass) -> Shares:
    return Shares(
        record_count=seen.records,
        instruction_count=seen.instructions,
        classification_rate=_rate(seen.classification, seen.classified),
        empty_input_rate=_rate(seen.empty_input, seen.with_input_field),
        instances_per_instruction=_rate(seen.records, seen.instructions),
    )


def _lengths(seen: _Pass) -> Lengths | Absent:
    order = ("instruction", *_FIELDS)
    fields = {name: whole_numbers(seen.words[name]) for name in order if name in seen.words}
    return Lengths(fields) if fields else Absent("the records have no text field of a known name")


def _openings(seen: _Pass, seeds: _Seeds) -> Openings | Absent:
    if not seen.instructions:
        return Absent(NO_INSTRUCTIONS)
    total: Counter[str] = sum(seen.openings, Counter())
    ranked = _ranked(total)
    top = tuple(
        Opening(
            words,
            count,
            round(count / seen.instructions, 4),
            _rate(seeds.openings[words], seeds.count),
        )
        for words, count in ranked[:TOP_OPENINGS]
    )
    seed_top = _ranked(seeds.openings)[:1]
    return Openings(
        instruction_count=seen.instructions,
        distinct_count=len(total),
        top=top,
        seed_top=seed_top[0][0] if seed_top else "",
        seed_top_rate=round(seed_top[0][1] / seeds.count, 4) if seed_top else 0.0,
        drift=tuple(round(part[top[0].words] / part.total(), 4) for part in seen.openings if part),
    )


def _verb_nouns(seen: _Pass) -> VerbNouns | Absent:
    if not seen.instructions:
        return Absent(NO_INSTRUCTIONS)
    if not seen.pairs:
        return Absent("no instruction has a verb with an object that could be read")
    by_verb: dict[str, Counter[str]] = {}
    for (verb, noun), count in seen.pairs.items():
        by_verb.setdefault(verb, Counter())[noun] += count
    verbs = _ranked(Counter({verb: nouns.total() for verb, nouns in by_verb.items()}))
    return VerbNouns(
        instruction_count=seen.instructions,
        parsed_count=seen.pairs.total(),
        pair_count=len(seen.pairs),
        verbs=tuple(
            Verb(verb, count, tuple(_ranked(by_verb[verb])[:TOP_NOUNS]))
            for verb, count in verbs[:TOP_VERBS]
        ),
    )


def _novelty(seen: _Pass, seeds: _Seeds) -> Histogram | Absent:
    if not seen.instructions:
        return Absent(NO_INSTRUCTIONS)
    if seeds.nearest is None:
        return Absent("the run directory holds no seeds to compare with")
    return unit_interval(seen.nearest)


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first, then by name, so that equal counts always come in the same order."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
