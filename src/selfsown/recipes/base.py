"""What a recipe is: one published method as plain async Python, with its options and its roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from selfsown.core.request import JSON

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from selfsown.core.run import Run
    from selfsown.curate.verdict import Verdict

OptionsT = TypeVar("OptionsT", bound="BaseModel")
Rows: TypeAlias = "Iterable[Mapping[str, JSON]]"


@dataclass(frozen=True, slots=True)
class CallBound:
    """Most calls of one kind that a recipe can make from here on."""

    kind: str
    """For example `instruction lists`."""
    role: str
    calls: int
    max_tokens: int
    """Most generated tokens per call."""
    more_bytes: int = 0
    """What its prompt may have beyond the longest that is known before anything is answered: the
    words of a judge, and the answers that it is shown."""


class Across(Protocol):
    """What a recipe demands of a record beside those of other runs."""

    @property
    def name(self) -> str:
        """What it is, for the manifest of a merge."""

    def judge(self, record: Mapping[str, JSON]) -> Verdict:
        """Whether an accepted record stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Generic[OptionsT]):
    """A registered recipe. `run` may keep no state outside its locals."""

    name: str
    version: str
    """Changes when the same config and journal would give other data."""
    summary: str
    """One line for `selfsown recipes`."""
    source: str = ""
    """The paper, with its arXiv id."""
    run: Callable[[Run, OptionsT], Awaitable[None]]
    options: type[OptionsT]
    presets: Mapping[str, Mapping[str, JSON]] = field(
        default_factory=lambda: MappingProxyType({"default": {}})
    )
    roles: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"generator": "writes the answers"})
    )
    """Role → what it does. The first is required and is what `--model` means."""
    inputs: Literal["seeds", "rows"] = "rows"
    takes_documents: bool = False
    """Whether its rows are documents; a recipe over seeds takes them beside its seeds."""
    needs_all_rows: bool = False
    """Whether what becomes of a row depends on all of them, so that they cannot be split."""
    target: int | None = None
    """Default target; None: the recipe ends with its rows."""
    target_unit: str = "record"
    target_stage: Callable[[OptionsT], str] | None = None
    """Options → the stage whose kept candidates the target counts."""
    row_stage: str = ""
    """Of recipes over rows: the stage with one candidate for each row, where that is another one
    than the stage of the data. Its name is what the live view calls the rows: `documents`."""
    calls_per_unit: Callable[[OptionsT], float] | None = None
    """Options → calls per unit of the target that a run usually takes, measured; for estimates."""
    operational: frozenset[str] = frozenset()
    """Options that only decide when to stop, so that they may change between starts."""
    added: frozenset[str] = frozenset()
    """Options that this version gained after its first runs. At their defaults, which change
    nothing, they are no part of what the data depend on, so that older run directories go on."""
    check: Callable[[OptionsT, Collection[str], Rows], None] | None = None
    """(options, roles that have a model, input rows) → raises what stands in the way of a run,
    before its directory is touched and anything is asked. None: nothing to check."""
    bound: Callable[[OptionsT, int, int], tuple[CallBound, ...]] | None = None
    """(options, how many of the target are missing, number of seeds) → upper bounds. Of recipes
    over rows: (options, rows that are not done, 0), where some calls depend on other answers; None
    where none does, so that the plan is exact."""
    across: Callable[[OptionsT, Sequence[Path]], Across] | None = None
    """(options, run directories) → what a merge of these runs asks of each accepted record."""
    units: tuple[str, str] | None = None
    """For `bound`, where a row is cut into several units of work: the stage whose kept candidates
    are those units, and the stage that one candidate enters for each that is done."""

    def resolve(self, preset: str, overrides: Mapping[str, Any]) -> OptionsT:
        """The options of a preset with the user's changes on top.

        Raises:
            ConfigError: unknown preset or option, or a value out of range.
        """
        from selfsown.core.config import merged, validated
        from selfsown.core.errors import ConfigError

        if preset not in self.presets:
            raise ConfigError(
                f"recipe `{self.name}` has no preset `{preset}`",
                why=f"it has {', '.join(f'`{name}`' for name in self.presets)}",
                fix=f"selfsown recipes {self.name}",
            )
        options: OptionsT = validated(
            self.options,
            merged(self.presets[preset], overrides),
            f"options of recipe `{self.name}`",
        )
        return options

    def data_options(self, options: OptionsT) -> dict[str, JSON]:
        """The options that the data depend on."""
        form: dict[str, JSON] = options.model_dump(mode="json")
        fields = self.options.model_fields
        left_out = self.operational | {
            name
            for name in self.added
            if getattr(options, name) == fields[name].get_default(call_default_factory=True)
        }
        return {name: value for name, value in form.items() if name not in left_out}


def get_recipe(name: str) -> Recipe[Any]:
    """The recipe of a name: built in, from a plug-in, or `module:ATTRIBUTE`.

    Raises:
        ConfigError: there is none.
    """
    from selfsown.core.errors import ConfigError
    from selfsown.core.nearest import did_you_mean
    from selfsown.extensions import RECIPES, load_extension

    found: Any = _imported(name) if ":" in name else load_extension("recipes", RECIPES, name)
    if not isinstance(found, Recipe):
        raise ConfigError(
            f"there is no recipe `{name}`",
            why=f"known recipes are {', '.join(f'`{known}`' for known in RECIPES)}",
            fix=did_you_mean(name, list(RECIPES)) or "selfsown recipes",
        )
    return found


def _imported(name: str) -> object:
    from importlib import import_module

    from selfsown.core.errors import ConfigError

    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"recipe `{name}` cannot be imported: {error}",
            why="a name with a colon is a module and an attribute of it",
            fix="check the spelling, and that the module is on the Python path",
        ) from error
