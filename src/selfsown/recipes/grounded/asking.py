"""The requests of recipe `grounded`: for items, for answers, for a comparison of two answers.

What stays the same comes first in every prompt, the passage or the request last. Documents and
model output are only ever variables of a template, and stand between tags that they cannot close.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON, Request
from selfsown.core.run import Run
from selfsown.recipes.grounded.items import Item, Kind, schema
from selfsown.recipes.grounded.options import COMPLETION, PROMPT_NAMES, VARIANTS, Options
from selfsown.recipes.grounded.reader import Passage
from selfsown.recipes.prompt_files import PromptFiles

GENERATOR: Final = "generator"
JUDGE: Final = "judge"

_TAG: Final = re.compile(r"<(?=[\s/]*(?:passage|request|first|second)\b)", re.IGNORECASE)
_OPENING: Final = "Quote:"
_TITLE: Final = 200
"""Most characters of a title that are shown."""
_FRAME_TOKENS: Final = 800
"""More than a prompt of ours has around the passage."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How a role is spoken to."""

    role: str
    chat: bool
    schema: bool
    """Answers come as JSON that meets a schema."""

    @property
    def opening(self) -> str:
        """The label with which a prompt for items ends; empty in the chat layout."""
        return "" if self.chat else _OPENING


class Asking:
    """Builds every request of a run. Pure: the same arguments give the same request."""

    def __init__(self, run: Run, options: Options) -> None:
        """Look at the models.

        Raises:
            ConfigError: passage and answer do not fit into the context of a model, or a template of
                the user's does not parse.
        """
        self._options = options
        self._prompts = PromptFiles("selfsown.recipes.grounded", PROMPT_NAMES, options.prompts)
        self.generator = _voice(run, GENERATOR, options)
        self.judge = _voice(run, JUDGE if run.has_role(JUDGE) else GENERATOR, options)
        for voice in (self.generator, self.judge):
            _refuse_small_context(run, voice.role, options)

    def template(self, rng: Callable[[str, int], Random], passage: Passage) -> tuple[Kind, str]:
        """What to ask for, drawn per passage, and in which words, drawn per document.

        Base models have one template of each kind, which ends with `Quote:`.
        """
        kinds, name = self._options.kinds, passage.doc_id
        kind = kinds[rng(f"kind {name}", passage.order[1]).randrange(len(kinds))]
        variants = VARIANTS[kind] if self.generator.chat else (COMPLETION[kind],)
        return kind, variants[rng(f"template {kind} {name}", 0).randrange(len(variants))]

    def items(self, kind: Kind, template: str, passage: Passage) -> Request:
        """Ask for items about a passage, with a template that was drawn for it."""
        options, voice = self._options, self.generator
        values: dict[str, object] = {
            "passage": passage.text.strip(),
            "title": " ".join(passage.title.split())[:_TITLE],
            "items": options.items,
            "structured": voice.schema,
        }
        if voice.chat:
            messages, prompt = self._prompts.messages(template, values), None
        else:
            messages, prompt = (), self._prompts.text(template, values)
        return Request(
            messages=messages,
            prompt=prompt,
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            top_p=options.top_p,
            stop=() if voice.chat else ("\nPassage:",),
            schema=schema(kind) if voice.schema else None,
            extra=options.extra,
        )

    def answer(self, item: Item, passage: str) -> Request:
        """Ask for an answer with the passage alone."""
        return self._check("answer", {**_shown(item), "passage": fenced(passage)})

    def closed_book(self, item: Item) -> Request:
        """Ask for an answer from memory."""
        return self._check("closed_book", _shown(item))

    def same(self, item: Item, answer: str) -> Request:
        """Ask whether an answer says what the item's own says."""
        values = {**_shown(item), "reference": fenced(item.output), "answer": fenced(answer)}
        return self._check("same", values)

    def _check(self, name: str, values: Mapping[str, JSON]) -> Request:
        chat = self.judge.chat
        shown: dict[str, object] = {**values, "chat": chat}
        options = self._options
        return Request(
            messages=self._prompts.messages(name, shown) if chat else (),
            prompt=None if chat else self._prompts.text(name, shown).strip(),
            max_tokens=options.check_max_tokens,
            temperature=options.check_temperature,
            stop=() if chat else ("\n<", "\n\n"),
        )


def fenced(text: str) -> str:
    """The text with every tag of our prompts made harmless, so that it cannot leave its own."""
    return _TAG.sub("\u2039", text.strip())


def _shown(item: Item) -> dict[str, JSON]:
    return {"instruction": fenced(item.instruction), "input": fenced(item.input)}


def _voice(run: Run, role: str, options: Options) -> Voice:
    capabilities, chat = run.capabilities(role), run.is_chat(role)
    return Voice(role, chat, chat and capabilities.schema and options.structured == "auto")


def _refuse_small_context(run: Run, role: str, options: Options) -> None:
    context = run.capabilities(role).context_tokens
    needed = options.passage_tokens + _FRAME_TOKENS + options.max_tokens
    if context is not None and needed > context:
        raise ConfigError(
            f"the model of role `{role}` has a context of {context} tokens, and a passage with"
            f" prompt and answer may take {needed}",
            why="a prompt that is cut off would ask about half of a passage",
            fix="--set passage_tokens=N and --set max_tokens=N with smaller numbers",
        )
