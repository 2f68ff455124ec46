"""Recognise the shapes in which people keep seed tasks, and read each into a `SeedTask`.

Read: the Self-Instruct shape (`instruction` with a list of `instances`), the Alpaca shape
(`instruction`, `input`, `output`), chat rows (`messages`, or ShareGPT `conversations`), and
`prompt` with `completion`. Other keys are ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selfsown.recipes.seeds.json_rows import Row
from selfsown.recipes.seeds.task import Instance, SeedProblem, SeedTask, shown
from selfsown.recipes.seeds.values import RowFindings, kind_of

_KEYS = ("instruction", "instances", "input", "output", "messages", "prompt", "completion", "id")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class ReadRow(NamedTuple):
    """What one row became."""

    task: SeedTask | None
    """The task, or None if an error keeps it out."""
    line: int
    """Where the row begins."""
    is_flat: bool
    """True if the row holds one instance, so that rows of equal instruction belong together."""
    problems: tuple[SeedProblem, ...]
    """Findings in this row, decoding included."""


class _Exchange(NamedTuple):
    """The parts of one row before their values are checked."""

    key: str
    instruction: object
    instances: list[tuple[object, object]]


def read_row(row: Row, *, position: int, require_instances: bool) -> ReadRow:
    """Read one row; `position` (0-based) makes the id of a row that has none."""
    if any(p.severity == "error" for p in row.problems):
        return ReadRow(None, row.line, False, row.problems)
    reader = _RowReader(row)
    if not isinstance(row.value, Mapping):
        reader.found.note(
            "not-an-object",
            f"the row is {kind_of(row.value)}, not an object",
            why="a seed has named parts: `instruction` and `instances`",
            fix='write it as {"instruction": "...", "instances": [{"input": "", "output": "..."}]}',
        )
        return ReadRow(None, row.line, False, tuple(reader.found.problems))
    task = reader.task(row.value, f"row_{position:04d}", require_instances)
    is_flat = "instances" not in row.value
    return ReadRow(task, row.line, is_flat, tuple(reader.found.problems))


class _RowReader:
    """Reads the parts of one row and collects what is wrong with them."""

    def __init__(self, row: Row) -> None:
        self.found = RowFindings(row.line, row.problems)

    def task(
        self, row: Mapping[str, object], default_id: str, require_instances: bool
    ) -> SeedTask | None:
        """Return the task, or None if the row has an error."""
        task_id = self._identifier(row.get("id")) or default_id
        self.found.seed_id = task_id if row.get("id") not in (None, "") else None
        name = self.found.text(row.get("name") or "", "name")
        exchange = self._exchange(row)
        if exchange is None:
            return None
        is_classification = self._is_classification(row.get("is_classification"))
        instruction = self._instruction(row, exchange)
        instances = [self._instance(n, *pair) for n, pair in enumerate(exchange.instances, 1)]
        if not instances and not self.found.has_error:
            self._no_instances(require_instances)
        if self.found.has_error:
            return None
        depth = row.get("depth")
        return SeedTask(
            *(task_id, name, instruction, tuple(instances), is_classification),
            depth=depth if isinstance(depth, int) and depth > 0 else 0,
        )

    def _exchange(self, row: Mapping[str, object]) -> _Exchange | None:
        for key in ("messages", "conversations"):
            if key in row and "instruction" not in row:
                return self._chat(row[key], key)
        if "prompt" in row and "instruction" not in row:
            return _Exchange("prompt", row["prompt"], _pair("", row.get("completion")))
        if "instances" in row:
            pairs = self._instance_pairs(row["instances"])
        else:
            pairs = _pair(row.get("input"), row.get("output"))
        return _Exchange("instruction", row.get("instruction"), pairs)

    def _instance_pairs(self, value: object) -> list[tuple[object, object]]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.found.wrong_type("instances", value, "a list of objects with `input` and `output`")
            return []
        pairs: list[tuple[object, object]] = []
        for number, item in enumerate(value, 1):
            if isinstance(item, Mapping):
                pairs.append((item.get("input"), item.get("output")))
            else:
                self.found.wrong_type(f"instances[{number}]", item, "an object with `output`")
        return pairs

    def _chat(self, value: object, key: str) -> _Exchange | None:
        turns = self._turns(value, key)
        users = [i for i, (role, _) in enumerate(turns) if role in ("user", "human")]
        if not users:
            self.found.note(
                "no-user-message",
                f"`{key}` has no message of the role `user`",
                why="the first user message is the instruction of the seed",
                fix="add one, or drop the row",
            )
            return None
        rest = turns[users[0] + 1 :]
        if len(rest) > 1 or users[0] > 0:
            self.found.note(
                "chat-cut",
                f"only the first question and answer of {len(turns)} messages are read",
                why="a seed task is one instruction and its answer",
                fix="put what the task needs into the first user message",
                severity="warning",
            )
        answered = bool(rest) and rest[0][0] in ("assistant", "gpt")
        return _Exchange(key, turns[users[0]][1], [("", rest[0][1])] if answered else [])

    def _turns(self, value: object, key: str) -> list[tuple[object, object]]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.found.wrong_type(key, value, "a list of messages")
            return []
        role, text = ("role", "content") if key == "messages" else ("from", "value")
        turns: list[tuple[object, object]] = []
        for number, message in enumerate(value, 1):
            if isinstance(message, Mapping):
                turns.append((message.get(role), message.get(text)))
            else:
                self.found.wrong_type(f"{key}[{number}]", message, f"an object with `{role}`")
        return turns

    def _instruction(self, row: Mapping[str, object], exchange: _Exchange) -> str:
        value = exchange.instruction
        if value is None:
            near = next(
                (k for k in row if k not in _KEYS and difflib.get_close_matches(str(k), _KEYS, 1)),
                None,
            )
            self.found.note(
                "no-instruction",
                "there is no `instruction`",
                why="the instruction is what new tasks are grown from",
                fix=f"rename the key `{shown(str(near))}`"
                if near
                else 'add `"instruction": "..."`',
            )
            return ""
        text = self.found.text(value, exchange.key)
        if isinstance(value, str) and not text.strip():
            self.found.note(
                "empty-instruction",
                "the instruction is empty",
                why="the instruction is what new tasks are grown from",
                fix="write the instruction, or drop the row",
            )
        return text

    def _instance(self, number: int, given: object, answer: object) -> Instance:
        if answer is None or (isinstance(answer, str) and not answer.strip()):
            self.found.note(
                "empty-output",
                f"instance {number} has no output",
                why="an example without an answer teaches the model to answer nothing",
                fix="write the output, or remove the instance",
            )
            answer = ""
        text = self.found.text("" if given is None else given, f"input of instance {number}")
        return Instance(text, self.found.text(answer, f"output of instance {number}"))

    def _no_instances(self, required: bool) -> None:
        self.found.note(
            "no-instances",
            "there is no instance (no `output`)",
            why="each seed supplies at least one worked example (input, output)",
            fix='add `"instances": [{"input": "", "output": "..."}]`, or an `output` column',
            severity="error" if required else "warning",
        )

    def _is_classification(self, value: object) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            if not value.strip():
                return None
            if value.strip().lower() in _BOOLEANS:
                return _BOOLEANS[value.strip().lower()]
        self.found.wrong_type("is_classification", value, "true or false")
        return None

    def _identifier(self, value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self.found.text(value or "", "id").strip()


def _pair(given: object, answer: object) -> list[tuple[object, object]]:
    """Return one instance, or none if the row has no answer at all."""
    if answer is None or (answer == "" and given in (None, "")):
        return []
    return [(given, answer)]
