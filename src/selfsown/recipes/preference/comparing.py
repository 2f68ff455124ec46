"""A preference model in this process as a scorer: each answer against each, journaled.

It gives the probability that one answer is better than another, both orders averaged; an answer's
values are its probabilities against the others.

Source: RLHF Workflow (arXiv:2405.07863, section 2.2).
Differs from it: each is compared with each, where it runs a knock-out; see
`selfsown.judge.tournament`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from selfsown.core.request import JSON
from selfsown.judge.base import Item
from selfsown.recipes.preference.reward import WORKER, hash_of, question_of
from selfsown.recipes.preference.scorers import Answerer, Marks

if TYPE_CHECKING:
    from selfsown.models.preference import PreferenceModel

_VERSION: Final = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """A model that was trained to name the better of two answers."""

    model: str = ""
    """Its folder, which has to be given; what `selfsown train --objective pairwise` makes."""

    @property
    def name(self) -> str:
        """As it is registered."""
        return "preference"

    @property
    def roles(self) -> tuple[str, ...]:
        """It asks no model of the run."""
        return ()

    def identity(self, models: Mapping[str, str]) -> str:
        """The hash of its files."""
        return f"preference sha256:{self._hash()}"

    def judgements(self, answers: int) -> int:
        """Comparisons of each answer."""
        return answers - 1

    def calls(self, answers: int) -> int:
        """None."""
        return 0

    @property
    def max_tokens(self) -> int:
        """None."""
        return 0

    def prepare(self) -> None:
        """Load it.

        Raises:
            InputError: the folder is absent, no preference model, or its tokenizer is another's.
            MissingExtra: torch or transformers is not installed.
        """
        _loaded(Path(self.model), self._hash())

    async def score(self, run: Answerer, items: Sequence[Item]) -> list[Marks]:
        """Compare the answers, in one journaled step."""
        if not items:
            return []
        folder, known = Path(self.model), self._hash()
        asked = question_of(items[0])
        answers = [item.answer for item in items]

        async def compute() -> JSON:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(WORKER, _contests, folder, known, asked, answers)

        inputs: JSON = {"model": known, "question": asked, "answers": answers}
        found = await run.effect("preference", _VERSION, inputs, compute)
        return _marks(len(items), cast("Sequence[Mapping[str, JSON]]", found))

    def _hash(self) -> str:
        return hash_of(self.model, self.name, "pairwise")


def _marks(count: int, contests: Sequence[Mapping[str, JSON]]) -> list[Marks]:
    """The contests, in the order of `combinations`, as the marks of each answer."""
    values: list[list[float | None]] = [[] for _ in range(count)]
    reasons = [""] * count
    for (i, j), contest in zip(combinations(range(count), 2), contests, strict=True):
        value = cast("float | None", contest["value"])
        values[i].append(value)
        values[j].append(None if value is None else 1.0 - value)
        for place in (i, j):
            reasons[place] = reasons[place] or str(contest["missing"])
    return [Marks(tuple(one), why) for one, why in zip(values, reasons, strict=True)]


def _contests(folder: Path, known: str, asked: list[str], answers: list[str]) -> JSON:
    from selfsown.models.answer_tokens import Question

    model, question = _loaded(folder, known), Question(*asked)
    found = [model.prefer(question, *two) for two in combinations(answers, 2)]
    return [{"value": one.value, "missing": one.missing} for one in found]


@lru_cache(maxsize=2)
def _loaded(folder: Path, known: str) -> PreferenceModel:
    """The model of a folder whose files have this hash; two of them stay in memory."""
    from selfsown.models.preference import PreferenceModel

    return PreferenceModel(folder)
