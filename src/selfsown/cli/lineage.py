"""Where records come from, as data: their ends, their ancestors up to the seeds, their calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
    bodies = read_bodies(directory, lines)
    links = {name: make_link(line, bodies.get(name, {})) for name, line in lines.items()}
    seeds = _seeds(directory, {parent for link in links.values() for parent in link.parents})
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        keys = dict.fromkeys(key for link in links.values() for key in link.keys)
        calls = {key: call for key in keys if (call := read_call(journal, key)) is not None}
    finally:
        journal.close()
    ancestors = [link for name, link in links.items() if name != first]
    return Lineage(links[first], (*ancestors, *seeds), calls)


def read_bodies(directory: Path, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """The lines of accepted, rejected and failed.jsonl about some records, by id."""
    from selfsown.core.rundir import read_lines

    found: dict[str, dict[str, Any]] = {}
    for name in _FILES:
        for line in read_lines(directory / name):
            assert isinstance(line, dict)
            record_id = line.get("record_id", line.get("id"))
            if record_id in wanted:
                found[str(record_id)] = line
    return found


def make_link(line: Mapping[str, Any], body: Mapping[str, Any]) -> Link:
    """A record from its line in provenance.jsonl and its line in the other data files, if any."""
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


def read_call(journal: Journal, key: str) -> CallMade | None:
    """The call or effect of a hex key; None if the journal does not have it."""
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


class _Book:
    """Where each line of provenance.jsonl begins, by record id."""

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
        matches = self._made_of_the_rest(matches) or matches
        if len(matches) == 1:
            return matches[0]
        if not matches:
            raise InputError(
                f"no record of `{self._path.parent}` has the id `{given}`",
                why=f"its provenance.jsonl holds {len(self._names):,} records",
                fix="take an id from accepted.jsonl, rejected.jsonl or failed.jsonl",
            )
        listed = "\n  ".join(self._described(name) for name in matches[:_LISTED])
        more = f"\n  and {len(matches) - _LISTED:,} more" if len(matches) > _LISTED else ""
        raise InputError(
            f"`{given}` names {len(matches):,} records:\n  {listed}{more}",
            why="one record is explained at a time",
            fix="give more of the id",
        )

    def _made_of_the_rest(self, names: list[str]) -> list[str]:
        """Of a row's records in several stages the one that all others are parents of, if any."""
        if not 1 < len(names) <= _LISTED:
            return []
        made_of = {name: {name, *self.line(name).get("parents", ())} for name in names}
        return [name for name, known in made_of.items() if known.issuperset(names)]

    def _described(self, name: str) -> str:
        line = self.line(name)
        return f"{name}  {line['stage']}  {line['end']}"
