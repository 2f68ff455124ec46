"""A reward model in this process as a scorer: one number per answer, journaled.

The journaled inputs hold the hash of the model's files and the texts, so another model or another
answer is scored anew, and a replay scores nothing. An answer that the model cannot read (too long,
or with its special tokens as plain characters) has no score, which is missing, not low.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.request import JSON
from selfsown.judge.base import Item
from selfsown.recipes.preference.scorers import Answerer, Marks

if TYPE_CHECKING:
    from selfsown.models.reward import RewardModel

_VERSION: Final = "1"
WORKER: Final = ThreadPoolExecutor(1, "selfsown reward model")
"""One answer after the other, beside the event loop, which has calls to make meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """A Bradley-Terry reward model, or any with one score."""

    model: str = ""
    """Its folder, which has to be given; what `selfsown train --objective reward` makes."""

    @property
    def name(self) -> str:
        """As it is registered."""
        return "reward"

    @property
    def roles(self) -> tuple[str, ...]:
        """It asks no model of the run."""
        return ()

    def identity(self, models: Mapping[str, str]) -> str:
        """The hash of its files, so that a copy of it elsewhere is the same scorer."""
        return f"reward sha256:{self._hash()}"

    def judgements(self, answers: int) -> int:
        """One: it says the same every time."""
        return 1

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
            InputError: the folder is absent, no reward model, or its tokenizer is another's.
            MissingExtra: torch or transformers is not installed.
        """
        _loaded(Path(self.model), self._hash())

    async def score(self, run: Answerer, items: Sequence[Item]) -> list[Marks]:
        """Score the answers, in one journaled step."""
        if not items:
            return []
        folder, known = Path(self.model), self._hash()
        asked = question_of(items[0])
        answers = [item.answer for item in items]

        async def compute() -> JSON:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(WORKER, _scores, folder, known, asked, answers)

        inputs: JSON = {"model": known, "question": asked, "answers": answers}
        found = await run.effect("reward", _VERSION, inputs, compute)
        rows = cast("Sequence[Mapping[str, JSON]]", found)
        return [Marks((cast("float | None", row["value"]),), str(row["missing"])) for row in rows]

    def _hash(self) -> str:
        return hash_of(self.model, self.name, "reward")


def hash_of(model: str, scorer: str, objective: str) -> str:
    """The hash of the files of a model that scores.

    Args:
        model: its folder.
        scorer: name of the scorer, for errors.
        objective: of the training that makes such a model.

    Raises:
        ConfigError: no folder was given.
        InputError: it holds no model.
    """
    from selfsown.models.fingerprint import model_hash

    if not model:
        raise ConfigError(
            f"scorer `{scorer}` has no `model`",
            why="it is the folder of the model that scores the answers",
            fix="`scorer_options: {model: FOLDER}`, or another `scorer`",
        )
    folder = Path(model)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"there is no model in `{model}`",
            why=f"scorer `{scorer}` scores the answers with it",
            fix=f"train one with `selfsown train PAIRS --objective {objective} --base MODEL -o"
            " FOLDER`, or correct the path",
        )
    return model_hash(folder)


def question_of(item: Item) -> list[str]:
    """Text, input and system text of what is answered."""
    return [str(item.metadata.get(name) or "") for name in ("instruction", "input", "system")]


def _scores(folder: Path, known: str, asked: list[str], answers: list[str]) -> JSON:
    from selfsown.models.answer_tokens import Question
    from selfsown.models.reward import Answered

    question = Question(*asked)
    found = _loaded(folder, known).score([Answered(question, answer) for answer in answers])
    return [{"value": one.value, "missing": one.missing} for one in found]


@lru_cache(maxsize=2)
def _loaded(folder: Path, known: str) -> RewardModel:
    """The model of a folder whose files have this hash; two of them stay in memory."""
    from selfsown.models.reward import RewardModel

    return RewardModel(folder)
