"""Super-NaturalInstructions in the zero-shot protocol of Self-Instruct.

Sources: arXiv:2204.07705 for tasks and scorer, arXiv:2212.10560 section 5.3 for the protocol: 119
English test tasks, the first 100 instances of each, the definition alone and no example, greedy, at
most 1,024 tokens, no stop string. The metric of record is stemmed ROUGE-L over all instances
pooled; per category the SuperNI paper reports exact match where answers are labels
(`EXACT_MATCH_CATEGORIES`) and ROUGE-L elsewhere.

Differs from the paper: intervals resample whole tasks, since instances of one task are alike. The
exact prompt string was never released; we use that of the paper's other evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.evaluate.layouts import Layout
from selfsown.evaluate.lines import Row, text_of, texts_of, wrong_field
from selfsown.evaluate.suite import Instance

INSTANCES_PER_TASK: Final = 100
TEST_LIST: Final = "splits/default/test_tasks.txt"
"""Names of the English test tasks in a checkout of the published repository."""

EXACT_MATCH_CATEGORIES: Final = frozenset(
    {
        "Answerability Classification",
        "Cause Effect Classification",
        "Coreference Resolution",
        "Dialogue Act Recognition",
        "Textual Entailment",
        "Word Analogy",
    }
)
"""Categories whose metric is exact match."""


def superni_instances(row: Row, place: str, layout: Layout) -> Iterator[Instance]:
    """The first instances of one task, in the published or in the compact form.

    Raises:
        InputError: the task has another form.
    """
    compact = row if "definition" in row else compact_form(row, place)
    task, definition = text_of(compact, "task", place), text_of(compact, "definition", place)
    inner = compact.get("instances")
    if not isinstance(inner, list) or not all(isinstance(one, Mapping) for one in inner):
        raise wrong_field(place, "instances", "is not a list of objects")
    for index, one in enumerate(inner[:INSTANCES_PER_TASK]):
        assert isinstance(one, Mapping)
        body = dict(one)
        text = text_of(body, "input", place)
        yield Instance(
            id=f"{task}/{index}",
            instruction=definition,
            input=text,
            references=texts_of(body, "outputs" if "outputs" in body else "output", place),
            prompt=layout.prompt(definition, text),
            categories=_categories(text_of(compact, "category", place)),
            cluster=task,
        )


def compact_form(row: Row, place: str, task: str = "") -> Row:
    """A published task file as one compact object with its first 100 instances.

    Raises:
        InputError: it is no task file.
    """
    inner = row.get("Instances")
    if not isinstance(inner, list):
        raise wrong_field(place, "Instances", "is not a list")
    chosen: list[JSON] = []
    for one in inner[:INSTANCES_PER_TASK]:
        if not isinstance(one, Mapping):
            raise wrong_field(place, "Instances", "is not a list of objects")
        body = dict(one)
        outputs = list(texts_of(body, "output", place))
        chosen.append({"input": text_of(body, "input", place), "outputs": outputs})
    categories = texts_of(row, "Categories", place)
    return {
        "task": task or text_of(row, "task", place),
        "category": categories[0] if categories else "",
        "definition": " ".join(texts_of(row, "Definition", place)),
        "instances": chosen,
    }


def read_checkout(folder: Path) -> Iterator[tuple[str, Row]]:
    """Place and compact form of every English test task in a checkout of the repository.

    Raises:
        InputError: the list of test tasks or one of them is not there.
    """
    for name in task_names(folder / TEST_LIST):
        path = folder / "tasks" / f"{name}.json"
        yield f"`{path}`", compact_form(_read_task(path), f"`{path}`", name)


def task_names(path: Path) -> list[str]:
    """The names in a list of tasks, one per line.

    Raises:
        InputError: the list cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise InputError(
            f"`{path}` cannot be read: {error.strerror}",
            why="it lists the tasks of the test split",
            fix="give a checkout of github.com/allenai/natural-instructions",
        ) from error


def _categories(name: str) -> tuple[str, ...]:
    """The category, and the group of those that the paper reports with the same metric."""
    group = "exact match" if name in EXACT_MATCH_CATEGORIES else "ROUGE-L"
    return (name, f"reported with {group}")


def _read_task(path: Path) -> Row:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"`{path}` cannot be read: {getattr(error, 'strerror', None) or error}",
            why="the test split names this task",
            fix="complete the checkout, or use `selfsown suites get superni`",
        ) from error
    if not isinstance(value, dict):
        raise wrong_field(f"`{path}`", "Instances", "is missing: the file is no JSON object")
    return value
