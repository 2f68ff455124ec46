"""A model whose answers are written down, for tests, examples and dry runs.

`scripted:FILE` reads the rules that `script_file` describes; `ScriptedModel` takes them, or a
function, in Python. Where no rule matches, the answer is a pseudo-random text that is a function of
the request.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.clock import Clock, SystemClock
from selfsown.core.errors import ConfigError, InputError, Interrupted
from selfsown.core.model import Answer, AttemptFailed, Capabilities, Model, Price
from selfsown.core.request import (
    JSON,
    Completion,
    Request,
    Usage,
    canonical_json,
    clean_text,
    request_form,
    short_id,
)
from selfsown.models.judging import checked_schema, text_only, usable
from selfsown.models.pseudo_text import pseudo_text, pseudo_value
from selfsown.models.script_file import Rule, read_rule, read_script
from selfsown.models.settings import ModelSettings

_CAPABILITIES: Final = Capabilities(
    chat=True, completion=True, schema=True, seed=True, batch_invariant=True
)

Script = Callable[[Request, int], "str | Completion | AttemptFailed"]
"""(request, seed) -> the answer, or the failure to raise.

The seed differs between samples of one request.
"""


class ScriptedModel:
    """A model that answers from rules or from a function, and remembers what it was asked."""

    def __init__(
        self,
        script: Sequence[Rule | Mapping[str, JSON]] | Script = (),
        *,
        stop_after: int | None = None,
        identity: str = "",
        uri: str = "scripted",
        capabilities: Capabilities = _CAPABILITIES,
        price: Price | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the script.

        Args:
            script: rules (or mappings with a rule's keys), or a function. Nothing: pseudo-random
                text.
            stop_after: after so many calls every further one raises `Interrupted`, as Ctrl-C would.
            identity: what goes into the journal key; by default a hash of the rules.
            uri: how the model is shown.
            capabilities: what it claims to be able to do.
            price: what it claims to cost; nothing if None.
            clock: for `delay_s`.

        Raises:
            InputError: a rule cannot be read.
        """
        self._function = script if callable(script) else None
        rules = () if callable(script) else script
        self._rules = [
            rule if isinstance(rule, Rule) else read_rule(rule, f"rule {number}")
            for number, rule in enumerate(rules, 1)
        ]
        named = (
            "function" if self._function else _rules_hash(self._rules) if self._rules else "hash"
        )
        self._identity = identity or f"scripted:{named}"
        self._uri = uri
        self._capabilities = capabilities
        self._price = price or Price(0.0, 0.0, source="scripted")
        self._clock = clock or SystemClock()
        self._stop_after = stop_after
        self._used: Counter[tuple[int, str]] = Counter()
        self.requests: list[Request] = []
        """Every request so far, in the order of arrival, stopped ones not included."""
        self.closed = False

    @property
    def call_count(self) -> int:
        """How many calls were answered or failed by the script."""
        return len(self.requests)

    @property
    def uri(self) -> str:
        """`scripted` or `scripted:FILE`."""
        return self._uri

    @property
    def identity(self) -> str:
        """A hash of the rules, or what was given."""
        return self._identity

    @property
    def endpoint(self) -> str:
        """The URI: each script has limits of its own."""
        return self._uri

    @property
    def capabilities(self) -> Capabilities:
        """What was given, else everything text-only."""
        return self._capabilities

    @property
    def price(self) -> Price | None:
        """What was given, else nothing."""
        return self._price

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        """Answer as the script says.

        Raises:
            AttemptFailed: the script says so, the answer is empty or misses its schema, or it takes
                longer than `timeout_s`.
            Interrupted: `stop_after` calls have been made.
        """
        if self._stop_after is not None and len(self.requests) >= self._stop_after:
            raise Interrupted(
                f"the scripted model stopped after {self._stop_after} calls",
                why="`stop_after` says so",
                fix="run the same command without `stop_after`",
            )
        self.requests.append(request)
        if not self._capabilities.images:
            text_only(request)
        if request.schema is not None:
            checked_schema(request.schema)
        if self._function is not None:
            said = self._function(request, seed)
            if isinstance(said, AttemptFailed):
                raise said
            completion = said if isinstance(said, Completion) else _completion(request, said)
            return Answer(usable(completion, "", request, native=True))
        rule, turn = self._choose(_prompt_of(request))
        if rule is None:
            return Answer(usable(_completion(request, _pseudo(request)), "", request, native=True))
        await self._wait(rule, timeout_s)
        if rule.error is not None:
            raise AttemptFailed(
                rule.error, rule.detail, status=rule.status, retry_after_s=rule.retry_after_s
            )
        texts = rule.texts or (rule.text if rule.text is not None else _pseudo(request),)
        completion = replace(
            _completion(request, texts[turn % len(texts)]),
            finish_reason=rule.finish_reason,
            reasoning=rule.reasoning,
            model=rule.model,
        )
        return Answer(usable(completion, "", request, native=True))

    async def close(self) -> None:
        """Nothing to release. May be called twice."""
        self.closed = True

    def _choose(self, prompt: str) -> tuple[Rule | None, int]:
        """The rule that answers, and how often it has answered before."""
        for number, rule in enumerate(self._rules):
            if not rule.applies(prompt):
                continue
            place = (number, prompt if rule.per == "prompt" else "")
            turn = self._used[place]
            if rule.times is None or turn < rule.times:
                self._used[place] += 1
                return rule, turn
        return None, 0

    async def _wait(self, rule: Rule, timeout_s: float | None) -> None:
        if rule.hang and timeout_s is None:
            await asyncio.Event().wait()
        if timeout_s is not None and (rule.hang or rule.delay_s > timeout_s):
            await self._clock.sleep(timeout_s)
            raise AttemptFailed(
                "timeout", f"no complete reply within {timeout_s:g} s", may_be_billed=True
            )
        if rule.delay_s:
            await self._clock.sleep(rule.delay_s)


def open_scripted(settings: ModelSettings) -> Model:
    """`scripted:FILE`: rules from a JSONL or YAML file; the identity is a hash of its bytes.

    Raises:
        InputError: the file is missing or a rule in it cannot be read.
    """
    path = Path(settings.uri.name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"script `{path}` cannot be read: {error.strerror}",
            why="`scripted:FILE` answers from that file",
            fix="correct the path; `selfsown.models.scripted` describes the format",
        ) from error
    rules, options = read_script(data, path)
    digest = hashlib.blake2b(data, digest_size=8).hexdigest()
    capabilities = options.get("capabilities")
    identity = options.get("identity")
    given = identity if isinstance(identity, str) else ""
    return ScriptedModel(
        rules,
        identity=settings.identify(given or f"scripted:{digest}"),
        uri=str(settings.uri),
        capabilities=_read_capabilities(capabilities, settings),
        price=settings.price,
    )


def _rules_hash(rules: Sequence[Rule]) -> str:
    form: list[JSON] = [asdict(rule) for rule in rules]
    return short_id(form)


def _read_capabilities(given: JSON, settings: ModelSettings) -> Capabilities:
    if settings.layout is not None:
        base = replace(
            _CAPABILITIES,
            chat=settings.layout == "chat",
            completion=settings.layout == "completion",
        )
    else:
        base = _CAPABILITIES
    if given is None:
        return base
    known = {item.name for item in fields(Capabilities)}
    if not isinstance(given, Mapping) or not set(given) <= known:
        raise ConfigError(
            f"`capabilities` of `{settings.uri}` cannot be used",
            why=f"it is a mapping with some of {', '.join(f'`{name}`' for name in sorted(known))}",
            fix="correct or remove it",
        )
    return replace(base, **given)  # type: ignore[arg-type]


def _prompt_of(request: Request) -> str:
    if request.prompt is not None:
        return request.prompt
    return "\n\n".join(turn.text for turn in request.messages)


def _pseudo(request: Request) -> str:
    data = canonical_json(request_form(request))
    if request.schema is not None:
        return orjson.dumps(pseudo_value(data, request.schema)).decode()
    return pseudo_text(data, most_words=request.max_tokens)


def _completion(request: Request, text: str) -> Completion:
    """A completion; this model's tokens are four bytes long."""
    counts = Usage(-(-request.prompt_bytes() // 4), -(-len(text.encode("utf-8", "replace")) // 4))
    return Completion(clean_text(text), usage=counts, model="scripted")
