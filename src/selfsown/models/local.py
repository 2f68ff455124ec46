"""A model in this process, behind the seam of `core/model.py`; `hf` and `lab` only load it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from selfsown.core.errors import ConfigError, MissingExtra
from selfsown.core.model import Answer, AttemptFailed, Capabilities, Price
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import Completion, Request, Usage
from selfsown.models.batching import GenerationThread, LoadedModel
from selfsown.models.failures import clean_detail
from selfsown.models.generate import Generated, Prompt
from selfsown.models.judging import checked_schema, text_only
from selfsown.models.lineage import read_lineage
from selfsown.models.sampling import Sampling
from selfsown.models.settings import ModelSettings
from selfsown.models.structured import SchemaMissed, parse_structured
from selfsown.models.thinking import split_thinking


@dataclass(frozen=True, slots=True)
class LocalDescription:
    """What is known about a local model before it is loaded."""

    uri: str
    identity: str
    name: str
    """Reported as the answering model."""
    capabilities: Capabilities
    folder: Path


class LocalModel:
    """A model in this process. Its weights are read at the first call, in its own thread.

    A call is never re-sent and never timed out: `timeout_s` has no effect. Parameters that a
    request leaves open are temperature 1 and top-p 1.
    """

    def __init__(
        self,
        description: LocalDescription,
        load: Callable[[], LoadedModel],
        *,
        linger_s: float = 0.0,
    ) -> None:
        self._about = description
        self._thread = GenerationThread(load, name=f"selfsown {description.uri}", linger_s=linger_s)

    @property
    def uri(self) -> str:
        """The URI it was opened with."""
        return self._about.uri

    @property
    def identity(self) -> str:
        """Hash of the files that determine its answers."""
        return self._about.identity

    @property
    def endpoint(self) -> str:
        """Limits are its own."""
        return self._about.uri

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._about.capabilities

    @property
    def price(self) -> Price | None:
        """Nothing."""
        return Price(0.0, 0.0, source="local")

    @property
    def model_depth(self) -> int:
        """Trainings on machine data behind it, as `selfsown.json` in its folder says.

        Raises:
            InputError: the file is damaged, or the weights are not those it was written for.
        """
        lineage = read_lineage(self._about.folder)
        return lineage.model_depth if lineage else 0

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        """Generate one answer; see `Model.attempt`. `request.seed` wins over `seed`."""
        self._refuse(request)
        call = self._thread.submit(request, seed if request.seed is None else request.seed)
        try:
            made = await asyncio.wrap_future(call.future)
        except asyncio.CancelledError:
            call.is_dropped = True
            raise
        return Answer(_completion(request, made, self._about.name))

    async def close(self) -> None:
        """End the thread and free the model; calls still outstanding fail with kind `local`."""
        await asyncio.to_thread(self._thread.close)

    def _refuse(self, request: Request) -> None:
        """Raise for what this model cannot do, rather than leave it out silently."""
        can = self._about.capabilities
        text_only(request)
        if request.schema is not None:
            checked_schema(request.schema)
        asked = (
            (request.is_chat and not can.chat, "chat messages (it is a base model)"),
            (not request.is_chat and not can.completion, "a bare prompt"),
            (request.logprobs > 0, "log-probabilities"),
            (bool(request.extra), f"the extra parameters {', '.join(map(repr, request.extra))}"),
        )
        for is_asked, what in asked:
            if is_asked:
                raise AttemptFailed("bad_request", f"`{self._about.uri}` does not take {what}")


def _completion(request: Request, made: Generated, model: str) -> Completion:
    """What the caller gets: reasoning apart, the structured value read where one was asked for.

    Raises:
        AttemptFailed: `empty` or `schema`, each with the completion.
    """
    text, reasoning = made.text, ""
    if request.is_chat:
        text, reasoning = split_thinking(text, opened_by_template=True)
    usage = Usage(input_tokens=made.input_tokens, output_tokens=made.output_tokens)
    completion = Completion(text, made.finish_reason, usage, model, reasoning=reasoning)
    if not text.strip():
        raise AttemptFailed("empty", "the answer has no text", completion=completion)
    if request.schema is None:
        return completion
    try:
        value, mode = parse_structured(text, request.schema)
    except SchemaMissed as error:
        raise AttemptFailed("schema", clean_detail(str(error)), completion=completion) from error
    return replace(completion, parsed=value, parse_mode=mode)


def sampled_prompt(
    request: Request, seed: int, ids: Sequence[int], context: int | None, embeddings: int
) -> Prompt:
    """The prompt of a request whose tokens are known; its answer fits into the context.

    Raises:
        AttemptFailed: kind `context_length` if no room is left for a single token, `bad_request` if
            there is no token, or one that has no embedding.
    """
    if not ids:
        raise AttemptFailed("bad_request", "the prompt has no tokens")
    if max(ids) >= embeddings:
        raise AttemptFailed(
            "bad_request",
            f"the prompt holds the special token {max(ids)}; the model has {embeddings} embeddings",
        )
    if context is not None and len(ids) >= context:
        raise AttemptFailed(
            "context_length",
            f"the prompt has {len(ids)} tokens; the model's context of {context} leaves no room",
        )
    room = request.max_tokens if context is None else min(request.max_tokens, context - len(ids))
    sampling = Sampling(
        seed=seed,
        temperature=1.0 if request.temperature is None else request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
    )
    return Prompt(ids, room, request.stop, sampling)


def largest_ordinary_id(vocabulary: Mapping[str, int], special: Iterable[int]) -> int:
    """The largest id of a tokenizer, special tokens left out.

    Published models have special tokens without an embedding (Gemma 3 1B, which sees no images, has
    one for images), so only ordinary ones tell whether tokenizer and model belong together.
    """
    return max(set(vocabulary.values()).difference(special))


def refuse_misfit(largest: int, embeddings: int) -> None:
    """Refuse a tokenizer with ordinary tokens that the model has no embedding for.

    Args:
        largest: `largest_ordinary_id` of the tokenizer.
        embeddings: rows of the embedding.

    Raises:
        ValueError: says so.
    """
    if largest >= embeddings:
        raise ValueError(
            f"the tokenizer has ids up to {largest}, and the model {embeddings} embeddings:"
            " they do not belong together"
        )


def require_packages(uri: str, *packages: str) -> None:
    """Say what to install when a local model's packages are missing.

    Raises:
        MissingExtra: a package cannot be found.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingExtra(
            f"`{uri}` needs {' and '.join(f'`{name}`' for name in missing)}, not installed here",
            why="models in this process run on the packages of the extra `local`",
            fix="pip install torch==2.13.0 && pip install 'selfsown[local]'",
        )


def refuse_options(settings: ModelSettings, known: Sequence[str]) -> None:
    """Refuse settings that have no meaning for a local model, rather than ignore them.

    Args:
        settings: what the user gave.
        known: keys of `options` that the backend takes.

    Raises:
        ConfigError: an unknown option, or a setting of endpoints.
    """
    uri = str(settings.uri)
    for key in settings.options:
        if key not in known:
            takes = ", ".join(f"`{name}`" for name in known) or "none"
            raise ConfigError(
                f"`{uri}`: unknown option `{key}`",
                why=f"this backend takes {takes}",
                fix=did_you_mean(key, known) or "remove it",
            )
    of_endpoints = {
        "headers": settings.headers,
        "extra": settings.extra,
        "api_key": settings.api_key,
    }
    for key, value in of_endpoints.items():
        if value:
            raise ConfigError(
                f"`{uri}`: setting `{key}` has no meaning here",
                why="the model runs in this process, nothing is sent",
                fix=f"remove `{key}`",
            )
