"""Filters on the instances (input, output) of one task; each drop has a reason, order is kept.

Source: Self-Instruct (arXiv:2212.10560, section 2.2) and its released code, which preset `paper`
follows: drop input = output, empty outputs and texts that end with a colon; drop *all* instances of
a task if one input has two outputs; drop duplicates; keep at most five.

Preset `default` differs:
- "N/A", "<noinput>" and the like as an input mean no input, and are emptied, not dropped.
- A colon at the end counts only where the text looks cut off (an answer ":" or "Dear Sir:" stays).
- Two outputs for one input: the majority stays; on a tie the first (`on_tie="drop"`: none).
- Outputs that run into the next task, hold chat-template tokens, broken characters or a refusal go.
- What remains after the cap is the first few in order unless a generator is given to draw them.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from selfsown.curate.boilerplate import is_refusal, leaked_markup
from selfsown.curate.garble import damage, repetition
from selfsown.curate.steps import require

Preset = Literal["default", "paper"]

MOST_INSTANCES: Final = 5
"""Most instances of a task: Self-Instruct, released code of step 4."""

_EMPTY_MARKER = re.compile(
    r"[<\[({]?\s*(?:n\s*/\s*a|no\s*-?\s*input(?:\s+(?:is\s+)?(?:needed|required|necessary|given))?"
    r"|no\s*-?\s*output|not\s+applicable|none|empty|-+)\s*[>\])}]?\.?",
    re.IGNORECASE,
)
_EMPTY_OUTPUT = re.compile(r"<\s*(?:no\s*-?\s*(?:in|out)put|empty)\s*>", re.IGNORECASE)
_NEXT_TASK = re.compile(
    r"\n[ \t]*(?:#+ *)?(?:Task|Instruction|Class label)\s*:|Is it classification\?"
    r"|\n[ \t]*(?:Example\s*\d+|Input(?:\s*\d+)?)\b[\s\S]*\n[ \t]*Output(?:\s*\d+)?\s*:"
)
_NUMBERED_LINE = re.compile(r"^[ \t]*(?:Task\s*)?(\d{1,3})\s?[.):]\s", re.MULTILINE)
_SALUTATION = re.compile(r"(?:dear|hello|hi|to whom it may concern|ladies and gentlemen)\b", re.I)


@dataclass(frozen=True, slots=True)
class Instance:
    """One worked case of a task."""

    input: str
    """What the task is applied to; empty when the instruction needs nothing more."""
    output: str
    """The answer."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An instance that did not pass, as it was given."""

    instance: Instance
    reason: str
    """Stable lower-case word, for example `duplicate`."""


@dataclass(frozen=True, slots=True)
class InstanceFilterResult:
    """What became of the instances of one task; together as many as were given."""

    kept: tuple[Instance, ...]
    """In the order given; inputs may have been emptied (preset `default`)."""
    dropped: tuple[Dropped, ...]
    """In the order of the filters that dropped them."""


@dataclass(slots=True)
class _Sieve:
    """The instances that are left, each beside what it was given as, and those that went."""

    left: list[tuple[Instance, Instance]]
    dropped: list[Dropped] = field(default_factory=list)

    def drop_where(self, reason_of: Callable[[Instance], str | None]) -> None:
        """Drop each instance for which there is a reason."""
        self.keep_only([reason_of(now) for now, _ in self.left])

    def keep_only(self, reasons: Sequence[str | None]) -> None:
        """Drop the instances whose entry in `reasons` is not None."""
        pairs = list(zip(self.left, reasons, strict=True))
        self.dropped += [Dropped(given, reason) for (_, given), reason in pairs if reason]
        self.left = [entry for entry, reason in pairs if not reason]

    def now(self) -> list[Instance]:
        return [now for now, _ in self.left]


def filter_instances(
    instances: Sequence[Instance],
    *,
    preset: Preset = "default",
    most: int = MOST_INSTANCES,
    on_tie: Literal["first", "drop"] = "first",
    rng: random.Random | None = None,
) -> InstanceFilterResult:
    """The instances of one task that are worth keeping, and why the others are not.

    At most `most` stay: the first in order, or a uniform sample in order if `rng` is given (the
    released code draws one). `on_tie` says what two outputs with equal votes for one input mean in
    preset `default`.
    """
    require(preset in ("default", "paper"), f"preset `{preset}`", "it is `default` or `paper`")
    require(most >= 1, f"`most` is {most}", "a task keeps at least one instance")
    require(on_tie in ("first", "drop"), f"`on_tie` is `{on_tie}`", "it is `first` or `drop`")
    stripped = [Instance(one.input.strip(), one.output.strip()) for one in instances]
    sieve = _Sieve(list(zip(stripped, instances, strict=True)))
    if preset == "paper":
        sieve.drop_where(invalid_as_published)
        sieve.keep_only(conflicts_as_published(sieve.now()))
    else:
        sieve.left = [(without_empty_marker(now), given) for now, given in sieve.left]
        sieve.drop_where(invalid)
        sieve.keep_only(conflicts(sieve.now(), on_tie=on_tie))
    sieve.keep_only(duplicates(sieve.now()))
    sieve.keep_only(beyond(len(sieve.left), most, rng))
    return InstanceFilterResult(tuple(sieve.now()), tuple(sieve.dropped))


def invalid_as_published(instance: Instance) -> str | None:
    """The reason of the released code to drop one instance, if any."""
    if instance.input == instance.output:
        return "output_is_input"
    if not instance.output:
        return "empty_output"
    if instance.input.endswith(":") or instance.output.endswith(":"):
        return "ends_with_colon"
    return None


def invalid(instance: Instance) -> str | None:
    """Our reason to drop one instance, if any; cheapest tests first."""
    output = instance.output
    if not output or _EMPTY_OUTPUT.fullmatch(output):
        return "empty_output"
    if instance.input == output:
        return "output_is_input"
    if looks_cut_off(instance.input) or looks_cut_off(output):
        return "cut_off"
    if runs_into_next_task(instance):
        return "merged_tasks"
    if not _NO_MARKUP(output).ok or not _NO_MARKUP(instance.input).ok:
        return "leaked_markup"
    if is_refusal(output) and not is_refusal(instance.input):
        return "refusal"
    return damage(instance.input) or damage(output) or repetition_in(output, instance.input)


def without_empty_marker(instance: Instance) -> Instance:
    """The instance with an input such as "N/A", "<noinput>" or "None" emptied."""
    if _EMPTY_MARKER.fullmatch(instance.input):
        return replace(instance, input="")
    return instance


def looks_cut_off(text: str) -> bool:
    """Whether `text` ends with a colon that announces more.

    A lone label or sign ("A:", ":", "10:") and a salutation ("Dear Sir:") are complete.
    """
    last = text.rstrip().rpartition("\n")[2].strip()
    if not last.endswith(":"):
        return False
    body = last[:-1].strip()
    return len(body.split()) >= 2 and not _SALUTATION.match(body)


def runs_into_next_task(instance: Instance) -> bool:
    """Whether an output holds the start of another task.

    That is a field name of the prompt at the start of a line, or, after other text, a numbered line
    that continues the prompt's list: its number is above 1, and the number before it stands neither
    in the output nor in the input.
    """
    if _NEXT_TASK.search(instance.output):
        return True
    first = _NUMBERED_LINE.search(instance.output)
    if first is None or not instance.output[: first.start()].strip():
        return False
    number = int(first[1])
    return number > 1 and not re.search(rf"\b{number - 1}\b", instance.input + instance.output)


def repetition_in(output: str, source: str) -> str | None:
    """The reason if `output` repeats itself endlessly and `source` does not."""
    reason = repetition(output)
    return reason if reason and not repetition(source) else None


def conflicts_as_published(instances: Sequence[Instance]) -> list[str | None]:
    """All instances go if one non-empty input has two outputs (released code)."""
    outputs: dict[str, str] = {}
    is_conflicting = any(
        one.input and outputs.setdefault(one.input, one.output) != one.output for one in instances
    )
    return ["conflicting_outputs" if is_conflicting else None] * len(instances)


def conflicts(
    instances: Sequence[Instance], *, on_tie: Literal["first", "drop"]
) -> list[str | None]:
    """Per non-empty input the outputs that are outvoted go.

    Inputs and outputs are compared without regard to case and spacing, so that spellings of one
    label are one vote.
    """
    votes: dict[str, Counter[str]] = {}
    for one in instances:
        if one.input:
            votes.setdefault(folded(one.input), Counter())[folded(one.output)] += 1
    reasons: list[str | None] = []
    for one in instances:
        ranked = votes[folded(one.input)].most_common() if one.input else []
        if len(ranked) < 2:
            reasons.append(None)
        elif on_tie == "drop" and ranked[0][1] == ranked[1][1]:
            reasons.append("conflicting_outputs")
        else:  # equal counts rank in order of first vote
            reasons.append(None if folded(one.output) == ranked[0][0] else "conflicting_outputs")
    return reasons


def folded(text: str) -> str:
    """The text as votes compare it: without regard to case and spacing.

    Punctuation counts: `-5` and `5`, `3.5` and `35` are different answers.
    """
    return " ".join(text.casefold().split())


def duplicates(instances: Sequence[Instance]) -> list[str | None]:
    """Every instance that occurred before goes."""
    seen: set[Instance] = set()
    reasons: list[str | None] = []
    for one in instances:
        reasons.append("duplicate" if one in seen else None)
        seen.add(one)
    return reasons


def beyond(count: int, most: int, rng: random.Random | None) -> list[str | None]:
    """All but `most` of `count` go: the last, or those that `rng` does not draw."""
    if count <= most:
        return [None] * count
    chosen = set(range(most)) if rng is None else set(rng.sample(range(count), most))
    return [None if index in chosen else "beyond_cap" for index in range(count)]


_NO_MARKUP = leaked_markup(fields=False)
