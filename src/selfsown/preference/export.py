"""Preference pairs as a trainer's file, with their provenance and all that was left out.

They come from a run of a preference recipe, whose accepted records are pairs; from any other run,
whose rejected records are compared with its accepted ones; or from a file of pairs. Beside `FILE`
lie `FILE.provenance.jsonl`, line by line where a pair came from, and `FILE.left_out.jsonl`, the
records that gave none, each with its reason. Nothing appears before everything is written.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from selfsown.core.errors import CheckFailed, InputError, TooFewRecords
from selfsown.export.example import Fields, fields_for
from selfsown.export.export import Admit, provenance_path
from selfsown.export.files import open_rows, refuse_overwrite
from selfsown.export.provenance import open_provenance
from selfsown.export.run_files import DataFile, Row, RunFiles, mapping, open_run
from selfsown.preference.formats import find_pair_format
from selfsown.preference.negatives import NegativeSource
from selfsown.preference.reasons import honest_reasons
from selfsown.preference.recorded import (
    LeftOut,
    RecordedPairs,
    is_pair_row,
    rows_of_file,
    rows_of_run,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """What to write and how."""

    format: str = "records"
    """A name in `selfsown.extensions.PAIR_EXPORTERS`."""
    also: tuple[str, ...] = ()
    """Reasons beyond those known to make honest negatives."""
    without: tuple[str, ...] = ()
    """Known ones that are not to be used."""
    prompt_field: str | None = None
    """Field with the whole user turn; None for `instruction` and `input`."""
    completion_field: str | None = None
    """Field with the answer; None for `output` or else `completion`."""
    system_field: str | None = None
    """Field with the system text; None for none."""
    unfinished: bool = False
    """Read also a run that has not ended."""
    force: bool = False
    """Replace files that exist."""


@dataclass(slots=True)
class ExportedPairs:
    """What the records came to."""

    path: Path
    provenance: Path
    left_out_path: Path
    is_recorded: bool
    """Whether the records were pairs already; else they are what a run rejected."""
    records: int = 0
    """As many as pairs and left out together."""
    pairs: Counter[str] = field(default_factory=Counter)
    """Reason of the rejection, or picker of recorded pairs -> pairs."""
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    """The same -> why it gives no pair -> records."""

    @property
    def pair_count(self) -> int:
        """Pairs that were written."""
        return self.pairs.total()

    @property
    def left_out_count(self) -> int:
        """Records that are listed with why they give no pair."""
        return sum(counts.total() for counts in self.left_out.values())

    @property
    def by_reason(self) -> dict[str, int]:
        """Reason of the rejection, or picker -> records."""
        counts = self.pairs.copy()
        for reason, whys in self.left_out.items():
            counts[reason] += whys.total()
        return dict(sorted(counts.items()))


def export_pairs(
    origin: Path, out: Path, options: PairOptions | None = None, *, admit: Admit | None = None
) -> ExportedPairs:
    """Write the pairs of a run or of a file.

    Args:
        origin: a run directory, or a JSONL file of pairs in the format `records`.
        out: file to write; Parquet if its name ends in `.parquet`, else JSONL.
        options: format, reasons, fields; the defaults of `PairOptions` if None.
        admit: asked about both examples of a pair; None admits all.

    Raises:
        InputError: the run has no accepted record or has not ended, a field or folder is missing,
            a line is no pair, or a file exists.
        TooFewRecords: there is no pair; says why, and writes no file.
        CheckFailed: the run's data file has other records than its manifest says.
        MissingExtra: Parquet needs a package that is not installed.
        EnvironmentFailure: the files cannot be written.
    """
    options = options or PairOptions()
    make_row = find_pair_format(options.format)
    files = (out, provenance_path(out), left_out_path(out))
    with contextlib.ExitStack() as stack:
        source, check = _source(origin, options, admit, stack)
        refuse_overwrite(files, force=options.force)
        _refuse_no_folder(out)
        result = ExportedPairs(*files, isinstance(source, RecordedPairs))
        rows, told, drops = (stack.enter_context(open_rows(path)) for path in files)
        for one in source.outcomes():
            result.records += 1
            if isinstance(one, LeftOut):
                result.left_out.setdefault(one.reason, Counter())[one.why] += 1
                drops.write(asdict(one))
                continue
            label = one.pair.picker or "recorded" if result.is_recorded else one.pair.reason
            result.pairs[label] += 1
            rows.write(make_row(one.pair))
            told.write({"line": result.pair_count, **one.source})
        check(result)
        _check_some(origin, result)
    return result


def left_out_path(path: Path) -> Path:
    """Where it is listed which records gave no pair."""
    return path.with_name(f"{path.name}.left_out.jsonl")


def _source(
    origin: Path, options: PairOptions, admit: Admit | None, stack: contextlib.ExitStack
) -> tuple[RecordedPairs | NegativeSource, Callable[[ExportedPairs], None]]:
    """Where the pairs come from, and what is checked when all were read."""
    if not origin.is_dir():
        _refuse_reasons(origin, options)
        return RecordedPairs(rows_of_file(origin), f"`{origin}`", admit), lambda result: None
    run = open_run(origin)
    _refuse_unfinished(run, options)
    first = _first_accepted(run)
    index = stack.enter_context(open_provenance(run.path))
    if is_pair_row(first):
        _refuse_reasons(origin, options)
        file = run.path / "accepted.jsonl"
        return (
            RecordedPairs(rows_of_run(run, index), f"`{file}`", admit),
            partial(_check_against_manifest, run, "accepted"),
        )
    reasons = honest_reasons(options.also, options.without)
    return (
        NegativeSource(run, _fields(run, first, options), index, reasons, admit),
        partial(_check_against_manifest, run, "rejected"),
    )


def _refuse_reasons(origin: Path, options: PairOptions) -> None:
    if options.also or options.without:
        raise InputError(
            f"the records of `{origin}` are pairs already",
            why="reasons say which rejected records become pairs",
            fix="leave out --also and --without",
        )


def _refuse_no_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise InputError(
            f"the folder `{out.parent}` does not exist",
            why="the pairs are written into it",
            fix=f"mkdir -p {out.parent}",
        )


def _check_against_manifest(run: RunFiles, name: DataFile, result: ExportedPairs) -> None:
    """The manifest counted the records when they were written."""
    file = f"{name}.jsonl"
    stated = mapping(mapping(run.data.get("files")).get(file)).get("rows")
    if isinstance(stated, int) and stated != result.records:
        raise CheckFailed(
            f"`{run.path / file}` has {result.records} records, the manifest says {stated}",
            why="every record becomes a pair or is listed, so none may be missing before",
            fix=f"run the command of `{run.path}` again: it writes the file from the journal",
        )


def _check_some(origin: Path, result: ExportedPairs) -> None:
    if result.pairs:
        return
    reasons = "; ".join(
        f"{reason}: " + ", ".join(f"{why} {count}" for why, count in sorted(whys.items()))
        for reason, whys in sorted(result.left_out.items())
    )
    if result.is_recorded:
        why, fix = "a trainer cannot learn from no pairs", "see why each was left out"
    else:
        why = "a pair needs an answer rejected for its fault, and an accepted one to its prompt"
        fix = "vouch for a reason with --also REASON, or ask for more answers per prompt"
    raise TooFewRecords(
        f"no record of `{origin}` gives a pair ({reasons or 'there are none'})", why=why, fix=fix
    )


def _first_accepted(run: RunFiles) -> Row:
    first = next(run.rows("accepted"), None)
    if first is None:
        raise InputError(
            f"`{run.path}` has no accepted records",
            why="they are the pairs, or the answers that rejected ones are compared with",
            fix=f"see what was rejected and why with `selfsown report {run.path}`",
        )
    return first


def _fields(run: RunFiles, first: Row, options: PairOptions) -> Fields:
    fields = fields_for(
        first,
        prompt=options.prompt_field,
        completion=options.completion_field,
        system=options.system_field,
    )
    if not fields.instruction:
        raise InputError(
            f"the records of `{run.path}` do not say what was asked",
            why="accepted and rejected answers to the same prompt are looked for by that text",
            fix="name the field that holds the request with --prompt-field NAME",
        )
    return fields


def _refuse_unfinished(run: RunFiles, options: PairOptions) -> None:
    if not run.finished and not options.unfinished:
        raise InputError(
            f"the run in `{run.path}` is {run.run.get('status') or 'not ended'}",
            why="a rejected answer may yet get an accepted one beside it",
            fix="resume the run first, or take what is there with --unfinished",
        )
