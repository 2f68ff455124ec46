"""From a round's run to its pairs: counted, held against the floors, then written as a file.

Everything here happens before any training time is spent; a round that is refused leaves no pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from selfsown.core.errors import CheckFailed, TooFewRecords
from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.export.run_files import mapping, open_run, sequence, string
from selfsown.loop.preference.places import RoundPlaces
from selfsown.preference.export import PairOptions, export_pairs
from selfsown.preference.files import pair_of
from selfsown.preference.gates import Floors, Warned, check_pairing, check_some_pairs
from selfsown.preference.pairing import Pairing, Tally, by_prompt, make_pairs
from selfsown.preference.records import Pair
from selfsown.recipes.preference.options import Options
from selfsown.recipes.preference.reading import scored_of
from selfsown.recipes.preference.recipe import PAIRS
from selfsown.train.prepare import LEAST_RECORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What the gates saw of a round that passed them."""

    tally: Mapping[str, JSON]
    """As `Tally.form`; without scores only prompts, pairs and drops."""
    warnings: tuple[Mapping[str, str], ...]
    """Floors that were missed, where that only warns: floor, what, why, fix."""

    @property
    def pairs(self) -> int:
        """Pairs to train on."""
        return int(str(self.tally["pairs"]))


def pair_up(run: Path, places: RoundPlaces, options: Options, floors: Floors) -> Gated:
    """Write the pairs of a finished run, if they are worth training on; once.

    Raises:
        CheckFailed: the judge is no judge, a floor was missed that refuses, prompts or answers were
            lost, or their numbers are not those of the config.
        TooFewRecords: there are no pairs.
        EnvironmentFailure: the files cannot be written.
    """
    if places.gates.is_file():
        form = orjson.loads(places.gates.read_bytes())
        return Gated(tally=form["tally"], warnings=tuple(form["warnings"]))
    pairs, dropped, prompts = _ended(run)
    if options.is_scored:
        tally = replace(_tally(run, options), prompts=prompts, pairs=len(pairs), dropped=dropped)
        warned = check_pairing(Pairing(tuple(pairs), (), tally), floors)
        counts = tally.form()
    else:
        warned, counts = [], {"prompts": prompts, "pairs": len(pairs), "dropped": dict(dropped)}
    _check_enough(pairs, dropped)
    places.home.mkdir(parents=True, exist_ok=True)  # the run may lie elsewhere
    export_pairs(run, places.pairs, PairOptions(force=True))
    found = Gated(tally=counts, warnings=tuple(_form(one) for one in warned))
    text = orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2).decode()
    write_text(places.gates, text + "\n")
    return found


def _check_enough(pairs: Sequence[Pair], dropped: Mapping[str, int]) -> None:
    """Make sure that a training takes them.

    Raises:
        TooFewRecords: there are fewer than it needs.
    """
    check_some_pairs(pairs, dropped)
    if len(pairs) < LEAST_RECORDS:
        reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items())
        raise TooFewRecords(
            f"there is one pair: {reasons}",
            why=f"a training needs {LEAST_RECORDS} pairs at least",
            fix="more prompts in each round, more answers or judgements leave more pairs",
        )


def _tally(run: Path, options: Options) -> Tally:
    """Counts over the scored answers; which of them became pairs is the run's to say."""
    return make_pairs(by_prompt(scored_of(run)), options.picking()).tally


def _ended(run: Path) -> tuple[list[Pair], dict[str, int], int]:
    """Pairs, prompts without one by reason, and prompts in all.

    Raises:
        CheckFailed: some prompts ended as nothing.
    """
    files = open_run(run)
    pairs = [
        pair_of(row, f"`{run}` pair {number}")
        for number, row in enumerate(files.rows("accepted"), start=1)
    ]
    dropped: Counter[str] = Counter()
    for row in files.rows("rejected"):
        if row.get("stage") == PAIRS:
            dropped[string(row.get("reason"))] += 1
    for row in files.rows("failed"):
        if row.get("stage") == PAIRS:
            dropped["failed"] += 1
    entered = _entered(run)
    if entered != len(pairs) + dropped.total():
        raise CheckFailed(
            f"`{run}`: {entered} prompts, {len(pairs)} pairs and {dropped.total()} drops",
            why="every prompt becomes a pair or is listed with the reason why not",
            fix="run it again: its files are written anew from the journal",
        )
    return pairs, dict(sorted(dropped.items())), entered


def _entered(run: Path) -> int:
    """Prompts that entered the stage of pairs."""
    stages = map(mapping, sequence(open_run(run).data.get("stages")))
    counts = {string(one.get("stage")): one.get("in") for one in stages}
    return int(str(counts.get(PAIRS) or 0))


def _form(one: Warned) -> Mapping[str, str]:
    return {name: str(text) for name, text in asdict(one).items()}
