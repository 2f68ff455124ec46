"""The rules of a scripted model, and the file they are read from.

A file is JSONL (one rule per line) or YAML (a list of rules, or a mapping with `rules`, `identity`,
`capabilities`):

    {"match": "capital of France", "text": "Paris"}
    {"regex": "^Summari[sz]e", "texts": ["first answer", "second answer"], "delay_s": 0.2}
    {"match": "storm", "error": "rate_limit", "retry_after_s": 1, "times": 2}
    {"text": "the answer to everything else"}

The first rule that matches and is not used up answers. Counts (`times`, and the turn among `texts`)
are kept per prompt, so that answers do not depend on the order of concurrent calls; `per: rule`
counts over all prompts together. Where no rule matches, the answer is a pseudo-random text that is
a function of the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal, get_args

import orjson
import yaml

from selfsown.core.errors import InputError
from selfsown.core.model import FailureKind
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON, FinishReason, clean_text
from selfsown.core.yaml_errors import YAML_ERRORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a script."""

    match: str = ""
    """The rule applies to prompts that contain this."""
    regex: str = ""
    """The rule applies to prompts in which this is found (multi-line mode)."""
    text: str | None = None
    """The answer."""
    texts: tuple[str, ...] = ()
    """Several answers, given in turn and then from the first again."""
    reasoning: str = ""
    finish_reason: FinishReason = "stop"
    error: FailureKind | None = None
    """Fail in this way instead of answering."""
    detail: str = "as the script says"
    status: int | None = None
    retry_after_s: float | None = None
    times: int | None = None
    """The rule applies so often, then the next one that matches; None for always."""
    per: Literal["prompt", "rule"] = "prompt"
    """Whether `times` and turns are counted for each prompt apart."""
    delay_s: float = 0.0
    """Answer after so many seconds."""
    hang: bool = False
    """Never answer."""
    model: str = "scripted"
    """The model name that is reported."""

    def applies(self, prompt: str) -> bool:
        """Whether the rule is about this prompt."""
        if self.regex and not re.search(self.regex, prompt, re.MULTILINE):
            return False
        return self.match in prompt


def read_script(data: bytes, path: Path) -> tuple[list[Rule], Mapping[str, JSON]]:
    """The rules of a script, and the other keys of a YAML mapping.

    Raises:
        InputError: with the file and the line or number of the rule.
    """
    if path.suffix in (".yaml", ".yml"):
        try:
            document = yaml.safe_load(data)
        except YAML_ERRORS as error:
            raise _bad(f"`{path}` is not valid YAML: {error}") from error
        options = document if isinstance(document, dict) else {}
        rules = options.get("rules", []) if isinstance(document, dict) else document
        unknown = sorted(map(str, set(options) - {"rules", "identity", "capabilities"}))
        if unknown or not isinstance(rules, list):
            what = f"the unknown key `{unknown[0]}`" if unknown else "no list of rules"
            raise _bad(f"`{path}` has {what}")
        return [read_rule(rule, f"`{path}` rule {n}") for n, rule in enumerate(rules, 1)], options
    read: list[Rule] = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                rule = orjson.loads(line)
            except ValueError as error:
                raise _bad(f"`{path}` line {number} is not valid JSON: {error}") from error
            read.append(read_rule(rule, f"`{path}` line {number}"))
    return read, {}


def read_rule(given: JSON, where: str) -> Rule:
    """One rule from its JSON form.

    Raises:
        InputError: an unknown key, or a value that cannot be used.
    """
    if not isinstance(given, Mapping):
        raise _bad(f"{where} is not an object")
    known = {item.name: item for item in fields(Rule)}
    for key in given:
        if key not in known:
            raise _bad(f"{where} has the unknown key `{key}`", did_you_mean(str(key), known))
    values = dict(given)
    for key, choices in (
        ("error", get_args(FailureKind)),
        ("finish_reason", get_args(FinishReason)),
        ("per", ("prompt", "rule")),
    ):
        if values.get(key) is not None and values[key] not in choices:
            raise _bad(f"{where}: `{key}` is `{values[key]}`", f"use one of {', '.join(choices)}")
    for key, kind in _RULE_TYPES.items():
        value = values.get(key)
        if value is not None and (
            not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)
        ):
            raise _bad(f"{where}: `{key}` has the wrong type `{type(value).__name__}`")
    texts = values.get("texts") or ()
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise _bad(f"{where}: `texts` is not a list of texts")
    values["texts"] = tuple(clean_text(str(text)) for text in texts)
    try:
        re.compile(str(values.get("regex") or ""))
    except re.error as error:
        raise _bad(f"{where}: `regex` cannot be read: {error}") from error
    return Rule(**values)  # type: ignore[arg-type]


_RULE_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(("match", "regex", "text", "reasoning", "detail", "model"), str),
    **dict.fromkeys(("retry_after_s", "delay_s"), (int, float)),
    **dict.fromkeys(("status", "times"), int),
    "hang": bool,
}


def _bad(what: str, fix: str = "") -> InputError:
    return InputError(
        what,
        why="a scripted model answers from rules with known keys",
        fix=fix or "`selfsown.models.scripted` describes the format",
    )
