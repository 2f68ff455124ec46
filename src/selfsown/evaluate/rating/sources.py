"""Whose answers people or judges compare: evaluation directories and prediction files, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from selfsown.core.errors import InputError
from selfsown.evaluate.predictions import Predictions, read_predictions
from selfsown.evaluate.suite import Instance


def answers_of(given: Iterable[str], suite: str | None = None) -> dict[str, Predictions]:
    """Name → answers, from `[NAME=]PATH` arguments.

    Args:
        given: directories of evaluations or prediction files; the name defaults to the last part
            of the path.
        suite: which suite of the evaluations; may be left out where each has one.

    Raises:
        InputError: a path holds no answers, or two names are equal.
    """
    answers: dict[str, Predictions] = {}
    for argument in given:
        label, equals, place = argument.partition("=")
        path = Path(place if equals else argument)
        name = label if equals else path.name.removesuffix(".jsonl")
        if name in answers:
            raise InputError(
                f"two models are called `{name}`",
                why="answers are told apart by the model's name",
                fix="name them: FIRST=PATH SECOND=PATH",
            )
        answers[name] = read_predictions(_file(path, suite))
    return answers


def common_instances(answers: Mapping[str, Predictions]) -> tuple[Instance, ...]:
    """The instances that all models answered.

    Raises:
        InputError: the models answered different ones.
    """
    suites = [given.suite for given in answers.values()]
    if len({suite.questions_sha256 for suite in suites}) != 1:
        raise InputError(
            "the models answered different instances: "
            + ", ".join(f"`{name}` {len(a.suite.instances)}" for name, a in answers.items()),
            why="answers are compared with answers to the same questions",
            fix="give answers to one suite",
        )
    return suites[0].instances


def _file(path: Path, suite: str | None) -> Path:
    """The prediction file that a path means."""
    if not path.is_dir():
        return path
    folder = path / "predictions"
    files = sorted(folder.glob("*.jsonl"))
    if suite is not None:
        files = [file for file in files if file.stem == suite]
    if len(files) != 1:
        names = ", ".join(f"`{file.stem}`" for file in sorted(folder.glob("*.jsonl")))
        raise InputError(
            f"`{path}` has {len(files)} suites to rate" + (f": {names}" if names else ""),
            why="a sheet holds answers to one suite",
            fix="name it with --suite NAME"
            if names
            else "give the directory of a finished evaluation",
        )
    return files[0]
