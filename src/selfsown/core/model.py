"""The narrow seam to every model: one attempt at one request.

Retries, limits, budget and journal live above it. A backend implements `Model`. `attempt` either
returns an `Answer` or raises `AttemptFailed`, which says what kind of failure it was; the caller
decides whether to try again. Nothing else may escape from a backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from selfsown.core.request import Completion, Request

FailureKind = Literal[
    "rate_limit",  # 429: wait `retry_after_s`
    "overloaded",  # 5xx, 408, 409, 425, 529: try again
    "timeout",  # no reply in time: may have been billed
    "connection",  # refused, reset or cut: cut ones may have been billed
    "malformed",  # 200 with a body that is no answer (HTML, broken JSON, no choices)
    "empty",  # an answer without text
    "bad_request",  # 400, 413, 422: final
    "context_length",  # prompt too long for the model: final
    "content_filter",  # refused by the provider's filter: final
    "schema",  # paid, but the answer does not meet the schema: final for this sample
    "auth",  # 401, 403: the environment's fault
    "not_found",  # 404: wrong URL or model name
    "model_changed",  # the endpoint reports another model than before
    "quota",  # the account is out of credit: the environment's fault
    "local",  # a model in this process broke (out of memory, bad weights)
]

RETRYABLE: frozenset[str] = frozenset(
    {"rate_limit", "overloaded", "timeout", "connection", "malformed", "empty"}
)
"""Kinds worth another attempt of the same request."""

ENVIRONMENT: frozenset[str] = frozenset({"auth", "not_found", "model_changed", "quota", "local"})
"""Kinds that suspend the run: the request is not at fault."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do. A recipe that needs more is refused before the first call."""

    chat: bool = True
    completion: bool = False
    images: bool = False
    schema: bool = False
    """Native JSON-schema mode; without it the answer is parsed strictly, then repaired."""
    logprobs: bool = False
    seed: bool = False
    batch_invariant: bool = False
    """A call's text does not depend on what else is generated at the same time."""
    local: bool = False
    """Runs in this process: no network, no price, never re-sent."""
    context_tokens: int | None = None
    """Longest prompt + answer, where known."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None
    """Price of cached prompt tokens; the input price where None."""
    source: str = "given"
    """Where the numbers come from, with a date."""


@dataclass(frozen=True, slots=True)
class RateState:
    """What the headers of one reply said about limits; None where they said nothing."""

    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    limit_requests: int | None = None
    limit_tokens: int | None = None
    reset_requests_s: float | None = None
    reset_tokens_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful attempt."""

    completion: Completion
    rate: RateState | None = None


class AttemptFailed(Exception):
    """One attempt did not produce an answer.

    `detail` is free of times, request ids, ports and secrets, since it may become a journaled
    outcome. `retry_after_s` is the server's wish, if any. `may_be_billed` says whether the provider
    could have charged for it. `completion` carries a paid answer that cannot be used (schema
    missed, filtered) for the record.
    """

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        may_be_billed: bool = False,
        rate: RateState | None = None,
        completion: Completion | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: FailureKind = kind
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.may_be_billed = may_be_billed
        self.rate = rate
        self.completion = completion


@runtime_checkable
class Model(Protocol):
    """One model behind one backend. Instances are used from one event loop."""

    @property
    def uri(self) -> str:
        """The URI it was opened with, without user info, query and keys."""

    @property
    def identity(self) -> str:
        """What goes into the journal key: URL + `#` + name, or the hash of local weights."""

    @property
    def endpoint(self) -> str:
        """Name under which limits are shared: scheme and host, or the URI of a local model."""

    @property
    def capabilities(self) -> Capabilities:
        """What the backend can do."""

    @property
    def price(self) -> Price | None:
        """None if unknown; local models cost nothing (`Price(0, 0)`)."""

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        """Ask once.

        Args:
            request: what to ask.
            timeout_s: give up after so many seconds without a complete answer; None waits for ever.
            seed: a number derived from the call's key and sample, for backends that sample
                themselves.

        Raises:
            AttemptFailed: for every failure whatsoever.
        """

    async def close(self) -> None:
        """Release connections, threads and memory. May be called twice."""


@runtime_checkable
class RemembersName(Protocol):
    """A model whose endpoint reports a name, so that a change of it can be noticed. Optional."""

    def expect_name(self, reported: str) -> None:
        """Take this as the name that was reported before; another one is `model_changed`."""


@runtime_checkable
class KnowsDepth(Protocol):
    """A model whose own files tell how it was trained, as local folders do. Optional."""

    @property
    def model_depth(self) -> int:
        """Trainings on machine data that stand behind it.

        Raises:
            InputError: what tells it is damaged, or belongs to other weights.
        """
