"""Preference pairs as rows: written as prompt and answers, tokenised, split by prompt.

What the model cannot take is left out, counted and listed. Pairs that only measure are split off by
prompt, so that no answer to a question that is measured was trained on.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from selfsown.core.errors import TooFewRecords
from selfsown.core.randomness import rng_for
from selfsown.curate.decontaminate import REASON, DecontaminationIndex
from selfsown.evaluate.overlap import row_overlaps
from selfsown.models.answer_tokens import AnswerEncoding, Question, TemplateMismatch, answer_texts
from selfsown.models.preference import LETTERS, comparison
from selfsown.train.encode import Pair as TextPair
from selfsown.train.mixture import Share
from selfsown.train.pair_records import PairRecord, read_pairs
from selfsown.train.prepare import LEAST_RECORDS, LeftOut, Prepared
from selfsown.train.records import Origin
from selfsown.train.settings import Settings, SourceConfig
from selfsown.train.tokens import Encoder


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
    def longest(self) -> int:
        """Tokens of the prompt with the longer answer."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))

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


def prepare_pairs(
    configs: Sequence[SourceConfig],
    settings: Settings,
    encoder: Encoder,
    index: DecontaminationIndex | None = None,
) -> PreparedPairs:
    """The rows to train on and to measure on.

    Args:
        configs: runs and files of pairs.
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
            declared_count=sum(record.is_declared for record in records),
            longest=max(row.longest for row in trained),
        ),
        tuple(row for record, row in rows if record.question in held_out),
    )


class _Rows:
    """Turns pairs into rows one after another, and remembers what it left out."""

    def __init__(
        self, settings: Settings, encoder: Encoder, index: DecontaminationIndex | None
    ) -> None:
        self.left_out: list[LeftOut] = []
        self._encoding = cast("AnswerEncoding", settings.encoding)  # checked with the settings
        self._objective, self._seed = settings.objective, settings.seed
        self._count = 0
        self._encoder, self._index = encoder, index
        self._seen: set[tuple[tuple[int, ...], ...]] = set()
        limits = [limit for limit in (settings.max_tokens, encoder.context) if limit]
        self._longest = min(limits) if limits else None

    def rows(self, record: PairRecord) -> Iterator[PairRow]:
        """The row of a pair; none if it is left out."""
        self._count += 1
        reason, detail = self._refusal(record)
        if not reason:
            try:
                row = self._row(record)
            except TemplateMismatch:
                reason, detail = "template_mismatch", ""
            else:
                reason, detail = self._misfit(row)
        if reason:
            self.left_out.append(LeftOut(record.id, record.source, reason, detail))
        else:
            yield row

    def _refusal(self, record: PairRecord) -> tuple[str, str]:
        found = row_overlaps(record.columns, self._index) if self._index is not None else []
        if found:
            one = found[0]
            return REASON, f"{one.part} of `{one.item}` of `{one.benchmark}` ({one.how})"
        texts = [*record.question, record.chosen, record.rejected]
        special = self._encoder.special_token_in(texts)
        return ("special_token", special) if special is not None else ("", "")

    def _row(self, record: PairRecord) -> PairRow:
        question, answers = record.question, (record.chosen, record.rejected)
        if self._objective == "pairwise":
            question, answers = self._compared(record)
        chosen, rejected = (self._tokens(question, answer) for answer in answers)
        border = chosen[1]
        return PairRow(
            record.id,
            tuple(chosen[0][:border]),
            tuple(chosen[0][border:]),
            tuple(rejected[0][border:]),
            record.origin,
            record.model_depth,
        )

    def _compared(self, record: PairRecord) -> tuple[Question, tuple[str, str]]:
        """The comparison in an order by chance, and the letters of chosen and rejected answer."""
        first, second = LETTERS
        if rng_for(self._seed, "train order", self._count).random() < 0.5:
            return comparison(record.question, record.chosen, record.rejected), (first, second)
        return comparison(record.question, record.rejected, record.chosen), (second, first)

    def _tokens(self, question: Question, answer: str) -> tuple[list[int], int]:
        template = self._encoder.chat_template
        text = TextPair(*answer_texts(question, answer, self._encoding, template))
        _, ids, border = self._encoder.row(
            text, is_chat=self._encoding == "chat", adds_end=self._objective != "reward"
        )
        return ids, border

    def _misfit(self, row: PairRow) -> tuple[str, str]:
        if self._longest is not None and row.longest > self._longest:
            return "too_long", f"{row.longest} > {self._longest} tokens"
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
