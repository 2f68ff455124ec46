"""What is asked of a model, what comes back, and the key under which both are journaled.

The key is a function of what can change the answer and of nothing else: model identity, prompt or
messages, sampling parameters, schema, tools, provider-specific body parameters, `sample`.
Concurrency, time-outs, headers, file names and parser code are not in it. Defaults are omitted, so
a new optional field does not change old keys; golden tests pin the form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""A value that JSON can carry. Text in it holds no lone surrogates (see `clean_text`)."""

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "unknown"]

_EMPTY: Final[Mapping[str, JSON]] = MappingProxyType({})
_CALL_KEY_VERSION: Final = b"selfsown-call-1\0"
_EFFECT_KEY_VERSION: Final = b"selfsown-effect-1\0"


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a message; its bytes lie in the run directory under `blobs/<sha256>`."""

    sha256: str
    media_type: str
    """For example `image/png`."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Text | Image, ...]

    @property
    def text(self) -> str:
        """All text parts, joined without a separator."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def message(role: Role, text: str) -> Message:
    """A message of one text part."""
    return Message(role, (Text(text),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call, as the model will see it. Exactly one of `messages` and `prompt` is given.

    `None` for a sampling parameter means: not sent, the server's default holds.
    """

    messages: tuple[Message, ...] = ()
    """Chat layout."""
    prompt: str | None = None
    """Completion layout (base models)."""
    max_tokens: int = 1024
    """Upper bound of generated tokens, hidden reasoning included; > 0."""
    temperature: float | None = None
    """>= 0; 0 is greedy."""
    top_p: float | None = None
    """In (0, 1]."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    """Strings before which generation ends; they are not part of the answer."""
    seed: int | None = None
    """Sampling seed sent to the server, where it takes one.

    Local models derive one from the key if None.
    """
    schema: Mapping[str, JSON] | None = None
    """JSON schema that the answer must meet."""
    tools: tuple[Mapping[str, JSON], ...] = ()
    logprobs: int = 0
    """How many alternatives per token to return; 0 for none."""
    extra: Mapping[str, JSON] = field(default_factory=lambda: _EMPTY)
    """Provider-specific body parameters, sent as they are (for example `reasoning_effort`)."""

    def __post_init__(self) -> None:
        """Refuse what no model could answer."""
        if bool(self.messages) == (self.prompt is not None):
            raise ValueError("a request has either `messages` or `prompt`")
        if self.max_tokens < 1:
            raise ValueError(f"`max_tokens` is {self.max_tokens}, it must be at least 1")
        if self.temperature is not None and self.temperature < 0:
            raise ValueError(f"`temperature` is {self.temperature}, it must be at least 0")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"`top_p` is {self.top_p}, it must be in (0, 1]")

    @property
    def is_chat(self) -> bool:
        """Whether the request uses the chat layout."""
        return self.prompt is None

    def prompt_bytes(self) -> int:
        """UTF-8 bytes of everything the model reads.

        An upper bound of its tokens for byte-level tokenizers. Chat templates add tokens that the
        request does not show: 16 per message and 64 per request are added for them, 4,096 per
        image.
        """
        total = 64
        if self.prompt is not None:
            total += len(self.prompt.encode())
        for turn in self.messages:
            total += 16
            for part in turn.parts:
                total += len(part.text.encode()) if isinstance(part, Text) else 4096
        if self.schema is not None:
            total += len(canonical_json(self.schema))
        for tool in self.tools:
            total += len(canonical_json(tool))
        return total


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the backend counts them; `estimated` where it does not report them."""

    input_tokens: int = 0
    output_tokens: int = 0
    """All generated tokens, hidden reasoning included."""
    cached_input_tokens: int = 0
    """Part of `input_tokens` read from the provider's prefix cache."""
    reasoning_tokens: int = 0
    """Part of `output_tokens` that is hidden reasoning."""
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer to one request."""

    text: str
    """Without the stop string and without `<think>` parts."""
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    model: str = ""
    """The model name that the backend reported."""
    reasoning: str = ""
    """Text of `<think>` parts or of the provider's reasoning field."""
    parsed: JSON = None
    """The value that met `Request.schema`; None without a schema."""
    parse_mode: Literal["", "native", "strict", "repaired"] = ""
    """How `parsed` came about; empty without a schema."""
    logprobs: tuple[Mapping[str, float], ...] = ()
    """Per generated token the log-probabilities of the alternatives, if asked for."""


def clean_text(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD, so that it can be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(value: JSON) -> JSON:
    """The value with all text in it cleaned, keys of mappings included."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean_json(item) for item in value]
    return value


def canonical_json(value: JSON) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, ASCII, shortest floats.

    Raises:
        ValueError: the value holds NaN or an infinity, which JSON cannot carry.
    """
    return _ENCODER.encode(value).encode()


def request_form(request: Request) -> dict[str, JSON]:
    """The effective request as plain JSON, defaults omitted.

    This form is hashed, journaled and shown in diffs.
    """
    form: dict[str, JSON] = {"max_tokens": request.max_tokens}
    if request.prompt is not None:
        form["prompt"] = request.prompt
    else:
        form["messages"] = [_message_form(turn) for turn in request.messages]
    for name in ("temperature", "top_p"):
        value = getattr(request, name)
        if value is not None:
            form[name] = float(value)
    if request.presence_penalty:
        form["presence_penalty"] = float(request.presence_penalty)
    if request.frequency_penalty:
        form["frequency_penalty"] = float(request.frequency_penalty)
    if request.stop:
        form["stop"] = list(request.stop)
    if request.seed is not None:
        form["seed"] = request.seed
    if request.schema is not None:
        form["schema"] = request.schema
    if request.tools:
        form["tools"] = list(request.tools)
    if request.logprobs:
        form["logprobs"] = request.logprobs
    if request.extra:
        form["extra"] = request.extra
    return form


def call_key(identity: str, form: Mapping[str, JSON] | bytes, sample: int = 0) -> bytes:
    """The 32-byte key of a call: BLAKE2b over model identity, request form and sample number.

    `form` may be given as its canonical JSON, which saves encoding it twice.
    """
    encoded = form if isinstance(form, bytes) else canonical_json(form)
    tail = b',"sample":%d}' % sample if sample else b"}"
    whole = b'{"model":%b,"request":%b%b' % (canonical_json(identity), encoded, tail)
    return hashlib.blake2b(_CALL_KEY_VERSION + whole, digest_size=32).digest()


def effect_key(name: str, version: str, inputs: JSON) -> bytes:
    """The 32-byte key of an effect: BLAKE2b over its name, version and inputs."""
    whole = canonical_json({"effect": name, "version": version, "inputs": inputs})
    return hashlib.blake2b(_EFFECT_KEY_VERSION + whole, digest_size=32).digest()


def short_id(value: JSON, *, prefix: str = "") -> str:
    """A 16-hex-digit identifier of a JSON value, with an optional prefix such as `r-`."""
    return prefix + hashlib.blake2b(canonical_json(value), digest_size=8).hexdigest()


def _message_form(turn: Message) -> JSON:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], Text):
        return {"role": turn.role, "content": turn.parts[0].text}
    parts: list[JSON] = []
    for part in turn.parts:
        if isinstance(part, Text):
            parts.append({"text": part.text})
        else:
            parts.append({"image": part.sha256, "media_type": part.media_type})
    return {"role": turn.role, "content": parts}


def _plain(value: object) -> object:
    """What the encoder does not know: immutable mappings and other sequences."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return list(value)
    raise TypeError(f"`{type(value).__name__}` is not JSON")


_ENCODER: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain
)
