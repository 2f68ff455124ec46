"""How a round ended, as a file, and what decides it: guard, training, and the held-out metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.evaluate.results import Results, form_of_test
from selfsown.evaluate.score import compare
from selfsown.guard.record import GuardRecord
from selfsown.loop.config import GateConfig
from selfsown.loop.places import RoundPlaces

Decision = Literal["promoted", "rolled_back", "stopped"]
"""The tuned model writes the next round; it does not, nor are its records kept; nothing was
trained and the loop is over."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a round ended."""

    round: int
    decision: Decision
    reason: str
    generator: str
    """URI of the model that wrote the round."""
    generator_depth: int
    """Trainings on machine data behind it."""
    model: str = ""
    """URI of the model that was tuned; empty if none was."""
    model_depth: int = 0
    test: Mapping[str, JSON] | None = None
    """The paired test that decided: suite, metric, and what `form_of_test` says."""


def write_ending(places: RoundPlaces, ending: Ending) -> None:
    """Write the last file of a round."""
    text = orjson.dumps(asdict(ending), option=orjson.OPT_INDENT_2).decode()
    write_text(places.ending, text + "\n")


def read_ending(places: RoundPlaces) -> Ending | None:
    """How a round ended; None if it has not."""
    if not places.ending.is_file():
        return None
    return Ending(**orjson.loads(places.ending.read_bytes()))


def guard_stop(record: GuardRecord) -> str:
    """Why the guard stops the loop, with all rules that say so; empty if it does not."""
    if record.verdict is None or record.verdict.level != "stop":
        return ""
    alarms = [alarm.message for alarm in record.verdict.alarms if alarm.level == "stop"]
    return f"the guard stops: {'; '.join(alarms)}"


def gate(
    config: GateConfig, before: Results, after: Results
) -> tuple[Decision, str, Mapping[str, JSON]]:
    """Whether a tuned model is promoted, why, and the test: the metric must not have fallen.

    It fell if the whole 95 % interval of the paired difference lies below 0.

    Args:
        config: which suite and metric decide.
        before: scores of the promoted model, or of the base.
        after: scores of the tuned one.
    """
    name = config.suite or after.suites[0].suite
    new = next(one for one in after.suites if one.suite == name)
    old = before.counterpart(new)
    assert old is not None, "both models answered the loop's suites"
    metric = config.metric or next(iter(new.metrics))
    test = compare(old, new, metric)
    change = test.difference
    said = (
        f"`{metric}` on `{name}` {100 * old.metrics[metric].mean:.1f} ->"
        f" {100 * new.metrics[metric].mean:.1f}, paired difference {100 * change.mean:+.1f}"
        f" ({100 * change.low:+.1f} to {100 * change.high:+.1f})"
    )
    form = {"suite": name, "metric": metric, **form_of_test(test)}
    if test.fell and config.acts:
        return "rolled_back", f"the held-out metric fell: {said}", form
    word = "fell, and the gate is off" if test.fell else "did not fall"
    return "promoted", f"the held-out metric {word}: {said}", form
