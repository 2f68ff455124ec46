"""Who scores the answers to a prompt: a judge, a tournament, or a reward model; one protocol.

A scorer sees all answers to a prompt at once and gives each its marks, always as many for each
answer, `None` where nothing could be read. It becomes usable by name with one line in `SCORERS` of
`selfsown.extensions`, or with the entry point `scorers.<name>` of a package outside; every judge is
a scorer by its own name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from pydantic import JsonValue

from selfsown.core.errors import CallFailed, CheckFailed, ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON, short_id
from selfsown.extensions import JUDGES, SCORERS, load_extension
from selfsown.judge.base import Asker, Item, Judge, Judgement
from selfsown.judge.effort import calls_of, samples_of, tokens_of
from selfsown.judge.options import made
from selfsown.judge.prompting import require
from selfsown.judge.registry import judge_named
from selfsown.judge.tournament import round_robin
from selfsown.judge.verdicts import compares

_LONGEST_SHOWN = 40
"""Characters of an option's value in a scorer's name; longer ones appear as their hash."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a scorer says of one answer."""

    values: tuple[float | None, ...]
    """One number per judgement, more is better; None where it could not be read."""
    why_missing: str = ""
    """Why a value is missing, with a short stable word first; empty where none is."""
    is_truncated: bool = False
    """Whether only a part of the answer was seen."""


class Answerer(Asker, Protocol):
    """The verbs of a run that a scorer uses: those of a judge, and effects."""

    async def effect(
        self, name: str, version: str, inputs: JSON, fn: Callable[[], JSON | Awaitable[JSON]]
    ) -> JSON:
        """Something dear to compute, journaled."""


class Scorer(Protocol):
    """A configured scorer. It keeps no state that its marks depend on."""

    @property
    def name(self) -> str:
        """The name it is registered under."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The run's models that it asks; empty for programs and models of this process."""

    def identity(self, models: Mapping[str, str]) -> str:
        """Who it is, model and options included: equal names, equal scores of equal answers.

        Args:
            models: role -> identity of the model that answers for it.
        """

    def judgements(self, answers: int) -> int:
        """Values per answer where there are so many answers to a prompt."""

    def calls(self, answers: int) -> int:
        """Model calls per prompt, at most."""

    @property
    def max_tokens(self) -> int:
        """Most generated tokens per call; 0 where there are none."""

    def prepare(self) -> None:
        """Load what it needs, so that what is missing is known before anything is asked."""

    async def score(self, run: Answerer, items: Sequence[Item]) -> list[Marks]:
        """The marks of the answers to one prompt, in their order.

        Args:
            run: asks and journals.
            items: one per answer; all with the same prompt, and none of them has a rival.
        """


def scorer_named(name: str, options: Mapping[str, JSON] | None = None) -> Scorer:
    """The scorer registered as `name`, or the judge of that name as a scorer.

    Raises:
        ConfigError: there is none, or an option is unknown or makes no sense.
    """
    make = load_extension("scorers", SCORERS, name, plugins=name not in JUDGES)
    if make is not None:
        return cast("Scorer", made(make, options or {}, f"scorer `{name}`"))
    if load_extension("judges", JUDGES, name) is None:
        known = sorted([*SCORERS, *JUDGES])
        raise ConfigError(
            f"there is no scorer `{name}`",
            why=f"known scorers: {', '.join(known)}",
            fix=did_you_mean(name, known) or "use one of the known names",
        )
    judge = judge_named(name, options)
    if compares(judge):
        raise ConfigError(
            f"judge `{name}` scores no single answer",
            why="it compares two, and each answer to a prompt needs a score of its own",
            fix="let it compare each with each: `scorer: tournament`, with"
            f" `scorer_options: {{judge: {{{name}: {{}}}}}}`",
        )
    return JudgeScorer(judge)


@dataclass(frozen=True, slots=True)
class JudgeScorer:
    """A judge that judges each answer alone; its samples are the values."""

    by: Judge

    @property
    def name(self) -> str:
        """That of the judge."""
        return self.by.name

    @property
    def roles(self) -> tuple[str, ...]:
        """Those of the judge."""
        return self.by.roles

    def identity(self, models: Mapping[str, str]) -> str:
        """Judge, what differs from its defaults, and model."""
        return described(self.by, models)

    def judgements(self, answers: int) -> int:
        """Samples of the judge."""
        return samples_of(self.by)

    def calls(self, answers: int) -> int:
        """Of all answers together."""
        return answers * calls_of(self.by)

    @property
    def max_tokens(self) -> int:
        """Of its calls."""
        return tokens_of(self.by)

    def prepare(self) -> None:
        """Nothing to load."""

    async def score(self, run: Answerer, items: Sequence[Item]) -> list[Marks]:
        """Judge the answers at once."""
        found = await run.gather(*(_judged(run, self.by, item) for item in items))
        return [self._marks(one) for one in found]

    def _marks(self, told: Judgement | CallFailed) -> Marks:
        wanted = samples_of(self.by)
        if isinstance(told, CallFailed):
            return Marks((None,) * wanted, f"call_failed: {told.kind}")
        values = tuple(part.value for part in told.parts)
        if wanted == 1 or not values or told.source != self.by.source:
            values = (told.value,) * wanted  # a program, which would repeat itself, or no sample
        if len(values) != wanted:
            raise CheckFailed(
                f"judge `{self.by.name}` gave {len(values)} judgements of an answer, not {wanted}",
                why="means over different numbers of judgements are differently sure",
                fix="let it return as many parts as its option `samples` says",
            )
        reasons = [part.reason for part in (*told.parts, told) if part.value is None]
        return Marks(values, reasons[0] if None in values else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tournament:
    """Each answer against each by a judge of pairs; the contests of an answer are its values.

    A contest with an answer that never came counts as one that could not be judged.
    """

    judge: dict[str, dict[str, JsonValue]] = field(default_factory=lambda: {"pairwise": {}})
    """Who compares: its name and its options."""

    def __post_init__(self) -> None:
        """Refuse any number of judges but one, and one that does not compare."""
        count = len(self.judge)
        require(count == 1, f"`judge` names {count} judges", "one judge decides all contests")
        by = self._by()
        require(
            compares(by),
            f"judge `{by.name}` compares no answers",
            "a tournament is made of contests",
        )

    @property
    def name(self) -> str:
        """As it is registered."""
        return "tournament"

    @property
    def roles(self) -> tuple[str, ...]:
        """Those of the judge."""
        return self._by().roles

    def identity(self, models: Mapping[str, str]) -> str:
        """The judge's, as a tournament."""
        return f"tournament of {described(self._by(), models)}"

    def judgements(self, answers: int) -> int:
        """Contests of each answer."""
        return answers - 1

    def calls(self, answers: int) -> int:
        """Of all contests."""
        return answers * (answers - 1) // 2 * calls_of(self._by())

    @property
    def max_tokens(self) -> int:
        """Of its calls."""
        return tokens_of(self._by())

    def prepare(self) -> None:
        """Nothing to load."""

    async def score(self, run: Answerer, items: Sequence[Item]) -> list[Marks]:
        """Hold all contests."""
        standings = await round_robin(run, self._by(), items)
        return [
            Marks(tuple(part.value for part in one.parts), _first_reason(one.parts))
            for one in standings
        ]

    def _by(self) -> Judge:
        ((name, options),) = self.judge.items()
        return judge_named(name, options)


def described(judge: Judge, models: Mapping[str, str]) -> str:
    """A judge in words: name, options that differ from its defaults, model."""
    usual = _default_options(judge.name)
    told = [
        f"{key}={_shown(value)}"
        for key, value in judge.options.items()
        if key not in usual or usual[key] != value
    ]
    asked = sorted({models.get(role, role) for role in judge.roles})
    return (
        judge.name
        + (f"({', '.join(told)})" if told else "")
        + (f" by {' and '.join(asked)}" if asked else "")
    )


def _default_options(name: str) -> Mapping[str, JSON]:
    try:
        return judge_named(name).options
    except ConfigError:  # it has an option without a default
        return {}


def _shown(value: JSON) -> str:
    import orjson

    text = value if isinstance(value, str) else orjson.dumps(value, default=list).decode()
    return text if len(text) <= _LONGEST_SHOWN and "\n" not in text else short_id(value)


async def _judged(run: Asker, judge: Judge, item: Item) -> Judgement | CallFailed:
    try:
        return await judge.judge(run, item)
    except CallFailed as error:
        return error


def _first_reason(parts: Sequence[Judgement]) -> str:
    reasons: list[Any] = [part.reason for part in parts if part.value is None]
    return reasons[0] if reasons else ""
