"""From the accepted records of a run to a trainer's files, each line with its provenance.

Beside every output file lies `FILE.provenance.jsonl`: the same number of lines in the same order,
each with the line number, the record id and where the record came from. Nothing appears before
everything is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from selfsown.core.errors import InputError, TooFewRecords
from selfsown.core.request import JSON
from selfsown.core.token_counts import estimate_tokens, load_tokenizer
from selfsown.export.example import Fields, fields_for
from selfsown.export.files import RowWriter, open_rows, refuse_overwrite
from selfsown.export.formats import Format, find_format
from selfsown.export.lengths import Lengths, Summary
from selfsown.export.provenance import open_provenance
from selfsown.export.run_files import RunFiles, open_run
from selfsown.export.source import ExampleSource
from selfsown.export.split import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to write and how."""

    format: str = "messages"
    """A name in `FORMATS`."""
    validation: float = 0.0
    """Share of the records that is kept from training, in [0, 1); 0 writes one file."""
    seed: int = 7
    """Seed of the split."""
    prompt_field: str | None = None
    """Field with the whole user turn; None for `instruction` and `input`, or else what was sent."""
    completion_field: str | None = None
    """Field with the answer; None for `output` or else `completion`."""
    system_field: str | None = None
    """Field with the system text; None for none."""
    tokenizer: Path | None = None
    """Folder of a tokenizer for the length table; None estimates from bytes."""
    unfinished: bool = False
    """Export also from a run that has not ended."""
    force: bool = False
    """Replace files that exist."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file that was written."""

    path: Path
    row_count: int
    provenance: Path


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export wrote."""

    files: tuple[ExportedFile, ...]
    """The training file, then the validation file if there is one."""
    lengths: tuple[Summary, ...]
    token_source: str
    """How tokens were counted, for people."""


Admit = Callable[[Mapping[str, JSON]], bool]
"""Whether a record with these columns (`instruction`, `input`, `output`, `system`) is written."""


def export_run(
    run_dir: Path, out: Path, options: ExportOptions | None = None, *, admit: Admit | None = None
) -> ExportResult:
    """Write the accepted records of a run as a trainer's file.

    Args:
        run_dir: a run directory.
        out: file to write; Parquet if its name ends in `.parquet`, else JSONL. The validation set
            goes to `NAME.validation.SUFFIX` beside it.
        options: format, split, fields; the defaults of `ExportOptions` if None.
        admit: asked about every record, in order; None writes all.

    Raises:
        TooFewRecords: no record is admitted.
        InputError: the run is empty or unfinished, a field is missing, a file exists.
        MissingExtra: Parquet or a tokenizer needs a package that is not installed.
        EnvironmentFailure: the files cannot be written.
    """
    options = options or ExportOptions()
    make_row = find_format(options.format)
    run = open_run(run_dir)
    _refuse_unfinished(run, options)
    fields = _fields(run, options)
    _refuse_texts(run, fields, options)
    targets = _targets(out, options)
    refuse_overwrite(
        tuple(path for target in targets for path in (target, provenance_path(target))),
        force=options.force,
    )
    count = load_tokenizer(options.tokenizer) if options.tokenizer else estimate_tokens
    lengths = Lengths(count, "tokens" if options.tokenizer else "tokens (estimated)")
    with open_provenance(run.path) as index, run.journal() as journal:
        source = ExampleSource(run, fields, index, journal)
        instructions = (example.instruction for example, _ in source.examples())
        split = Split(instructions if options.validation else (), options.validation, options.seed)
        files = _write(source, make_row, split, targets, lengths, admit or (lambda record: True))
    how = f"tokenizer `{options.tokenizer}`" if options.tokenizer else "estimated: UTF-8 bytes / 4"
    return ExportResult(files, lengths.table(), how)


def provenance_path(path: Path) -> Path:
    """Where the provenance of an exported file lies."""
    return path.with_name(f"{path.name}.provenance.jsonl")


def validation_path(path: Path) -> Path:
    """Where the validation part of an exported file lies."""
    return path.with_name(f"{path.stem}.validation{path.suffix}")


class _Side:
    """One output file and its provenance while they are written."""

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        self.path = path
        self.row_count = 0
        self._rows: RowWriter = stack.enter_context(open_rows(path))
        self._sources: RowWriter = stack.enter_context(open_rows(provenance_path(path)))

    def write(self, row: dict[str, JSON], source: dict[str, JSON]) -> None:
        self.row_count += 1
        self._rows.write(row)
        self._sources.write({"line": self.row_count, **source})


def _write(
    source: ExampleSource,
    make_row: Format,
    split: Split,
    targets: tuple[Path, ...],
    lengths: Lengths,
    admit: Admit,
) -> tuple[ExportedFile, ...]:
    with contextlib.ExitStack() as stack:
        sides = [_Side(path, stack) for path in targets]
        for example, origin in source.examples():
            if not admit(asdict(example)):
                continue
            lengths.add(example)
            side = sides[split.is_validation(example.instruction)]
            side.write(make_row(example), origin)
        if not any(side.row_count for side in sides):
            raise TooFewRecords(
                f"no record is left for `{targets[0]}`",
                why="every record repeats an item of an evaluation suite",
                fix="name other suites with --suite, or check what the run started from",
            )
    return tuple(
        ExportedFile(side.path, side.row_count, provenance_path(side.path)) for side in sides
    )


def _fields(run: RunFiles, options: ExportOptions) -> Fields:
    first = next(run.rows("accepted"), None)
    if first is None:
        raise InputError(
            f"`{run.path}` has no accepted records",
            why="an export of nothing would look like a data set to a trainer",
            fix=f"see what was rejected and why with `selfsown report {run.path}`",
        )
    return fields_for(
        first,
        prompt=options.prompt_field,
        completion=options.completion_field,
        system=options.system_field,
    )


def _refuse_texts(run: RunFiles, fields: Fields, options: ExportOptions) -> None:
    """Make sure that texts without a request are written as such, and not split one by one.

    Raises:
        InputError: another format was asked for, or a validation set.
    """
    if fields.is_text and options.format != "text":
        raise InputError(
            f"the records of `{run.path}` are texts, and `{options.format}` has requests and"
            " answers",
            why="nothing was asked, so there is nothing that a text would answer",
            fix="export with --format text, mix with `selfsown mix`, or name the field with the"
            " answer by --completion-field NAME",
        )
    if fields.is_text and options.validation:
        raise InputError(
            f"the records of `{run.path}` are texts, which an export does not split",
            why="texts that say one document would be on both sides",
            fix="selfsown mix --validation SHARE  holds out whole documents",
        )


def _refuse_unfinished(run: RunFiles, options: ExportOptions) -> None:
    if run.finished or options.unfinished:
        return
    status = run.run.get("status") or "not ended"
    raise InputError(
        f"the run in `{run.path}` is {status}",
        why="its records are a part of what it will hold, and the split would change later",
        fix="resume the run first, or export what is there with --unfinished",
    )


def _targets(out: Path, options: ExportOptions) -> tuple[Path, ...]:
    if not out.parent.is_dir():
        raise InputError(
            f"the folder `{out.parent}` does not exist",
            why="the file is written into it",
            fix=f"mkdir -p {out.parent}",
        )
    return (out, validation_path(out)) if options.validation else (out,)
