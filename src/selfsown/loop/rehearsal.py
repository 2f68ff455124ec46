"""Rows that keep a tuned model able to write tasks: instruction lists, made of the round's tasks.

A small model that is tuned on answers alone forgets how to write instructions, and the next round's
generator is that model. So each training set gets lists of its own instructions, in the layout in
which the recipe asks for more of them: some are shown, the loss is taken on the rest. Human seeds
make human rows, machine tasks make machine rows, so the mixture keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.core.rundir import read_lines, write_lines
from selfsown.export.export import provenance_path

TASKS_PER_LIST: Final = 6
"""Continued in each list; ours: as many as an answer of a small model has."""
DEMONSTRATIONS: Final = 8
"""Shown where the recipe does not say. Lists must be as long as the recipe's, or the model learns
to end them before the place where it is asked to go on.
"""


def write_lists(data: Path, out: Path, options: Mapping[str, JSON], *, passes: int) -> None:
    """Write lists of the instructions in a training file, with provenance.

    Args:
        data: rows with `instruction`, provenance beside it.
        out: file to write.
        options: of the recipe; `list_header` and `list_style` say how lists look.
        passes: how often each instruction stands in the part that carries the loss.
    """
    tasks = _tasks(data)
    rows: list[bytes] = []
    sources: list[bytes] = []
    most = options.get("demonstrations")
    for number, part in enumerate(_parts(sorted(tasks), passes)):
        others = sorted(set(tasks) - set(part))
        count = min(len(others), most if isinstance(most, int) else DEMONSTRATIONS)
        shown = rng_for(number, "rehearsal-shown").sample(others, count)
        prompt, completion = _list(shown, part, options)
        rows.append(orjson.dumps({"prompt": prompt, "completion": completion}))
        told = tasks[part[0]]
        name = f"{told['id']}+list{number}"
        parents = [tasks[text]["id"] for text in (*shown, *part)]
        sources.append(orjson.dumps({**told, "line": len(rows), "id": name, "parents": parents}))
    write_lines(provenance_path(out), sources)
    write_lines(out, rows)


def _tasks(data: Path) -> dict[str, dict[str, JSON]]:
    """Instruction → provenance of its first record."""
    found: dict[str, dict[str, JSON]] = {}
    told = read_lines(provenance_path(data))
    for row, source in zip(read_lines(data), told, strict=True):
        assert isinstance(row, dict) and isinstance(source, dict)
        found.setdefault(str(row["instruction"]), source)
    return found


def _parts(texts: Sequence[str], passes: int) -> Iterator[list[str]]:
    """Every text once per pass, in random order, in parts of a few."""
    for turn in range(passes):
        order = rng_for(turn, "rehearsal-order").sample(texts, len(texts))
        for start in range(0, len(order), TASKS_PER_LIST):
            yield order[start : start + TASKS_PER_LIST]


def _list(
    shown: Sequence[str], texts: Sequence[str], options: Mapping[str, JSON]
) -> tuple[str, str]:
    rest = "".join(_lines(texts, len(shown), options)).removeprefix(_mark(options, len(shown)))
    return list_prompt(shown, options), rest


def list_prompt(shown: Sequence[str], options: Mapping[str, JSON]) -> str:
    """A list up to where the next task begins, as the recipe asks for more of them."""
    header = options.get("list_header", "Come up with a series of tasks:")
    return f"{header}\n{''.join(_lines(shown, 0, options))}{_mark(options, len(shown))}"


def _lines(texts: Sequence[str], start: int, options: Mapping[str, JSON]) -> list[str]:
    return [f"{_mark(options, place)} {text}\n" for place, text in enumerate(texts, start)]


def _mark(options: Mapping[str, JSON], place: int) -> str:
    """What stands before a task; places count from 0."""
    return f"{place + 1}." if options.get("list_style") == "numbered" else f"Task {place + 1}:"
