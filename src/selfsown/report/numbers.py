"""All numbers of a run in one value; page, `report.json` and data-set card are made from it.

The files are read as streams, a few times over, so memory does not grow with the run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import orjson

from selfsown.core.request import JSON
from selfsown.export.run_files import RunFiles, open_run
from selfsown.report.absent import Absent
from selfsown.report.activity import Activity, read_activity
from selfsown.report.facts import RunFacts, run_facts
from selfsown.report.funnel import Funnel, read_funnel
from selfsown.report.groups import Groups, read_groups
from selfsown.report.judgements import Judgements, read_judgements
from selfsown.report.rejects import Reason, read_reasons
from selfsown.report.samples import Sample, read_samples
from selfsown.report.saturation import Saturation, read_saturation
from selfsown.report.spending import Spending, read_spending
from selfsown.report.text_numbers import Texts
from selfsown.report.texts import read_texts

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the report says."""

    version: int
    """Format of `report.json`."""
    run: RunFacts
    seed_count: int
    """Human-written tasks the run started from; 0 for recipes without."""
    funnel: Funnel | Absent
    judgements: Judgements | Absent
    saturation: Saturation | Absent
    texts: Texts
    groups: Groups | Absent
    spending: Spending | Absent
    activity: Activity | Absent
    reasons: tuple[Reason, ...]
    samples: tuple[Sample, ...]

    @property
    def accepted(self) -> int:
        """Records in the data set."""
        return self.funnel.accepted if isinstance(self.funnel, Funnel) else 0


def read_numbers(run_dir: Path) -> Numbers:
    """Read everything from a run directory, finished or not.

    Raises:
        InputError: the directory is no run directory, or a file in it cannot be read.
        JournalDamaged: the journal's checksums do not hold.
    """
    run = open_run(run_dir)
    funnel = read_funnel(run)
    accepted = funnel.accepted if isinstance(funnel, Funnel) else 0
    return Numbers(
        version=VERSION,
        run=run_facts(run),
        seed_count=_count(run),
        funnel=funnel,
        judgements=read_judgements(run),
        saturation=read_saturation(run, funnel),
        texts=read_texts(run, accepted),
        groups=read_groups(run),
        spending=read_spending(run, accepted),
        activity=read_activity(run),
        reasons=read_reasons(run),
        samples=read_samples(run),
    )


def report_numbers(run_dir: Path) -> dict[str, JSON]:
    """The same as plain JSON, as in `report.json`.

    Sections that this run cannot have are `{"absent": reason}`.

    Raises:
        InputError: the directory is no run directory, or a file in it cannot be read.
        JournalDamaged: the journal's checksums do not hold.
    """
    return cast("dict[str, JSON]", json.loads(to_json(read_numbers(run_dir))))


def to_json(numbers: Numbers) -> bytes:
    """The bytes of `report.json`."""
    try:
        return orjson.dumps(numbers, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # integers beyond 64 bits: the standard encoder takes them
        return json.dumps(asdict(numbers), indent=2, default=str).encode() + b"\n"


def _count(run: RunFiles) -> int:
    return sum(1 for _ in run.seeds())
