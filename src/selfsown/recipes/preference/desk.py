"""One prompt after the other: its answers, what is said of them, and the pair that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from selfsown.core.errors import CallFailed
from selfsown.core.flow import Delivery
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.core.stages import Stage
from selfsown.judge.scores import combine
from selfsown.preference.pairing import pair_from
from selfsown.preference.pickers import NoPair, Picked, Picker
from selfsown.preference.records import Pair, Scored, fault_of, policy_of
from selfsown.recipes.preference.answers import HUMAN, Answer, Voices, answers_to, stand_ins
from selfsown.recipes.preference.counts import Counts
from selfsown.recipes.preference.options import Options
from selfsown.recipes.preference.prompts import Row
from selfsown.recipes.preference.scorers import Marks

HUMAN_CHOSEN: Final = "human_chosen"
"""`Pair.picker` of pairs that nobody scored."""
_NO_RIVAL: Final = "no_rival: an answer to compare with never came"


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer with what was said of it."""

    answer: Answer
    scored: Scored | None
    """None where nothing is scored."""
    why_missing: str
    observed: Mapping[str, float | None]

    def row(self) -> dict[str, JSON]:
        """What is kept of it."""
        told = self.answer.candidate.row() if self.scored is None else self.scored.row()
        missing: dict[str, JSON] = {"why_missing": self.why_missing} if self.why_missing else {}
        return {**told, **missing, "observed": self.observed}


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one prompt."""

    judged: Sequence[Judged]
    keys: tuple[str, ...]
    """Hex keys of the calls behind answers and scores; not of observers."""


class Desk:
    """The config of a run, put to work on one prompt after the other."""

    def __init__(self, run: Run, options: Options) -> None:
        self._run, self._options = run, options
        self.picker: Picker = options.picking()
        self.counts = Counts()
        self._scorer = options.scoring()
        self._observers = {name: one.scoring() for name, one in options.observers.items()}
        models = run.origin.models
        self._stands_for = stand_ins(models.keys(), options)
        voices = {**models, **{role: models[by] for role, by in self._stands_for.items()}}
        self._judge = self._scorer.identity(voices) if self._scorer else ""
        run.note("scorer", self._judge or "none")
        run.note("picker", {"name": self.picker.name, **self.picker.options})
        for name, one in self._observers.items():
            run.note(f"observer {name}", one.identity(voices))

    async def work(self, row: Row) -> Done:
        """Ask for the answers to one prompt, and have them scored and observed."""
        if row.is_repeated:
            return Done((), ())
        answers = await answers_to(self._run, self._options, row)
        live = [one for one in answers if one.error is None and not self._is_refused(one)]
        items = [row.item(one.candidate.text) for one in live]
        scoring = Voices(self._run, self._stands_for)
        marks: Sequence[Marks] = ()
        if self._scorer is not None:
            marks = self._full(await self._scorer.score(scoring, items))
        observed: dict[str, list[Marks]] = {}
        for name, observer in self._observers.items():
            observed[name] = await observer.score(Voices(self._run, self._stands_for), items)
        told = {
            one.candidate.index: Judged(
                one,
                self._scored(one, marks[place]) if marks else None,
                marks[place].why_missing if marks else "",
                {name: combine(found[place].values).value for name, found in observed.items()},
            )
            for place, one in enumerate(live)
        }
        judged = [told.get(one.candidate.index, Judged(one, None, "", {})) for one in answers]
        keys = sorted({*scoring.keys, *(key for one in answers for key in one.keys)})
        return Done(judged, tuple(keys))

    def close(self, done: Delivery[Row, Done], answers: Stage, pairs: Stage) -> list[Scored]:
        """End all candidates of one prompt, and the prompt; returns what was scored."""
        row = done.item
        order = (row.number,)
        if done.error is not None:
            pairs.enter(row.prompt.row(), order=order, keys=done.keys).fail(done.error)
            return []
        if row.is_repeated:
            pairs.enter(row.prompt.row(), order=order).reject("repeated_prompt")
            return []
        judged = done.result.judged
        records = {one.answer.candidate.id: self._end(one, answers, order) for one in judged}
        found = self._pair(judged)
        if isinstance(found, Pair):
            parents = (records[found.chosen_id], records[found.rejected_id])
            candidate = pairs.enter(
                found.row(), order=order, parents=parents, keys=done.result.keys, parent_depth=1
            )
            candidate.keep(score=found.margin)
        else:
            candidate = pairs.enter(row.prompt.row(), order=order, keys=done.result.keys)
            if isinstance(found, CallFailed):
                candidate.fail(found)
            else:
                candidate.reject(found.reason, found.margin)
        scored = [one.scored for one in judged if one.scored is not None]
        self.counts.add(scored)
        return scored

    def _end(self, one: Judged, answers: Stage, order: tuple[int, ...]) -> str:
        """End one candidate; returns the id of its record."""
        payload = one.answer.candidate.row()
        candidate = answers.enter(
            payload, order=(*order, one.answer.candidate.index), keys=one.answer.keys
        )
        if one.answer.error is not None:
            candidate.fail(one.answer.error)
        elif self._is_refused(one.answer):
            candidate.reject("cut_off")
        else:
            candidate.keep(one.row(), score=None if one.scored is None else one.scored.reward)
        return candidate.id

    def _pair(self, judged: Sequence[Judged]) -> Pair | NoPair | CallFailed:
        """The pair of one prompt, or why there is none."""
        live = [one for one in judged if one.answer.error is None]
        own_errors = [one.answer.error for one in judged if one.answer.error is not None]
        if len(own_errors) == self._options.own_answers:
            return own_errors[0]
        if self._options.human == "chosen":
            own, human = live
            return self._against_human(own.answer, human.answer)
        scored = [one.scored for one in live if one.scored is not None]
        found = self._picked(scored)
        return found if isinstance(found, NoPair) else pair_from(found, self.picker.name)

    def _picked(self, scored: Sequence[Scored]) -> Picked | NoPair:
        """What the picker says; where it chooses an answer that was cut off, without that one."""
        left = list(scored)
        while True:
            found = self.picker(left)
            if isinstance(found, NoPair):
                return found if len(left) == len(scored) else NoPair("cut_off", found.margin)
            is_whole = found.chosen.candidate.finish_reason != "length"
            if is_whole or self._options.cut_off != "never_chosen":
                return found
            left.remove(found.chosen)

    def _against_human(self, own: Answer, human: Answer) -> Pair | NoPair:
        """The row's answer as the better one."""
        if self._is_refused(own):
            return NoPair("cut_off")
        rejected, chosen = own.candidate, human.candidate
        fault = fault_of(chosen.text, rejected.text)
        if fault is not None:
            return NoPair(fault)
        return Pair(
            prompt=chosen.prompt,
            chosen=chosen.text,
            rejected=rejected.text,
            chosen_id=chosen.id,
            rejected_id=rejected.id,
            round=rejected.round,
            policy=policy_of(chosen.model, rejected.model),
            model_depth=rejected.model_depth,
            judge=HUMAN,
            picker=HUMAN_CHOSEN,
        )

    def _scored(self, one: Answer, marks: Marks) -> Scored:
        return Scored(
            candidate=one.candidate,
            values=marks.values,
            judge=self._judge,
            is_truncated=marks.is_truncated,
        )

    def _full(self, marks: Sequence[Marks]) -> list[Marks]:
        """The marks with as many values as the config says; what nobody gave is missing.

        Contests with an answer that never came are such.
        """
        assert self._scorer is not None
        wanted = self._scorer.judgements(self._options.candidates)
        return [
            replace(
                one,
                values=(*one.values, *(None,) * (wanted - len(one.values))),
                why_missing=one.why_missing or (_NO_RIVAL if len(one.values) < wanted else ""),
            )
            for one in marks
        ]

    def _is_refused(self, answer: Answer) -> bool:
        return answer.is_cut_off and self._options.cut_off == "rejected"
