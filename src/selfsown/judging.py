"""A judge asked about labelled answers by a journaled run: its config, and what it said.

A judge that asks no model needs neither directory nor run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import orjson

from selfsown.core.config import RunConfig, make_config
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.request import Completion, Request
from selfsown.core.rundir import read_lines
from selfsown.judge.base import Judge, Judgement, Result
from selfsown.judge.labels import Label
from selfsown.judge.stored import Sent, item_of, judgement_of
from selfsown.judge.verdicts import label_rows, with_verdicts

RECIPE_NAME: Final = "selfsown.recipes.judging:RECIPE"
"""By its place: it makes no data, so it is not among the recipes that users choose from."""


def judging_config(judge: Judge, model: str, out: str | Path, **settings: Any) -> RunConfig:
    """The config of a run that asks a judge.

    Failed calls count as missing judgements, so no rate of them stops the run.

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    base = {
        "recipe": RECIPE_NAME,
        "models": dict.fromkeys(judge.roles, model),
        "options": {"judge": judge.name, "options": dict(judge.options)},
        "out": str(out),
        "max_failure_rate": 1.0,
    }
    return make_config({**base, **settings}, source="judging")


async def ajudged_by_program(labels: Sequence[Label], judge: Judge) -> list[Label]:
    """The labels with what a judge that asks no model says of them; nothing is written."""
    rows = list(label_rows(labels, judge))
    judgements = {str(row["id"]): await judge.judge(_Nobody(), item_of(row)) for row in rows}
    return with_verdicts(labels, judge, judgements)


def judgements_of(directory: Path) -> dict[str, Judgement]:
    """Id of a row -> its judgement, of a finished judging run; rows that failed are left out."""
    found: dict[str, Judgement] = {}
    for row in read_lines(directory / "accepted.jsonl"):
        assert isinstance(row, dict)
        form = row["judgement"]
        assert isinstance(form, dict)
        found[str(row["id"])] = judgement_of(form)
    return found


def sent_of(directory: Path) -> dict[str, Sent]:
    """Id of a row -> what was asked about it, of a finished judging run.

    Rows that failed are left out, and so are those of which a judge asked nothing, or several
    things; the samples of a row are one request.
    """
    found: dict[str, Sent] = {}
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        for line in read_lines(directory / "provenance.jsonl"):
            assert isinstance(line, dict)
            keys = line["keys"]
            assert isinstance(keys, list)
            stored = [journal.lookup(bytes.fromhex(str(key))) for key in keys]
            requests = {one.request for one in stored if one is not None and one.kind == "call"}
            if line["end"] == "accepted" and len(requests) == 1:
                found[str(line["row_id"])] = Sent(orjson.loads(requests.pop()), line)
    finally:
        journal.close()
    return found


class _Nobody:
    """The run of a judge that asks no model."""

    async def ask(self, role: str, request: Request, sample: int = 0) -> Completion:
        self._refuse(role)

    async def gather(self, *branches: Awaitable[Result]) -> list[Result]:
        return [await branch for branch in branches]

    def is_chat(self, role: str) -> bool:
        self._refuse(role)

    def _refuse(self, role: str) -> NoReturn:
        raise AssertionError(f"a judge without roles asks `{role}`")
