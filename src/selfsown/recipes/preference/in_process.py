"""What scorers share that are a model in this process: one journaled step per prompt.

The journaled inputs hold the hash of the model's files and the texts, so another model or another
answer is scored anew, and a replay scores nothing.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, cast

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.request import JSON
from selfsown.judge.base import Item
from selfsown.recipes.preference.scorers import Answerer, Marks

if TYPE_CHECKING:
    from selfsown.models.answer_tokens import Question

_VERSION: Final = "1"
_WORKER: Final = ThreadPoolExecutor(1, "selfsown scoring model")
"""One prompt after the other, beside the event loop, which has calls to make meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InProcess(ABC):
    """A model of this process that scores."""

    name: ClassVar[str]
    """As it is registered; also the name of its journaled step."""
    objective: ClassVar[str]
    """Of the training that makes such a model."""

    model: str = ""
    """Its folder, which has to be given; what `selfsown train --objective ...` makes."""

    @property
    def roles(self) -> tuple[str, ...]:
        """It asks no model of the run."""
        return ()

    def identity(self, models: Mapping[str, str]) -> str:
        """The hash of its files, so that a copy of it elsewhere is the same scorer."""
        return f"{self.name} sha256:{self._hash()}"

    @abstractmethod
    def judgements(self, answers: int) -> int:
        """Values per answer where there are so many answers to a prompt."""

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
            InputError: the folder is absent, no such model, or its tokenizer is another's.
            MissingExtra: torch or transformers is not installed.
        """
        self._load(Path(self.model), self._hash())

    async def score(self, run: Answerer, items: Sequence[Item]) -> list[Marks]:
        """Score the answers, in one journaled step."""
        if not items:
            return []
        known = self._hash()
        asked = _question_of(items[0])
        answers = [item.answer for item in items]

        async def compute() -> JSON:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(_WORKER, self._computed, known, asked, answers)

        inputs: JSON = {"model": known, "question": asked, "answers": answers}
        found = await run.effect(self.name, _VERSION, inputs, compute)
        return self._marks(len(items), cast("Sequence[Mapping[str, JSON]]", found))

    @abstractmethod
    def _load(self, folder: Path, known: str) -> object:
        """The model of a folder whose files have this hash."""

    @abstractmethod
    def _rows(self, known: str, question: Question, answers: Sequence[str]) -> list[JSON]:
        """What is journaled."""

    @abstractmethod
    def _marks(self, count: int, rows: Sequence[Mapping[str, JSON]]) -> list[Marks]:
        """The marks of so many answers, from what was journaled."""

    def _computed(self, known: str, asked: list[str], answers: list[str]) -> JSON:
        from selfsown.models.answer_tokens import Question

        return self._rows(known, Question(*asked), answers)

    def _hash(self) -> str:
        from selfsown.models.fingerprint import model_hash

        if not self.model:
            raise ConfigError(
                f"scorer `{self.name}` has no `model`",
                why="it is the folder of the model that scores the answers",
                fix="`scorer_options: {model: FOLDER}`, or another `scorer`",
            )
        folder = Path(self.model)
        if not (folder / "config.json").is_file():
            raise InputError(
                f"there is no model in `{self.model}`",
                why=f"scorer `{self.name}` scores the answers with it",
                fix=f"train one with `selfsown train PAIRS --objective {self.objective} --base"
                " MODEL -o FOLDER`, or correct the path",
            )
        return model_hash(folder)


def _question_of(item: Item) -> list[str]:
    """Text, input and system text of what is answered."""
    return [str(item.metadata.get(name) or "") for name in ("instruction", "input", "system")]
