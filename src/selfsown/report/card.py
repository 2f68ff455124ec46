"""`README.md` of a run directory: a Hugging Face data-set card that claims only what is known.

The front matter is dumped by PyYAML. The licence is `unknown`, because it depends on the generating
model's terms and on the seeds; languages are guessed from the records' function words and scripts.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.export.run_files import Row, open_run
from selfsown.report import words
from selfsown.report.absent import Absent
from selfsown.report.compiled import Compiled
from selfsown.report.facts import ModelFacts
from selfsown.report.numbers import Numbers, read_numbers
from selfsown.report.payload import value_text
from selfsown.report.shown import shown_line

CARD: Final = "README.md"

_SIZES: Final = (
    *((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")),
    *((10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B")),
)
_LOOKED_AT: Final = 300
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>#|!])")


def write_card(run_dir: Path, numbers: Numbers | None = None) -> None:
    """Write the data-set card of a run directory, as a whole or not at all.

    Args:
        run_dir: a run directory, finished or not.
        numbers: what `read_numbers` said about it, where that is known; None reads it.

    Raises:
        InputError: the directory is no run directory, or a file in it cannot be read.
        JournalDamaged: the journal's checksums do not hold.
        EnvironmentFailure: the file cannot be written.
    """
    numbers = numbers or read_numbers(run_dir)
    rows = islice(open_run(run_dir).rows("accepted"), _LOOKED_AT)
    write_text(run_dir / CARD, render_card(numbers, languages=_languages(rows)))


def render_card(numbers: Numbers, *, languages: Sequence[str]) -> str:
    """The card as text.

    Args:
        numbers: what the report says.
        languages: codes of the records' languages; empty if unknown.
    """
    environment = Environment(
        loader=PackageLoader("selfsown.report"),
        bytecode_cache=Compiled("card"),
        optimized=False,
        autoescape=False,  # noqa: S701 Markdown: `cell` escapes what it must
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in ("count", "usd", "plural"):
        environment.filters[name] = getattr(words, name)
    environment.filters |= {"cell": _cell, "code": _code}
    environment.tests["absent"] = lambda section: isinstance(section, Absent)
    body = environment.get_template("card.md.j2").render(
        n=numbers,
        title=_cell(_title(numbers)),
        models=[_published(model) for model in numbers.run.models],
        is_lab=any(model.identity.startswith("lab:") for model in numbers.run.models),
        name=shlex.quote(numbers.run.name),
        more=max(1, 2 * (numbers.run.target or numbers.accepted)),
    )
    front = yaml.safe_dump(
        front_matter(numbers, languages=languages), sort_keys=False, allow_unicode=True
    )
    return f"---\n{front}---\n\n{body}"


def front_matter(numbers: Numbers, *, languages: Sequence[str]) -> dict[str, JSON]:
    """The metadata block that the Hugging Face hub reads."""
    fields: dict[str, JSON] = {"pretty_name": _title(numbers), "license": "unknown"}
    if languages:
        fields["language"] = list(languages)
    return fields | {
        "size_categories": [_size(numbers.accepted)],
        "task_categories": ["text-generation"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "tags": ["synthetic", "selfsown", *([numbers.run.recipe] if numbers.run.recipe else [])],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "accepted.jsonl"}],
                "default": True,
            },
        ],
    }


def _title(numbers: Numbers) -> str:
    return shown_line(f"{numbers.run.name}: {numbers.run.recipe or 'unknown recipe'}", 120)


def _size(records: int) -> str:
    return next((name for bound, name in _SIZES if records < bound), "n>1T")


def _published(model: ModelFacts) -> ModelFacts:
    """The model without the folders of the machine it ran on."""
    return ModelFacts(model.role, _without_folders(model.uri), _without_folders(model.identity))


def _without_folders(uri: str) -> str:
    scheme, colon, rest = uri.partition(":")
    local = rest if colon and not rest.startswith("//") else uri
    if not PurePath(local).is_absolute() and not local.startswith(("~", ".")):
        return uri
    return f"{scheme}:{PurePath(local).name}" if local is rest else PurePath(local).name


def _cell(value: JSON) -> str:
    """A value on one line that Markdown does not take for markup."""
    return _MARKDOWN.sub(r"\\\1", shown_line(value_text(value), 200))


def _code(value: JSON) -> str:
    """A value as a code span that also stands in a table."""
    plain = shown_line(value_text(value), 200).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else ""


def _languages(rows: Iterable[Row]) -> list[str]:
    """Codes of the languages in at least a tenth of the rows whose language can be told."""
    from selfsown.curate.language import guess_language

    texts = (" ".join(v[:2000] for v in row.values() if isinstance(v, str)) for row in rows)
    found = Counter(code for code in map(guess_language, texts) if code)
    return sorted(code for code, count in found.items() if count * 10 >= found.total())
