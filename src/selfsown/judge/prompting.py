"""How model judges ask: prompts from files beside the code, what is judged fenced in, one call.

What is judged is hostile: it may hold instructions to the judge, or close the tag it stands in. So
every text from outside is passed through `fenced`, and prompts tell the judge that whatever stands
between tags is material. What is not covered: a judge that obeys nonetheless, which the canaries of
`selfsown.judge.canaries` are there to find, and tags of the user's own templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from selfsown.core.errors import CallFailed, ConfigError
from selfsown.core.request import JSON, Completion, Request, message
from selfsown.core.templates import render, template
from selfsown.judge.base import Asker

ROLE: Final = "judge"

_TAGS: Final = "instruction|answer_a|answer_b|answer|reference|source|claim"
_TAG: Final = re.compile(rf"<(?=\s*/?\s*(?:{_TAGS})\b)", re.IGNORECASE)
_INSTRUCTION: Final = re.compile(r"<instruction>\n(.*?)\n</instruction>", re.DOTALL)
_NEXT: Final = ("\n<instruction>", "\n<source>", "\n<answer>", "\n<claim>")
"""Where a base model begins another example of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a judge asks its model."""

    prompt: str
    """Name of one of our templates (a file in `prompts/`)."""
    template: str | None = None
    """A template of the user's own, instead of ours."""
    temperature: float | None
    """None: the server's default."""
    top_p: float | None = None
    max_tokens: int = 512
    logprobs: int = 0
    """Alternatives per token to ask for; 0 for none."""
    role: str = ROLE

    def __post_init__(self) -> None:
        """Refuse what no request could carry, before anything is asked."""
        at_least_one("max_tokens", self.max_tokens)
        require(
            self.temperature is None or self.temperature >= 0,
            f"`temperature` is {self.temperature}",
            "0 is greedy, more is more random",
        )
        require(
            self.top_p is None or 0 < self.top_p <= 1,
            f"`top_p` is {self.top_p}",
            "it is a probability above 0",
        )
        require(self.logprobs >= 0, f"`logprobs` is {self.logprobs}", "it is a count")
        template(self.text)

    @property
    def text(self) -> str:
        """The template in force."""
        return self.template if self.template is not None else prompt_text(self.prompt)

    def request(self, chat: bool, values: Mapping[str, str | bool | None]) -> Request:
        """The request for some texts, each fenced in.

        Args:
            chat: one user message instead of a text to continue.
            values: what the template shows, None where there is none, and its switches.

        Raises:
            CallFailed: the template names something that is not there.
        """
        shown: dict[str, JSON] = {
            name: fenced(value) if isinstance(value, str) else value
            for name, value in values.items()
        }
        text = render(self.text, {**shown, "chat": chat}).strip()
        return Request(
            messages=(message("user", text),) if chat else (),
            prompt=None if chat else text,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            logprobs=self.logprobs,
            stop=() if chat else _NEXT,
        )

    async def ask(
        self, run: Asker, values: Mapping[str, str | bool | None], sample: int = 0
    ) -> Completion | CallFailed:
        """One journaled call; its final failure is returned: one sample may well be missing."""
        try:
            return await run.ask(self.role, self.request(run.is_chat(self.role), values), sample)
        except CallFailed as error:
            return error


def fenced(text: str) -> str:
    """The text with every tag of our prompts made harmless, so that it cannot leave its own."""
    return _TAG.sub("\u2039", text.strip())


def shown_instruction(text: str) -> str | None:
    """The instruction that stands fenced in a prompt of ours; None if there is none."""
    found = _INSTRUCTION.search(text)
    return found[1] if found else None


@lru_cache(maxsize=32)
def prompt_text(name: str) -> str:
    """One of our templates."""
    folder = resources.files("selfsown.judge") / "prompts"
    return (folder / f"{name}.j2").read_text(encoding="utf-8")


def require(condition: bool, what: str, why: str) -> None:
    """Refuse a judge's option that makes no sense."""
    if not condition:
        raise ConfigError(what, why=why, fix="correct the judge's option")


def at_least_one(name: str, count: int) -> None:
    """Refuse a count below 1."""
    require(count >= 1, f"`{name}` is {count}", "it must be at least 1")
