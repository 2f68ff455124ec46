"""What a run leaves behind: data files derived from config and journal, and the manifest, last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson

from selfsown.core.cost import NANO
from selfsown.core.journal import Journal
from selfsown.core.request import JSON, canonical_json, clean_json
from selfsown.core.run import Run
from selfsown.core.rundir import (
    DATA_FILES,
    MANIFEST,
    sync_directory,
    translated_os_errors,
    write_lines,
    write_text,
)
from selfsown.core.stages import Origin

MANIFEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. Not part of the data."""

    status: str
    """`finished` or `suspended`."""
    reason: str
    """The stop reason, or why it is suspended."""
    started: str
    ended: str
    wall_s: float
    resume: str
    """The command that resumes or extends it."""


def write_data(run: Run, origin: Origin) -> dict[str, JSON]:
    """Write the data files of a run and return the data part of its manifest.

    The same config and journal give the same bytes and the same part. The old manifest goes first:
    it must never stand beside files that it does not describe.
    """
    with translated_os_errors(run.directory / MANIFEST):
        (run.directory / MANIFEST).unlink(missing_ok=True)
        sync_directory(run.directory)
    files: dict[str, JSON] = {}
    for name in DATA_FILES:
        files[name] = asdict(write_lines(run.directory / name, run.sink.lines(name)))
    return {
        "recipe": origin.recipe,
        "recipe_version": origin.recipe_version,
        "seed": run.seed,
        "stop": run.stop_reason,
        "files": files,
        "stages": [stage.counts.form(stage.name) for stage in run.stages],
        "notes": dict(sorted(run.notes.items())),
    }


def write_manifest(
    run: Run, journal: Journal, data: Mapping[str, JSON], ending: Ending
) -> dict[str, JSON]:
    """Write the manifest, by which a run directory is known to be whole, and return it."""
    manifest: dict[str, JSON] = {
        "version": MANIFEST_VERSION,
        "data": data,
        "run": {
            **asdict(ending),
            "calls_from_journal": run.progress.from_journal,
            "shared": run.progress.shared,
            "reused": run.progress.reused,
            "unused": run.progress.unused,
            **journal_totals(journal),
            "warnings": list(run.progress.warnings),
        },
    }
    write_text(run.directory / MANIFEST, json_text(manifest) + "\n")
    return manifest


def json_text(value: Mapping[str, JSON]) -> str:
    """Indented JSON for people, integers of any size included."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # integers beyond 64 bits, lone surrogates: the standard encoder takes them
        return json.dumps(json.loads(canonical_json(clean_json(value))), indent=2)


def journal_totals(journal: Journal) -> dict[str, JSON]:
    """Calls, attempts, tokens and cost over the whole life of a run directory."""

    def total(column: str) -> int:
        return journal.scalar(f"SELECT sum({column}) FROM attempts")  # noqa: S608 names below

    return {
        "calls": journal.scalar("SELECT count(*) FROM outcomes WHERE kind='call'"),
        "effects": journal.scalar("SELECT count(*) FROM outcomes WHERE kind='effect'"),
        "attempts": journal.scalar("SELECT count(*) FROM attempts"),
        "input_tokens": total("input_tokens"),
        "output_tokens": total("output_tokens"),
        "cached_input_tokens": total("cached_input_tokens"),
        "reasoning_tokens": total("reasoning_tokens"),
        "cost_usd": total("cost_nano_usd") / NANO,
    }


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"`{type(value).__name__}` is not JSON")
