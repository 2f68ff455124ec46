"""Training records of any source, each with its origin and the depth of the model that wrote it.

A source is a run directory (its accepted records, and the human seeds it started from), a file that
`selfsown export` wrote (with the provenance beside it), a `train.jsonl` of `selfsown mix`, or any
JSONL or Parquet file with one of the column sets below. Texts of mixtures, and of runs whose
records are texts, carry the loss as a whole. Nothing is declared that provenance tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

import orjson

from selfsown.core.errors import InputError, MissingExtra
from selfsown.core.request import JSON
from selfsown.core.rundir import INPUTS, sha256_of
from selfsown.export.beside import with_provenance
from selfsown.export.example import Example, fields_for, read_example, text_field
from selfsown.export.export import provenance_path
from selfsown.export.provenance import open_provenance
from selfsown.export.run_files import (
    Row,
    integer,
    mapping,
    open_run,
    read_jsonl,
    sequence,
    string,
)
from selfsown.export.source import ExampleSource
from selfsown.train.encode import Pair
from selfsown.train.settings import SourceConfig

Origin = Literal["human", "machine"]

_ROLES: Final = {"system": "system", "human": "user", "user": "user", "gpt": "assistant"}
_SEED_FILE: Final = "seeds.jsonl"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to learn, before it becomes text."""

    id: str
    content: Example | Pair
    """A pair is trained on as it stands."""
    origin: Origin
    model_depth: int
    """Trainings on machine data behind the model that wrote it; 0 for a human."""
    is_declared: bool = False
    """No provenance told origin and depth: the user did, or nobody."""
    copy: int = 0
    """Which repetition it is in a mixture, where repetitions are meant; else 0."""

    @property
    def asked(self) -> str:
        """What the completion answers: the user's turn, or the whole prompt of a pair."""
        content = self.content
        return content.prompt if isinstance(content, Pair) else content.request

    @property
    def columns(self) -> dict[str, JSON]:
        """The texts by name."""
        if isinstance(self.content, Pair):
            return dict(self.content._asdict())
        return dict(asdict(self.content))


@dataclass(frozen=True, slots=True)
class Source:
    """Records that are mixed as one part."""

    name: str
    repeat: float
    records: tuple[Record, ...]


def read_sources(configs: Sequence[SourceConfig], *, seeds: bool) -> list[Source]:
    """All sources, in the given order; the seeds of a run are a source of their own behind it.

    Raises:
        InputError: a source does not exist or cannot be read as training records.
    """
    found: list[Source] = []
    for config in configs:
        path = Path(config.path)
        found.append(Source(str(path), config.repeat, tuple(_records(path, config.origin))))
        if seeds and path.is_dir() and (path / INPUTS / _SEED_FILE).is_file():
            found.append(Source(f"{path} (seeds)", config.repeat, tuple(_seed_records(path))))
    return found


def source_digests(configs: Sequence[SourceConfig], *, seeds: bool) -> list[JSON]:
    """What identifies the data: the content of every file that is read, not its place."""
    return [
        {
            "origin": config.origin,
            "repeat": config.repeat,
            "files": {
                path.name: sha256_of(path) for path in _files(Path(config.path), seeds=seeds)
            },
        }
        for config in configs
    ]


def _files(path: Path, *, seeds: bool) -> list[Path]:
    if path.is_dir():
        open_run(path)
        names = ["accepted.jsonl", "provenance.jsonl"]
        files = [path / name for name in names]
        files += [path / INPUTS / _SEED_FILE] if seeds else []
    else:
        files = [path, provenance_path(path)]
        if not path.is_file():
            raise InputError(
                f"`{path}` does not exist",
                why="training records are read from it",
                fix="give a run directory, an export, or a JSONL file",
            )
    return [file for file in files if file.is_file()]


def _records(path: Path, declared: Origin | None) -> Iterator[Record]:
    return _run_records(path, declared) if path.is_dir() else _file_records(path, declared)


def _run_records(path: Path, declared: Origin | None) -> Iterator[Record]:
    run = open_run(path)
    first = next(run.rows("accepted"), None)
    if first is None:
        return
    fields = fields_for(first, prompt=None, completion=None, system=None)
    with open_provenance(path) as index, run.journal() as journal:
        for example, told in ExampleSource(run, fields, index, journal).examples():
            content: Example | Pair = Pair("", example.output) if fields.is_text else example
            yield _record(string(told.get("id")), content, told, declared)


def _seed_records(path: Path) -> Iterator[Record]:
    for row in open_run(path).seeds():
        name, instruction = f"seed:{string(row.get('id'))}", string(row.get("instruction"))
        for number, instance in enumerate(sequence(row.get("instances"))):
            parts = mapping(instance)
            example = Example(instruction, string(parts.get("input")), string(parts.get("output")))
            if example.output.strip():
                yield Record(f"{name}#{number}", example, "human", 0)


def _file_records(path: Path, declared: Origin | None) -> Iterator[Record]:
    rows = _parquet_rows(path) if path.suffix == ".parquet" else read_jsonl(path)
    for line_no, row, told in with_provenance(path, rows):
        place = f"`{path}` line {line_no}"
        name = string(told.get("id")) or _content_id(row)
        parts = sequence(told.get("parts"))
        if parts and isinstance(row.get("text"), str):
            copy = integer(mapping(parts[0]).get("copy"))
            text = Pair("", text_field(row, "text", place))
            yield replace(_record(name, text, told, declared), copy=copy)
        else:
            yield _record(name, _content(row, place), told, declared)


def _record(
    name: str, content: Example | Pair, told: Mapping[str, JSON], declared: Origin | None
) -> Record:
    known = string(told.get("origin"))
    said: Origin = "human" if known == "human" else "machine"
    origin = declared or said
    depth = integer(told.get("model_depth")) if origin == "machine" else 0
    return Record(name, content, origin, depth, is_declared=declared is not None or not known)


def _content(row: Row, place: str) -> Example | Pair:
    if isinstance(row.get("prompt"), str) and isinstance(row.get("completion"), str):
        return Pair(
            text_field(row, "prompt", place, blank=True), text_field(row, "completion", place)
        )
    turns = row.get("messages") or row.get("conversations")
    if turns is None and isinstance(row.get("prompt"), (list, tuple)):
        turns = [*sequence(row.get("prompt")), *sequence(row.get("completion"))]
    if turns is not None:
        return _conversation(sequence(turns), place)
    if "input_ids" in row:
        raise InputError(
            f"{place}: the row has tokens and no text",
            why="records become tokens with the tokenizer of the base model",
            fix="mix with `--rows text`, or give token rows to a trainer that takes `input_ids`",
        )
    if "instruction" not in row and "text" in row:
        raise InputError(
            f"{place}: a single `text` does not say where the answer begins",
            why="the loss is taken on the answer only",
            fix="export with --format prompt-completion, messages or alpaca; text that is learned"
            " as a whole comes from `selfsown mix`, or from a run directory",
        )
    return read_example(row, fields_for(row, prompt=None, completion=None, system=None), place)


def _conversation(turns: Sequence[JSON], place: str) -> Example:
    found: dict[str, str] = {}
    for turn in turns:
        parts = mapping(turn)
        role = string(parts.get("role")) or string(parts.get("from"))
        role = _ROLES.get(role, role)
        text = string(parts.get("content")) or string(parts.get("value"))
        if role in found or role not in ("system", "user", "assistant") or not text.strip():
            raise InputError(
                f"{place}: the turn `{role}` is repeated, unknown, or has no text",
                why="one request and one answer are trained on, with an optional system text",
                fix="split longer conversations into one line per answer",
            )
        found[role] = text
    if "user" not in found or list(found)[-1] != "assistant":
        raise InputError(
            f"{place}: the turns are {', '.join(found) or 'none'}",
            why="a request and, last, the answer to it are needed",
            fix="add the missing turn, or drop the line",
        )
    return Example(found["user"], "", found["assistant"], found.get("system", ""))


def _content_id(row: Row) -> str:
    whole = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    return "c-" + hashlib.blake2b(whole, digest_size=8).hexdigest()


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtra(
            "reading Parquet needs the package `pyarrow`, which is not installed",
            why=f"`{path}` ends in `.parquet`",
            fix="pip install 'selfsown[parquet]', or export as JSONL",
        ) from error
    for batch in parquet.ParquetFile(path).iter_batches():
        yield from batch.to_pylist()
