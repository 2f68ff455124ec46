"""What a style is, and the registry of ours: versioned data in `styles/`, one file each.

A style says what is asked (several wordings of one instruction, so that no single one shapes the
data), how much goes in and comes out, how the answer is read, and how far it may be from its
source. A golden test holds every file to its version: other words need another version.

Sources: WRAP (arXiv:2401.16380) for easy, medium, hard, qa; Nemotron-CC (arXiv:2412.02595, caps as
in its released pipeline) for wikipedia, diverse_qa, distil, extract_knowledge, knowledge_list;
FinePhrase (arXiv:2604.13977) for faq, math, table, tutorial. All instructions are our own words.
Differs from them: every style passes the same faithfulness gate, and the least length of a
document after joining is asked of each chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final, Literal

import yaml

from selfsown.core.config import merged
from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON, short_id
from selfsown.curate.faithful import Faithfulness
from selfsown.judge.options import made

Form = Literal["prose", "questions", "list", "table", "steps", "problem"]
"""How an answer is read; see `reading`."""

NAMES: Final[tuple[str, ...]] = (
    *("easy", "medium", "hard", "qa"),
    *("wikipedia", "diverse_qa", "distil", "extract_knowledge", "knowledge_list"),
    *("faq", "math", "table", "tutorial"),
)
UNCHANGED: Final = "unchanged"
"""What stands for the style of a chunk that is passed through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """One way to say a passage again. Lengths are tokens as the run counts them."""

    name: str
    version: str
    """Changes with any word of its file; `1+HASH` where the user changed something."""
    summary: str
    source: str
    """The paper that it is taken from."""
    input_tokens: int
    """Most of a chunk."""
    output_tokens: int
    """Most that the model may generate; one that comes within 2 of it was cut off."""
    form: Form
    faithful: Faithfulness
    """Bounds of the gate."""
    templates: tuple[str, ...]
    """Wordings of the instruction; one is drawn for each chunk."""
    opening: str = ""
    """A first line that the answer must have, and that is cut off; empty: none."""
    least_document: int = 0
    """Least of a document."""
    least_chunk: int = 5
    """Least of a chunk."""
    least_output: int = 1
    """Least of what is left of an answer."""
    is_sampled: bool = False
    """Of questions: a random number of the pairs is kept, in random order (Nemotron-CC)."""

    def __post_init__(self) -> None:
        """Refuse a style that could give nothing."""
        lengths = (self.input_tokens, self.output_tokens - 2, self.least_chunk)
        if min(lengths) < 1 or self.least_chunk > self.input_tokens:
            raise ConfigError(
                f"style `{self.name}`: {self.least_chunk} to {self.input_tokens} tokens in,"
                f" {self.output_tokens} out",
                why="a chunk has at least 1 token, and an answer more than 2",
                fix=f"correct `change.{self.name}`",
            )
        if not self.templates or not all(text.strip() for text in self.templates):
            raise ConfigError(
                f"style `{self.name}` has no instruction, or a blank one",
                why="the model is told by it what to write",
                fix=f"correct `change.{self.name}.templates`",
            )

    def template_id(self, number: int) -> str:
        """The name of one of its wordings: `STYLE/NUMBER@VERSION`, numbers from 1."""
        return f"{self.name}/{number + 1}@{self.version}"


def style_named(name: str, change: Mapping[str, JSON] | None = None) -> Style:
    """A style of the registry, perhaps with some of its fields changed.

    Raises:
        ConfigError: there is no such style, or a field is unknown or makes no sense.
    """
    if name not in NAMES:
        raise ConfigError(
            f"there is no style `{name}`",
            why=f"styles are {', '.join(f'`{known}`' for known in NAMES)}",
            fix=did_you_mean(name, NAMES) or "use one of the known names",
        )
    form: Mapping[str, JSON] = _form(name)
    if change:
        fixed = [field for field in change if field in ("name", "version", "form")]
        if fixed:
            raise ConfigError(
                f"`{fixed[0]}` of style `{name}` cannot be changed",
                why="records name the style and its version, and the form is how answers are read",
                fix=f"remove `change.{name}.{fixed[0]}`",
            )
        form = {**merged(form, change), "version": f"{form['version']}+{short_id(change)[:8]}"}
    given = form.get("faithful", {})
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"`faithful` of style `{name}` is {given!r}",
            why="it is a mapping of bounds",
            fix=f"correct `change.{name}.faithful`",
        )
    made(Faithfulness, given, f"`faithful` of style `{name}`")
    return made(Style, form, f"style `{name}`")


def styles_named(
    names: Iterable[str], changes: Mapping[str, Mapping[str, JSON]]
) -> dict[str, Style]:
    """Several styles by name; changes of others are refused.

    Raises:
        ConfigError: see `style_named`; or a change is of a style that is not used.
    """
    found = {name: style_named(name, changes.get(name)) for name in names}
    for name in changes:
        if name not in found:
            raise ConfigError(
                f"`change` names style `{name}`, which is not used",
                why=f"the run's styles are {', '.join(f'`{known}`' for known in found)}",
                fix=did_you_mean(name, found) or "remove it",
            )
    return found


def fingerprint(name: str) -> str:
    """A hash of everything in the file of a style."""
    return short_id(_form(name))


@lru_cache(maxsize=len(NAMES))
def _form(name: str) -> dict[str, JSON]:
    """The file of a style."""
    file = resources.files("selfsown.recipes.rephrase") / "styles" / f"{name}.yaml"
    form: dict[str, JSON] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return form
