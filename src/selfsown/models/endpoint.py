"""Any OpenAI-compatible endpoint: chat and legacy completions, as lean as a bare HTTP loop.

Per call: one body built as bytes, one POST, one JSON parse, one `Completion`. No SDK object,
thread, log line or pydantic model.

What an attempt makes of a reply: 200 with a choice that has text is an answer, whatever its finish
reason except `content_filter`; everything else is an `AttemptFailed` (see `failures`). The first
model name that the endpoint reports is the reference (an alias may report a dated snapshot);
another name later is `model_changed`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from selfsown.core.batch_model import BatchResult
from selfsown.core.model import Answer, AttemptFailed, Capabilities, Model
from selfsown.core.request import JSON, Completion, Request
from selfsown.models.batch_openai import OpenAIBatches
from selfsown.models.failures import classify, error_text
from selfsown.models.judging import checked_schema, usable
from selfsown.models.openai_format import (
    Dialect,
    decode,
    read_completion,
    request_body,
    response_format,
)
from selfsown.models.rate_headers import rate_state
from selfsown.models.settings import ModelSettings
from selfsown.models.uri import ModelURI, parse_uri
from selfsown.models.wire import Reply

_REMEMBERED_SCHEMAS: Final = 64
_OPENAI_URL: Final = "https://api.openai.com/v1"
_OLLAMA_URL: Final = "http://127.0.0.1:11434"
_REASONING_NAME: Final = re.compile(r"(?:^|/)(?:o\d(?:-|$)|gpt-[5-9])")
_NO_NATIVE_SCHEMA: Final = re.compile(
    r"response_format|json_schema|guided|structured.output", re.IGNORECASE
)


def open_openai(settings: ModelSettings) -> Model:
    """`openai:NAME`, with `OPENAI_API_KEY`, at `OPENAI_BASE_URL` or OpenAI's own address."""
    base = settings.environ.get("OPENAI_BASE_URL", "").strip() or _OPENAI_URL
    where = parse_uri(f"{base.rstrip('/')}#{settings.uri.name}")
    at_home = urlsplit(where.base_url).hostname == "api.openai.com"
    only_completions = settings.layout == "completion"
    return EndpointModel(
        settings,
        where,
        api_key=settings.default_key("OPENAI_API_KEY"),
        key_from="OPENAI_API_KEY" if at_home else "",
        capabilities=Capabilities(
            chat=not only_completions,
            completion=only_completions,
            schema=not only_completions and settings.native_schema is not False,
            logprobs=True,
            seed=True,
            context_tokens=settings.context_tokens,
        ),
        new_max_tokens=at_home,
    )


def open_http(settings: ModelSettings) -> Model:
    """`http(s)://HOST:PORT/v1#NAME`: vLLM, llama.cpp, Ollama or any other compatible server.

    No key unless one is given.
    """
    return EndpointModel(
        settings, settings.uri, api_key=settings.api_key, capabilities=_open_server(settings)
    )


def open_ollama(settings: ModelSettings) -> Model:
    """`ollama:NAME`, at `OLLAMA_HOST` or this machine."""
    address = settings.environ.get("OLLAMA_HOST", "").strip() or _OLLAMA_URL
    if "//" not in address:
        address = f"http://{address}"
    parts = urlsplit(address)
    if parts.port is None and parts.scheme == "http":
        address = address.rstrip("/").replace(parts.netloc, f"{parts.netloc.rstrip(':')}:11434", 1)
    address = address.replace(
        "//0.0.0.0", "//127.0.0.1", 1
    )  # what a server binds is not what a client asks
    where = parse_uri(f"{address.rstrip('/')}/v1#{settings.uri.name}")
    return EndpointModel(
        settings, where, api_key=settings.api_key, capabilities=_open_server(settings)
    )


def _open_server(settings: ModelSettings) -> Capabilities:
    return Capabilities(
        chat=settings.layout != "completion",
        completion=settings.layout != "chat",
        schema=settings.native_schema is not False,
        logprobs=True,
        seed=True,
        context_tokens=settings.context_tokens,
    )


class EndpointModel(OpenAIBatches):
    """One model behind one OpenAI-compatible endpoint."""

    def __init__(
        self,
        settings: ModelSettings,
        where: ModelURI,
        *,
        api_key: str,
        capabilities: Capabilities,
        key_from: str = "",
        new_max_tokens: bool = False,
    ) -> None:
        """Prepare everything that is the same for all calls.

        Args:
            settings: what the user said.
            where: address and name that are really asked.
            api_key: sent as bearer token; empty for none.
            capabilities: what the endpoint is taken to be able to do.
            key_from: variable that must hold a key; empty if the endpoint may work without one.
            new_max_tokens: say `max_completion_tokens` in chat requests whatever the model's name.
        """
        super().__init__(
            settings, where, api_key=api_key, capabilities=capabilities, key_from=key_from
        )
        self._native_schema = capabilities.schema
        self._formats: dict[int, tuple[Mapping[str, JSON], dict[str, JSON]]] = {}
        new_name = new_max_tokens or bool(_REASONING_NAME.search(where.name))
        self._dialect = Dialect(
            where.name,
            settings.max_tokens_field or ("max_completion_tokens" if new_name else "max_tokens"),
            settings.extra,
        )

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        """Ask the endpoint once. Of seeds, only `Request.seed` is in the body.

        If the endpoint refuses the native schema mode, the same attempt asks again without it (a
        refusal costs nothing), a warning says so once, and later calls do without.

        Raises:
            AttemptFailed: for every failure.
        """
        path = "/chat/completions" if request.is_chat else "/completions"
        native = None if request.schema is None else self._format_for(request.schema)
        body = request_body(request, self._dialect, native)
        reply = await self._post(path, body, timeout_s, seed)
        if native is not None and reply.status in (400, 422) and self._refuses_schema(reply):
            native = None
            body = request_body(request, self._dialect, None)
            reply = await self._post(path, body, timeout_s, seed)
        completion = self._completion(self._payload(reply), request, native=native is not None)
        return Answer(completion, rate_state(reply.headers))

    def batch_line(self, request: Request, custom_id: str) -> bytes:
        """A line of a batch's input file.

        Raises:
            AttemptFailed: `bad_request` for what this client cannot send.
        """
        native = None if request.schema is None else self._format_for(request.schema)
        return self._line(request, custom_id, request_body(request, self._dialect, native))

    def read_batched(self, result: BatchResult, request: Request) -> Answer:
        """The answer in a line of a batch's output or error file.

        If the endpoint refused the native schema mode, the call is free to be asked without it.

        Raises:
            AttemptFailed: for every result that is no answer.
        """
        native = request.schema is not None and self._native_schema
        try:
            payload = self._batched_payload(result)
        except AttemptFailed as failure:
            was_native = request.schema is not None and self._capabilities.schema
            if was_native and failure.status in (400, 422) and self._drops_schema(failure.detail):
                raise AttemptFailed("overloaded", failure.detail, status=failure.status) from None
            raise
        return Answer(self._completion(payload, request, native=native))

    def _completion(
        self, payload: Mapping[str, JSON], request: Request, *, native: bool
    ) -> Completion:
        completion, refusal = read_completion(payload, request)
        self._check_model(completion)
        return usable(completion, refusal, request, native=native)

    def _format_for(self, schema: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
        """The `response_format` for a schema, remembered; None where the endpoint takes none."""
        checked_schema(schema)
        if not self._native_schema:
            return None
        found = self._formats.get(id(schema))
        if found is None or found[0] is not schema:
            if len(self._formats) >= _REMEMBERED_SCHEMAS:
                self._formats.clear()
            found = self._formats[id(schema)] = (schema, response_format(schema))
        return found[1]

    def _refuses_schema(self, reply: Reply) -> bool:
        """Whether a 400 is about the schema mode; if so, later calls do without."""
        code, said = error_text(decode(reply.body))
        if classify(reply.status, said) != "bad_request":
            return False
        return self._drops_schema(f"{code} {said}")

    def _drops_schema(self, said: str) -> bool:
        """Whether what is said about a bad request is about the schema mode; if so, no more."""
        if not _NO_NATIVE_SCHEMA.search(said):
            return False
        if self._native_schema:
            self._native_schema = False
            warnings.warn(
                f"`{self._uri}` refuses native JSON-schema mode; "
                "answers are parsed and checked here instead",
                stacklevel=3,
            )
        return True
