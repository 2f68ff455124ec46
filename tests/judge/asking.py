"""A model behind a judge, as a function of what it is shown: the run's verbs without a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from selfsown.core.errors import CallFailed
from selfsown.core.request import Completion, Request

Result = TypeVar("Result")
Says = Callable[[str, int], str | Completion]
"""(what is shown, number of the sample) -> what the model writes."""


class Model:
    """Answers a judge's calls by a function of what it is shown and the sample's number."""

    def __init__(self, says: Says, *, chat: bool = True) -> None:
        self.says, self.chat = says, chat
        self.asked: list[tuple[Request, int]] = []

    async def ask(self, role: str, request: Request, sample: int = 0) -> Completion:
        assert role == "judge"
        self.asked.append((request, sample))
        said = self.says(request.prompt or request.messages[0].text, sample)
        return said if isinstance(said, Completion) else Completion(said)

    async def gather(self, *branches: Awaitable[Result]) -> list[Result]:
        return list(await asyncio.gather(*branches))

    def is_chat(self, role: str) -> bool:
        return self.chat


def refused(_shown: str, _sample: int) -> str:
    raise CallFailed("content_filter", "refused")
