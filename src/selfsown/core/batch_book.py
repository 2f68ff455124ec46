"""What the journal knows about batches: who was to be asked in which, and how far each has come.

A batch is a series of rows of the table `batches` that share our id for it (`batch`):

| event | written | `remote` | `keys` | `detail` |
|---|---|---|---|---|
| `intent` | before anything is sent, with its grant | | all calls | `worst`, `granted`, `uri` |
| `uploaded` | the lines are at the provider | upload | | |
| `created` | the provider gave its id, or it was found | batch | | |
| `seen` | a look found more calls done | batch | | `done`, `total` |
| `over` | calls that ended without an answer and are free to be asked again | | those calls | |
| `ended` | after all its outcomes | | | `cost` |
| `lost` | it was looked for and never created, or refused as a whole | | | `why` |

Amounts are pairs of nano-USD and tokens. A batch without `ended` or `lost` is open: its calls are
asked nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from selfsown.core.clock import Clock
from selfsown.core.cost import NOTHING, Amount
from selfsown.core.journal import Journal, Row
from selfsown.core.request import JSON

KEY_BYTES: Final = 32
_NOT_OVER: Final = "WHERE batch NOT IN (SELECT batch FROM batches WHERE event IN ('ended', 'lost'))"


@dataclass(slots=True, kw_only=True)
class Batch:
    """One batch that is open."""

    intent: str
    """Our id."""
    session: int
    """The session that submitted it; its calls are charged to that one."""
    model: str
    """Identity of the model."""
    uri: str
    keys: tuple[bytes, ...]
    """Of its calls, in the order of its lines."""
    worst: Amount
    """What is reserved for it."""
    granted: Amount = NOTHING
    """The part of `worst` that stands in the session's grants: 0 in a unit without a cap."""
    created: str = ""
    """UTC stamp of the intent."""
    remote: str = ""
    """The provider's id; empty before one is known."""
    upload: str = ""
    done: int = 0
    total: int = 0
    left: set[bytes] = field(default_factory=set)
    """Calls that have no outcome yet and wait for this batch."""
    charged: Amount = NOTHING
    """What the calls that have ended cost."""

    @property
    def name(self) -> str:
        """The provider's id, else ours."""
        return self.remote or self.intent


class BatchBook:
    """The open batches of one journal, and the rows that say how they go on."""

    def __init__(self, journal: Journal, session: int, clock: Clock) -> None:
        """Read what is open; batches whose calls all have outcomes are among them."""
        self._journal, self._session, self._clock = journal, session, clock
        self.open: dict[str, Batch] = {batch.intent: batch for batch in open_batches(journal)}
        self.others: set[str] = {
            str(row[5]) for row in journal.rows("batches", "WHERE event='created'")
        }
        """Every provider's id that this journal has seen."""
        self._holding = {key: batch for batch in self.open.values() for key in batch.left}

    @property
    def waiting(self) -> int:
        """Calls that wait for a batch."""
        return len(self._holding)

    def holding(self, key: bytes) -> Batch | None:
        """The open batch that a call waits for."""
        return self._holding.get(key)

    async def intend(self, batch: Batch, grant: Amount) -> None:
        """Commit the intent of a new batch, and what it takes of the budget, in one."""
        batch.session, batch.created = self._session, self._clock.stamp()
        detail: dict[str, JSON] = {
            "worst": list(batch.worst),
            "granted": list(batch.granted),
            "uri": batch.uri,
        }
        rows = [self._row(batch, "intent", keys=b"".join(batch.keys), detail=detail)]
        if grant != NOTHING:
            rows.append(Row("grants", (self._session, grant.nano_usd, grant.tokens)))
        await self._journal.append(rows)
        batch.total, batch.left = len(batch.keys), set(batch.keys)
        self.open[batch.intent] = batch
        self._holding.update(dict.fromkeys(batch.keys, batch))

    async def uploaded(self, batch: Batch, upload: str) -> None:
        """The lines are at the provider."""
        batch.upload = upload
        await self._journal.append([self._row(batch, "uploaded", remote=upload)])

    async def submitted(self, batch: Batch, remote: str) -> None:
        """The provider's id is known."""
        batch.remote = remote
        self.others.add(remote)
        await self._journal.append([self._row(batch, "created", remote=remote)])

    def seen(self, batch: Batch, done: int, total: int) -> None:
        """Note progress, for those who look."""
        if (done, total) != (batch.done, batch.total):
            batch.done, batch.total = done, total
            detail: dict[str, JSON] = {"done": done, "total": total}
            self._journal.post([self._row(batch, "seen", remote=batch.remote, detail=detail)])

    def over(self, batch: Batch, keys: Sequence[bytes]) -> asyncio.Future[None]:
        """Calls that this batch will not answer may be asked again."""
        for key in keys:
            self._forget(batch, key)
        return self._journal.append([self._row(batch, "over", keys=b"".join(keys))])

    def answered(self, batch: Batch, key: bytes) -> None:
        """A call of the batch has its outcome in the journal's queue."""
        self._forget(batch, key)

    def _forget(self, batch: Batch, key: bytes) -> None:
        batch.left.discard(key)
        if self._holding.get(key) is batch:
            del self._holding[key]

    async def close(self, batch: Batch, event: str, cost: Amount, why: str = "") -> None:
        """The batch is over: what it took of the budget becomes what it cost.

        Rows are committed in the order they were queued, so its outcomes are there before.
        """
        for key in tuple(batch.left):
            self._forget(batch, key)
        del self.open[batch.intent]
        detail: dict[str, JSON] = {"why": why} if event == "lost" else {"cost": list(cost)}
        rows = [self._row(batch, event, detail=detail)]
        pairs = zip(cost, batch.granted, strict=True)
        back = Amount(*(min(0, paid - granted) if granted else 0 for paid, granted in pairs))
        if back != NOTHING:
            rows.append(Row("grants", (batch.session, back.nano_usd, back.tokens)))
        await self._journal.append(rows)

    def _row(
        self,
        batch: Batch,
        event: str,
        *,
        remote: str = "",
        keys: bytes = b"",
        detail: dict[str, JSON] | None = None,
    ) -> Row:
        text = orjson.dumps(detail).decode() if detail else ""
        head = (batch.intent, event, self._session, batch.model, remote)
        return Row("batches", (*head, keys, text, self._clock.stamp()))


def open_batches(journal: Journal) -> Iterator[Batch]:
    """The batches of a journal that are neither ended nor lost, in the order of their intents."""
    found: dict[str, Batch] = {}
    places: dict[str, int] = {}
    for row in journal.rows("batches", _NOT_OVER):
        seq, intent, event, session, model, remote, keys, text, created = row
        detail = orjson.loads(str(text)) if text else {}
        name = str(intent)
        if event == "intent":
            assert isinstance(keys, bytes)
            each = _split(keys)
            found[name] = Batch(
                intent=name,
                session=int(str(session)),
                model=str(model),
                uri=detail["uri"],
                keys=each,
                worst=Amount(*detail["worst"]),
                granted=Amount(*detail["granted"]),
                created=str(created),
                total=len(each),
                left=set(each),
            )
            places[name] = int(str(seq))
        elif (batch := found.get(name)) is not None:
            _apply(batch, str(event), str(remote), keys, detail)
    for name, batch in found.items():
        _take_in_outcomes(journal, batch, places[name])
        yield batch


def _apply(batch: Batch, event: str, remote: str, keys: object, detail: dict[str, int]) -> None:
    if event == "uploaded":
        batch.upload = remote
    elif event == "created":
        batch.remote = remote
    elif event == "seen":
        batch.done, batch.total = detail["done"], detail["total"]
    elif event == "over":
        assert isinstance(keys, bytes)
        batch.left.difference_update(_split(keys))


def _take_in_outcomes(journal: Journal, batch: Batch, since: int) -> None:
    """Leave out calls that have an outcome since the intent, and add up what they cost."""
    for key in batch.keys:
        if journal.query("SELECT 1 FROM outcomes WHERE key=? AND seq>? LIMIT 1", (key, since)):
            batch.left.discard(key)
    mine = set(batch.keys)
    usd = tokens = 0
    sql = "SELECT key, cost_nano_usd, billed_tokens FROM attempts WHERE session=? AND seq>?"
    for asked, nano, billed in journal.query(sql, (batch.session, since)):
        if asked in mine:
            usd += int(nano or 0)
            tokens += int(billed or 0)
    batch.charged = Amount(usd, tokens)


def _split(keys: bytes) -> tuple[bytes, ...]:
    return tuple(keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES))
