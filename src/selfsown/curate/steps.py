"""A rule filter is one decorated function that checks its options and returns a check on a text.

    @filter_step("too_loud")
    def too_loud(*, most: int = 3) -> Check:
        "Drop a text with more than `most` exclamation marks."
        require(most >= 0, f"`most` is {most}", "a count is never negative")

        def check(text: str) -> Verdict:
            count = text.count("!")
            return drop("too_loud", count) if count > most else keep()

        return check

`too_loud(most=1)` is then an `InstructionFilter` that knows its name and options, and
`filter_named("too_loud", most=1)` is the same for recipe files, where the filter is one line in
`selfsown.extensions` or the entry point `filters.too_loud` of a package outside.

A check that depends on what was accepted before is an object with `add` as well (`Remembers`); the
recipe tells it every accepted text, in order.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Final, ParamSpec, Protocol, runtime_checkable

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.curate.verdict import Verdict, keep

Check = Callable[[str], Verdict]
Options = ParamSpec("Options")


@runtime_checkable
class Remembers(Protocol):
    """A check with memory."""

    def add(self, text: str) -> None:
        """A text was accepted."""


_REGISTERED: dict[str, Callable[..., InstructionFilter]] = {}
FILTERS: Final[Mapping[str, Callable[..., InstructionFilter]]] = MappingProxyType(_REGISTERED)
"""Every registered filter by name; the value takes the filter's options."""


@dataclass(frozen=True, slots=True)
class InstructionFilter:
    """A configured rule: call it with a text, get a `Verdict`. Pure, but for what `add` told it."""

    name: str
    """The name it is registered under."""
    options: Mapping[str, object]
    """Its effective options, defaults included, so that a run can be described exactly."""
    check: Check
    """The rule itself."""

    def __call__(self, text: str) -> Verdict:
        """The verdict of this rule on one text."""
        return self.check(text)

    @property
    def remembers(self) -> bool:
        """Whether it judges texts by those that were accepted before."""
        return isinstance(self.check, Remembers)

    def add(self, text: str) -> None:
        """A text was accepted, by all rules: one with memory judges later texts by it."""
        check: object = self.check
        if isinstance(check, Remembers):
            check.add(text)


def filter_step(
    name: str,
) -> Callable[[Callable[Options, Check]], Callable[Options, InstructionFilter]]:
    """Register a function from options to a check as the filter called `name`."""

    def register(build: Callable[Options, Check]) -> Callable[Options, InstructionFilter]:
        if name in _REGISTERED:
            raise ConfigError(
                f"two filters are called `{name}`",
                why="reports and recipe files tell filters apart by name",
                fix="give the new filter a name of its own",
            )

        @wraps(build)
        def configured(*args: Options.args, **kwargs: Options.kwargs) -> InstructionFilter:
            bound = inspect.signature(build).bind(*args, **kwargs)
            bound.apply_defaults()
            return InstructionFilter(name, dict(bound.arguments), build(*args, **kwargs))

        _REGISTERED[name] = configured
        return configured

    return register


def filter_named(name: str, **options: object) -> InstructionFilter:
    """The filter registered as `name` with these options; unknown names and options are errors."""
    from selfsown.extensions import FILTERS as BUILT_IN
    from selfsown.extensions import load_extension

    builder = _REGISTERED.get(name) or load_extension("filters", BUILT_IN, name)
    if builder is None:
        known_names = sorted({*BUILT_IN, *_REGISTERED})
        raise ConfigError(
            f"there is no filter `{name}`",
            why=f"known filters: {', '.join(known_names)}",
            fix=did_you_mean(name, known_names) or "use one of the known names",
        )
    known = inspect.signature(builder).parameters
    for option in options:
        if option not in known:
            raise ConfigError(
                f"filter `{name}` has no option `{option}`",
                why=f"its options: {', '.join(known) or 'none'}",
                fix="remove it or correct its name",
            )
    built: InstructionFilter = builder(**options)
    return built


def first_drop(filters: Iterable[InstructionFilter], text: str) -> Verdict:
    """The verdict of the first filter that drops `text`, or a plain keep."""
    for each in filters:
        verdict = each(text)
        if not verdict.ok:
            return verdict
    return keep()


def require(condition: bool, what: str, why: str) -> None:
    """Refuse a filter option that makes no sense."""
    if not condition:
        raise ConfigError(what, why=why, fix="correct the filter's option")
