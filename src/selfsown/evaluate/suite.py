"""A suite as data: instances with references, how they are asked, and how answers are scored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from selfsown.core.errors import InputError
from selfsown.core.request import canonical_json

AnswerRule = Literal["whole", "first_line"]
"""Which part of a completion is the answer; either way without surrounding white space."""

OverlapRule = Literal["published", "whole"]
"""When a training text repeats an item: by the published rule (more than half of it), or only where
the whole question stands in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One question with its references."""

    id: str
    """Unique within the suite."""
    instruction: str
    input: str = ""
    references: tuple[str, ...]
    """Right answers; the best match counts. At least one is not blank."""
    prompt: str
    """What the model reads."""
    categories: tuple[str, ...] = ()
    """Tables in which it is counted, for example its category and its split."""
    cluster: str = ""
    """Task it belongs to, where a suite has many instances per task; empty: its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of instances."""

    name: str
    about: str
    """One line for lists."""
    instances: tuple[Instance, ...]
    metrics: tuple[str, ...]
    """Names in `METRICS`; the first is the metric of record."""
    max_tokens: int = 256
    """Longest answer."""
    stop: tuple[str, ...] = ()
    """Strings that end an answer."""
    answer: AnswerRule = "whole"
    overlap: OverlapRule = "published"
    whole_sha256: str = ""
    """`questions_sha256` of the suite that this one is a part of; empty: it is whole."""

    @property
    def sha256(self) -> str:
        """Hash of prompts, references and settings, by which a result says what was asked.

        Name, description, choice of metrics and what concerns training data are not in it.
        """
        form = asdict(self)
        for name in ("about", "name", "metrics", "overlap", "whole_sha256"):
            del form[name]
        return hashlib.sha256(canonical_json(form)).hexdigest()

    @property
    def questions_sha256(self) -> str:
        """Hash of instructions, inputs and references in their order; space around them is ignored.

        Scores compare in pairs where it is equal, whatever the prompts were.
        """
        texts = [[one.instruction, one.input, *one.references] for one in self.instances]
        form = [[text.strip() for text in question] for question in texts]
        return hashlib.sha256(canonical_json(form)).hexdigest()


def checked(suite: Suite) -> Suite:
    """The suite itself.

    Raises:
        InputError: it has no instances, an id twice, or instances without a reference.
    """
    if not suite.instances:
        raise InputError(
            f"suite `{suite.name}` has no instances",
            why="a score needs at least one",
            fix="give a file with at least one line",
        )
    blank = [one.id for one in suite.instances if not any(r.strip() for r in one.references)]
    if blank:
        raise InputError(
            f"{len(blank)} of {len(suite.instances)} instances of suite `{suite.name}` have no "
            f"reference that is not blank: {_named(blank)}",
            why="an answer is scored against references, and against none every score is 0",
            fix="add references, or remove these instances from the suite",
        )
    seen: set[str] = set()
    twice = [one.id for one in suite.instances if one.id in seen or seen.add(one.id)]  # type: ignore[func-returns-value]
    if twice:
        raise InputError(
            f"suite `{suite.name}` has ids twice: {_named(twice)}",
            why="answers are joined to instances by id",
            fix="give every instance an id of its own, or none at all",
        )
    return suite


def answer_of(suite: Suite, completion: str) -> str:
    """The part of a completion that is scored."""
    text = completion.split("\n", 1)[0] if suite.answer == "first_line" else completion
    return text.strip()


def _named(ids: Sequence[str]) -> str:
    """The first ids, in backticks."""
    shown = ", ".join(f"`{one}`" for one in ids[:5])
    return f"{shown} and {len(ids) - 5} more" if len(ids) > 5 else shown
