"""`selfsown why`: where a record comes from, why it was kept or not, what was asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.core.journal import Journal

_LISTED: Final = 20
"""Records listed for an ambiguous prefix."""
_FILES: Final = ("accepted.jsonl", "rejected.jsonl", "failed.jsonl")


@dataclass(frozen=True, slots=True)
class CallMade:
    """One journaled outcome behind a record."""

    key: str
    kind: str
    """`call` or `effect`."""
    model: str
    request: Mapping[str, Any]
    answer: str
    """The text; for a failure its kind and text; for an effect its JSON."""
    ok: bool
    source: str
    """The run it was copied from with `--reuse`; empty if it was asked here."""


@dataclass(frozen=True, slots=True)
class Link:
    """A record, or a seed task, of a lineage."""

    id: str
    stage: str
    """`seed` for a seed task."""
    end: str
    """`accepted`, `passed`, `rejected`, `failed`, or `human` for a seed task."""
    reason: str
    """Why it was rejected, or what failed; empty otherwise."""
    score: float | None
    """The score that decided, where there is one."""
    payload: Mapping[str, Any]
    parents: tuple[str, ...]
    keys: tuple[str, ...]
    order: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """A record and everything it comes from."""

    record: Link
    ancestors: tuple[Link, ...]
    """Nearest first, each once."""
    calls: Mapping[str, CallMade]
    """Journal key → call, for all keys of the lineage that the journal has."""


@click.command()
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("record_id", metavar="ID")
@click.option("--full", is_flag=True, help="Show the calls of all ancestors too.")
@click.option("--json", "as_json", is_flag=True, help="Print the lineage as JSON.")
def why(run_dir: Path, record_id: str, full: bool, as_json: bool) -> None:
    """Explain one record of the run in DIR: how it ended, its parents up to the seeds, its calls.

    ID is the id of an accepted, rejected or failed record, the beginning of one, or your own row's
    id.
    """
    lineage = trace(run_dir, record_id)
    if as_json:
        import orjson

        click.echo(orjson.dumps(asdict(lineage), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(lineage_lines(lineage, full=full)))


def trace(directory: Path, record_id: str) -> Lineage:
    """The lineage of one record.

    Args:
        directory: a run directory whose run ended or was stopped cleanly.
        record_id: id, content id, or the beginning of either; or a row's own id.

    Raises:
        InputError: no such record, or several.
    """
    from selfsown.core.journal import JOURNAL_NAME, Journal
    from selfsown.core.rundir import read_manifest

    read_manifest(directory)  # refuses what is no run directory
    book = _Book(directory)
    first = book.find(record_id)
    lines = {first: book.line(first)}
    waiting = list(lines[first]["parents"])
    while waiting:
        parent = waiting.pop(0)
        if parent in book.places and parent not in lines:
            lines[parent] = book.line(parent)
            waiting += lines[parent]["parents"]
    bodies = _bodies(directory, lines)
    links = {name: _link(line, bodies.get(name, {})) for name, line in lines.items()}
    seeds = _seeds(directory, {parent for link in links.values() for parent in link.parents})
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        keys = dict.fromkeys(key for link in links.values() for key in link.keys)
        calls = {key: call for key in keys if (call := _call(journal, key)) is not None}
    finally:
        journal.close()
    ancestors = [link for name, link in links.items() if name != first]
    return Lineage(links[first], (*ancestors, *seeds), calls)


def lineage_lines(lineage: Lineage, *, full: bool = False) -> list[str]:
    """A lineage in words.

    Args:
        lineage: of a record.
        full: show the calls of demonstrations too, not only of the record and what it was made of.
    """
    told: set[str] = set()
    lines = [*_link_lines(lineage.record), *_call_lines(lineage, lineage.record, told)]
    direct = {lineage.record.id}
    chain = [lineage.record]
    by_id = {link.id: link for link in lineage.ancestors}
    while len(chain[-1].parents) == 1 and chain[-1].parents[0] in by_id:
        chain.append(by_id[chain[-1].parents[0]])
        direct.add(chain[-1].id)
        lines += ["", "made of", *_link_lines(chain[-1])]
        lines += _call_lines(lineage, chain[-1], told)
    others = [link for link in lineage.ancestors if link.id not in direct]
    if others:
        lines += ["", f"descends from {len(others)} others (demonstrations), nearest first"]
    for link in others:
        lines += _link_lines(link)
        if full:
            lines += _call_lines(lineage, link, told)
    return lines


class _Book:
    """Where each line of provenance.jsonl begins."""

    def __init__(self, directory: Path) -> None:
        import orjson

        self._path = directory / "provenance.jsonl"
        self.places: dict[str, int] = {}
        self._names: list[tuple[str, str, object]] = []
        offset = 0
        with self._path.open("rb") as handle:
            for raw in handle:
                line = orjson.loads(raw)
                self.places[line["id"]] = offset
                self._names.append((line["id"], line["content_id"], line.get("row_id")))
                offset += len(raw)

    def line(self, name: str) -> dict[str, Any]:
        """The provenance of one record."""
        import orjson

        with self._path.open("rb") as handle:
            handle.seek(self.places[name])
            found: dict[str, Any] = orjson.loads(handle.readline())
        return found

    def find(self, given: str) -> str:
        """The one record that an id or a beginning names."""
        from selfsown.core.errors import InputError

        if given in self.places:
            return given
        matches = [
            name
            for name, content, row in self._names
            if str(row) == given or name.startswith((given, f"r-{given}")) or content == given
        ]
        if len(matches) == 1:
            return matches[0]
        if not matches:
            raise InputError(
                f"no record of `{self._path.parent}` has the id `{shown(given)}`",
                why=f"its provenance.jsonl holds {len(self._names):,} records",
                fix="take an id from accepted.jsonl, rejected.jsonl or failed.jsonl",
            )
        listed = "\n  ".join(self._described(name) for name in matches[:_LISTED])
        more = f"\n  and {len(matches) - _LISTED:,} more" if len(matches) > _LISTED else ""
        raise InputError(
            f"`{shown(given)}` names {len(matches):,} records:\n  {listed}{more}",
            why="one record is explained at a time",
            fix="give more of the id",
        )

    def _described(self, name: str) -> str:
        line = self.line(name)
        return f"{name}  {line['stage']}  {line['end']}"


def _bodies(directory: Path, wanted: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """The lines of the data files about some records, by id."""
    from selfsown.core.rundir import read_lines

    found: dict[str, dict[str, Any]] = {}
    for name in _FILES:
        for line in read_lines(directory / name):
            assert isinstance(line, dict)
            record_id = line.get("record_id", line.get("id"))
            if record_id in wanted:
                found[str(record_id)] = line
    return found


def _link(line: Mapping[str, Any], body: Mapping[str, Any]) -> Link:
    end = str(line["end"])
    if end == "accepted":
        own = "record_id" if "record_id" in body else "id"
        payload = {key: value for key, value in body.items() if key != own}
    else:
        payload = dict(body.get("record") or line.get("record") or {})
    error = body.get("error") or {}
    reason = str(line.get("reason", ""))
    if end == "failed":
        reason = ": ".join(str(part) for part in (error.get("kind"), error.get("what")) if part)
    return Link(
        id=str(line["id"]),
        stage=str(line["stage"]),
        end=end,
        reason=reason,
        score=body.get("score", line.get("score")),
        payload=payload,
        parents=tuple(line["parents"]),
        keys=tuple(line["keys"]),
        order=tuple(line["order"]),
    )


def _seeds(directory: Path, wanted: set[str]) -> Iterator[Link]:
    """The seed tasks among some ids, in file order."""
    from selfsown.core.rundir import INPUTS, read_lines

    for line in read_lines(directory / INPUTS / "seeds.jsonl"):
        assert isinstance(line, dict)
        name = f"seed:{line['id']}"
        if name in wanted:
            payload = {"instruction": line["instruction"]}
            yield Link(name, "seed", "human", "", None, payload, (), ())


def _call(journal: Journal, key: str) -> CallMade | None:
    import orjson

    stored = journal.lookup(bytes.fromhex(key))
    if stored is None:
        return None
    outcome = orjson.loads(stored.outcome)
    if not stored.ok:
        answer = ": ".join(outcome["error"])
    elif stored.kind == "call":
        answer = str(outcome["text"])
    else:
        answer = stored.outcome
    request = orjson.loads(stored.request)
    form = request if isinstance(request, dict) else {"inputs": request}
    return CallMade(key, stored.kind, stored.model, form, answer, stored.ok, stored.source)


def _link_lines(link: Link) -> list[str]:
    ended = link.end
    if link.reason:
        ended += f" ({shown(link.reason)})"
    if link.score is not None:
        ended += f", score {link.score:.4g}"
    lines = [f"{shown(link.id)}  {link.stage}  {ended}"]
    for name, value in link.payload.items():
        lines += _labelled(name, value)
    return lines


def _call_lines(lineage: Lineage, link: Link, told: set[str]) -> list[str]:
    """Prompt and answer of each call of a record that has not been shown yet."""
    lines: list[str] = []
    for key in link.keys:
        call = lineage.calls.get(key)
        if key in told or call is None:
            continue
        told.add(key)
        origin = f", copied from `{shown(call.source)}`" if call.source else ""
        lines.append(f"  {call.kind} {key[:16]} to `{shown(call.model)}`{origin}")
        for label, text in _asked(call.request):
            lines += _block(label, text)
        lines += _block("answer" if call.ok else "failed", call.answer)
    return lines


def _asked(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of a request, then its settings."""
    import orjson

    if "prompt" in request:
        yield "prompt", str(request["prompt"])
    for turn in request.get("messages", ()):
        yield str(turn.get("role", "message")), _text_of(turn)
    rest = {key: value for key, value in request.items() if key not in ("prompt", "messages")}
    yield "settings", orjson.dumps(rest).decode()


def _text_of(turn: Mapping[str, Any]) -> str:
    content = turn.get("content", "")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else [content]
    return "\n".join(
        str(part.get("text", "[image]")) if isinstance(part, Mapping) else str(part)
        for part in parts
    )


def _labelled(name: str, value: object) -> list[str]:
    import orjson

    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    first, *rest = shown(text).splitlines() or [""]
    return [f"    {shown(name)}: {first}", *(f"        {line}" for line in rest)]


def _block(label: str, text: str) -> list[str]:
    return [f"    {label}", *(f"      | {line}" for line in shown(text).splitlines() or [""])]
