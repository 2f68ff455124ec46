"""Read rows of CSV (also with semicolons or tabs) and of plain text, one instruction per line."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator

from selfsown.recipes.seeds.json_rows import Row
from selfsown.recipes.seeds.task import SeedProblem, shown

COLUMNS = ("instruction", "input", "output", "is_classification")
_KNOWN = (*COLUMNS, "id", "name", "prompt", "completion")
_STATEMENTS = ("instruction", "prompt")


def read_csv(text: str) -> Iterator[Row]:
    """Yield one row per record; the first record names the columns, in any order.

    The separator is the first of comma, semicolon and tab under which the header has an
    `instruction` (or `prompt`) column. Records of blank cells are skipped; a record with another
    number of cells than the header is an error.
    """
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                pass
            elif header is None:
                header = [cell.strip().lower() for cell in cells]
                problem = _header_problem(header, line)
                if problem is not None:
                    yield Row(line, None, (problem,))
                    return
            else:
                yield _record(header, cells, line)
            line = reader.line_num + 1
    except csv.Error as error:
        yield Row(line, None, (_malformed(str(error), line),))


def read_text_lines(text: str) -> Iterator[Row]:
    """Yield one instruction per non-blank line."""
    for line_no, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield Row(line_no, {"instruction": line.strip()})


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in (",", ";", "\t"):
        names = {cell.strip().strip('"').lower() for cell in first.split(delimiter)}
        if names.intersection(_STATEMENTS):
            return delimiter
    return ","


def _header_problem(header: list[str], line: int) -> SeedProblem | None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        what, fix = f"the column `{shown(twice[0])}` occurs twice", "rename or delete one of them"
    elif not set(header).intersection(_STATEMENTS):
        what = "the header has no `instruction` column"
        near = difflib.get_close_matches("instruction", header, n=1)
        hint = f" (did you mean `{shown(near[0])}`?)" if near else ""
        fix = f"begin the file with the line `{','.join(COLUMNS)}`{hint}"
    else:
        return None
    return SeedProblem(
        rule="bad-header",
        severity="error",
        what=what,
        why="the first line of a CSV file names its columns; without it no row can be read",
        fix=fix,
        line=line,
    )


def _record(header: list[str], cells: list[str], line: int) -> Row:
    if len(cells) == len(header):
        return Row(line, {key: cell for key, cell in zip(header, cells, strict=True) if key})
    fewer_or_more = f"the row has {len(cells)} cells, the header {len(header)}"
    return Row(line, None, (_malformed(fewer_or_more, line),))


def _malformed(what: str, line: int) -> SeedProblem:
    return SeedProblem(
        rule="malformed-csv",
        severity="error",
        what=f"malformed CSV: {what}",
        why="cells could end up in the wrong column",
        fix="put cells with separators or line breaks in double quotes, and double inner quotes",
        line=line,
    )
