"""`mixture.json`: what a mixture was made of, as asked for and as it came out.

Written last, so where it stands the files are whole and its own. Same sources, same options: same
bytes. Places of files are as given; digests say what was in them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import sha256_of, whole_file
from selfsown.export.export import provenance_path
from selfsown.mixing.options import MixOptions
from selfsown.mixing.order import Shelf
from selfsown.mixing.shares import Plan
from selfsown.mixing.sources import MixSource
from selfsown.mixing.writing import Given, Written

MIXTURE: Final = "mixture.json"
HOLES: Final = "holes.jsonl"
LEFT_OUT: Final = "left_out.jsonl"
VERSION: Final = 1
_FILE: Final = re.compile(
    r"(train|validation)(-\d{5,})?\.(jsonl|parquet)(\.provenance\.jsonl)?"
    rf"|{re.escape(HOLES)}|{re.escape(LEFT_OUT)}"
)
"""Names that a mixture's files have; whatever else lies there is the user's."""
_RUN_FILES: Final = ("accepted.jsonl", "provenance.jsonl")
_UNSAID: Final = frozenset({"force", "memory_bytes"})
"""Options that change no output."""


@dataclass(slots=True)
class Reading:
    """What reading a source came to."""

    passages: int = 0
    """Chunks that were joined."""
    holes: int = 0
    """Joined texts that lack chunks."""
    left_out: Counter[str] = field(default_factory=Counter)
    """By reason."""


def mixture_form(
    sources: Sequence[MixSource],
    options: MixOptions,
    plan: Plan,
    shelves: Sequence[Shelf],
    readings: Sequence[Reading],
    train: Written,
    validation: Written | None,
) -> dict[str, JSON]:
    """What `mixture.json` says, but for the files.

    Args:
        sources: as given.
        options: as given.
        plan: what was to be written.
        shelves: the texts of each source, without what is held out.
        readings: of each source.
        train: what was written.
        validation: what was written; None if none was asked for.
    """
    total = sum(given.tokens for given in train.given.values())
    weights = sum(source.weight for source in sources)
    shown = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(options).items()
        if name not in _UNSAID
    }
    told: list[JSON] = [
        {
            "name": source.name,
            "path": str(source.path),
            "kind": source.kind or "as told",
            "weight": float(source.weight),
            "max_epochs": float(source.max_epochs),
            "only": {name: list(values) for name, values in source.only.items()},
            "texts": shelf.text_count,
            "tokens": shelf.tokens,
            "real_tokens": shelf.real_tokens,
            "joined_chunks": reading.passages,
            "holes": reading.holes,
            "left_out": dict(sorted(reading.left_out.items())),
            "share_wanted": source.weight / weights,
            "mixed": _mixed(train.given.get(source.name, Given()), shelf, total),
            "input": digest(source.path),
        }
        for source, shelf, reading in zip(sources, shelves, readings, strict=True)
    ]
    return {
        "version": VERSION,
        "settings": {**shown, "token_rows": options.has_token_rows},
        "tokenizer_sha256": _tokenizer_hash(options.tokenizer),
        "token_source": f"tokenizer `{options.tokenizer}`"
        if options.tokenizer
        else "estimated: UTF-8 bytes / 4",
        "sources": told,
        "tokens_wanted": plan.wanted,
        "tokens": total,
        "shortfall": plan.shortfall,
        "limited_by": plan.limited_by,
        "human_share": _human_share(train),
        "train": _side(train, options),
        "validation": _side(validation, options) if validation else None,
    }


def write_mixture(out: Path, record: Mapping[str, JSON]) -> None:
    """Write `mixture.json` as a whole.

    Raises:
        EnvironmentFailure: it cannot be written.
    """
    with whole_file(out / MIXTURE) as file:
        file.write(orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_mixture(out: Path) -> Mapping[str, JSON]:
    """The record of a mixture.

    Args:
        out: its folder.

    Raises:
        InputError: there is none, so there is no whole mixture.
    """
    path = out / MIXTURE
    try:
        form = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"`{path}` cannot be read: {error}",
            why="it is written last, so without it there is no whole mixture",
            fix=f"make it again with `selfsown mix ... -o {out} --force`",
        ) from error
    if not isinstance(form, dict) or "human_share" not in form:
        raise InputError(
            f"`{path}` is no record of a mixture",
            why="something else wrote it",
            fix="give the folder that `selfsown mix -o` wrote",
        )
    return form


def there(out: Path) -> list[Path]:
    """The files of a mixture, whole or not, that a folder holds; the record first."""
    found = sorted(path for path in out.iterdir() if _FILE.fullmatch(path.name))
    record = out / MIXTURE
    return [record, *found] if record.exists() else found


def file_facts(folder: Path) -> dict[str, JSON]:
    """Name → hash and size of every file of a folder."""
    return {
        path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
    }


def _tokenizer_hash(folder: Path | None) -> str | None:
    """Of what decides how tokens are counted, where that is one file."""
    file = folder / "tokenizer.json" if folder else None
    return sha256_of(file) if file and file.is_file() else None


def digest(path: Path) -> dict[str, JSON]:
    """What identifies what a source is read from: one hash over the names and hashes of its files.

    Of a run those are its records and their provenance, of a file also its provenance.
    """
    whole, count, size = hashlib.sha256(), 0, 0
    for name, file in _files(path):
        whole.update(f"{sha256_of(file)}  {name}\n".encode("utf-8", "surrogateescape"))
        count += 1
        size += file.stat().st_size
    return {"sha256": whole.hexdigest(), "files": count, "bytes": size}


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its name, which is the same wherever the source lies."""
    if not path.is_dir():
        beside = provenance_path(path)
        yield "rows", path
        if beside.is_file():
            yield "provenance", beside
    elif (path / _RUN_FILES[0]).is_file():
        for name in _RUN_FILES:
            if (path / name).is_file():
                yield name, path / name
    else:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield file.relative_to(path).as_posix(), file


def _mixed(given: Given, shelf: Shelf, total: int) -> dict[str, JSON]:
    """What a source gave, epochs and share included."""
    return {
        "texts": given.texts,
        "distinct_texts": given.distinct,
        "tokens": given.tokens,
        "real_tokens": given.real_tokens,
        "share": given.tokens / total if total else 0.0,
        "epochs": given.tokens / shelf.tokens if shelf.tokens else 0.0,
    }


def _side(written: Written, options: MixOptions) -> dict[str, JSON]:
    given = written.given.values()
    told: dict[str, JSON] = {
        "files": [path.name for path in written.files],
        "rows": written.rows,
        "texts": sum(one.texts for one in given),
        "tokens": sum(one.tokens for one in given),
        "real_tokens": sum(one.real_tokens for one in given),
        "human_share": _human_share(written),
    }
    if options.window:
        room = written.rows * options.window
        told |= {"pieces": written.parts, "fill": written.sizes / room if room else 0.0}
    return told


def _human_share(written: Written) -> float:
    """Of the tokens, repetitions counted, in [0, 1]."""
    total = sum(given.tokens for given in written.given.values())
    real = sum(given.real_tokens for given in written.given.values())
    return real / total if total else 0.0
