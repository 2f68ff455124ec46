"""Epochs: the stretches of a run directory's life in which config and recipe were the same.

Changing what the data depend on needs `--update`, which opens a new epoch: its deliveries are
recorded anew, preferring the old order, and answers that still match are reused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from selfsown.core.clock import Clock
from selfsown.core.config import difference
from selfsown.core.errors import ConfigChanged, JournalDamaged
from selfsown.core.journal import Journal, Row
from selfsown.core.request import JSON, canonical_json
from selfsown.core.rundir import DATA_FILES, MANIFEST


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch as the journal records it."""

    number: int
    config: Mapping[str, JSON]
    """What the data depend on."""


def last_epoch(journal: Journal) -> Epoch | None:
    """The current epoch, or None for a new journal."""
    rows = list(journal.rows("epochs"))
    if not rows:
        return None
    _, number, config, _, _ = rows[-1]
    return Epoch(int(str(number)), orjson.loads(str(config)))


def orders_to_prefer(journal: Journal, number: int, config: Mapping[str, JSON]) -> tuple[int, ...]:
    """The epochs whose orders of deliveries epoch `number` follows as far as they go, best first.

    Those with the same config, so that going back finds its answers; else those that share the
    config of the one before. The latest comes first, then older ones, since the latest may have
    been killed early.
    """
    forms = {
        int(str(row[1])): row[2] for row in journal.rows("epochs") if int(str(row[1])) < number
    }
    wanted: object = canonical_json(config).decode()
    if wanted not in forms.values():
        wanted = forms.get(number - 1)
    return tuple(sorted((epoch for epoch, form in forms.items() if form == wanted), reverse=True))


def changes(journal: Journal, config: Mapping[str, JSON]) -> list[str]:
    """What differs between the journal's current epoch and a config, one line per key."""
    last = last_epoch(journal)
    return [] if last is None else difference(last.config, orjson.loads(canonical_json(config)))


def enter_epoch(
    journal: Journal,
    config: Mapping[str, JSON],
    directory: Path,
    *,
    update: bool,
    retry_failed: bool,
    clock: Clock,
) -> int:
    """The number of the epoch to run in, opened if need be.

    Args:
        journal: the run directory's, open for writing.
        config: what the data depend on.
        directory: for messages.
        update: open a new epoch if the config changed.
        retry_failed: void the failed outcomes, which opens a new epoch if there are any.
        clock: for the stamp.

    Raises:
        ConfigChanged: it changed, `update` is false, and something was made with the other one.
        JournalDamaged: the journal is empty and a run has ended in the directory.
    """
    last = last_epoch(journal)
    if last is None:
        _refuse_emptied(directory)
        return _open(journal, 0, config, "start", clock)
    changed = changes(journal, config)
    if changed and not update and _has_begun(journal, directory):
        raise ConfigChanged(
            f"`{directory}` was made with another config:\n  " + "\n  ".join(changed[:20]),
            why="mixing two configs in one data set would make it irreproducible",
            fix="give another directory with `-o`, or `--update` to go on in a new epoch "
            "(answers that still match are reused; `selfsown plan` says how many)",
        )
    failed = _failed(journal) if retry_failed else []
    reasons = [f"update: {'; '.join(changed)}"] if changed else []
    if failed:
        reasons.append(f"retry of {len(failed)} failed")
    if not reasons:
        return last.number
    voids = [Row("voids", (seq, "retry-failed")) for seq in failed]
    return _open(journal, last.number + 1, config, "; ".join(reasons), clock, voids)


def open_next_epoch(journal: Journal, config: Mapping[str, JSON], reason: str, clock: Clock) -> int:
    """Open an epoch after the last, whose config may be the same, and return its number."""
    last = last_epoch(journal)
    return _open(journal, 0 if last is None else last.number + 1, config, reason, clock)


def _failed(journal: Journal) -> list[int]:
    void = {int(str(row[1])) for row in journal.rows("voids")}
    failed = (int(str(row[0])) for row in journal.rows("outcomes", "WHERE ok=0"))
    return [seq for seq in failed if seq not in void]


def _has_begun(journal: Journal, directory: Path) -> bool:
    """Whether there is an answer or a file; not so after a start that was refused by its recipe."""
    return bool(_made(directory)) or next(journal.rows("outcomes", "LIMIT 1"), None) is not None


def _made(directory: Path) -> list[str]:
    """The files there that a run writes when it ends."""
    return [name for name in (MANIFEST, *DATA_FILES) if (directory / name).exists()]


def _refuse_emptied(directory: Path) -> None:
    """Never begin anew beside the files of a run or merge: they would be asked for again."""
    if made := _made(directory):
        raise JournalDamaged(
            f"`{directory}` has a {made[0]} and nothing in its journal",
            why="what was made there would be asked for again and replaced",
            fix="give another directory with `-o`, or restore the journal from a copy",
        )


def _open(
    journal: Journal,
    number: int,
    config: Mapping[str, JSON],
    reason: str,
    clock: Clock,
    voids: Sequence[Row] = (),
) -> int:
    """Commit an epoch together with the voids that it is opened for."""
    form = canonical_json(config).decode()
    journal.append_now([*voids, Row("epochs", (number, form, reason, clock.stamp()))])
    return number
