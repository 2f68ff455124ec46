"""What a run directory says about the sessions before: spending, target, records, model names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfsown.core.cost import NANO
from selfsown.core.effective import read_effective
from selfsown.core.journal import Journal
from selfsown.core.model import Model, RemembersName
from selfsown.core.rundir import CONFIG, MANIFEST, read_manifest
from selfsown.recipes.base import Recipe


def spent_before(journal: Journal) -> tuple[float, int]:
    """USD and tokens that earlier sessions spent or may have spent.

    A session that ended cleanly handed back what it did not use; of one that was killed, all that
    was granted counts. Sessions without a cap have no grants: there the attempts count.

    Raises:
        JournalDamaged: a row that the sum is over, now or in the manifest, fails its checksum.
    """
    for table in ("sessions", "attempts", "grants"):
        for _ in journal.rows(table):  # a sum looks at no checksum
            pass
    sql = (
        "SELECT sum(max(coalesce(g, 0), coalesce(a, 0))) FROM (SELECT seq AS s,"
        " (SELECT sum({grant}) FROM grants WHERE session=sessions.seq) AS g,"
        " (SELECT sum({spent}) FROM attempts WHERE session=sessions.seq) AS a FROM sessions)"
    )
    nano = journal.scalar(sql.format(grant="nano_usd", spent="cost_nano_usd"))
    return nano / NANO, journal.scalar(sql.format(grant="tokens", spent="billed_tokens"))


def earlier_target(directory: Path, recipe: Recipe[Any]) -> int | None:
    """The target that a directory's manifest was made for; None if there is none."""
    if not (directory / CONFIG).exists() or not (directory / MANIFEST).exists():
        return None
    config, _ = read_effective(directory)
    return config.target or recipe.target


def kept_units(directory: Path, recipe: Recipe[Any], options: Any) -> int:
    """How many units of the target the data files of a finished or stopped run hold."""
    data: Any = read_manifest(directory)["data"]
    counted = recipe.target_stage(options) if recipe.target_stage else None
    kept = (
        stage["accepted"]
        for stage in data["stages"]
        if (stage["output"] if counted is None else stage["stage"] == counted)
    )
    return int(next(kept, 0))


def expect_reported(journal: Journal, models: Mapping[str, Model]) -> None:
    """Tell each model which name it reported last, so that a change stops this session too."""
    for model in models.values():
        if isinstance(model, RemembersName) and (name := journal.reported_name(model.identity)):
            model.expect_name(name)
