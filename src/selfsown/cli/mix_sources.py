"""The sources of a mixture, as options of the commands that mix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.main import shown
from selfsown.cli.option_sets import with_options

if TYPE_CHECKING:
    from selfsown.mixing.sources import MixSource
    from selfsown.mixing.units import Kind

_PLACE: Final = "NAME=PATH:WEIGHT"

source_options = with_options(
    click.option("--real", multiple=True, metavar=_PLACE, help="Text that people wrote."),
    click.option("--synthetic", multiple=True, metavar=_PLACE, help="Text that a model wrote."),
    click.option(
        "--source", multiple=True, metavar=_PLACE, help="Text whose rows or provenance say which."
    ),
    click.option(
        "--epochs",
        multiple=True,
        metavar="NAME=K",
        help="Repeat this source K times at most, on average.",
    ),
    click.option(
        "--only",
        multiple=True,
        metavar="NAME:FIELD=VALUE",
        help="Of this source only rows with the value, for example easy:style=easy.",
    ),
    click.option(
        "--max-epochs",
        default=4.0,
        show_default=True,
        type=click.FloatRange(0, min_open=True),
        help="The same for every other source.",
    ),
)
"""Options that say what is mixed; `given_sources` reads them."""


def given_sources(given: dict[str, Any]) -> list[MixSource]:
    """The sources that `source_options` name, taken out of what was given.

    Raises:
        UsageError: --epochs or --only name no source.
        ConfigError: a source has another form.
    """
    from dataclasses import replace

    from selfsown.mixing.sources import parse_source

    most, epochs = given.pop("max_epochs"), dict(map(_epochs, given.pop("epochs")))
    kinds: list[tuple[str, Kind | None]] = [
        ("real", "real"),
        ("synthetic", "synthetic"),
        ("source", None),
    ]
    sources = [parse_source(text, kind, most) for name, kind in kinds for text in given.pop(name)]
    chosen: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, field, value in map(_choice, given.pop("only")):
        fields = chosen.setdefault(name, {})
        fields[field] = (*fields.get(field, ()), value)
    names = {source.name for source in sources}
    for option, named in (("--epochs", epochs.keys()), ("--only", chosen.keys())):
        if named - names:
            raise click.UsageError(f"{option} names no source: `{shown(min(named - names))}`")
    return [
        replace(
            source,
            max_epochs=epochs.get(source.name, source.max_epochs),
            only=chosen.get(source.name, {}),
        )
        for source in sources
    ]


def _epochs(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise click.UsageError(f"--epochs takes NAME=K, not `{shown(text)}`") from None


def _choice(text: str) -> tuple[str, str, str]:
    name, colon, rest = text.partition(":")
    field, sign, value = rest.partition("=")
    if not (name and colon and field and sign):
        raise click.UsageError(f"--only takes NAME:FIELD=VALUE, not `{shown(text)}`")
    return name, field, value
