"""Index files by name: made from a suite or from fields of a benchmark's rows, opened together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from selfsown.core.errors import InputError
from selfsown.core.inputs import Row, read_rows
from selfsown.core.rundir import translated_os_errors
from selfsown.curate.decontaminate import DecontaminationIndex, Item
from selfsown.curate.index_file import index_path, named_index, write_index
from selfsown.evaluate.open_suite import open_suite, open_suites
from selfsown.evaluate.overlap import row_texts, suite_index


def open_indexes(names: Iterable[str], suites: Iterable[str] = ()) -> DecontaminationIndex:
    """All items of index files and of suites.

    Args:
        names: of indexes, or their files.
        suites: as `open_suite` takes them; their items are read into memory.

    Raises:
        MissingIndex: a name has no index.
        InputError: an index or a suite cannot be used.
    """
    return suite_index(open_suites(suites), stores=[named_index(name) for name in names])


def make_index(
    source: str, out: Path | None = None, *, name: str | None = None, fields: Sequence[str] = ()
) -> tuple[Path, DecontaminationIndex]:
    """Write the index of one benchmark.

    Args:
        source: a suite as `open_suite` takes it or, with `fields`, a JSONL, JSON or CSV file.
        out: file to write; `indexes/NAME.index` if None.
        name: of the benchmark; that of the suite or of the file if None.
        fields: fields of each row whose text is protected, each by itself and all together in this
            order. A field may hold a list of texts.

    Returns:
        Where it is, and what is in it.

    Raises:
        InputError: the source cannot be used.
        MissingIndex: it has no text to protect.
        EnvironmentFailure: the file cannot be written.
    """
    if fields:
        name = name or Path(source).name.partition(".")[0]
        index = DecontaminationIndex()
        for item in _items(Path(source), name, fields):
            index.add(item)
        index.require([name])
    else:
        try:
            suite = open_suite(f"{name}={source}" if name else source)
        except InputError as error:
            if not Path(source).is_file():
                raise
            raise InputError(
                error.what,
                why=f"without `--field` it is read as a suite; {error.why}",
                fix="name the fields that hold what to protect, for example `--field question`",
            ) from error
        name, index = suite.name, suite_index([suite])
    out = out or index_path(name)
    with translated_os_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_index(out, index.own)
    return out, index


def _items(path: Path, name: str, fields: Sequence[str]) -> Iterator[Item]:
    for number, row in enumerate(read_rows(path), 1):
        own = row.get("id", number)
        texts = {field: _texts(row, field, f"`{path}` row {number}") for field in fields}
        for field, found in texts.items():
            for text in found:
                yield Item(name, str(own), field, text)
        if len(fields) > 1:
            together = "\n".join(text for found in texts.values() for text in found)
            yield Item(name, str(own), "+".join(fields), together)


def _texts(row: Row, field: str, place: str) -> list[str]:
    if field not in row:
        raise InputError(
            f"{place} has no field `{field}`",
            why="an item whose text is not read is not protected",
            fix=f"its fields are {', '.join(f'`{one}`' for one in row)}",
        )
    return list(row_texts(row[field]))
