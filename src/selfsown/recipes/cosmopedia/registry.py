"""Styles, audiences and wordings as versioned data: ours from `texts/`, any of them replaceable.

A name that is not registered is refused, never replaced by a default. Texts are templates of ours
or of the user's config; documents and topics are only ever variables in them.

Source: the prompts follow the plan of Cosmopedia (Hugging Face, 2024-03: audience x style, a
criteria block per audience, banned openings, a topic clause) and the structured formats of
FinePhrase (2026-03); all wordings are our own.
Differs from them: several wordings per style, since models that see one frame repeat it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.config import validated
from selfsown.core.errors import CallFailed, ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.templates import render

if TYPE_CHECKING:
    from selfsown.core.request import JSON

Form = Literal["prose", "faq", "table", "problem", "steps"]
Use = Literal["cover", "inspiration"]
EntryT = TypeVar("EntryT", bound=BaseModel)

_MODEL: Final = ConfigDict(extra="forbid", frozen=True)


class Style(BaseModel):
    """A kind of text."""

    model_config = _MODEL

    version: str = Field(description="Changes with any text of the style.")
    audiences: tuple[str, ...] = Field((), description="Those it suits; none: all.")
    form: Form = Field("prose", description="`prose`, or a structured form that is checked.")
    extract: Use = Field(
        "cover", description="Whether the text covers the extract or starts there."
    )
    banned_openings: tuple[str, ...] = Field((), description="What a text must not begin with.")
    variants: tuple[str, ...] = Field(
        min_length=1,
        description="Wordings of the task; `{{ audience }}` is the name of the audience.",
    )


class Audience(BaseModel):
    """Whom a text is for."""

    model_config = _MODEL

    version: str = Field(description="Changes with any text of the audience.")
    name: str = Field(description="As it stands in the sentences of the styles.")
    criteria: str = Field(description="What a text for this audience has to be like.")


class Wording(BaseModel):
    """What all prompts share; each list holds wordings of which one is drawn per document."""

    model_config = _MODEL

    version: str = Field(description="Changes with any of the texts.")
    requirements: tuple[str, ...] = Field(min_length=1, description="Rules for prose.")
    structured_requirements: tuple[str, ...] = Field(min_length=1, description="For other forms.")
    banned_openings: str = Field(description="Template of `{{ openings }}`.")
    topic_clauses: tuple[str, ...] = Field(min_length=1, description="Templates of `{{ topic }}`.")
    extracts: dict[Use, tuple[str, ...]] = Field(description="What stands before the extract.")


@dataclass(frozen=True, slots=True)
class Cell:
    """A style for an audience, with its share of a topic's texts."""

    style: str
    audience: str
    share: float
    """In (0, 1]; all cells of a registry add up to 1."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What may be asked for."""

    styles: Mapping[str, Style]
    audiences: Mapping[str, Audience]
    wording: Wording

    def __post_init__(self) -> None:
        """Refuse what no prompt could be made of.

        Raises:
            ConfigError: a style names an audience that is not there, or a text does not parse.
        """
        for name, style in self.styles.items():
            for audience in style.audiences:
                known("audience", audience, self.audiences, f"which style `{name}` names")
            for text in style.variants:
                _try(f"style `{name}`", text, "audience")
        for text in self.wording.topic_clauses:
            _try("`topic_clauses`", text, "topic")
        _try("`banned_openings`", self.wording.banned_openings, "openings")
        if not all(self.wording.extracts.get(use) for use in ("cover", "inspiration")):
            raise ConfigError(
                "the wording has no words before extracts of `cover` or of `inspiration`",
                why="one of them stands before every extract",
                fix="give `extracts` both lists",
            )

    def cells(
        self, styles: Mapping[str, float], audiences: Mapping[str, float]
    ) -> tuple[Cell, ...]:
        """Every style with every audience that it suits, and its share.

        An audience gets its share whatever styles suit it; within it, styles share by weight.

        Args:
            styles: name → weight; empty: all alike.
            audiences: name → weight; empty: all alike.

        Raises:
            ConfigError: a name is not registered, or no style suits an audience.
        """
        for name in styles:
            known("style", name, self.styles)
        for name in audiences:
            known("audience", name, self.audiences)
        styles = styles or dict.fromkeys(self.styles, 1.0)
        wanted = audiences or dict.fromkeys(self.audiences, 1.0)
        found: list[tuple[str, str, float]] = []
        for audience, weight in wanted.items():
            suited = {name: styles[name] for name in styles if self.suits(name, audience)}
            if not suited and audiences:
                raise ConfigError(
                    f"no style that was chosen suits audience `{audience}`",
                    why=f"the styles are {_listed(styles)}",
                    fix=f"add one of {_listed(n for n in self.styles if self.suits(n, audience))}",
                )
            whole = sum(suited.values())
            found += [(name, audience, weight * of / whole) for name, of in suited.items()]
        total = sum(share for _, _, share in found)
        if not found:
            raise ConfigError(
                "there is no style for any audience",
                why="every text has both",
                fix="selfsown recipes cosmopedia",
            )
        return tuple(Cell(style, audience, share / total) for style, audience, share in found)

    def suits(self, style: str, audience: str) -> bool:
        """Whether a style is meant for an audience."""
        suited = self.styles[style].audiences
        return not suited or audience in suited

    def versions(self) -> dict[str, JSON]:
        """The version of every text, by name."""
        return {
            "wording": self.wording.version,
            "styles": {name: style.version for name, style in self.styles.items()},
            "audiences": {name: one.version for name, one in self.audiences.items()},
        }


def registry(
    styles: Mapping[str, Style], audiences: Mapping[str, Audience], wording: Wording | None
) -> Registry:
    """Ours, with the user's own texts added or in the place of ours."""
    own = _ours()
    return Registry(
        {**own.styles, **styles}, {**own.audiences, **audiences}, wording or own.wording
    )


def _try(where: str, text: str, variable: str) -> None:
    """Render a text once, so that what it lacks is known before a document is drawn.

    Raises:
        ConfigError: it does not parse, or names anything but its one variable.
    """
    try:
        render(text, {variable: "x"})
    except CallFailed as error:
        raise ConfigError(
            f"a text of {where} cannot be rendered: {error.what}",
            why=f"it is a template that knows `{variable}` alone",
            fix=f"write `{{{{ {variable} }}}}` where that is to stand, and nothing else in braces",
        ) from error


def known(what: str, name: str, names: Collection[str], where: str = "") -> None:
    """Make sure that a name is registered.

    Raises:
        ConfigError: it is not; it is never replaced by another one.
    """
    if name not in names:
        raise ConfigError(
            f"there is no {what} `{name}`{', ' + where if where else ''}",
            why=f"there are {_listed(names)}",
            fix=did_you_mean(name, list(names)) or f"register it with `own_{what}s`",
        )


@lru_cache(maxsize=1)
def _ours() -> Registry:
    return Registry(
        {name: _entry(Style, name, form) for name, form in _read("styles").items()},
        {name: _entry(Audience, name, form) for name, form in _read("audiences").items()},
        _entry(Wording, "wording", _read("wording")),
    )


def _entry(model: type[EntryT], name: str, form: JSON) -> EntryT:
    assert isinstance(form, Mapping)
    return validated(model, form, f"`{name}` of the registry")


def _read(name: str) -> dict[str, JSON]:
    import yaml

    text = (resources.files(__package__) / "texts" / f"{name}.yaml").read_text(encoding="utf-8")
    read: dict[str, JSON] = yaml.safe_load(text)
    return read


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
