"""Checks that need the whole seed set: duplicates, balance, and whether there are enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from selfsown.recipes.seeds.shapes import ReadRow
from selfsown.recipes.seeds.task import SeedProblem, SeedTask, Severity, shown

DEMONSTRATION_COUNT = 8  # tasks shown per prompt: Self-Instruct, arXiv:2212.10560 §2.2
NEAR_DUPLICATE_ROUGE_L = 0.7  # the novelty bound of the same section
DOMINANT_LABEL_RATE = 0.8
_JUDGED_LABEL_COUNT = 5  # below this, balance says nothing


class PlacedTask(NamedTuple):
    """A task and where it began."""

    task: SeedTask
    line: int


class Merged(NamedTuple):
    """The tasks of a source after rows that belong together were joined."""

    placed: list[PlacedTask]
    problems: list[SeedProblem]


def merge_rows(rows: Sequence[ReadRow], unit: str) -> Merged:
    """Join flat rows of equal instruction and take out repeated ids and instructions.

    Two instructions are equal if they differ at most in white space and letter case. The first
    row decides id, name and place; an instance that repeats word for word is kept once. `unit`
    is what `line` counts.
    """
    merger = _Merger(unit)
    for row in rows:
        if row.task is not None:
            merger.take(PlacedTask(row.task, row.line), row.is_flat)
    return Merged(merger.placed, merger.problems)


def review(placed: Sequence[PlacedTask], unit: str) -> list[SeedProblem]:
    """Return warnings about a set of valid tasks; an empty set has none."""
    if not placed:
        return []
    return [
        *_too_few(placed),
        *_unbalanced_set(placed),
        *(problem for one in placed for problem in _unbalanced_task(one)),
        *_near_duplicates(placed, unit),
    ]


class _Merger:
    """Takes tasks in file order and keeps those that are new."""

    def __init__(self, unit: str) -> None:
        self.placed: list[PlacedTask] = []
        self.problems: list[SeedProblem] = []
        self._unit = unit
        self._by_instruction: dict[str, int] = {}
        self._flat: set[int] = set()
        self._ids: dict[str, int] = {}

    def take(self, new: PlacedTask, is_flat: bool) -> None:
        """Keep `new`, join it to the task it belongs to, or say why it is left out."""
        key = " ".join(new.task.instruction.split()).casefold()
        index = self._by_instruction.get(key)
        if index is not None and is_flat and index in self._flat:
            self._join(index, new)
        elif index is not None:
            self.problems.append(self._same_instruction(new, self.placed[index]))
        elif new.task.id in self._ids:
            self.problems.append(self._same_id(new))
        else:
            self._ids[new.task.id] = new.line
            self._by_instruction[key] = len(self.placed)
            if is_flat:
                self._flat.add(len(self.placed))
            self.placed.append(new)

    def _join(self, index: int, new: PlacedTask) -> None:
        first = self.placed[index]
        flags = {first.task.is_classification, new.task.is_classification} - {None}
        if len(flags) > 1:
            self.problems.append(self._contradiction(new, first))
            return
        fresh = tuple(i for i in new.task.instances if i not in first.task.instances)
        if len(fresh) < len(new.task.instances):
            self.problems.append(self._repetition(new, first))
        joined = replace(
            first.task,
            instances=first.task.instances + fresh,
            is_classification=next(iter(flags), None),
        )
        self.placed[index] = PlacedTask(joined, first.line)

    def _same_instruction(self, new: PlacedTask, first: PlacedTask) -> SeedProblem:
        return _finding(
            "duplicate-instruction",
            "error",
            f"the instruction is the same as on {self._unit} {first.line}",
            why="a repeated seed is shown twice as often as the others",
            fix="put both instances under one instruction, or drop one",
            at=new,
        )

    def _same_id(self, new: PlacedTask) -> SeedProblem:
        return _finding(
            "duplicate-id",
            "error",
            f"the id is already used on {self._unit} {self._ids[new.task.id]}",
            why="provenance names the parents of each record by id",
            fix="give the seed an id of its own",
            at=new,
        )

    def _contradiction(self, new: PlacedTask, first: PlacedTask) -> SeedProblem:
        return _finding(
            "contradicting-flag",
            "error",
            f"`is_classification` contradicts {self._unit} {first.line} of the same instruction",
            why="rows of one instruction are one task",
            fix="give both rows the same value",
            at=new,
        )

    def _repetition(self, new: PlacedTask, first: PlacedTask) -> SeedProblem:
        return _finding(
            "repeated-instance",
            "warning",
            f"the row repeats an instance of {self._unit} {first.line}; it is kept once",
            why="a repeated example adds nothing",
            fix="remove one of the rows",
            at=new,
        )


def _too_few(placed: Sequence[PlacedTask]) -> list[SeedProblem]:
    if len(placed) >= DEMONSTRATION_COUNT:
        return []
    count = f"is 1 usable seed, less than {DEMONSTRATION_COUNT}"
    if len(placed) > 1:
        count = f"are {len(placed)} usable seeds, fewer than {DEMONSTRATION_COUNT}"
    return [
        _finding(
            "too-few-seeds",
            "warning",
            f"there {count}",
            why=f"a prompt shows {DEMONSTRATION_COUNT} tasks; few seeds make all prompts alike",
            fix="add seeds, or begin with `--seeds starter`",
        )
    ]


def _unbalanced_set(placed: Sequence[PlacedTask]) -> list[SeedProblem]:
    classification = [one.task for one in placed if one.task.is_classification]
    if len(classification) < 2:
        return []
    dominant = _dominant([i.output.strip() for task in classification for i in task.instances])
    if dominant is None:
        return []
    return [
        _finding(
            "unbalanced-labels",
            "warning",
            f"{dominant.rate:.0%} of all classification answers are `{shown(dominant.label, 30)}`",
            why="the grown classification tasks will lean the same way",
            fix="add instances with other labels",
        )
    ]


def _unbalanced_task(one: PlacedTask) -> list[SeedProblem]:
    if not one.task.is_classification:
        return []
    dominant = _dominant([i.output.strip() for i in one.task.instances])
    if dominant is None:
        return []
    return [
        _finding(
            "unbalanced-labels",
            "warning",
            f"{dominant.rate:.0%} of the {len(one.task.instances)} instances have the label "
            f"`{shown(dominant.label, 30)}`",
            why="the model learns the label instead of the task",
            fix="add instances of the other labels",
            at=one,
        )
    ]


class _Dominant(NamedTuple):
    label: str
    rate: float


def _dominant(labels: Sequence[str]) -> _Dominant | None:
    """Return the label that at least `DOMINANT_LABEL_RATE` of enough labels share."""
    if len(labels) < _JUDGED_LABEL_COUNT:
        return None
    label, count = Counter(labels).most_common(1)[0]
    rate = count / len(labels)
    return _Dominant(label, rate) if rate >= DOMINANT_LABEL_RATE else None


def _near_duplicates(placed: Sequence[PlacedTask], unit: str) -> list[SeedProblem]:
    from selfsown.curate.rouge_l import NoveltyPool

    pool = NoveltyPool(threshold=NEAR_DUPLICATE_ROUGE_L, tokenizer="unicode")
    problems = []
    for one in placed:
        if not pool.admit(one.task.instruction).ok:
            nearest = pool.nearest(one.task.instruction)
            assert nearest.index is not None  # a witness exists, so there is a nearest
            problems.append(
                _finding(
                    "near-duplicate",
                    "warning",
                    f"the instruction is nearly that of {unit} {placed[nearest.index].line} "
                    f"(ROUGE-L {nearest.score:.2f})",
                    why="close seeds narrow what is grown from them",
                    fix="rephrase one of the two, or drop it",
                    at=one,
                )
            )
        pool.add(one.task.instruction)
    return problems


def _finding(
    rule: str, severity: Severity, what: str, *, why: str, fix: str, at: PlacedTask | None = None
) -> SeedProblem:
    if at is None:
        return SeedProblem(rule, severity, what, why, fix)
    return SeedProblem(rule, severity, what, why, fix, at.line, at.task.id)
