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

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final

from selfsown.core.errors import CheckFailed, ConfigError, GateClosed
from selfsown.core.request import canonical_json
from selfsown.core.run import Run
from selfsown.preference.gates import check_judge
from selfsown.preference.pairing import by_prompt, make_pairs
from selfsown.preference.records import Scored
from selfsown.recipes.base import CallBound, Recipe, Rows
from selfsown.recipes.preference.answers import stand_ins
from selfsown.recipes.preference.desk import Desk
from selfsown.recipes.preference.options import (
    JUDGE,
    OBSERVER,
    POLICY,
    SPIN,
    Options,
    SelfRewardingOptions,
)
from selfsown.recipes.preference.prompts import prompts_of
from selfsown.recipes.preference.scorers import Scorer

ANSWERS: Final = "answers"
"""Stage of the candidates."""
PAIRS: Final = "pairs"
"""Stage of the prompts."""

_JUDGE_BYTES: Final = 4096
"""Of a judge's own words; ours have at most 1,300."""
_SHOWN: Final = 2
"""Answers that a judge is shown at most; each counts twice, for a judge with other tokens."""


async def preference(run: Run, options: Options) -> None:
    """Answers, scores and pairs of every row; they were checked (`check`).

    Raises:
        GateClosed: after `check_after` prompts no judgement could be read, or all are one number.
    """
    desk = Desk(run, options)
    answers = run.stage(ANSWERS, unit="answer")
    pairs = run.stage(PAIRS, unit="prompt", output=True)
    rows = prompts_of(run.rows(), need_human=options.human != "none")
    try:
        if options.is_scored and options.check_after:
            looked_at: list[Scored] = []
            count = 0
            async for done in run.map(islice(rows, options.check_after), desk.work):
                looked_at += desk.close(done, answers, pairs)
                count += 1
            if count == options.check_after:
                _check_judge(looked_at, desk)
        async for done in run.map(rows, desk.work):
            desk.close(done, answers, pairs)
    finally:
        if options.is_scored:
            run.note("judgements", desk.counts.form())
    run.stop("rows")


def check(options: Options, roles: Collection[str], rows: Rows) -> None:
    """Refuse what cannot give pairs.

    Raises:
        ConfigError: a scorer asks a role that has no model, or is not told its own.
        InputError: a row is no prompt, or a model that scores cannot be used.
        MissingExtra: a model that scores needs a package that is not installed.
    """
    scorers = [one.scoring() for one in options.observers.values()]
    scorer = options.scoring()
    voices = {*roles, *stand_ins(roles, options)}
    for one in [*scorers, *([] if scorer is None else [scorer])]:
        _refuse_silence(one, voices)
        one.prepare()
    for _ in prompts_of(rows, need_human=options.human != "none"):
        pass


def _refuse_silence(scorer: Scorer, voices: Collection[str]) -> None:
    for role in scorer.roles:
        if role not in voices:
            raise ConfigError(
                f"scorer `{scorer.name}` asks role `{role}`, which has no model",
                why="a policy that judges itself has to be asked for, since it learns to please"
                " itself",
                fix=f"--model {role}=URI, or `self_judging: true`",
            )


def _check_judge(scored: Sequence[Scored], desk: Desk) -> None:
    """Stop before the rest is paid for if nobody judged.

    Raises:
        GateClosed: no judgement could be read, or all are one number.
    """
    try:
        check_judge(make_pairs(by_prompt(scored), desk.picker).tally)
    except CheckFailed as error:
        raise GateClosed(
            error.what,
            why=error.why,
            fix=f"{error.fix}. `selfsown why DIR ID`, with an id of rejected.jsonl, shows texts;"
            " start again with `--update`, or go on as it is with `check_after: 0`",
        ) from error


def bound(options: Options, left: int, _seeds: int) -> tuple[CallBound, ...]:
    """Most calls for so many rows."""
    found = [CallBound("answers", POLICY, left * options.own_answers, options.max_tokens)]
    judging = [("scores", options.scoring(), options.scorer_options)]
    judging += [
        (f"observer {name}", one.scoring(), one.options) for name, one in options.observers.items()
    ]
    for kind, scorer, given in judging:
        calls = scorer.calls(options.candidates) if scorer is not None else 0
        if scorer is not None and calls:
            own = len(canonical_json(given))  # perhaps a template of the user's
            more = _JUDGE_BYTES + own + 2 * _SHOWN * options.max_tokens
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
    check=check,
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
    check=check,
    bound=bound,
)
