"""From the sources of a training to its rows: read, encode, tokenise, leave out, mix.

Nothing disappears: what is left out is counted by reason and listed by record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, Generic, TypeVar

import orjson

from selfsown.core.errors import TooFewRecords
from selfsown.core.randomness import rng_for
from selfsown.core.rundir import write_lines
from selfsown.curate.decontaminate import REASON, DecontaminationIndex
from selfsown.evaluate.overlap import row_overlaps
from selfsown.export.example import Example
from selfsown.models.answer_tokens import TemplateMismatch
from selfsown.train.encode import Pair, encode
from selfsown.train.mixture import Part, Row, Share, mix, scale_human
from selfsown.train.records import Record, Source
from selfsown.train.settings import Settings
from selfsown.train.tokens import Encoder

_Rows = TypeVar("_Rows")

LEAST_RECORDS = 2
LEFT_OUT: Final = "left_out.jsonl"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record, or one of its texts, that is not trained on."""

    id: str
    source: str
    reason: str
    """`benchmark_overlap`, `duplicate`, `special_token`, `template_mismatch` or `too_long`."""
    detail: str


@dataclass(frozen=True, slots=True)
class Prepared(Generic[_Rows]):
    """The training set of one epoch."""

    rows: tuple[_Rows, ...]
    shares: tuple[Share, ...]
    left_out: tuple[LeftOut, ...]
    record_count: int
    """Records that were read."""
    declared_count: int
    """Those among them whose origin no provenance tells."""
    longest: int
    """Tokens of the longest row."""

    @property
    def reasons(self) -> dict[str, int]:
        """Reason → how many records or texts it left out, by name."""
        return dict(sorted(Counter(one.reason for one in self.left_out).items()))

    def write_left_out(self, folder: Path) -> Path:
        """Write the list of what was left out and return its path."""
        path = folder / LEFT_OUT
        write_lines(path, (orjson.dumps(asdict(one)) for one in self.left_out))
        return path


def prepare(
    sources: Sequence[Source],
    settings: Settings,
    encoder: Encoder,
    index: DecontaminationIndex | None = None,
) -> Prepared[Row]:
    """The rows to train on.

    Args:
        sources: records.
        settings: all values.
        encoder: of the model.
        index: evaluation items; records that repeat one are left out.

    Raises:
        TooFewRecords: fewer than two are left.
        InputError: the wanted human share cannot be reached.
    """
    texts = _Texts(settings, encoder, index)
    parts = [part for part in texts.parts(sources) if part.rows]
    distinct = {row.id for part in parts for row in part.rows}
    if len(distinct) < LEAST_RECORDS:
        raise _too_few(len(distinct), sources, texts.left_out)
    if settings.human_share:
        parts = scale_human(parts, settings.human_share)
    rows, shares = mix(parts, lambda purpose: rng_for(settings.seed, f"train {purpose}"))
    records = [record for source in sources for record in source.records]
    return Prepared(
        tuple(rows),
        tuple(shares),
        tuple(texts.left_out),
        len(records),
        sum(record.is_declared for record in records),
        max(len(row.input_ids) for row in rows),
    )


class _Texts:
    """Encodes records one after another, and remembers what it has seen."""

    def __init__(
        self, settings: Settings, encoder: Encoder, index: DecontaminationIndex | None
    ) -> None:
        self.left_out: list[LeftOut] = []
        self._settings, self._encoder, self._index = settings, encoder, index
        self._seen: set[tuple[tuple[int, ...], int, int]] = set()
        self._count = 0
        limits = [limit for limit in (settings.max_tokens, encoder.context) if limit]
        self._longest = min(limits) if limits else None

    def parts(self, sources: Sequence[Source]) -> Iterator[Part]:
        """One part per source and origin; human ones first, so that they win over duplicates."""
        named = [(record, source) for source in sources for record in source.records]
        named.sort(key=lambda item: (item[0].origin != "human", sources.index(item[1])))
        for (origin, number), group in groupby(
            named, key=lambda item: (item[0].origin, sources.index(item[1]))
        ):
            source = sources[number]
            rows = [row for record, _ in group for row in self._rows(record, source.name)]
            yield Part(source.name, origin, source.repeat, tuple(rows))

    def _rows(self, record: Record, source: str) -> Iterator[Row]:
        self._count += 1
        overlap = self._overlap(record)
        if overlap:
            self._leave_out(record, source, REASON, overlap)
            return
        found = self._encoder.special_token_in(_texts_of(record.content))
        if found is not None:
            self._leave_out(record, source, "special_token", found)
            return
        try:
            pairs = self._pairs(record.content)
        except TemplateMismatch:
            self._leave_out(record, source, "template_mismatch", "")
            return
        is_chat = self._settings.encoding == "chat" and isinstance(record.content, Example)
        for pair in pairs:
            text, ids, prompt_tokens = self._encoder.row(pair, is_chat=is_chat)
            key = (tuple(ids), prompt_tokens, record.copy)
            if self._longest is not None and len(ids) > self._longest:
                self._leave_out(record, source, "too_long", f"{len(ids)} > {self._longest} tokens")
            elif key in self._seen:
                self._leave_out(record, source, "duplicate", "")
            else:
                self._seen.add(key)
                yield Row(record.id, text, key[0], prompt_tokens, record.origin, record.model_depth)

    def _overlap(self, record: Record) -> str:
        """The evaluation item that a record repeats, in words; empty if it repeats none."""
        found = row_overlaps(record.columns, self._index) if self._index is not None else []
        if not found:
            return ""
        one = found[0]
        return f"{one.part} of `{one.item}` of `{one.benchmark}` ({one.how}, {one.ratio:.0%})"

    def _pairs(self, content: Example | Pair) -> list[Pair]:
        if isinstance(content, Pair):
            return [content]
        return encode(
            content,
            self._settings.encoding,
            rng_for(self._settings.seed, "train encode", self._count),
            strip_field_names=self._settings.strip_field_names,
            chat_template=self._encoder.chat_template,
        )

    def _leave_out(self, record: Record, source: str, reason: str, detail: str) -> None:
        self.left_out.append(LeftOut(record.id, source, reason, detail))


def _texts_of(content: Example | Pair) -> list[str]:
    if isinstance(content, Pair):
        return [content.prompt, content.completion]
    return [content.system, content.instruction, content.input, content.output]


def _too_few(count: int, sources: Sequence[Source], left_out: Sequence[LeftOut]) -> TooFewRecords:
    names = ", ".join(f"`{source.name}`" for source in sources) or "no source"
    reasons = Counter(one.reason for one in left_out)
    dropped = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
    remedies = ["extend the run", "add a source with `--data`"]
    remedies += ["raise `max_tokens`"] if "too_long" in reasons else []
    remedies += ["evaluate on other suites"] if REASON in reasons else []
    return TooFewRecords(
        f"{'one record' if count else 'no record'} to train on from {names}"
        + (f"; texts left out: {dropped}" if dropped else ""),
        why=f"a training needs {LEAST_RECORDS} different records at least; one would be learned by"
        " heart",
        fix=", or ".join([", ".join(remedies[:-1]), remedies[-1]]),
    )
