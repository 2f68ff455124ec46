"""Suites from JSONL files of the user's own, in any of three shapes per line.

- flat: `instruction` (and `input`) or `prompt`, with `references`, `reference`, `output` or
  `target`; optional `id`, `category` or `categories`, `cluster`;
- task with instances, as seed tasks and the user-oriented tasks are published: `instruction` and
  `instances` of `input`, `output`;
- Super-NaturalInstructions, compact: `task`, `definition`, `category`, and `instances` of
  `input`, `outputs` (see `superni`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from selfsown.evaluate.layouts import Layout, layout_named
from selfsown.evaluate.lines import Row, read_objects, text_of, texts_of, wrong_field
from selfsown.evaluate.suite import Instance, Suite, checked
from selfsown.evaluate.superni import superni_instances

_REFERENCES: Final = ("references", "reference", "output", "target")


def read_suite_file(
    path: Path, *, name: str | None = None, about: str = "", layout: str = "published"
) -> Suite:
    """A suite from a JSONL file (also gzipped).

    Args:
        path: the file.
        name: of the suite; the file's name without suffixes if None.
        about: one line for lists.
        layout: how prompts are made of lines without a `prompt`.

    Raises:
        InputError: a line cannot be used (with its number), or references are empty.
    """
    chosen = layout_named(layout)
    instances: list[Instance] = []
    for number, row in read_objects(path, "suite file"):
        place = f"suite file `{path}` line {number}"
        instances.extend(_instances(row, place, number, chosen))
    return checked(
        Suite(
            name=name or path.name.split(".", 1)[0] or "suite",
            about=about or f"instances of `{path.name}`",
            instances=tuple(instances),
            metrics=("rouge_l_stem", "rouge_l", "exact_match"),
            max_tokens=1024,
        )
    )


def _instances(row: Row, place: str, number: int, layout: Layout) -> Iterator[Instance]:
    if "definition" in row or "Definition" in row:
        yield from superni_instances(row, place, layout)
    elif "instances" in row:
        yield from _of_task(row, place, number, layout)
    else:
        yield _flat(row, place, str(row.get("id") or f"line-{number}"), layout)


def _of_task(row: Row, place: str, number: int, layout: Layout) -> Iterator[Instance]:
    inner = row["instances"]
    if not isinstance(inner, list) or not all(isinstance(one, Mapping) for one in inner):
        raise wrong_field(place, "instances", "is not a list of objects")
    name = str(row.get("id") or f"line-{number}")
    shared = {key: value for key, value in row.items() if key not in ("id", "instances")}
    if "motivation_app" in shared:
        shared.setdefault("category", shared["motivation_app"])
    for index, one in enumerate(inner):
        assert isinstance(one, Mapping)
        own = name if len(inner) == 1 else f"{name}-{index}"
        yield _flat({**shared, **one}, place, own, layout)


def _flat(row: Row, place: str, name: str, layout: Layout) -> Instance:
    instruction, text = text_of(row, "instruction", place), text_of(row, "input", place)
    prompt = text_of(row, "prompt", place)
    if not instruction.strip() and not prompt.strip():
        raise wrong_field(place, "instruction", "is missing, and so is `prompt`")
    field = next((one for one in _REFERENCES if one in row), None)
    if field is None:
        raise wrong_field(place, "references", "is missing, and so are its other names")
    return Instance(
        id=name,
        instruction=instruction,
        input=text,
        references=texts_of(row, field, place),
        prompt=prompt or layout.prompt(instruction, text),
        categories=texts_of(row, "categories" if "categories" in row else "category", place),
        cluster=text_of(row, "cluster", place),
    )
