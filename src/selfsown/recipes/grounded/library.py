"""The passages that Self-Instruct grows tasks from: a sample of those for training.

The sample is uniform over all passages that are taken, drawn in one pass over the documents, so
memory does not grow with them. List requests go through it in a shuffled order, again and again.
Held-out documents are those of recipe `grounded` over the same documents: nothing is made of them.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.errors import InputError
from selfsown.core.run import Run
from selfsown.curate.decontaminate import DecontaminationIndex
from selfsown.recipes.grounded.reader import Cutting, Passage, Reader
from selfsown.recipes.grounded.split import HeldOut


class Grounding(BaseModel):
    """How a growing pool uses documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    passage_tokens: int = Field(300, ge=20, description="Most tokens of a passage, estimated.")
    least_tokens: int = Field(30, ge=1, description="Fewest tokens of a passage.")
    passages: int = Field(
        10_000,
        ge=1,
        description="Most passages that stay in memory; of more, so many are drawn at random.",
    )
    check_outputs: bool = Field(
        True,
        description="Reject instances whose output has numbers or names that neither passage nor"
        " instruction nor input has.",
    )


class Library:
    """A fixed sample of the passages of training documents."""

    def __init__(
        self, run: Run, options: Grounding, held_out: HeldOut, index: DecontaminationIndex
    ) -> None:
        """Read the documents of a run.

        Args:
            run: whose rows are documents.
            options: which passages are taken.
            held_out: which documents nothing is made of.
            index: what no passage may repeat.

        Raises:
            InputError: no passage can be used.
        """
        cutting = Cutting(
            held_out=held_out,
            passage_tokens=options.passage_tokens,
            least_tokens=options.least_tokens,
        )
        reader = Reader(run, cutting, index)
        rng = run.rng("library")
        self._passages: list[Passage] = []
        count = 0
        for passage in reader.training_passages():
            count += 1
            if len(self._passages) < options.passages:
                self._passages.append(passage)
            elif (place := rng.randrange(count)) < options.passages:
                self._passages[place] = passage
        if not self._passages:
            raise InputError(
                "no passage of the documents can be used",
                why="each list prompt shows one; all are held out, code, too short or repeated",
                fix="selfsown documents check PATH, or `--set grounding.least_tokens=N`",
            )
        rng.shuffle(self._passages)
        run.note("documents", dict(sorted(reader.counts.items())))
        run.note("passages", {"taken": count, "in_library": len(self._passages)})

    def passage(self, number: int) -> Passage:
        """The passage of a list request, by its number from 0."""
        return self._passages[number % len(self._passages)]
