"""The numbers of a loop, read from its files, as `loop.json` and one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from selfsown.core.randomness import rng_for
from selfsown.core.rundir import read_lines, read_manifest
from selfsown.evaluate.results import RESULTS, Results, read_results
from selfsown.guard.record import GUARD_FILE, GuardRecord, read_record
from selfsown.guard.sample import SampleKind
from selfsown.loop.config import LoopConfig
from selfsown.loop.curation import Curated
from selfsown.loop.ending import Ending
from selfsown.loop.places import LoopPlaces, RoundPlaces
from selfsown.report.loop_numbers import (
    VERSION,
    Alarm,
    Before,
    Cost,
    LoopNumbers,
    Measure,
    Mix,
    PageNumbers,
    RoundNumbers,
    Score,
)
from selfsown.report.loop_page import write_loop_page
from selfsown.train.plan import RECORD

EXAMPLES = 8
LOST_SHOWN = 4


def write_summary(config: LoopConfig, places: LoopPlaces, endings: Sequence[Ending]) -> None:
    """Write `loop.json` and `loop.html` of a loop, each as a whole."""
    numbers = loop_numbers(config, places, endings)
    page = PageNumbers(VERSION, places.home.name, (numbers,))
    write_loop_page(page, places.numbers, places.page)


def loop_numbers(
    config: LoopConfig,
    places: LoopPlaces,
    endings: Sequence[Ending],
    *,
    name: str = "",
) -> LoopNumbers:
    """Everything the page says about a loop; equal files give equal numbers, costs apart."""
    base = read_results(places.base_scores)
    kept = [one for one in endings if one.decision == "promoted"]
    examples: tuple[Before, ...] = ()
    if kept:
        suite = config.gate.suite or base.suites[0].suite
        after = places.round(kept[-1].round).scores
        examples = before_and_after(places.base_scores, after, suite, config.seed)
    ended, well = _ended(config, endings)
    return LoopNumbers(
        name=name or places.home.name,
        about=_about(config),
        base=config.base,
        base_scores=scores_of(base),
        rounds=tuple(_round(places.round(one.round), one) for one in endings),
        examples=examples,
        ended=ended,
        ended_well=well,
    )


def scores_of(results: Results) -> tuple[Score, ...]:
    """Means and intervals of all suites and metrics."""
    return tuple(
        Score(one.suite, metric, Measure(found.mean, found.low, found.high))
        for one in results.suites
        for metric, found in one.metrics.items()
    )


def before_and_after(before: Path, after: Path, suite: str, seed: int) -> tuple[Before, ...]:
    """Some questions of a suite with both models' answers, drawn so that nobody chose them."""
    both = zip(_predictions(before, suite), _predictions(after, suite), strict=True)
    pairs = [(old, new) for old, new in both]
    drawn = rng_for(seed, "loop-examples").sample(range(len(pairs)), min(EXAMPLES, len(pairs)))
    return tuple(_before(*pairs[number]) for number in sorted(drawn))


def _before(old: Mapping[str, object], new: Mapping[str, object]) -> Before:
    targets = new["target"]
    reference = str(targets[0]) if isinstance(targets, list) and targets else ""
    return Before(
        str(new["instruction"]),
        str(new["input"]),
        reference,
        str(old["response"]),
        str(new["response"]),
    )


def _predictions(directory: Path, suite: str) -> list[dict[str, object]]:
    rows = read_lines(directory / "predictions" / f"{suite}.jsonl")
    return [dict(row) for row in rows if isinstance(row, dict)]


def _round(places: RoundPlaces, ending: Ending) -> RoundNumbers:
    record = read_record(places.home) if (places.home / GUARD_FILE).is_file() else None
    verdict = record.verdict if record else None
    curated = Curated(**orjson.loads(places.curated.read_bytes()))
    scores = places.scores / RESULTS
    return RoundNumbers(
        round=ending.round,
        decision=ending.decision,
        reason=ending.reason,
        generator_depth=ending.generator_depth,
        candidates=_candidates(places.run),
        accepted=curated.accepted,
        overlaps=curated.overlaps,
        kept=curated.kept,
        guard=verdict.level if verdict else "",
        alarms=tuple(
            Alarm(
                alarm.rule,
                alarm.level,
                alarm.message,
                tuple(loss.name for loss in alarm.evidence[:LOST_SHOWN]),
            )
            for alarm in (verdict.alarms if verdict else ())
        ),
        remedies=tuple(remedy.action for remedy in (verdict.remedies if verdict else ())),
        diversity=_measures(record, "raw"),
        curated=_measures(record, "curated"),
        unbiased=_measures(record, "unbiased"),
        mix=_mix(record),
        scores=scores_of(read_results(places.scores)) if scores.is_file() else (),
        cost=_cost(places),
    )


def _candidates(directory: Path) -> int:
    """Instructions before any filter; 0 for recipes without such a stage."""
    data = read_manifest(directory)["data"]
    stages = data["stages"] if isinstance(data, Mapping) else []
    assert isinstance(stages, Sequence)
    named = [stage for stage in stages if isinstance(stage, Mapping)]
    entered = [stage["in"] for stage in named if stage["stage"] == "instructions"]
    return int(str(entered[0])) if entered else 0


def _measures(record: GuardRecord | None, kind: SampleKind) -> dict[str, Measure]:
    if record is None or kind not in record.metrics:
        return {}
    values = record.metrics[kind].values
    return {name: Measure(one.value, one.lo, one.hi, one.baseline) for name, one in values.items()}


def _mix(record: GuardRecord | None) -> Mix | None:
    data = record.data if record else None
    if data is None:
        return None
    depths = {str(depth): count for depth, count in data.synth_rows_by_depth.items()}
    return Mix(data.human_rows, depths, data.human_token_share)


def _cost(places: RoundPlaces) -> Cost:
    run = read_manifest(places.run)["run"]
    assert isinstance(run, dict)
    path = places.model / RECORD
    seconds = orjson.loads(path.read_bytes())["result"]["seconds"] if path.is_file() else 0.0
    tokens = [run["input_tokens"], run["output_tokens"]]
    return Cost(
        calls=int(str(run["calls"])),
        tokens=sum(int(str(one)) for one in tokens),
        usd=float(str(run["cost_usd"])),
        generate_s=float(str(run["wall_s"])),
        train_s=float(seconds),
    )


def _about(config: LoopConfig) -> str:
    start = "the human seeds" if config.demonstrations == "human" else "tasks of the round before"
    kept = "all kept rounds" if config.data == "accumulate" else "the last round alone"
    human = "the human seeds and " if config.human_data else ""
    return f"Each round starts from {start} and tunes the original base on {human}{kept}."


def _ended(config: LoopConfig, endings: Sequence[Ending]) -> tuple[str, bool]:
    last = endings[-1]
    if last.decision == "stopped":
        return f"The guard ended it in round {last.round}.", False
    promoted = sum(one.decision == "promoted" for one in endings)
    done = len(endings)
    rest = "" if done == config.rounds else f" of {config.rounds}"
    return f"{done}{rest} rounds turned, {promoted} promoted.", promoted > 0
