"""Preference pairs as rows: read, written as prompt and answers, tokenised, split by prompt.

A file of pairs has one JSON object per line with `prompt`, `chosen` and `rejected`, as the
preference recipes write them (`preference/records.py`; `input` and `system` beside the prompt are
read too). What makes no pair at all stops the training before it begins; what the model cannot
take is left out, counted and listed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, cast

from selfsown.core.errors import InputError, TooFewRecords
from selfsown.core.request import JSON
from selfsown.curate.decontaminate import REASON, DecontaminationIndex
from selfsown.evaluate.overlap import row_overlaps
from selfsown.export.run_files import Row as JsonRow
from selfsown.export.run_files import integer, read_jsonl, string
from selfsown.models.answer_tokens import AnswerEncoding, Question, TemplateMismatch, answer_texts
from selfsown.preference.records import fault_of
from selfsown.train.encode import Pair as TextPair
from selfsown.train.mixture import Share
from selfsown.train.prepare import LEAST_RECORDS, LeftOut, Prepared
from selfsown.train.records import Origin
from selfsown.train.settings import Settings, SourceConfig
from selfsown.train.tokens import Encoder

_FAULTS: Final = {
    "blank_text": "one of its answers says nothing",
    "equal_texts": "its two answers are the same text",
}


class PairRecord(NamedTuple):
    """One line of a file of pairs."""

    id: str
    question: Question
    chosen: str
    rejected: str
    origin: Origin
    model_depth: int


@dataclass(frozen=True, slots=True)
class PairRow:
    """A pair in tokens; both answers stand behind the same prompt."""

    id: str
    prompt_ids: tuple[int, ...]
    chosen_ids: tuple[int, ...]
    rejected_ids: tuple[int, ...]
    origin: Origin
    model_depth: int

    @property
    def tokens(self) -> int:
        """Of both texts, the prompt in each."""
        return 2 * len(self.prompt_ids) + len(self.chosen_ids) + len(self.rejected_ids)


@dataclass(frozen=True, slots=True)
class PreparedPairs:
    """The pairs of one epoch, and those that only measure."""

    trained: Prepared[PairRow]
    held_out: tuple[PairRow, ...]
    """Their prompts are in no pair that is trained on."""


def read_pairs(configs: Sequence[SourceConfig]) -> list[PairRecord]:
    """All pairs of all files, in order.

    Raises:
        InputError: a file is not there, has no pair, or a line is none.
    """
    found = [record for config in configs for record in _pairs_of(config)]
    if not found:
        names = ", ".join(f"`{config.path}`" for config in configs)
        raise InputError(
            f"no preference pair in {names}",
            why="a training on pairs compares a chosen with a rejected answer",
            fix="give a JSONL file with `prompt`, `chosen` and `rejected` on every line",
        )
    return found


def prepare_pairs(
    configs: Sequence[SourceConfig],
    settings: Settings,
    encoder: Encoder,
    index: DecontaminationIndex | None = None,
) -> PreparedPairs:
    """The rows to train on and to measure on.

    Args:
        configs: files of pairs.
        settings: all values.
        encoder: of the model.
        index: evaluation items; pairs whose question or answer repeats one are left out.

    Raises:
        InputError: see `read_pairs`.
        TooFewRecords: fewer than two are left to train on.
    """
    records = read_pairs(configs)
    maker = _Rows(settings, encoder, index)
    rows = [(record, row) for record in records for row in maker.rows(record)]
    held_out = _held_out([record.question for record, _ in rows], settings)
    trained = [row for record, row in rows if record.question not in held_out]
    if len(trained) < LEAST_RECORDS:
        raise _too_few(len(trained), len(held_out), maker.left_out)
    return PreparedPairs(
        Prepared(
            rows=tuple(trained),
            shares=tuple(_shares(trained)),
            left_out=tuple(maker.left_out),
            record_count=len(records),
            declared_count=len(records),
            longest=max(len(r.prompt_ids) + len(r.chosen_ids) for r in trained),
        ),
        tuple(row for record, row in rows if record.question in held_out),
    )


def _pairs_of(config: SourceConfig) -> Iterator[PairRecord]:
    path = Path(config.path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(
            f"`{path}` {what}",
            why="preference pairs are read from a file, one per line",
            fix="give a JSONL file with `prompt`, `chosen` and `rejected` on every line",
        )
    for line_no, row in enumerate(read_jsonl(path), start=1):
        question = Question(*(string(row.get(name)) for name in ("prompt", "input", "system")))
        chosen, rejected = string(row.get("chosen")), string(row.get("rejected"))
        missing = [name for name in ("prompt", "chosen", "rejected") if not _is_text(row, name)]
        fault = None if missing else fault_of(chosen, rejected)
        if missing or fault:
            raise InputError(
                f"`{path}` line {line_no}: "
                + (f"`{missing[0]}` is no text" if missing else _FAULTS[str(fault)]),
                why="a pair is one prompt with two different answers, the better one named",
                fix="drop the line, or correct it",
            )
        yield PairRecord(
            string(row.get("prompt_id")) or f"{path.name}:{line_no}",
            question,
            chosen,
            rejected,
            config.origin or "machine",
            integer(row.get("model_depth")),
        )


def _is_text(row: JsonRow, name: str) -> bool:
    return isinstance(row.get(name), str)


class _Rows:
    """Turns pairs into rows one after another, and remembers what it left out."""

    def __init__(
        self, settings: Settings, encoder: Encoder, index: DecontaminationIndex | None
    ) -> None:
        self.left_out: list[LeftOut] = []
        self._encoding = cast("AnswerEncoding", settings.encoding)  # checked with the settings
        self._encoder, self._index = encoder, index
        self._seen: set[tuple[tuple[int, ...], ...]] = set()
        limits = [limit for limit in (settings.max_tokens, encoder.context) if limit]
        self._longest = min(limits) if limits else None

    def rows(self, record: PairRecord) -> Iterator[PairRow]:
        """The row of a pair; none if it is left out."""
        reason, detail = self._refusal(record)
        if not reason:
            try:
                row = self._row(record)
            except TemplateMismatch:
                reason, detail = "template_mismatch", ""
            else:
                reason, detail = self._misfit(row)
        if reason:
            self.left_out.append(LeftOut(record.id, "pairs", reason, detail))
        else:
            yield row

    def _refusal(self, record: PairRecord) -> tuple[str, str]:
        for answer in (record.chosen, record.rejected):
            columns: dict[str, JSON] = {
                "instruction": record.question.text,
                "input": record.question.input,
                "output": answer,
            }
            found = row_overlaps(columns, self._index) if self._index is not None else []
            if found:
                one = found[0]
                return REASON, f"{one.part} of `{one.item}` of `{one.benchmark}` ({one.how})"
        texts = [*record.question, record.chosen, record.rejected]
        special = self._encoder.special_token_in(texts)
        return ("special_token", special) if special is not None else ("", "")

    def _row(self, record: PairRecord) -> PairRow:
        chosen, rejected = (
            self._tokens(record.question, answer) for answer in (record.chosen, record.rejected)
        )
        border = chosen[1]
        return PairRow(
            record.id,
            tuple(chosen[0][:border]),
            tuple(chosen[0][border:]),
            tuple(rejected[0][border:]),
            record.origin,
            record.model_depth,
        )

    def _tokens(self, question: Question, answer: str) -> tuple[list[int], int]:
        template = self._encoder.chat_template
        text = TextPair(*answer_texts(question, answer, self._encoding, template))
        _, ids, border = self._encoder.row(text, is_chat=self._encoding == "chat")
        return ids, border

    def _misfit(self, row: PairRow) -> tuple[str, str]:
        longest = len(row.prompt_ids) + max(len(row.chosen_ids), len(row.rejected_ids))
        if self._longest is not None and longest > self._longest:
            return "too_long", f"{longest} > {self._longest} tokens"
        key = (row.prompt_ids, row.chosen_ids, row.rejected_ids)
        if key in self._seen:
            return "duplicate", ""
        if row.chosen_ids == row.rejected_ids:
            return "equal_tokens", ""
        self._seen.add(key)
        return "", ""


def _held_out(questions: Sequence[Question], settings: Settings) -> frozenset[Question]:
    """The prompts whose pairs only measure: a share of them, by a hash of each and the seed."""

    def place(question: Question) -> bytes:
        text = "\0".join((str(settings.seed), *question))
        return hashlib.blake2b(text.encode(), digest_size=8).digest()

    distinct = sorted(set(questions), key=lambda question: (place(question), question))
    return frozenset(distinct[: round(settings.held_out * len(distinct))])


def _shares(rows: Sequence[PairRow]) -> Iterator[Share]:
    whole = sum(row.tokens for row in rows)
    origins: tuple[Origin, ...] = ("human", "machine")
    for origin in origins:
        own = [row for row in rows if row.origin == origin]
        tokens = sum(row.tokens for row in own)
        if own:
            yield Share(
                name="pairs",
                origin=origin,
                distinct_rows=len(own),
                rows=len(own),
                tokens=tokens,
                completion_tokens=sum(len(r.chosen_ids) + len(r.rejected_ids) for r in own),
                repeat=1.0,
                share=tokens / whole,
            )


def _too_few(count: int, held_out: int, left_out: Sequence[LeftOut]) -> TooFewRecords:
    reasons = Counter(one.reason for one in left_out)
    dropped = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
    kept = f"; {held_out} prompts only measure" if held_out else ""
    return TooFewRecords(
        f"{'one pair' if count else 'no pair'} to train on"
        + (f"; left out: {dropped}" if dropped else "")
        + kept,
        why=f"a training needs {LEAST_RECORDS} pairs at least",
        fix="make more pairs"
        + (", or raise `max_tokens`" if "too_long" in reasons else "")
        + (", or lower `held_out`" if held_out else ""),
    )
