"""One config model for files, flags and Python: unknown and duplicate keys are refused.

A key that changes the data belongs to the run's identity (`data_form`); an operational one
(target, budget, limits, progress) changes freely between two starts of the same directory.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON
from selfsown.core.yaml_errors import YAML_ERRORS

ModelT = TypeVar("ModelT", bound=BaseModel)

_LARGEST: Final = 2**63 - 1
"""What the journal's integers hold."""


class BudgetConfig(BaseModel):
    """A hard cap, kept by reserving each attempt's worst case before it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    usd: float | None = Field(None, ge=0, le=1e9, description="Most US dollars; empty: no cap.")
    tokens: int | None = Field(
        None,
        ge=0,
        le=_LARGEST,
        description="Most tokens, prompt and answer together; empty: no cap.",
    )


class LimitsConfig(BaseModel):
    """How hard an endpoint is pressed. Operational: none of it changes the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: int = Field(
        32, ge=1, le=100_000, description="Calls in flight at the start; it adapts from there."
    )
    requests_per_minute: float | None = Field(
        None, gt=0, description="Empty: what the endpoint's headers say."
    )
    tokens_per_minute: float | None = Field(
        None, gt=0, description="Empty: what the endpoint's headers say."
    )
    timeout_s: float | Literal["auto", "none"] = Field(
        "auto",
        description="Time-out of one attempt in seconds. `auto`: about 6 times the 95th"
        " percentile seen so far, and 600 s until enough has been seen.",
    )
    attempts: int = Field(8, ge=1, description="Attempts of one call before it fails for good.")
    resend: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of calls that may be sent again while they straggle; 0 never does.",
    )


class BatchConfig(BaseModel):
    """Calls by way of a provider's batch API. Operational: none of it changes the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        False, description="Send calls in batches (half price, answers within 24 hours)."
    )
    ahead: int = Field(
        20_000, ge=1, le=1_000_000, description="Independent rows under way at once."
    )
    requests: int | None = Field(
        None, ge=1, description="Most calls in one batch; empty: what the provider takes."
    )
    linger_s: float = Field(
        1.0, gt=0, description="Seconds without a new call after which a batch is submitted."
    )
    poll_s: float = Field(
        30.0, gt=0, description="Seconds before the first look; later ones come ever more rarely."
    )
    poll_most_s: float = Field(600.0, gt=0, description="Most seconds between two looks.")
    lookup_s: float = Field(
        60.0,
        ge=0,
        description="Seconds that a batch is looked for whose creation is uncertain, before its"
        " calls are submitted again.",
    )
    price_factor: float = Field(
        0.5, ge=0, le=1, description="Price of a call in a batch, as a share of the model's price."
    )


class DocumentsConfig(BaseModel):
    """Documents as input; beside `paths` the fields of `documents.options.ReadOptions`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: tuple[str, ...] = Field(min_length=1, description="Files, or folders of them.")
    licence: str = Field(
        "", description="Licence of documents whose row or page states none; passed on to records."
    )
    text_field: str = Field("text", description="Field of a row with the text.")
    id_field: str = Field("id", description="Field of a row with its own id.")
    html: Literal["main", "whole"] = Field(
        "main", description="Main content of HTML pages, or all their text."
    )
    max_bytes: int = Field(
        50_000_000, ge=1, le=_LARGEST, description="Larger documents are refused, unpacked."
    )
    timeout_s: float = Field(
        60.0, gt=0, le=86_400, description="Processor time for one HTML or PDF file, in seconds."
    )

    @model_validator(mode="before")
    @classmethod
    def _paths_alone(cls, given: Any) -> Any:
        """A path, or a list of them, stands for the mapping with nothing else in it."""
        if isinstance(given, str):
            return {"paths": (given,)}
        if isinstance(given, (list, tuple)):
            return {"paths": tuple(given)}
        if isinstance(given, dict) and isinstance(given.get("paths"), str):
            return {**given, "paths": (given["paths"],)}
        return given


class RunConfig(BaseModel):
    """Everything that defines a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str = Field(description="Name of the recipe; `selfsown recipes` lists them.")
    preset: str = Field("default", description="Named set of options of the recipe.")
    models: dict[str, str | dict[str, Any]] = Field(
        default_factory=dict,
        description="Role → model URI, or a mapping with `uri` and settings (price, headers, ...).",
    )
    seeds: str | None = Field(
        None, description="Seed file (JSONL, JSON, CSV), or a built-in set: `lab`, `starter`."
    )
    rows: str | None = Field(None, description="Row file (JSONL, JSON, CSV) of row recipes.")
    documents: DocumentsConfig | None = Field(
        None,
        description="Documents instead of rows: a file or folder, a list of them, or a mapping with"
        " `paths` and how to read them (text, Markdown, HTML, PDF, JSONL, JSON, CSV, Parquet).",
    )
    target: int | None = Field(
        None, ge=1, le=_LARGEST, description="How many accepted units to stop at."
    )
    seed: int = Field(0, ge=0, le=_LARGEST, description="Seed of every random choice.")
    order: Literal["arrival", "strict"] = Field(
        "arrival",
        description="`arrival`: results count as they finish. `strict`: in the order of draws,"
        " so that timing and concurrency cannot matter.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the recipe; `selfsown recipes NAME`."
    )
    budget: BudgetConfig = Field(default_factory=lambda: BudgetConfig(), description="Hard caps.")
    limits: LimitsConfig = Field(
        default_factory=lambda: LimitsConfig(), description="Limits per endpoint."
    )
    batch: BatchConfig = Field(
        default_factory=lambda: BatchConfig(), description="Batch APIs of hosted models."
    )
    max_failure_rate: float = Field(
        0.5, ge=0, le=1, description="Suspend when more of the calls than this fail for good."
    )
    model_depth: int = Field(
        0,
        ge=0,
        le=_LARGEST,
        description="Trainings on machine data that stand behind the generator; a local model's"
        " folder says so itself, and the larger of both counts.",
    )
    round: int = Field(
        0, ge=0, le=_LARGEST, description="Round of a loop that the run is; stamped on its records."
    )
    shard: int = Field(
        0,
        ge=0,
        le=_LARGEST,
        description="Number of the run among the shards of a job; part of its records' ids.",
    )
    reuse: list[str] = Field(
        default_factory=list, description="Run directories whose journaled answers are copied in."
    )
    out: str | None = Field(None, description="Run directory.")


def read_config(path: Path) -> dict[str, Any]:
    """The mapping in a YAML or TOML config file, duplicate keys refused.

    Raises:
        ConfigError: missing, unreadable, a duplicate key (with its line), or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"config `{path}` cannot be read: {getattr(error, 'strerror', None) or error}",
            why="`selfsown run CONFIG` takes a YAML or TOML file",
            fix="selfsown init FILE.yaml  (writes one with every key explained)",
        ) from error
    try:
        if path.suffix == ".toml":
            value: object = tomllib.loads(text)
        else:
            value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506, TID251 a SafeLoader
    except YAML_ERRORS as error:
        raise ConfigError(
            f"config `{path}` cannot be parsed: {' '.join(str(error).split())}",
            why="it must be valid, with each key once",
            fix="correct the line that is named",
        ) from error
    if not isinstance(value, dict):
        raise ConfigError(
            f"config `{path}` holds {type(value).__name__}, not a mapping",
            why="its keys are those of a run: recipe, models, seeds, ...",
            fix="selfsown init FILE.yaml  (writes one with every key explained)",
        )
    return value


def make_config(given: Mapping[str, Any], *, source: str = "config") -> RunConfig:
    """A checked config from a mapping.

    Raises:
        ConfigError: an unknown key (with the nearest known one) or a value out of range.
    """
    return validated(RunConfig, given, source)


def validated(model: type[ModelT], given: Mapping[str, Any], source: str) -> ModelT:
    """An instance of a pydantic model, its complaints translated into ours.

    Raises:
        ConfigError: names every key that is wrong.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems = [_problem(model, item) for item in error.errors()]
        raise ConfigError(
            f"{source}: " + "; ".join(what for what, _ in problems),
            why="every key is known and checked before anything is spent",
            fix="; ".join(dict.fromkeys(fix for _, fix in problems if fix))
            or "correct the value; `selfsown recipes NAME` explains every option",
        ) from None


def apply_set(config: dict[str, Any], assignment: str) -> None:
    """Apply one `--set key=value` to a run's config; a key that is none of its own is an option.

    Raises:
        ConfigError: no `=`, or a value that is not YAML.
    """
    path, value = read_assignment(assignment)
    if path[0] not in RunConfig.model_fields:
        path = ["options", *path]
    put(config, path, value)


def read_assignment(assignment: str) -> tuple[list[str], Any]:
    """The keys and the value of `key=value`: dots go deeper, values are YAML.

    Raises:
        ConfigError: no `=`, or a value that is not YAML.
    """
    key, equals, text = assignment.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise ConfigError(
            f"`--set {assignment}` is not an assignment",
            why="it takes `key=value`",
            fix="--set novelty_threshold=0.6, or --set limits.attempts=3",
        )
    try:
        return path, yaml.safe_load(text)
    except YAML_ERRORS as error:
        raise ConfigError(
            f"`--set {assignment}`: the value cannot be parsed",
            why="values are YAML: numbers, true, null, text, [a, b], {a: 1}",
            fix="quote it: --set 'key=\"text: with colon\"'",
        ) from error


def put(config: dict[str, Any], path: Sequence[str], value: object) -> None:
    """Put a value where the keys lead; what stands on the way and is no mapping makes room."""
    inner = config
    for name in path[:-1]:
        deeper = inner.get(name)
        inner[name] = dict(deeper) if isinstance(deeper, Mapping) else {}
        inner = inner[name]
    inner[path[-1]] = value


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings, key by key; `above` wins."""
    result = dict(below)
    for name, value in above.items():
        lower = result.get(name)
        if isinstance(lower, Mapping) and isinstance(value, Mapping):
            result[name] = merged(lower, value)
        else:
            result[name] = value
    return result


def difference(old: JSON, new: JSON, path: str = "") -> list[str]:
    """What differs between two JSON values, one line per leaf: `path: old → new`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        lines: list[str] = []
        for key in sorted({*old, *new}):
            below = f"{path}.{key}" if path else key
            lines += difference(old.get(key, "(absent)"), new.get(key, "(absent)"), below)
        return lines
    return [] if old == new else [f"{path}: {_short(old)} → {_short(new)}"]


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a key may stand once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, or an error that names the line of the second key."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            hashable = key if isinstance(key, (str, int, float, bool)) else repr(key)
            if hashable in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key `{key}` stands twice", key_node.start_mark
                )
            seen.add(hashable)
        return super().construct_mapping(node, deep)


def _problem(model: type[Any], item: Any) -> tuple[str, str]:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        last = str(item["loc"][-1])
        hint = did_you_mean(last, _keys_at(model, item["loc"][:-1]))
        return f"unknown key `{where}`", hint or f"remove `{where}`"
    if item["type"] == "missing":
        return f"`{where}` is missing", f"add `{where}`"
    shown = _short(item.get("input"))
    return f"`{where}` is {shown}: {item['msg'][0].lower()}{item['msg'][1:]}", ""


def _keys_at(model: type[Any], path: tuple[Any, ...]) -> list[str]:
    """Known keys of the (nested) model that a location points into."""
    current: Any = model
    for part in path:
        found = getattr(current, "model_fields", {}).get(part)
        current = found.annotation if found is not None else None
    return list(getattr(current, "model_fields", {}))


def _short(value: object) -> str:
    text = f"`{value}`"
    return text if len(text) <= 80 else text[:77] + "...`"
