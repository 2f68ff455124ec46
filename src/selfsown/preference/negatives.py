"""Pairs from the rejected records of a run: what it threw away, against what it kept for that.

A pair needs a record that was rejected for a fault of its answer (`reasons.py`) and an accepted
answer to the same prompt. Every rejected record becomes a pair or is listed with why it does not:
rejected records in = pairs + left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from selfsown.core.request import JSON, short_id
from selfsown.curate.instances import Instance, folded, without_empty_marker
from selfsown.export.example import Example, Fields, read_example
from selfsown.export.export import Admit
from selfsown.export.provenance import ProvenanceIndex
from selfsown.export.run_files import Row, RunFiles, integer, mapping, record_id, string
from selfsown.preference.reasons import ONLY_IF_OUTVOTED, bare_reason, why_not
from selfsown.preference.recorded import LeftOut, Sourced, is_admitted, pair_id
from selfsown.preference.records import Pair, Prompt, fault_of, plain_text


class _Key(NamedTuple):
    """A prompt, as far as it decides what a right answer is; case counts."""

    instruction: str
    input: str
    system: str


class _Accepted(NamedTuple):
    id: str
    example: Example


class NegativeSource:
    """Makes the pairs of one run; reads rejected records two or three times.

    Memory: the accepted records whose prompts have an honest negative, and the texts of all pairs;
    about 150 MB for 100,000 pairs of short texts.
    """

    def __init__(
        self,
        run: RunFiles,
        fields: Fields,
        index: ProvenanceIndex,
        reasons: Collection[str],
        admit: Admit | None = None,
    ) -> None:
        """Read what was accepted.

        Args:
            run: a run directory; `fields.instruction` names a field of its records.
            fields: where prompt and answer are.
            index: provenance of the run.
            reasons: those of honest negatives.
            admit: asked about each of the two examples of a pair; None admits all.
        """
        self._run, self._fields, self._index = run, fields, index
        self._reasons, self._admit = frozenset(reasons), admit
        wanted: set[_Key] = set()
        contested: set[_Key] = set()
        for row in run.rows("rejected"):
            reason = bare_reason(string(row.get("reason")))
            example = self._answer(row) if reason in self._reasons else None
            if example is not None:
                key = _key(example)
                wanted.add(key)
                if reason in ONLY_IF_OUTVOTED:
                    contested.add(key)
        self._accepted = self._accepted_answers(wanted)
        self._counts = self._answer_counts(contested)
        self._seen: set[tuple[_Key, str, str]] = set()

    def outcomes(self) -> Iterator[Sourced | LeftOut]:
        """What becomes of every rejected record, in file order."""
        for row in self._run.rows("rejected"):
            found = self._outcome(row)
            if isinstance(found, str):
                name, stage = string(row.get("id")), string(row.get("stage"))
                yield LeftOut(name, stage, string(row.get("reason")), found)
            else:
                yield found

    def _outcome(self, row: Row) -> Sourced | str:
        """The pair of a rejected record, or why there is none."""
        reason = string(row.get("reason"))
        bare = bare_reason(reason)
        if bare not in self._reasons:
            return why_not(reason)
        rejected = self._answer(row)
        if rejected is None:
            return "no_answer"
        answers = self._accepted.get(_key(rejected), [])
        if not answers:
            return "no_accepted_answer"
        if any(folded(one.example.output) == folded(rejected.output) for one in answers):
            return "accepted_too"
        chosen = answers[0]
        if bare in ONLY_IF_OUTVOTED and not self._is_outvoted(rejected, chosen.example):
            return "tied"
        texts = (_key(rejected), plain_text(chosen.example.output), plain_text(rejected.output))
        if texts in self._seen:
            return "repeated"
        fault = fault_of(chosen.example.output, rejected.output)
        if fault is not None:
            return fault
        found = self._negative(row, chosen, rejected.output, reason)
        if not is_admitted(found.pair, self._admit):
            return "benchmark_overlap"
        self._seen.add(texts)
        return found

    def _negative(self, row: Row, chosen: _Accepted, rejected: str, reason: str) -> Sourced:
        name = string(row.get("id"))
        origins = [self._index.find(one) or {} for one in (chosen.id, name)]
        shared = origins[0]
        pair = Pair(
            prompt=_prompt(chosen.example),
            chosen=chosen.example.output,
            rejected=rejected,
            chosen_id=chosen.id,
            rejected_id=name,
            round=integer(shared.get("round")),
            policy=string(mapping(shared.get("models")).get("generator")),
            model_depth=max(integer(one.get("model_depth")) for one in origins),
            judge=string(shared.get("recipe")) or self._run.recipe,
            picker="rejected_record",
            reason=reason,
        )
        return Sourced(pair, _source(pair, *origins))

    def _answer(self, row: Row) -> Example | None:
        """What a rejected record asks and answers; None if it does not hold both."""
        record = dict(mapping(row.get("record")))
        has_both = all(
            isinstance(record.get(name), str) and str(record[name]).strip()
            for name in (self._fields.instruction, self._fields.output)
        )
        if not has_both:
            return None
        for name in (self._fields.input, self._fields.system):
            if name and not isinstance(record.get(name), str):
                return None
        return read_example(record, self._fields, f"rejected record `{string(row.get('id'))}`")

    def _accepted_answers(self, wanted: Collection[_Key]) -> dict[_Key, list[_Accepted]]:
        """Prompt -> accepted answers in file order, for the prompts that have a negative."""
        found: dict[_Key, list[_Accepted]] = {}
        file = self._run.path / "accepted.jsonl"
        for number, row in enumerate(self._run.rows("accepted") if wanted else (), start=1):
            example = read_example(row, self._fields, f"`{file}` line {number}")
            if (key := _key(example)) in wanted:
                found.setdefault(key, []).append(_Accepted(record_id(row), example))
        return found

    def _answer_counts(self, wanted: Collection[_Key]) -> Counter[tuple[_Key, str]]:
        """(prompt, answer) -> how many records say so, accepted and rejected ones."""
        if not wanted:
            return Counter()
        accepted = (one.example for answers in self._accepted.values() for one in answers)
        rejected = (self._answer(row) for row in self._run.rows("rejected"))
        return Counter(
            _said(one)
            for one in chain(accepted, rejected)
            if one is not None and _key(one) in wanted
        )

    def _is_outvoted(self, rejected: Example, chosen: Example) -> bool:
        return self._counts[_said(rejected)] < self._counts[_said(chosen)]


def _said(example: Example) -> tuple[_Key, str]:
    """Spellings of one answer are one vote, as where conflicts are found and votes counted."""
    return _key(example), folded(example.output)


def _key(example: Example) -> _Key:
    """Inputs such as "N/A" mean none: accepted records have them emptied, rejected ones not."""
    given = without_empty_marker(Instance(example.input.strip(), example.output)).input
    texts = (example.instruction, given, example.system)
    return _Key(*(plain_text(text) for text in texts))


def _source(
    pair: Pair, chosen: Mapping[str, JSON], rejected: Mapping[str, JSON]
) -> dict[str, JSON]:
    """The line of provenance: what holds for both answers, then each record's own."""
    return {
        "id": pair_id(pair),
        "origin": "human" if _is_human(chosen) and _is_human(rejected) else "model",
        "model_depth": pair.model_depth,
        "reason": pair.reason,
        "chosen": chosen,
        "rejected": rejected,
    }


def _is_human(told: Mapping[str, JSON]) -> bool:
    return told.get("origin") == "human"


def _prompt(example: Example) -> Prompt:
    parts: dict[str, JSON] = {
        "prompt": example.instruction,
        "input": example.input,
        "system": example.system,
    }
    return Prompt(
        id=short_id(parts, prefix="p-"),
        text=example.instruction,
        input=example.input,
        system=example.system,
    )
