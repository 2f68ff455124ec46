"""What a student is worth: its loss on held-out documents, and tasks that it completes.

Both are kept per document and per task, so that students can be compared in pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import read_lines
from selfsown.lab.tokenizer import END_OF_TEXT_ID
from selfsown.models.torch_threads import torch_threads
from selfsown.train.pretrain import padded_losses

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import PreTrainedModel

_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Cloze:
    """A beginning and several ends, the first of which is right."""

    id: str
    kind: str
    """Tasks of one kind are averaged together."""
    prompt: str
    choices: tuple[str, ...]
    """At least two; each is what follows the prompt to the letter, its blank included."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How a student completed a task."""

    is_right: bool
    """The right end is likelier than every other."""
    nats: float
    """Negative log-likelihood of the right end."""


def read_tasks(path: Path) -> list[Cloze]:
    """Tasks of a JSONL file with rows `{"id", "kind"?, "prompt", "choices"}`, the right one first.

    Raises:
        InputError: a row is no such task; names it.
    """
    return [_task(row, f"`{path}` row {number}") for number, row in enumerate(read_lines(path), 1)]


def _task(row: JSON, place: str) -> Cloze:
    if isinstance(row, dict):
        prompt, choices = row.get("prompt"), row.get("choices")
        if isinstance(prompt, str) and prompt and isinstance(choices, list):
            ends = tuple(choice for choice in choices if isinstance(choice, str) and choice)
            if len(ends) == len(choices) == len(set(ends)) and len(ends) > 1:
                return Cloze(str(row.get("id", place)), str(row.get("kind", "")), prompt, ends)
    raise InputError(
        f"{place} is no task",
        why="a task has a `prompt` and at least two different `choices`, the right one first",
        fix='write {"prompt": "The capital of France is", "choices": [" Paris.", " Rome."]}',
    )


class HeldOut:
    """Held-out documents as tokens; a document is cut after `longest` of them."""

    def __init__(self, tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> None:
        """Encode the texts; there is at least one, and none is blank."""
        found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        self.rows = [[END_OF_TEXT_ID, *one.ids[:longest]] for one in found]

    def losses(self, model: PreTrainedModel) -> list[float]:
        """Nats per token of each document."""
        found = [0.0] * len(self.rows)
        for places in _batches(self.rows):
            losses, mask = _losses([self.rows[at] for at in places], model)
            means = (losses * mask).sum(1) / mask.sum(1)
            for at, mean in zip(places, means.tolist(), strict=True):
                found[at] = mean
        return found


def answer(model: PreTrainedModel, tokenizer: Tokenizer, tasks: Sequence[Cloze]) -> list[Answered]:
    """Complete tasks: the end with the highest likelihood is the student's, a tie is wrong."""
    rows, starts, owners = [], [], []
    for number, task in enumerate(tasks):
        begin = [END_OF_TEXT_ID, *tokenizer.encode(task.prompt, add_special_tokens=False).ids]
        for choice in task.choices:
            whole = tokenizer.encode(task.prompt + choice, add_special_tokens=False).ids
            rows.append([END_OF_TEXT_ID, *whole])
            starts.append(_common(begin, rows[-1]))
            owners.append(number)
    nats = [0.0] * len(rows)
    for places in _batches(rows):
        losses, mask = _losses([rows[at] for at in places], model)
        for line, at in enumerate(places):
            mask[line, : starts[at] - 1] = 0  # the loss at t is that of token t + 1
        for at, total in zip(places, (losses * mask).sum(1).tolist(), strict=True):
            nats[at] = total
    of_task: list[list[float]] = [[] for _ in tasks]
    for owner, value in zip(owners, nats, strict=True):
        of_task[owner].append(value)
    return [Answered(values[0] < min(values[1:]), values[0]) for values in of_task]


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two rows begin with together; at least one is left of the second."""
    limit = min(len(first), len(second) - 1)
    return next((at for at in range(limit) if first[at] != second[at]), limit)


def _batches(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of rows, those of like length together."""
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    for start in range(0, len(order), _BATCH):
        yield order[start : start + _BATCH]


def _losses(rows: Sequence[Sequence[int]], model: PreTrainedModel) -> tuple[Tensor, Tensor]:
    import torch

    with torch_threads(1), torch.no_grad():
        return padded_losses(model, rows)


def mean_by_set(losses: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Held-out set → mean loss of its documents."""
    return {name: sum(values) / len(values) for name, values in losses.items()}
