"""Self-rewarding and online RLHF: one row recipe, two registrations that differ in defaults.

For each prompt: several answers of the policy, scored by one scorer, and at most one pair of them,
as a picker says. Training on the pairs and turning rounds are the loop's (`selfsown loop`).

Sources: Self-Rewarding Language Models (arXiv:2401.10020, section 2.4), RLHF Workflow
(arXiv:2405.07863, section 3), SPIN (arXiv:2401.01335) as `human: chosen`.
Differs from the papers: judgements that cannot be read are missing, where their re-implementations
take them for the lowest; an answer that was cut off is never chosen (option `cut_off`); prompts
that repeat are dropped; 4 answers at temperature 1.0 and 4 at 0.7 follow the algorithm of
RLHF Workflow, where its code has 8 at 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from selfsown.core.errors import CallFailed, ConfigError
from selfsown.core.flow import Delivery
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.core.stages import Stage
from selfsown.judge.scores import combine
from selfsown.preference.gates import check_judge
from selfsown.preference.pairing import by_prompt, make_pairs, pair_from
from selfsown.preference.pickers import NoPair, Picked, Picker
from selfsown.preference.records import Pair, Scored, fault_of, policy_of
from selfsown.recipes.base import CallBound, Recipe
from selfsown.recipes.preference.answers import HUMAN, Answer, Voices, answers_to, stands_for
from selfsown.recipes.preference.options import (
    JUDGE,
    OBSERVER,
    POLICY,
    SPIN,
    Options,
    SelfRewardingOptions,
)
from selfsown.recipes.preference.prompts import Row, check_rows, prompts_of
from selfsown.recipes.preference.scorers import Marks

ANSWERS: Final = "answers"
"""Stage of the candidates."""
PAIRS: Final = "pairs"
"""Stage of the prompts."""
HUMAN_CHOSEN: Final = "human_chosen"
"""`Pair.picker` of pairs that nobody scored."""

_JUDGE_BYTES: Final = 4096
"""Of a judge's own words; ours have at most 1,300."""
_SHOWN: Final = 2
"""Answers that a judge is shown at most; each counts twice, for a judge with other tokens."""
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


async def preference(run: Run, options: Options) -> None:
    """Answers, scores and pairs of every row.

    Raises:
        ConfigError: the scorer asks a role that has no model.
        InputError: a row is no prompt, or a reward model cannot be used; nothing was asked yet.
        CheckFailed: after `check_after` prompts no judgement could be read, or all are one number.
    """
    desk = _Desk(run, options)
    check_rows(run.rows(), need_human=options.human != "none")
    desk.prepare()
    answers = run.stage(ANSWERS, unit="answer")
    pairs = run.stage(PAIRS, unit="prompt", output=True)
    rows = prompts_of(run.rows(), need_human=options.human != "none")
    if options.is_scored and options.check_after:
        looked_at: list[Scored] = []
        count = 0
        async for done in run.map(islice(rows, options.check_after), desk.work):
            looked_at += desk.close(done, answers, pairs)
            count += 1
        if count == options.check_after:
            check_judge(make_pairs(by_prompt(looked_at), desk.picker).tally)
    async for done in run.map(rows, desk.work):
        desk.close(done, answers, pairs)
    run.stop("rows")


class _Desk:
    """The config of a run, put to work on one prompt after the other."""

    def __init__(self, run: Run, options: Options) -> None:
        self._run, self._options = run, options
        self.picker: Picker = options.picking()
        self._scorer = options.scoring()
        self._observers = {name: one.scoring() for name, one in options.observers.items()}
        self._stands_for = stands_for(run, options)
        models = run.origin.models
        self._voices = {**models, **{role: models[by] for role, by in self._stands_for.items()}}
        self._refuse_silence()
        self._judge = self._scorer.identity(self._voices) if self._scorer else ""

    def prepare(self) -> None:
        """Load what scores in this process, and note who scores."""
        for one in (self._scorer, *self._observers.values()):
            if one is not None and self._run.settings.mode == "live":
                one.prepare()
        self._run.note("scorer", self._judge or "none")
        self._run.note("picker", {"name": self.picker.name, **self.picker.options})
        for name, one in self._observers.items():
            self._run.note(f"observer {name}", one.identity(self._voices))

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
        return [one.scored for one in judged if one.scored is not None]

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

    def _refuse_silence(self) -> None:
        """Stop where a scorer asks a role that nobody plays.

        Raises:
            ConfigError: names scorer and role.
        """
        for one in (self._scorer, *self._observers.values()):
            for role in one.roles if one is not None else ():
                if role not in self._voices:
                    assert one is not None
                    raise ConfigError(
                        f"scorer `{one.name}` asks role `{role}`, which has no model",
                        why="a policy that judges itself has to be asked for, since it learns to"
                        " please itself",
                        fix=f"--model {role}=URI, or `self_judging: true`",
                    )


def bound(options: Options, left: int, _seeds: int) -> tuple[CallBound, ...]:
    """Most calls for so many rows."""
    found = [CallBound("answers", POLICY, left * options.own_answers, options.max_tokens)]
    judging = [("scores", options.scoring())]
    judging += [(f"observer {name}", one.scoring()) for name, one in options.observers.items()]
    for kind, scorer in judging:
        calls = scorer.calls(options.candidates) if scorer is not None else 0
        if scorer is not None and calls:
            more = _JUDGE_BYTES + 2 * _SHOWN * options.max_tokens
            role, tokens = scorer.roles[0], scorer.max_tokens
            found.append(CallBound(kind, role, left * calls, tokens, more))
    return tuple(found)


def calls_per_unit(options: Options) -> float:
    """Calls for one row, where none is repeated."""
    return float(sum(one.calls for one in bound(options, 1, 0)))


_ROLES: Final = {
    POLICY: "writes the answers; the model that is to be trained",
    JUDGE: "scores them, where the scorer asks a model",
    OBSERVER: "scores them, too, for observers that name this role; no pair depends on it",
}

ONLINE_RLHF: Final = Recipe(
    name="online-rlhf",
    version="1",
    summary="Preference pairs of a policy's own answers, scored by a reward model or a judge.",
    source="RLHF Workflow: From Reward Modeling to Online RLHF (arXiv:2405.07863)",
    run=preference,
    options=Options,
    presets={"default": {}, "concise": {"picker": "length_penalised"}, "spin": SPIN},
    roles=_ROLES,
    target_unit="pair",
    calls_per_unit=calls_per_unit,
    operational=frozenset({"check_after"}),
    bound=bound,
)

SELF_REWARDING: Final = Recipe(
    name="self-rewarding",
    version="1",
    summary="Preference pairs of a policy's own answers, scored by the policy itself.",
    source="Self-Rewarding Language Models (arXiv:2401.10020)",
    run=preference,
    options=SelfRewardingOptions,
    presets={"default": {}, "spin": SPIN},
    roles=_ROLES,
    target_unit="pair",
    calls_per_unit=calls_per_unit,
    operational=frozenset({"check_after"}),
    bound=bound,
)
