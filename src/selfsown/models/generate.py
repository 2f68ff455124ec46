"""The generation loop: rows start, grow by a token a step, and leave the moment they are over.

    outstanding calls ──take──▶ decoder.start ─▶ logits ─▶ choose ─▶ row.add ─▶ finished? ──▶ result
                                     ▲                                  │ no
                                     └───────── decoder.step ◀──────────┘

The same loop drives both kinds of decoder: one whose rows may join at any step (`LlamaDecoder`),
and one whose rows start together (`TransformersDecoder`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from selfsown.core.model import AttemptFailed
from selfsown.models.sampling import Sampling, TokenStream, choose
from selfsown.models.stopping import Detokenizer, GrowingAnswer

if TYPE_CHECKING:
    from torch import Tensor


class Decoder(Protocol):
    """A model with the key-value cache of the rows under way."""

    @property
    def joins(self) -> bool:
        """Whether rows may start while others are under way."""

    @property
    def rows(self) -> int:
        """Most rows at a time."""

    def start(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Add a row per prompt after the present ones; (len(prompts), V) logits of the next.

        Every prompt has at least one token.
        """

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Append one token to every row; (B, V) logits of the next."""

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; none: start anew.

        A row only ever moves towards the front.
        """


@dataclass(frozen=True, slots=True)
class Prompt:
    """One call as the loop sees it."""

    ids: Sequence[int]
    max_tokens: int
    """At least 1; no more than the context has room for."""
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Generated:
    """The result of one call."""

    text: str
    """Up to the stop string; without end-of-text tokens."""
    finish_reason: Literal["stop", "length"]
    input_tokens: int
    output_tokens: int
    """All generated tokens: the end-of-text token and those of the stop string included."""


@dataclass(slots=True, eq=False)
class Row:
    """A call under way; `finish` receives its outcome, once."""

    prompt: Prompt
    finish: Callable[[Generated | AttemptFailed], None]
    is_dropped: Callable[[], bool] = lambda: False
    """Asked at each step; a dropped row leaves without a result."""
    stream: TokenStream = field(init=False)
    answer: GrowingAnswer = field(init=False)

    def reset(self, detokenizer: Detokenizer) -> None:
        """Begin from the first token, also when an earlier try was broken off."""
        self.stream = TokenStream(self.prompt.sampling)
        self.answer = GrowingAnswer(detokenizer, self.prompt.ids, self.prompt.stop)

    def add(self, token: int, end: frozenset[int]) -> bool:
        """Take a token; if it is the last one, hand over the result. Whether the row is over."""
        reason: Literal["stop", "length"] = "stop"
        if self.is_dropped():
            return True
        count = len(self.answer.ids) + 1
        if token not in end and not self.answer.add(token):
            if count < self.prompt.max_tokens:
                return False
            reason = "length"
        self.finish(Generated(self.answer.text(), reason, len(self.prompt.ids), count))
        return True


class Generation:
    """The rows under way on one decoder; used from one thread."""

    def __init__(self, decoder: Decoder, detokenizer: Detokenizer, end: frozenset[int]) -> None:
        self.decoder = decoder
        self.rows: list[Row] = []
        self._detokenizer = detokenizer
        self._end = end
        self._last: list[int] = []

    def free(self, limit: int) -> int:
        """How many rows may start now when no more than `limit` shall be under way."""
        if self.rows and not self.decoder.joins:
            return 0
        return max(0, min(limit, self.decoder.rows) - len(self.rows))

    def start(self, rows: Sequence[Row]) -> None:
        """Read the prompts of new rows and take their first tokens.

        When the decoder raises, the new rows are under way all the same; see `clear`.
        """
        for row in rows:
            row.reset(self._detokenizer)
        self.rows.extend(rows)
        logits = self.decoder.start([row.prompt.ids for row in rows])
        self._last.extend(choose(logits, [row.stream for row in rows]))
        self._settle(len(self.rows) - len(rows))

    def step(self) -> None:
        """One more token for every row."""
        logits = self.decoder.step(self._last)
        self._last = choose(logits, [row.stream for row in self.rows])
        self._settle(0)

    def clear(self) -> list[Row]:
        """Break everything off; the rows that were under way."""
        rows, self.rows, self._last = self.rows, [], []
        self.decoder.keep([])
        return rows

    def _settle(self, first: int) -> None:
        """Give the rows from `first` on their tokens; those that are over leave."""
        over = {
            i for i in range(first, len(self.rows)) if self.rows[i].add(self._last[i], self._end)
        }
        if not over:
            return
        order = list(range(len(self.rows)))
        for i in sorted(over, reverse=True):
            order[i] = order[-1]
            order.pop()
        self.decoder.keep(order)
        self.rows = [self.rows[i] for i in order]
        self._last = [self._last[i] for i in order]
