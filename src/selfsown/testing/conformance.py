"""Checks that every model backend must pass; a backend author runs them in one line.

async def test_my_backend() -> None:
    await check_model(lambda: MyModel(...), secrets=["sk-canary"])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from selfsown.core.errors import CheckFailed
from selfsown.core.model import Answer, AttemptFailed, Capabilities, FailureKind, Model, Price
from selfsown.core.request import Completion, FinishReason, Image, Message, Request, message


async def check_model(open_: Callable[[], Model], *, secrets: Sequence[str] = ()) -> None:
    """Open a backend and hold it to the contract of `selfsown.core.model.Model`.

    It must answer a short request in each layout that it claims, describe itself without secrets
    and stably, translate what it cannot do into `AttemptFailed`, and close twice. Costs at most
    four calls.

    Args:
        open_: opens the model; called twice.
        secrets: keys it was opened with, which must show nowhere.

    Raises:
        CheckFailed: with the first promise that is broken.
    """
    model, twin = open_(), open_()
    try:
        check_description(model, twin, secrets)
        for request in _short_requests(model.capabilities):
            await check_attempt(model, request, secrets)
        await check_refusal(model, secrets)
    finally:
        for opened in (model, twin):
            await opened.close()
            await opened.close()
    await check_closed(twin, secrets)


def check_description(model: Model, twin: Model, secrets: Sequence[str] = ()) -> None:
    """Names, capabilities and price: right types, equal for equal models, no secret in sight."""
    require(isinstance(model, Model), "it lacks a member of `Model`")
    for name in ("uri", "identity", "endpoint"):
        value = getattr(model, name)
        require(isinstance(value, str) and bool(value), f"`{name}` is not a text")
        require(value == getattr(twin, name), f"`{name}` differs between two equal models")
        require(value == getattr(model, name), f"`{name}` changes between two looks")
        _no_secret(value, name, secrets)
    _no_secret(repr(model), "repr", secrets)
    _no_secret(str(model), "str", secrets)
    require(isinstance(model.capabilities, Capabilities), "`capabilities` is no `Capabilities`")
    require(
        model.capabilities.chat or model.capabilities.completion,
        "it offers neither chat nor completion",
    )
    require(model.price is None or isinstance(model.price, Price), "`price` is no `Price`")


async def check_attempt(model: Model, request: Request, secrets: Sequence[str] = ()) -> None:
    """One attempt gives an `Answer` whose parts are in range, or a well-formed `AttemptFailed`."""
    try:
        answer = await model.attempt(request, timeout_s=600.0, seed=1)
    except AttemptFailed as failure:
        check_failure(failure, secrets)
        return
    except Exception as error:
        raise CheckFailed(
            f"`attempt` raised `{type(error).__name__}`",
            why="nothing but `AttemptFailed` may escape from a backend",
            fix="translate it at the boundary, with the cause preserved",
        ) from error
    require(isinstance(answer, Answer), "`attempt` returned no `Answer`")
    completion = answer.completion
    require(isinstance(completion, Completion), "`Answer.completion` is no `Completion`")
    require(bool(completion.text.strip()), "an answer without text was not reported as `empty`")
    require(_encodable(completion.text), "the text holds a lone surrogate")
    require(
        completion.finish_reason in get_args(FinishReason), "`finish_reason` is not a known word"
    )
    usage = completion.usage
    counts = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
    )
    require(
        all(isinstance(n, int) and n >= 0 for n in counts), "`usage` has a negative or odd count"
    )
    require(usage.cached_input_tokens <= usage.input_tokens, "more cached than input tokens")
    require(usage.reasoning_tokens <= usage.output_tokens, "more reasoning than output tokens")


def check_failure(failure: AttemptFailed, secrets: Sequence[str] = ()) -> None:
    """A failure has a known kind and a detail that is one line, short, and without secrets."""
    require(
        failure.kind in get_args(FailureKind), f"`{failure.kind}` is not a known kind of failure"
    )
    require(bool(failure.detail), "a failure says nothing")
    require(
        failure.detail.isprintable() and len(failure.detail) <= 1000,
        "a detail is not one short line",
    )
    require(
        failure.retry_after_s is None or failure.retry_after_s >= 0, "`retry_after_s` is negative"
    )
    _no_secret(f"{failure} {failure!r} {failure.detail}", "failure", secrets)


async def check_refusal(model: Model, secrets: Sequence[str] = ()) -> None:
    """What a backend cannot do, it refuses: here an image, where it takes text only."""
    if model.capabilities.images:
        return
    picture = Message("user", (Image("0" * 64, "image/png"),))
    try:
        await model.attempt(Request(messages=(picture,), max_tokens=4), timeout_s=600.0, seed=1)
    except AttemptFailed as failure:
        check_failure(failure, secrets)
        require(failure.kind == "bad_request", "an image it cannot take was not a `bad_request`")
        return
    except Exception as error:
        raise CheckFailed(
            f"an image raised `{type(error).__name__}` instead of `AttemptFailed`"
        ) from error
    raise CheckFailed(
        "an image was taken although `capabilities.images` is false",
        why="the model answered without seeing it",
        fix="raise `AttemptFailed` of kind `bad_request`",
    )


async def check_closed(model: Model, secrets: Sequence[str] = ()) -> None:
    """After `close` an attempt may fail, but only with `AttemptFailed`."""
    request = _short_requests(model.capabilities)[0]
    try:
        await model.attempt(request, timeout_s=600.0, seed=1)
    except AttemptFailed as failure:
        check_failure(failure, secrets)
    except Exception as error:
        raise CheckFailed(f"a closed model raised `{type(error).__name__}`") from error
    finally:
        await model.close()


def _short_requests(capabilities: Capabilities) -> list[Request]:
    requests = []
    if capabilities.chat:
        turns = (message("system", "Answer briefly."), message("user", "Name a colour."))
        requests.append(Request(messages=turns, max_tokens=16, temperature=0.0))
    if capabilities.completion:
        requests.append(Request(prompt="A colour:", max_tokens=16, temperature=0.0, stop=("\n\n",)))
    return requests


def require(holds: bool, otherwise: str) -> None:
    """Raise `CheckFailed` unless a promise holds."""
    if not holds:
        raise CheckFailed(
            f"the model backend breaks its contract: {otherwise}",
            why="runs rely on what `selfsown.core.model` promises",
            fix="see the docstring of the member in question",
        )


def _no_secret(text: str, where: str, secrets: Sequence[str]) -> None:
    require(not any(secret in text for secret in secrets), f"a secret shows in `{where}`")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
