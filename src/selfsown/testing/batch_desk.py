"""The test server's batches: what was submitted, how far it is, what became of each request.

Nothing happens by itself: a batch moves on when it is looked at, alone or in a list, so tests need
no waiting. What strikes a request is a function of seed, body and how often that body was in a
batch before. With a store, a server that is started again knows the batches of the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import orjson

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.core.rundir import replaced_file
from selfsown.testing.faults import uniform
from selfsown.testing.replies import canonical_hash

Fate = Literal["succeeded", "errored", "bad", "expired", "canceled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How batches go. Rates are in [0, 1]."""

    looks: int = 2
    """Looks at a batch until it has ended; 0: it has when it is created. A huge number: never."""
    shuffle: bool = True
    """Results in an order that is not that of the requests."""
    expire: float = 0.0
    """Share of requests that expire unmade, drawn anew each time a body is submitted."""
    error: float = 0.0
    """Share that ends with a server error, drawn in the same way."""
    bad: float = 0.0
    """Share, chosen by body, that is refused every time."""
    lost_reply: float = 0.0
    """Share of creations whose reply is cut, although the batch is there."""
    api_error: float = 0.0
    """Share of all requests about batches that get a 500 and do nothing."""
    most_queued: int | None = None
    """Requests in running batches above which a new batch is refused (OpenAI: at validation)."""
    hidden_lists: int = 0
    """Lists that do not show a batch yet after it was created."""
    short_results: int = 0
    """Readings of results that show only half of them."""
    store: str = ""
    """File that outlives the server; empty for none."""

    def __post_init__(self) -> None:
        """Refuse rates that cannot be."""
        rates = (self.expire, self.error, self.bad, self.lost_reply, self.api_error)
        if any(not 0 <= rate <= 1 for rate in rates) or self.expire + self.error > 1:
            raise ConfigError(
                f"batch fault rates {rates} cannot be used",
                why="each lies in [0, 1], and so do `expire` and `error` together",
                fix="lower them",
            )


@dataclass(slots=True)
class Item:
    """One request of a batch."""

    custom_id: str
    path: str
    body: JSON
    body_hash: str
    fate: Fate


@dataclass(slots=True)
class Stored:
    """One batch."""

    id: str
    items: list[Item]
    created_at: int
    about: dict[str, JSON] = field(default_factory=dict)
    """What the creator said beside the requests: metadata, endpoint, input file."""
    looks: int = 0
    lists: int = 0
    status: Literal["running", "ended", "failed"] = "running"
    canceled: bool = False
    why: str = ""

    def done(self, needed: int) -> int:
        """Requests that have an end by now."""
        if self.status == "ended":
            return len(self.items)
        return len(self.items) * min(self.looks, needed) // max(1, needed)


class BatchDesk:
    """All files and batches of one server."""

    def __init__(self, options: BatchOptions, seed: int, made: Callable[[str], None]) -> None:
        """Open the desk; `made` hears the body's hash of each request that is really made."""
        self.options, self._seed, self._made = options, seed, made
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Stored] = {}
        self.stall = ""
        """The next request for this (`create`, say) gets no reply and does nothing; after `after `
        it does its work and gets no reply; after `amid ` it gets half of one. `stalled` says that
        it has come."""
        self._times: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        if options.store and Path(options.store).exists():
            self._load(Path(options.store))

    def fails(self, what: str) -> bool:
        """Whether this request about batches meets a 500."""
        self._asked[what] += 1
        return uniform(self._seed, "api", what, self._asked[what]) < self.options.api_error

    def loses_reply(self, batch: Stored) -> bool:
        """Whether the reply to a creation gets lost."""
        number = len(self.batches)
        return uniform(self._seed, "lost", str(number), number) < self.options.lost_reply

    def stalls(self, stage: str) -> bool:
        """Whether a request is the one that stalls."""
        if self.stall != stage:
            return False
        self.stall = "stalled"
        return True

    def read_out(self, content: bytes) -> bytes:
        """What a reading of results shows of them."""
        self._asked["results"] += 1
        if self._asked["results"] > self.options.short_results:
            return content
        whole = content.splitlines(keepends=True)
        return b"".join(whole[: len(whole) // 2])

    def add_file(self, content: bytes) -> str:
        """Keep an uploaded or made file."""
        name = f"file-{len(self.files) + 1}"
        self.files[name] = content
        return name

    def submit(
        self, prefix: str, requests: list[tuple[str, str, JSON]], about: dict[str, JSON], now: int
    ) -> Stored:
        """Make a batch of (custom id, path, body)."""
        items = [self._item(custom_id, path, body) for custom_id, path, body in requests]
        batch = Stored(f"{prefix}{len(self.batches) + 1}", items, now, about)
        queued = sum(len(each.items) for each in self.batches.values() if each.status == "running")
        most = self.options.most_queued
        if most is not None and queued + len(items) > most:
            batch.status, batch.why = "failed", "token_limit_exceeded"
        self.batches[batch.id] = batch
        if self.options.looks == 0 and batch.status == "running":
            self._end(batch)
        self.save()
        return batch

    def look(self, batch: Stored) -> None:
        """Somebody looks: the batch moves on."""
        if batch.status == "running":
            batch.looks += 1
            if batch.looks >= self.options.looks:
                self._end(batch)
            self.save()

    def listed(self) -> list[Stored]:
        """Batches that a list shows, newest first."""
        shown = []
        for batch in reversed(self.batches.values()):
            batch.lists += 1
            self.look(batch)
            if batch.lists > self.options.hidden_lists:
                shown.append(batch)
        self.save()
        return shown

    def cancel(self, batch: Stored) -> None:
        """End a batch with what is done by now."""
        if batch.status == "running":
            batch.canceled = True
            for item in batch.items[batch.done(self.options.looks) :]:
                item.fate = "canceled"
            self._end(batch)
            self.save()

    def results(self, batch: Stored) -> list[Item]:
        """The requests of an ended batch in the order of its results."""
        if not self.options.shuffle:
            return batch.items
        return sorted(batch.items, key=lambda item: uniform(self._seed, "order", item.custom_id, 0))

    def as_json(self) -> list[JSON]:
        """What was submitted, for tests: each batch with its custom ids, bodies and their fates."""
        return [
            {
                "id": batch.id,
                "status": batch.status,
                "canceled": batch.canceled,
                "about": batch.about,
                "items": [[item.custom_id, item.body_hash, item.fate] for item in batch.items],
            }
            for batch in self.batches.values()
        ]

    def save(self) -> None:
        """Write everything to the store, if there is one."""
        if not self.options.store:
            return
        form = {
            "files": {name: content.decode() for name, content in self.files.items()},
            "times": self._times,
            "batches": [asdict(batch) for batch in self.batches.values()],
        }
        with replaced_file(Path(self.options.store)) as handle:
            handle.write(orjson.dumps(form))

    def _load(self, path: Path) -> None:
        form = orjson.loads(path.read_bytes())
        self.files = {name: text.encode() for name, text in form["files"].items()}
        self._times = Counter(form["times"])
        for each in form["batches"]:
            items = [Item(**item) for item in each.pop("items")]
            self.batches[each["id"]] = Stored(items=items, **each)

    def _item(self, custom_id: str, path: str, body: JSON) -> Item:
        body_hash = canonical_hash(b"", body)
        time = self._times[body_hash]
        self._times[body_hash] += 1
        fate: Fate = "succeeded"
        point = uniform(self._seed, "fate", body_hash, time)
        if uniform(self._seed, "bad", body_hash, 0) < self.options.bad:
            fate = "bad"
        elif point < self.options.expire:
            fate = "expired"
        elif point < self.options.expire + self.options.error:
            fate = "errored"
        return Item(custom_id, path, body, body_hash, fate)

    def _end(self, batch: Stored) -> None:
        batch.status = "ended"
        for item in batch.items:
            if item.fate in ("succeeded", "errored", "bad"):
                self._made(item.body_hash)


def lines(values: Sequence[Mapping[str, JSON]]) -> bytes:
    """JSONL."""
    return b"".join(orjson.dumps(value) + b"\n" for value in values)
