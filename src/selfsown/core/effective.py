"""config.yaml of a run directory: the config in force, every default in it, no secret."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import yaml

from selfsown.core.config import RunConfig, make_config, read_config
from selfsown.core.errors import InputError
from selfsown.core.model import Answer, AttemptFailed, Capabilities, Model, Price
from selfsown.core.request import JSON, Request, clean_text
from selfsown.core.rundir import CONFIG, write_text

_PACKAGES: Final = ("selfsown", "aiohttp", "jinja2", "pydantic", "torch", "transformers")
_SECRET: Final = ("api_key", "headers")


def write_effective(
    directory: Path,
    config: RunConfig,
    models: Mapping[str, Model],
    data: Mapping[str, JSON],
    options: Any,
) -> None:
    """Write config.yaml: what `selfsown run config.yaml` takes, and what was found out about it."""
    form = config.model_dump(mode="json")
    form["options"] = options.model_dump(mode="json")
    form["models"] = {
        role: redacted(given, models[role].uri) for role, given in config.models.items()
    }
    form["effective"] = {
        "models": {
            role: {
                "uri": model.uri,
                "identity": model.identity,
                "capabilities": asdict(model.capabilities),
            }
            for role, model in sorted(models.items())
        },
        "data": data,
        "versions": _versions(),
    }
    text = yaml.safe_dump(_plain(form), sort_keys=False, allow_unicode=True, width=100)
    head = "# The config of this run, every default written out. `effective` is for reading.\n"
    write_text(directory / CONFIG, head + text)


def read_effective(directory: Path) -> tuple[RunConfig, Mapping[str, Any]]:
    """The config of a run directory and what was found out when it ran.

    Raises:
        InputError: the directory has no config.yaml.
    """
    path = directory / CONFIG
    if not path.exists():
        raise InputError(
            f"`{directory}` has no {CONFIG}",
            why="it is written when a run starts, so this is no run directory",
            fix="give a run directory, for example `runs/demo`; of a sharded job, one in its"
            " `shards`, or its merge",
        )
    form = read_config(path)
    effective = form.pop("effective", {})
    return make_config({**form, "out": str(directory)}, source=str(path)), effective


def redacted(given: str | Mapping[str, Any], uri: str) -> JSON:
    """A model's settings as they may be written: no key, no header.

    Args:
        given: as the user gave them.
        uri: as it is shown, without user info and query.
    """
    if isinstance(given, str):
        return clean_text(uri)
    return {key: value for key, value in given.items() if key not in _SECRET} | {"uri": uri}


class StandIn:
    """A model as the run directory remembers it, for replays: it can be described, not asked."""

    price: Price | None = Price(0.0, 0.0)

    def __init__(self, form: Mapping[str, Any]) -> None:
        self.uri = str(form["uri"])
        self.identity = str(form["identity"])
        self.endpoint = "journal"
        self.capabilities = Capabilities(**form["capabilities"])

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        """Refuse: a replay asks nobody."""
        raise AttemptFailed("local", "a replay asks no model")

    async def close(self) -> None:
        """Nothing to release."""


def _versions() -> dict[str, JSON]:
    found: dict[str, JSON] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
