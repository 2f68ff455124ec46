"""Checks that need the whole seed set: duplicates, balance, and whether there are enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from .shapes import ReadRow
from .task import SeedProblem, SeedTask, Severity, shown

DEMONSTRATION_COUNT = 8  # tasks shown per prompt: Self-Instruct, arXiv:2212.10560 §2.2
NEAR_DUPLICATE_ROUGE_L = 0.7  # the novelty bound of the same section
DOMINANT_LABEL_RATE = 0.8
_JUDGED_LABEL_COUNT = 5  # below this, balance says nothing


class PlacedTask(NamedTuple):
    """A task and the line it began on."""

    task: SeedTask
    line: int


class Merged(NamedTuple):
    """The tasks of a source after rows that belong together were joined."""

    placed: list[PlacedTask]
    problems: list[SeedProblem]


def merge_rows(rows: Sequence[ReadRow]) -> Merged:
    """Join flat rows of equal instruction and take out repeated ids and instructions.

    Two instructions are equal if they differ at most in white space and letter case. The first
    row decides id, name and place; an instance that repeats word for word is kept once.
    """
    placed: list[PlacedTask] = []
    problems: list[SeedProblem] = []
    by_instruction: dict[str, int] = {}
    flat: set[int] = set()
    ids: dict[str, int] = {}
    for row in rows:
        if row.task is None:
            continue
        known = by_instruction.get(_same_key(row.task.instruction))
        if known is not None and row.is_flat and known in flat:
            placed[known] = _joined(placed[known], row.task, row.line, problems)
        elif known is not None:
            problems.append(_duplicate_instruction(row.task, row.line, placed[known].line))
        elif row.task.id in ids:
            problems.append(_duplicate_id(row.task, row.line, ids[row.task.id]))
        else:
            ids[row.task.id] = row.line
            by_instruction[_same_key(row.task.instruction)] = len(placed)
            if row.is_flat:
                flat.add(len(placed))
            placed.append(PlacedTask(row.task, row.line))
    return Merged(placed, problems)


def review(placed: Sequence[PlacedTask]) -> list[SeedProblem]:
    """Return warnings about a set of valid tasks; an empty set has none."""
    if not placed:
        return []
    return [
        *_too_few(placed),
        *_unbalanced_set(placed),
        *(problem for one in placed for problem in _unbalanced_task(one)),
        *_near_duplicates(placed),
    ]


def _joined(
    first: PlacedTask, other: SeedTask, line: int, problems: list[SeedProblem]
) -> PlacedTask:
    """Add the instances of `other` to `first`, noting contradictions and repetitions."""
    task = first.task
    flags = {task.is_classification, other.is_classification} - {None}
    if len(flags) > 1:
        problems.append(
            _problem(
                "contradicting-flag",
                "error",
                other,
                line,
                f"`is_classification` contradicts line {first.line} with the same instruction",
                "rows of one instruction are one task",
                "give both rows the same value",
            )
        )
        return first
    new = tuple(i for i in other.instances if i not in task.instances)
    if len(new) < len(other.instances):
        problems.append(
            _problem(
                "repeated-instance",
                "warning",
                other,
                line,
                f"the row repeats an instance of line {first.line}; it is kept once",
                "a repeated example adds nothing",
                "remove one of the rows",
            )
        )
    return PlacedTask(
        replace(task, instances=task.instances + new, is_classification=next(iter(flags), None)),
        first.line,
    )


def _duplicate_instruction(task: SeedTask, line: int, first_line: int) -> SeedProblem:
    return _problem(
        "duplicate-instruction",
        "error",
        task,
        line,
        f"the instruction is the same as on line {first_line}",
        "a repeated seed is shown twice as often as the others",
        "put both instances under one instruction, or drop one",
    )


def _duplicate_id(task: SeedTask, line: int, first_line: int) -> SeedProblem:
    return _problem(
        "duplicate-id",
        "error",
        task,
        line,
        f"the id is already used on line {first_line}",
        "provenance names the parents of each record by id",
        "give the seed an id of its own",
    )


def _too_few(placed: Sequence[PlacedTask]) -> list[SeedProblem]:
    if len(placed) >= DEMONSTRATION_COUNT:
        return []
    return [
        _problem(
            "too-few-seeds",
            "warning",
            None,
            None,
            f"there are {len(placed)} usable seeds, fewer than {DEMONSTRATION_COUNT}",
            f"each prompt shows up to {DEMONSTRATION_COUNT} different tasks; "
            "few seeds make every prompt alike",
            "add seeds, or begin with `--seeds starter`",
        )
    ]


def _unbalanced_set(placed: Sequence[PlacedTask]) -> list[SeedProblem]:
    labels = [
        i.output.strip() for p in placed if p.task.is_classification for i in p.task.instances
    ]
    dominant = _dominant(labels)
    if dominant is None:
        return []
    label, rate = dominant
    return [
        _problem(
            "unbalanced-labels",
            "warning",
            None,
            None,
            f"{rate:.0%} of all classification answers are `{shown(label, 30)}`",
            "the grown classification tasks will lean the same way",
            "add instances with other labels",
        )
    ]


def _unbalanced_task(one: PlacedTask) -> list[SeedProblem]:
    if not one.task.is_classification:
        return []
    dominant = _dominant([i.output.strip() for i in one.task.instances])
    if dominant is None:
        return []
    label, rate = dominant
    return [
        _problem(
            "unbalanced-labels",
            "warning",
            one.task,
            one.line,
            f"{rate:.0%} of the {len(one.task.instances)} instances have the label "
            f"`{shown(label, 30)}`",
            "the model learns the label instead of the task",
            "add instances of the other labels",
        )
    ]


def _dominant(labels: Sequence[str]) -> tuple[str, float] | None:
    """Return the label that at least `DOMINANT_LABEL_RATE` of enough labels share, and its rate."""
    if len(labels) < _JUDGED_LABEL_COUNT:
        return None
    label, count = Counter(labels).most_common(1)[0]
    rate = count / len(labels)
    return (label, rate) if rate >= DOMINANT_LABEL_RATE else None


def _near_duplicates(placed: Sequence[PlacedTask]) -> list[SeedProblem]:
    from selfsown.curate.rouge_l import NoveltyPool

    pool = NoveltyPool(threshold=NEAR_DUPLICATE_ROUGE_L, tokenizer="unicode")
    problems = []
    for one in placed:
        if not pool.admit(one.task.instruction).ok:
            nearest = pool.nearest(one.task.instruction)
            assert nearest.index is not None  # a witness exists, so there is a nearest
            other = placed[nearest.index]
            problems.append(
                _problem(
                    "near-duplicate",
                    "warning",
                    one.task,
                    one.line,
                    f"the instruction is nearly that of line {other.line} "
                    f"(ROUGE-L {nearest.score:.2f})",
                    "close seeds narrow what is grown from them",
                    "rephrase one of the two, or drop it",
                )
            )
        pool.add(one.task.instruction)
    return problems


def _same_key(instruction: str) -> str:
    return " ".join(instruction.split()).casefold()


def _problem(
    rule: str,
    severity: Severity,
    task: SeedTask | None,
    line: int | None,
    what: str,
    why: str,
    fix: str,
) -> SeedProblem:
    seed_id = task.id if task is not None else None
    return SeedProblem(rule, severity, what, why, fix, line, seed_id)
