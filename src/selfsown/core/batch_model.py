"""The seam to a provider's batch API: many requests submitted as one, answered within a day.

A model that has one implements `BatchModel` beside `Model`. Like `attempt`, its methods try once
and raise `AttemptFailed`; patience, journal and budget live above (`selfsown.core.batches`).
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, runtime_checkable

from selfsown.core.errors import ConfigError
from selfsown.core.model import Answer
from selfsown.core.request import JSON, Request

_SEPARATOR: Final = "_"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """Operational settings of batches; none of them can change an answer."""

    enabled: bool = False
    """Whether new calls go into batches. Those of earlier processes are waited for in any case."""
    requests: int | None = None
    """Most calls in one batch; None: what the provider takes."""
    linger_s: float = 1.0
    """Seconds without a new call, nothing else under way, after which a batch is submitted."""
    poll_s: float = 30.0
    """Seconds before the first look at a batch; each later wait is half as long again."""
    poll_most_s: float = 600.0
    """Longest wait between two looks."""
    lookup_s: float = 60.0
    """Seconds that a batch whose creation is uncertain is looked for before it is given up."""
    price_factor: float = 0.5
    """Price of a call in a batch, as a share of the model's price."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What a provider takes in one batch."""

    requests: int
    bytes: int
    """Of all lines together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """One look at a batch."""

    remote: str
    """The provider's id."""
    phase: Literal["running", "ended", "refused"]
    """`ended`: results can be read, whatever became of each call. `refused`: no call was made."""
    done: int = 0
    """Calls that have an end. Some providers count only when the whole batch has ended."""
    total: int = 0
    why: str = ""
    """Why it was refused; free of secrets, times and ids."""
    too_much: bool = False
    """Refused because too much is queued already: smaller batches, later, may be taken."""
    bad: Mapping[int, str] = field(default_factory=dict)
    """0-based line → what is wrong with it, where that is why it was refused."""


@dataclass(frozen=True, slots=True)
class BatchSearch:
    """What is known about a batch whose creation is uncertain."""

    intent: str
    """Our id."""
    count: int
    """Calls in it."""
    since: str
    """UTC stamp of the moment before which it cannot have been created, by this clock."""
    others: frozenset[str]
    """Providers' ids that are known to be other batches."""


@dataclass(frozen=True, slots=True)
class BatchFound:
    """What a search came to."""

    state: BatchState | None
    maybe: tuple[str, ...] = ()
    """Providers' ids of batches that may be it, which shows only when they have ended."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One line of a batch's results, unread."""

    custom_id: str
    reply: Mapping[str, JSON]


@runtime_checkable
class BatchModel(Protocol):
    """A model whose provider has a batch API. Optional, beside `selfsown.core.model.Model`."""

    @property
    def batch_limits(self) -> BatchLimits:
        """What one batch may hold."""

    def batch_address(self, request: Request) -> str:
        """Requests with the same address may share a batch."""

    def batch_line(self, request: Request, custom_id: str) -> bytes:
        """One request as it lies in the batch, without a newline.

        Raises:
            AttemptFailed: `bad_request` for what the provider does not have.
        """

    async def upload_batch(self, intent: str, lines: Sequence[bytes]) -> str:
        """Bring the lines to the provider; nothing is made of them yet. Returns the upload's id.

        Empty where a batch is created from the lines directly.
        """

    async def create_batch(
        self, intent: str, address: str, lines: Sequence[bytes], upload: str
    ) -> BatchState:
        """Submit. From here on calls are made and paid."""

    async def find_batch(self, search: BatchSearch) -> BatchFound:
        """Look for a batch by our id."""

    async def batch_state(self, remote: str) -> BatchState:
        """Look at a batch."""

    def batch_results(self, remote: str) -> AsyncGenerator[BatchResult, None]:
        """The results of an ended batch, in any order. It may be closed before its end."""

    def read_batched(self, result: BatchResult, request: Request) -> Answer:
        """The answer in a result; what `attempt` would have made of it.

        Raises:
            AttemptFailed: for every result that is no answer. A call that was not made (expired,
                canceled) is `timeout` or `overloaded` and not billed.
        """

    async def cancel_batch(self, remote: str) -> None:
        """Ask the provider to make no further calls of a batch."""


def custom_id(intent: str, key: bytes) -> str:
    """The id of one call in a batch: our id of the batch and the call's whole key, 60 characters.

    Letters, digits, `-` and `_` only, which is what the strictest provider takes.
    """
    return f"{intent}{_SEPARATOR}{base64.urlsafe_b64encode(key).decode().rstrip('=')}"


def key_of(custom: str, intent: str) -> bytes | None:
    """The key in a custom id; None if it belongs to no call of this batch."""
    head, separator, tail = custom.partition(_SEPARATOR)
    if head != intent or not separator:
        return None
    try:
        return base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4))
    except ValueError:
        return None


def require_batches(models: Mapping[str, object]) -> None:
    """Refuse `--batch` where no model has a batch API.

    Raises:
        ConfigError: names the models.
    """
    if not any(isinstance(model, BatchModel) for model in models.values()):
        names = ", ".join(f"`{getattr(model, 'uri', '')}`" for model in models.values())
        raise ConfigError(
            f"`--batch`: none of the models has a batch API: {names}",
            why="batches are a service of hosted models (`openai:`, `anthropic:`, and endpoints "
            "that offer OpenAI's)",
            fix="leave `--batch` out",
        )
