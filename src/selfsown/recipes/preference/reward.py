"""A reward model in this process as a scorer: one number per answer, journaled.

An answer that the model cannot read (too long, or with its special tokens as plain characters) has
no score, which is missing, not low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from selfsown.core.request import JSON
from selfsown.recipes.preference.in_process import InProcess
from selfsown.recipes.preference.scorers import Marks

if TYPE_CHECKING:
    from selfsown.models.answer_tokens import Question
    from selfsown.models.reward import RewardModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward(InProcess):
    """A Bradley-Terry reward model, or any with one score."""

    name: ClassVar[str] = "reward"
    objective: ClassVar[str] = "reward"

    def judgements(self, answers: int) -> int:
        """One: it says the same every time."""
        return 1

    def _load(self, folder: Path, known: str) -> RewardModel:
        return _loaded(folder, known)

    def _rows(self, known: str, question: Question, answers: Sequence[str]) -> list[JSON]:
        from selfsown.models.reward import Answered

        model = _loaded(Path(self.model), known)
        found = model.score([Answered(question, answer) for answer in answers])
        return [{"value": one.value, "missing": one.missing} for one in found]

    def _marks(self, count: int, rows: Sequence[Mapping[str, JSON]]) -> list[Marks]:
        return [Marks((cast("float | None", row["value"]),), str(row["missing"])) for row in rows]


@lru_cache(maxsize=2)
def _loaded(folder: Path, known: str) -> RewardModel:
    """The model of a folder whose files have this hash; two of them stay in memory."""
    from selfsown.models.reward import RewardModel

    return RewardModel(folder)
