"""What a failed attempt means: for the endpoint's limits, for the run, and for its record."""

from __future__ import annotations

import re
from typing import Final

from selfsown.core.errors import EnvironmentFailure
from selfsown.core.limiter import Verdict
from selfsown.core.model import AttemptFailed, Model
from selfsown.core.retry import RetryPolicy, Tries, never_connected

_REFUSING_STATUSES: Final = frozenset({429, 529})
_GATEWAY_STATUSES: Final = frozenset({502, 503})

_VARIABLE: Final = re.compile(r"`([A-Z][A-Z0-9_]*_[A-Z0-9_]+)`")
_KEY_VARIABLES: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}

_FINAL: Final = {
    "bad_request": "the endpoint does not accept the request",
    "context_length": "the prompt does not fit into the model's context",
    "content_filter": "the provider's filter stopped the request or its answer",
    "schema": "the answer does not meet the schema",
    "not_found": "the endpoint has nothing at the address of the request",
    "malformed": "the reply is no answer",
    "empty": "the answer has no text",
}


def verdict(failure: AttemptFailed) -> Verdict:
    """What the failure says about the endpoint."""
    if failure.kind == "rate_limit" or failure.status in _REFUSING_STATUSES:
        return "refused"
    if failure.kind == "connection":
        return "unreached" if never_connected(failure) else "cut"
    if failure.kind == "timeout":
        return "late"
    return "gateway" if failure.status in _GATEWAY_STATUSES else "replied"


def environment_failure(model: Model, failure: AttemptFailed) -> EnvironmentFailure:
    """The error that suspends the run for a failure that is not the request's fault."""
    status = f" (HTTP {failure.status})" if failure.status is not None else ""
    detail = f": {failure.detail}" if failure.detail else ""
    what, fix = _environment_words(model, failure)
    return EnvironmentFailure(
        f"{what}{status}{detail}",
        why="every further call would fail in the same way",
        fix=f"{fix}, then run the same command again; it resumes here",
    )


def storm_failure(model: Model, policy: RetryPolicy) -> EnvironmentFailure:
    """The error for an endpoint that refused one call too often and answered none meanwhile."""
    return EnvironmentFailure(
        f"`{model.endpoint}` refuses every call for load (HTTP 429)",
        why=f"one call was refused {policy.refusals} times, and no other was answered meanwhile",
        fix="wait, or lower `--concurrency` or `requests_per_minute`, then run the same command "
        "again; it resumes here",
    )


def final_outcome(
    failure: AttemptFailed, tries: Tries | None, policy: RetryPolicy
) -> tuple[str, str]:
    """Kind and text of a call's final failure; `tries` where it was tried again.

    The text holds no time, id or port (a backend keeps them out of `detail`), so that it replays.
    """
    detail = f": {failure.detail}" if failure.detail else ""
    if tries is None or (failure.kind == "empty" and tries.counted == tries.empty):
        return failure.kind, f"{_FINAL.get(failure.kind, failure.kind)}{detail}"
    if failure.kind == "rate_limit":
        return "retries_exhausted", f"refused for load {policy.refusals} times{detail}"
    return (
        "retries_exhausted",
        f"no usable answer in {tries.counted} attempts, "
        f"the last one failed with `{failure.kind}`{detail}",
    )


def _environment_words(model: Model, failure: AttemptFailed) -> tuple[str, str]:
    """What happened and how to fix it, as the beginnings of two sentences."""
    uri = model.uri
    if failure.kind == "auth":
        named = _VARIABLE.search(failure.detail)
        variable = _KEY_VARIABLES.get(uri.partition(":")[0], "OPENAI_API_KEY")
        variable = named[1] if named else variable
        what = "does not accept the API key" if failure.status else "needs an API key"
        return f"`{uri}` {what}", f"set `{variable}` to a key that may use this model"
    if failure.kind == "not_found":
        return (
            f"`{uri}` is not there",
            "correct the base URL (does it end in `/v1`?) or the model name, or load the model",
        )
    if failure.kind == "model_changed":
        return (
            f"`{uri}` answers with another model than before",
            "restore the model, or start another run directory, "
            "or give the model an `identity` in the config",
        )
    if failure.kind == "quota":
        return f"the account behind `{uri}` is out of credit", "add credit or use another key"
    return f"the model `{uri}` broke", "give it more memory, a smaller batch or other weights"
