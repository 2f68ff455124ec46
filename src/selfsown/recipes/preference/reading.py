"""What a run of a preference recipe left of its answers: candidates, scores, what observers said.

The pairs are the run's accepted records. The answers behind them are in its provenance, and are
read here for gates and measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfsown.core.config import RunConfig
from selfsown.core.effective import read_effective
from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.request import JSON
from selfsown.export.run_files import mapping, open_run, string
from selfsown.preference.files import candidate_of, scored_candidate_of
from selfsown.preference.records import Candidate, Scored
from selfsown.recipes.base import get_recipe
from selfsown.recipes.preference.options import Options
from selfsown.recipes.preference.recipe import ANSWERS


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """One answer of a run and what was said of it."""

    candidate: Candidate
    scored: Scored | None
    """None where the run scored nothing (`human: chosen`)."""
    observed: Mapping[str, float | None]
    """Name of an observer -> its reward; None where that is missing."""


def answers_of(directory: Path) -> list[ReadAnswer]:
    """The answers of a run, by prompt in the order of its rows, and by index.

    Raises:
        InputError: the directory is no run of a preference recipe, or a line cannot be read.
        CheckFailed: a prompt has another number of answers, or an answer of judgements, than the
            run's config says.
    """
    options = options_of(directory)
    found: list[ReadAnswer] = []
    ended: Counter[str] = Counter()
    for number, (row, is_kept) in enumerate(_ended(directory), start=1):
        ended[string(row.get("prompt_id"))] += 1
        if is_kept:
            place = f"`{directory}` answer {number}"
            scored = scored_candidate_of(row, place) if options.is_scored else None
            candidate = candidate_of(row, place) if scored is None else scored.candidate
            found.append(ReadAnswer(candidate, scored, _observed(row)))
    _check_counts(directory, options, ended, found)
    return found


def scored_of(directory: Path) -> list[Scored]:
    """The scored answers of a run, in the same order; those without a reward are among them.

    Raises:
        InputError: see `answers_of`; or the run scored nothing.
        CheckFailed: see `answers_of`.
    """
    scored = [one.scored for one in answers_of(directory)]
    if scored and scored[0] is None:
        raise InputError(
            f"the answers in `{directory}` were not scored",
            why="with `human: chosen` the human answer is the better one whatever a scorer says",
            fix="read its pairs, or make a run with another value of `human`",
        )
    return [one for one in scored if one is not None]


def options_of(directory: Path) -> Options:
    """The options that a run of a preference recipe was made with.

    Raises:
        InputError: the directory is none.
    """
    config: RunConfig
    config, _ = read_effective(directory)
    options = get_recipe(config.recipe).resolve(config.preset, config.options)
    if not isinstance(options, Options):
        raise InputError(
            f"`{directory}` is a run of recipe `{config.recipe}`",
            why="scored answers to prompts are what a preference recipe leaves",
            fix="give a run of `self-rewarding` or `online-rlhf`",
        )
    return options


def _ended(directory: Path) -> Iterator[tuple[dict[str, JSON], bool]]:
    """Every answer that ended, in order, and whether it was kept."""
    run = open_run(directory)
    for name in ("rejected", "failed"):
        for row in run.rows(name):
            if row.get("stage") == ANSWERS:
                yield dict(mapping(row.get("record"))), False
    for row in run.rows("provenance"):
        if row.get("stage") == ANSWERS and row.get("end") == "passed":
            yield dict(mapping(row.get("record"))), True


def _observed(row: Mapping[str, JSON]) -> dict[str, float | None]:
    return {
        name: float(value) if isinstance(value, int | float) else None
        for name, value in mapping(row.get("observed")).items()
    }


def _check_counts(
    directory: Path, options: Options, ended: Mapping[str, int], found: list[ReadAnswer]
) -> None:
    """Make sure that both stages agree with the config, so that no later step loses a prompt."""
    fix = "do not edit or join the files of run directories; make the run again"
    wrong = {name: count for name, count in ended.items() if count != options.candidates}
    if wrong:
        name, count = next(iter(wrong.items()))
        raise CheckFailed(
            f"`{directory}`: prompt `{name}` has {count} answers, not {options.candidates};"
            f" so have {len(wrong)} of {len(ended)} prompts",
            why="the run was to have as many answers of each prompt as its config says",
            fix=fix,
        )
    scorer = options.scoring()
    if scorer is None:
        return
    wanted = scorer.judgements(options.candidates)
    bad = [one.scored for one in found if one.scored and len(one.scored.values) != wanted]
    if bad:
        raise CheckFailed(
            f"`{directory}`: answer `{bad[0].candidate.id}` has {len(bad[0].values)} judgements,"
            f" not {wanted}; so have {len(bad)} answers",
            why="means over different numbers of judgements are differently sure",
            fix=fix,
        )
