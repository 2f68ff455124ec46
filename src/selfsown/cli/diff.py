"""`selfsown diff`: what two runs have in common and what they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from selfsown.cli.main import shown

_LISTED: Final = 10
"""Records listed per side."""
_OF_PLACE: Final = ("id", "record_id")


class Count(NamedTuple):
    """How many candidates of a stage ended in one way, in each of the two runs."""

    stage: str
    what: str
    """`in`, `accepted`, `rejected: REASON` or `failed: KIND`."""
    first: int
    second: int


class Lone(NamedTuple):
    """An accepted record that only one of the runs has."""

    id: str
    text: str
    """Its content, shortened, on one line."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs compared."""

    config: tuple[str, ...]
    """One line per key that differs: `key: first → second`."""
    counts: tuple[Count, ...]
    """Every count of every stage of either run."""
    shared: int
    """Accepted records of the first run whose content id the second has too."""
    same_id_other_fields: tuple[str, ...]
    """Content ids of shared records whose added fields differ (for example other answers to the
    same rows)."""
    only_first: tuple[Lone, ...]
    """Accepted records that only the first run has, by content."""
    only_second: tuple[Lone, ...]


@click.command()
@click.argument("first", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("second", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def diff(first: Path, second: Path, as_json: bool) -> None:
    """Compare two runs: their configs, their counts per stage, their accepted records.

    Records are compared by content, so order and run do not matter.
    """
    found = compare(first, second)
    if as_json:
        import orjson

        click.echo(orjson.dumps(_form(found), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(difference_lines(found)))


def compare(first: Path, second: Path) -> Difference:
    """Compare two run directories.

    Raises:
        InputError: one of them is none, or its run never ended.
    """
    from selfsown.core.config import difference
    from selfsown.core.rundir import read_manifest

    manifests: list[Any] = [read_manifest(path) for path in (first, second)]
    configs = [_config(path) for path in (first, second)]
    records = [_records(path) for path in (first, second)]
    shared = [content for content in records[0] if content in records[1]]
    return Difference(
        config=tuple(difference(configs[0], configs[1])),
        counts=tuple(_counts(*(manifest["data"]["stages"] for manifest in manifests))),
        shared=len(shared),
        same_id_other_fields=tuple(
            content for content in shared if records[0][content].body != records[1][content].body
        ),
        only_first=tuple(_alone(records[0], records[1])),
        only_second=tuple(_alone(records[1], records[0])),
    )


def difference_lines(found: Difference) -> list[str]:
    """A comparison in words."""
    from selfsown.cli.summary import aligned
    from selfsown.report.words import count, plural

    lines = [f"config: {plural(len(found.config), 'difference')}"]
    lines += [f"  {shown(line)}" for line in found.config]
    lines.append("counts:")
    rows = [
        [f"  {one.stage}", one.what, count(one.first), count(one.second), _change(one)]
        for one in found.counts
    ]
    lines += aligned([["  stage", "", "first", "second", ""], *rows], right=(2, 3, 4))
    lines.append(f"accepted records in both: {count(found.shared)}")
    if found.same_id_other_fields:
        lines.append(f"  with other added fields: {count(len(found.same_id_other_fields))}")
    for word, alone in (("first", found.only_first), ("second", found.only_second)):
        lines.append(f"only in the {word}: {count(len(alone))}")
        lines += [f"  {one.id}  {one.text}" for one in alone[:_LISTED]]
        if len(alone) > _LISTED:
            lines.append(f"  and {count(len(alone) - _LISTED)} more; --json lists all")
    return lines


class _Accepted(NamedTuple):
    id: str
    body: str
    """Canonical JSON of the record without its ids."""
    text: str
    """By which a reader knows it: its `text`, if it has one, else the body."""


def _records(directory: Path) -> dict[str, _Accepted]:
    """Content id → accepted record."""
    from selfsown.core.request import canonical_json
    from selfsown.core.rundir import read_lines

    contents: dict[str, str] = {}
    for line in read_lines(directory / "provenance.jsonl"):
        assert isinstance(line, dict)
        if line["end"] == "accepted":
            contents[str(line["id"])] = str(line["content_id"])
    records: dict[str, _Accepted] = {}
    for line in read_lines(directory / "accepted.jsonl"):
        assert isinstance(line, dict)
        name = str(line.get("record_id", line["id"]))
        own = "record_id" if "record_id" in line else "id"
        body = canonical_json({key: value for key, value in line.items() if key != own})
        text = str(line.get("text") or body.decode())
        records.setdefault(contents[name], _Accepted(name, body.decode(), text))
    return records


def _alone(ours: Mapping[str, _Accepted], theirs: Mapping[str, _Accepted]) -> Iterator[Lone]:
    """Our records whose content they do not have, in the order of the file."""
    from selfsown.report.shown import shown_line

    for content, record in ours.items():
        if content not in theirs:
            yield Lone(record.id, shown_line(record.text, 100))


def _config(directory: Path) -> dict[str, Any]:
    """The config of a run with what was found out about its models and inputs."""
    from selfsown.core.effective import read_effective

    config, effective = read_effective(directory)
    form = config.model_dump(mode="json", exclude={"out"})
    return {**form, "effective": effective}


def _counts(first: list[Mapping[str, Any]], second: list[Mapping[str, Any]]) -> list[Count]:
    flat = [
        {(stage["stage"], what): n for stage in stages for what, n in _flat(stage).items()}
        for stages in (first, second)
    ]
    keys = dict.fromkeys([*flat[0], *flat[1]])
    order = list(dict.fromkeys(stage for stage, _ in keys))
    chosen = sorted(keys, key=lambda key: order.index(key[0]))
    return [Count(*key, flat[0].get(key, 0), flat[1].get(key, 0)) for key in chosen]


def _flat(stage: Mapping[str, Any]) -> dict[str, int]:
    counts = {"in": stage["in"], "accepted": stage["accepted"]}
    for way in ("rejected", "failed"):
        counts |= {f"{way}: {reason}": n for reason, n in stage[way].items()}
    return counts


def _change(one: Count) -> str:
    change = one.second - one.first
    return f"{change:+,}" if change else ""


def _form(found: Difference) -> dict[str, Any]:
    named = ("counts", "only_first", "only_second")
    return {
        **asdict(found),
        **{name: [one._asdict() for one in getattr(found, name)] for name in named},
    }
