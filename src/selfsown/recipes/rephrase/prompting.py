"""What is asked of one passage in one style."""

from __future__ import annotations

from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.core.model import Capabilities
from selfsown.core.request import Request
from selfsown.core.token_counts import Counter
from selfsown.judge.prompting import fenced
from selfsown.recipes.prompt_files import PromptFiles
from selfsown.recipes.rephrase.options import PROMPTS, Options
from selfsown.recipes.rephrase.passages import Cutter, Passage
from selfsown.recipes.rephrase.style import Style

_NEXT: Final = ("\n<source>", "\n</source>")
"""Where a base model begins another example of its own."""
_CHAT_TOKENS: Final = 64
"""That a chat template may add."""
_LONGEST_HINT: Final = "x" * 120


class Prompting:
    """Requests of one run. The document comes last, so that what is before it can be cached."""

    def __init__(self, options: Options, *, is_chat: bool) -> None:
        self._options, self._is_chat = options, is_chat
        self._files = PromptFiles("selfsown.recipes.rephrase", PROMPTS, options.prompts)

    def request(self, passage: Passage, style: Style, number: int) -> Request:
        """The request for a passage in a style, with the instruction of that number."""
        hint = self._options.context_hint
        values = {
            "title": passage.original.title if hint else "",
            "section": passage.section if hint else "",
            "source": fenced(passage.text),
        }
        return self._request(style, number, values)

    def check_context(
        self, styles: tuple[Style, ...], cutter: Cutter, count: Counter, model: Capabilities
    ) -> None:
        """Make sure that a full chunk, what stands around it, and a full answer fit the model.

        Raises:
            ConfigError: they do not, by the count of tokens that the run uses.
        """
        if model.context_tokens is None:
            return
        values = {"title": _LONGEST_HINT, "section": _LONGEST_HINT, "source": ""}
        for style in styles:
            limit = cutter.limit((style,))
            requests = [self._request(style, k, values) for k in range(len(style.templates))]
            around = max(count(_text(request)) for request in requests) + _CHAT_TOKENS
            needed = limit + around + style.output_tokens
            if needed > model.context_tokens:
                raise ConfigError(
                    f"style `{style.name}` needs a context of {needed} tokens, and the model has"
                    f" {model.context_tokens}",
                    why=f"{limit} for the chunk, {around} for what stands around it,"
                    f" {style.output_tokens} for the answer",
                    fix=f"lower `chunk_tokens`, or `change.{style.name}.output_tokens`, or take a"
                    " model with a longer context",
                )

    def _request(self, style: Style, number: int, values: dict[str, str]) -> Request:
        named = {"instruction": style.templates[number].strip(), "opening": style.opening, **values}
        return Request(
            messages=self._files.messages("chat", named) if self._is_chat else (),
            prompt=None if self._is_chat else self._files.text("completion", named),
            max_tokens=style.output_tokens,
            temperature=self._options.temperature,
            top_p=self._options.top_p,
            stop=() if self._is_chat else _NEXT,
            extra=self._options.extra,
        )


def _text(request: Request) -> str:
    return request.prompt or "\n".join(turn.text for turn in request.messages)
