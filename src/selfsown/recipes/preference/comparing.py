"""A preference model in this process as a scorer: each answer against each, journaled.

It gives the probability that one answer is better than another, both orders averaged; an answer's
values are its probabilities against the others.

Source: RLHF Workflow (arXiv:2405.07863, section 2.2).
Differs from it: each is compared with each, where it runs a knock-out; see
`selfsown.judge.tournament`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from selfsown.core.request import JSON
from selfsown.recipes.preference.in_process import InProcess
from selfsown.recipes.preference.scorers import Marks

if TYPE_CHECKING:
    from selfsown.models.answer_tokens import Question
    from selfsown.models.preference import PreferenceModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing(InProcess):
    """A model that was trained to name the better of two answers."""

    name: ClassVar[str] = "preference"
    objective: ClassVar[str] = "pairwise"

    def judgements(self, answers: int) -> int:
        """Comparisons of each answer."""
        return answers - 1

    def _load(self, folder: Path, known: str) -> PreferenceModel:
        return _loaded(folder, known)

    def _rows(self, known: str, question: Question, answers: Sequence[str]) -> list[JSON]:
        model = _loaded(Path(self.model), known)
        found = [model.prefer(question, *two) for two in combinations(answers, 2)]
        return [{"value": one.value, "missing": one.missing} for one in found]

    def _marks(self, count: int, rows: Sequence[Mapping[str, JSON]]) -> list[Marks]:
        """Of the contests in the order of `combinations`."""
        values: list[list[float | None]] = [[] for _ in range(count)]
        reasons = [""] * count
        for (i, j), contest in zip(combinations(range(count), 2), rows, strict=True):
            value = cast("float | None", contest["value"])
            values[i].append(value)
            values[j].append(None if value is None else 1.0 - value)
            for place in (i, j):
                reasons[place] = reasons[place] or str(contest["missing"])
        return [Marks(tuple(one), why) for one, why in zip(values, reasons, strict=True)]


@lru_cache(maxsize=2)
def _loaded(folder: Path, known: str) -> PreferenceModel:
    """The model of a folder whose files have this hash; two of them stay in memory."""
    from selfsown.models.preference import PreferenceModel

    return PreferenceModel(folder)
