"""Requests of all kinds, in the completion and the chat layout.

Whatever stays the same over a run comes first in every prompt, so that prefix caches work: worked
examples are chosen once (`Shots`), and only the task at the end changes. Demonstrations are left
out from the end, or the longest first in a list, where a prompt would not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from selfsown.core.errors import ConfigError
from selfsown.core.model import Capabilities
from selfsown.core.request import JSON, Message, Request
from selfsown.recipes.seeds.task import SeedTask
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.sampling import Sampling
from selfsown.recipes.self_instruct.templates import Templates

T = TypeVar("T")
CallKind = Literal["lists", "classification", "input_first", "output_first", "answer"]

_MAX_TOKENS: Final[Mapping[CallKind, tuple[int, int]]] = {
    "lists": (1024, 2048),
    "classification": (16, 512),
    "input_first": (512, 2048),
    "output_first": (512, 2048),
    "answer": (512, 2048),
}
"""Kind → most tokens for base models, which stop strings end, and for chat models, whose hidden
reasoning counts."""
_BYTES_PER_TOKEN: Final = 2
_BARE_QUESTION: Final = (
    "A classification task is one whose output is picked from a small fixed set of labels."
)
"""Header of the yes-no prompt when no seed says what it is."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How one role is spoken to."""

    chat: bool
    """Chat messages instead of a text to continue."""
    schema: bool
    """Answers come as JSON that meets a schema."""
    context_tokens: int | None
    """Longest prompt + answer, where known."""


@dataclass(frozen=True, slots=True)
class Shots:
    """Worked seed tasks of the prompts that stay the same over a run."""

    classification: tuple[SeedTask, ...]
    input_first: tuple[SeedTask, ...]
    output_first: tuple[SeedTask, ...]
    """Empty where no seed is a classification task; then every task goes input first."""
    answer: tuple[tuple[SeedTask, ...], ...] = ()
    """One set for each vote."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A request for new instructions, and what it shows."""

    request: Request
    shown: tuple[int, ...]
    """Positions of the demonstrations that fit, in order."""


def voice_of(options: Options, capabilities: Capabilities, is_chat: bool) -> Voice:
    """How to speak to a role, from what its model can do; option `layout` overrules `is_chat`."""
    chat = is_chat if options.layout == "auto" else options.layout == "chat"
    schema = chat and capabilities.schema and options.structured == "auto"
    return Voice(chat, schema, capabilities.context_tokens)


@dataclass(frozen=True, slots=True)
class Layout:
    """Builds every request of a run. Pure: the same arguments give the same request."""

    options: Options
    templates: Templates
    shots: Shots
    generator: Voice
    """Writes lists and instances."""
    labeler: Voice
    """Answers the classification question."""

    def list_request(self, demonstrations: Sequence[str], passage: str = "") -> ListRequest:
        """Ask for new instructions after `demonstrations`, which appear in the given order.

        With a passage, for such that come from it.
        """
        header = self.options.list_header
        if self.options.classification_only:
            header = self.options.classification_list_header

        def build(shown: Sequence[tuple[int, str]]) -> Request:
            values: dict[str, object] = {
                "header": header,
                "items": [
                    {"mark": self.mark(k), "text": list_item(text)}
                    for k, (_, text) in enumerate(shown, start=1)
                ],
                "next_mark": self.mark(len(shown) + 1),
                "new_count": self.options.new_per_request,
                "passage": passage,
                "classification_only": self.options.classification_only,
            }
            last = len(shown) + self.options.new_per_request + 1
            stop = ("\n\n", "\n" + self.mark(last))
            return self._request("lists", "list", self.generator, values, stop, _LIST_SCHEMA)

        numbered = list(enumerate(demonstrations))
        request, shown = self._fitted("lists", self.generator, build, numbered, _without_longest)
        return ListRequest(request, tuple(k for k, _ in shown))

    def classification_request(self, instruction: str) -> Request:
        """Ask whether `instruction` is a classification task."""

        def build(shown: Sequence[SeedTask]) -> Request:
            header = self.options.classification_header or ("" if shown else _BARE_QUESTION)
            values = _task_values(header, shown, instruction)
            return self._request(
                "classification", "classification", self.labeler, values, ("\n",), _YES_NO_SCHEMA
            )

        shots = self.shots.classification
        return self._fitted("classification", self.labeler, build, shots, _without_last)[0]

    def instance_request(
        self, instruction: str, *, label_first: bool, passage: str = ""
    ) -> Request:
        """Ask for instances of `instruction`; label first for a classification task.

        With a passage, from what it says.
        """
        kind: CallKind = "output_first" if label_first else "input_first"
        shots = self.shots.output_first if label_first else self.shots.input_first
        header = (
            self.options.output_first_header if label_first else self.options.input_first_header
        )
        stop: tuple[str, ...] = ("\nTask:",)
        if not label_first:
            stop += (f"\nExample {self.options.max_instances + 1}",)
        schema = _LABEL_SCHEMA if label_first else _INSTANCE_SCHEMA

        def build(shown: Sequence[SeedTask]) -> Request:
            values = _task_values(header, shown, instruction, passage)
            values["max_instances"] = self.options.max_instances
            return self._request(kind, kind, self.generator, values, stop, schema)

        return self._fitted(kind, self.generator, build, shots, _without_last)[0]

    def answer_request(
        self, instruction: str, text: str, number: int, passage: str = ""
    ) -> Request:
        """Ask for the output of one task with input `text`, as vote `number`; from 0."""
        stop = ("\nTask:", "\nInput:")

        def build(shown: Sequence[SeedTask]) -> Request:
            values = _task_values("", shown, instruction, passage)
            values["input"] = text.strip()
            return self._request("answer", "answer", self.generator, values, stop, _ANSWER_SCHEMA)

        shots = self.shots.answer[number]
        return self._fitted("answer", self.generator, build, shots, _without_last)[0]

    def mark(self, number: int) -> str:
        """What stands before the list item of this number."""
        return f"Task {number}:" if self.options.list_style == "task" else f"{number}."

    def _request(
        self,
        kind: CallKind,
        prompt: str,
        voice: Voice,
        values: dict[str, object],
        stop: tuple[str, ...],
        schema: Mapping[str, JSON],
    ) -> Request:
        sampling: Sampling = getattr(self.options, kind)
        values["structured"] = voice.schema
        messages: tuple[Message, ...] = ()
        text: str | None = None
        if voice.chat:
            messages = self.templates.messages(f"chat_{prompt}", values)
            stop = ()
        else:
            text = self.templates.text(prompt, values)
        return Request(
            messages=messages,
            prompt=text,
            max_tokens=max_tokens(kind, sampling, voice),
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            stop=stop if sampling.stop is None else sampling.stop,
            schema=schema if voice.schema else None,
            extra=sampling.extra,
        )

    def _fitted(
        self,
        kind: CallKind,
        voice: Voice,
        build: Callable[[Sequence[T]], Request],
        shown: Sequence[T],
        shortened: Callable[[Sequence[T]], Sequence[T]],
    ) -> tuple[Request, Sequence[T]]:
        limit = prompt_limit(self.options, kind, voice)
        request = build(shown)
        while limit is not None and shown and _shown_bytes(request) > limit:
            shown = shortened(shown)
            request = build(shown)
        return request, shown


def max_tokens(kind: CallKind, sampling: Sampling, voice: Voice) -> int:
    """Most tokens of one answer: as set, or our value, or a quarter of a smaller context."""
    if sampling.max_tokens is not None:
        return sampling.max_tokens
    ours = _MAX_TOKENS[kind][voice.chat]
    if voice.context_tokens is None:
        return ours
    return min(ours, max(1, voice.context_tokens // 4))


def prompt_limit(options: Options, kind: CallKind, voice: Voice) -> int | None:
    """Longest prompt in UTF-8 bytes; None for no limit.

    Raises:
        ConfigError: the answer alone fills the model's context.
    """
    if options.max_prompt_bytes is not None or voice.context_tokens is None:
        return options.max_prompt_bytes
    answer = max_tokens(kind, getattr(options, kind), voice)
    if answer >= voice.context_tokens:
        raise ConfigError(
            f"`{kind}.max_tokens` is {answer}, the model's context is {voice.context_tokens}",
            why="prompt and answer share the context",
            fix=f"leave `{kind}.max_tokens` empty, or set at most {voice.context_tokens // 2}",
        )
    return _BYTES_PER_TOKEN * (voice.context_tokens - answer)


def list_item(instruction: str) -> str:
    """An instruction as one list line: whitespace squeezed, colons at the end removed.

    As in the released code; a line that ends in a colon would announce an input.
    """
    return " ".join(instruction.split()).rstrip(":")


def _task_values(
    header: str, shown: Sequence[SeedTask], instruction: str, passage: str = ""
) -> dict[str, object]:
    demonstrations = [
        {
            "instruction": " ".join(task.instruction.split()),
            "is_classification": task.is_classification is True,
            "instances": [
                {"input": i.input.strip(), "output": i.output.strip()} for i in task.instances
            ],
        }
        for task in shown
    ]
    return {
        "header": header,
        "demonstrations": demonstrations,
        "instruction": instruction.strip(),
        "passage": passage,
    }


def _shown_bytes(request: Request) -> int:
    if request.prompt is not None:
        return len(request.prompt.encode())
    return sum(len(turn.text.encode()) for turn in request.messages)


def _without_last(shown: Sequence[T]) -> Sequence[T]:
    return shown[:-1]


def _without_longest(shown: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    longest = max(shown, key=lambda pair: len(pair[1].encode()))
    return [pair for pair in shown if pair != longest]


def _object_schema(name: str, items: Mapping[str, JSON]) -> Mapping[str, JSON]:
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": items}},
        "required": [name],
        "additionalProperties": False,
    }


def _pair_schema(first: str, second: str) -> Mapping[str, JSON]:
    return {
        "type": "object",
        "properties": {first: {"type": "string"}, second: {"type": "string"}},
        "required": [first, second],
        "additionalProperties": False,
    }


_LIST_SCHEMA: Final = _object_schema("tasks", {"type": "string"})
_INSTANCE_SCHEMA: Final = _object_schema("instances", _pair_schema("input", "output"))
_LABEL_SCHEMA: Final = _object_schema("examples", _pair_schema("label", "input"))
_YES_NO_SCHEMA: Final[Mapping[str, JSON]] = {
    "type": "object",
    "properties": {"is_classification": {"type": "boolean"}},
    "required": ["is_classification"],
    "additionalProperties": False,
}
_ANSWER_SCHEMA: Final[Mapping[str, JSON]] = {
    "type": "object",
    "properties": {"output": {"type": "string"}},
    "required": ["output"],
    "additionalProperties": False,
}
