"""From what a user types after `--suite` to a suite: a built-in name, `NAME=FILE`, or a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.nearest import did_you_mean
from selfsown.evaluate.lab_suites import is_lab_suite, lab_suite
from selfsown.evaluate.layouts import layout_named
from selfsown.evaluate.metrics import metric_named
from selfsown.evaluate.published_suites import PUBLISHED, suite_file
from selfsown.evaluate.suite import AnswerRule, Instance, Suite, checked
from selfsown.evaluate.suite_file import read_suite_file
from selfsown.evaluate.superni import read_checkout, superni_instances

LAB_NAMES: Final = ("lab-task", "lab-plain", "lab-task-8")
"""The lab suites that lists show; `lab_suite` knows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteChanges:
    """What the user changes in a suite; None leaves it as it is."""

    layout: str | None = None
    """Only for suites from files."""
    max_tokens: int | None = None
    stop: tuple[str, ...] | None = None
    answer: AnswerRule | None = None
    metrics: tuple[str, ...] | None = None
    limit: int | None = None
    """At most so many instances, spread evenly over the suite."""


def open_suite(given: str, changes: SuiteChanges | None = None) -> Suite:
    """The suite that `given` names.

    Args:
        given: `lab-task`, `lab-plain` (with `-K` for K demonstrations); `user-oriented` or
            `superni`, read from where `suites get` puts them or from `NAME=FILE`; or a JSONL file
            of the user's, which `NAME=FILE` gives another name.
        changes: what to change in it.

    Raises:
        ConfigError: an unknown name, layout or metric.
        InputError: a file is absent or cannot be used, or has empty references.
    """
    changes = changes or SuiteChanges()
    name, _, place = given.partition("=")
    if is_lab_suite(given):
        if changes.layout is not None:
            raise ConfigError(
                f"suite `{given}` takes no layout",
                why="its name says it, and its demonstrations are in the same one",
                fix="use `lab-task` or `lab-plain`",
            )
        found = lab_suite(given)
    elif name in PUBLISHED:
        found = _published(name, Path(place) if place else suite_file(name), changes)
    else:
        found = _own(given, changes)
    return _changed(found, changes)


def open_suites(given: Iterable[str], changes: SuiteChanges | None = None) -> list[Suite]:
    """Several suites, whose names must differ.

    Raises:
        ConfigError: two suites have one name.
        InputError: see `open_suite`.
    """
    suites = [open_suite(one, changes) for one in given]
    names = [suite.name for suite in suites]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two suites are called `{name}`",
                why="results are kept by the suite's name",
                fix="name each suite once, or rename one of the files",
            )
    return suites


def suites_at_hand(*, lab: bool) -> list[str]:
    """Names of the built-in suites that can be opened without a download.

    Args:
        lab: with those of the lab, whose layouts all ask the same questions.
    """
    fetched = [name for name in PUBLISHED if suite_file(name).exists()]
    return [*LAB_NAMES[:1], *fetched] if lab else fetched


def _published(name: str, path: Path, changes: SuiteChanges) -> Suite:
    if not path.exists():
        raise InputError(
            f"suite `{name}` is not at `{path}`",
            why="published suites are not part of the package",
            fix=f"selfsown suites get {name}, or --suite {name}=FILE",
        )
    about, layout = PUBLISHED[name].about, changes.layout or "published"
    if not path.is_dir():
        return read_suite_file(path, name=name, about=about, layout=layout)
    chosen, instances = layout_named(layout), list[Instance]()
    for where, row in read_checkout(path):
        instances.extend(superni_instances(row, where, chosen))
    return checked(
        Suite(
            name=name,
            about=about,
            instances=tuple(instances),
            metrics=("rouge_l_stem", "rouge_l", "exact_match"),
            max_tokens=1024,
        )
    )


def _own(given: str, changes: SuiteChanges) -> Suite:
    name, equals, place = given.partition("=")
    path = Path(given)
    if equals and not path.is_file():
        path = Path(place)
    else:
        name = ""
    if not path.is_file():
        names = [*LAB_NAMES, *PUBLISHED]
        raise InputError(
            f"there is no suite `{given}`, and no file of that name",
            why=f"known suites are {', '.join(f'`{name}`' for name in names)}",
            fix=did_you_mean(given, names) or "give one of them or a JSONL file",
        )
    return read_suite_file(path, name=name or None, layout=changes.layout or "published")


def _changed(suite: Suite, changes: SuiteChanges) -> Suite:
    for metric in changes.metrics or ():
        metric_named(metric)
    count, limit = len(suite.instances), changes.limit
    instances, whole = suite.instances, ""
    if limit is not None and limit < count:
        instances = tuple(instances[i * count // limit] for i in range(limit))
        whole = suite.questions_sha256
    return replace(
        suite,
        instances=instances,
        max_tokens=changes.max_tokens or suite.max_tokens,
        stop=suite.stop if changes.stop is None else changes.stop,
        answer=changes.answer or suite.answer,
        metrics=changes.metrics or suite.metrics,
        whole_sha256=whole,
    )
