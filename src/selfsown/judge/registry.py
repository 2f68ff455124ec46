"""Judges by name, as a config says them: `judges: {rubric: {samples: 3}, verifiable: {}}`.

A judge is a frozen dataclass with its options as fields that meets `selfsown.judge.base.Judge`, and
one line in `selfsown.extensions`, or the entry point `judges.<name>` of a package outside. Fields
are of types that JSON has (numbers, texts, `Literal`, tuples for lists, pydantic's `JsonValue`):

    @dataclass(frozen=True, slots=True)
    class Brevity:
        "1.0 for an empty answer, falling to 0.0 at `most` words."

        most: int = 200
        name: ClassVar[str] = "brevity"
        source: ClassVar[Source] = "verifier"
        scale: ClassVar[Scale] = UNIT
        roles: ClassVar[tuple[str, ...]] = ()

        @property
        def options(self) -> Mapping[str, JSON]:
            return {"most": self.most}

        async def judge(self, run: Asker, item: Item) -> Judgement:
            share = min(1.0, len(item.answer.split()) / self.most)
            return Judgement(value=1.0 - share, source=self.source)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON
from selfsown.extensions import JUDGES, load_extension
from selfsown.judge.base import Judge
from selfsown.judge.options import made


def judge_named(name: str, options: Mapping[str, JSON] | None = None) -> Judge:
    """The judge registered as `name`, with these options.

    Raises:
        ConfigError: there is no such judge, or an option is unknown or makes no sense.
    """
    make = load_extension("judges", JUDGES, name)
    if make is None:
        raise ConfigError(
            f"there is no judge `{name}`",
            why=f"known judges: {', '.join(sorted(JUDGES))}",
            fix=did_you_mean(name, JUDGES) or "use one of the known names",
        )
    return cast("Judge", made(make, options or {}, f"judge `{name}`"))


def judges_from(config: Mapping[str, Mapping[str, JSON]]) -> tuple[Judge, ...]:
    """The judges of a config, in its order; see `judge_named`."""
    return tuple(judge_named(name, options) for name, options in config.items())
