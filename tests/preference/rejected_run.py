"""A run directory with rejected records of many reasons."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any, Final

_RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))

ACCEPTED: Final = (
    ("Name a colour.", "", "blue"),
    ("Name a colour.", "", "red"),
    ("Add the numbers.", "2 3", "5"),
    ("Spell the word.", "cat", "c a t"),
)
REJECTED: Final = (
    # reason, instruction, input, output, what becomes of it
    ("votes_disagree", "Add the numbers.", "2 3", "6", "pair"),
    ("conflicting_outputs", "Add the  numbers.", "2 3", "seven", "pair"),  # 5 is given twice
    ("conflicting_outputs", "Spell the word.", "cat", "cat", "tied"),
    ("repetitive", "Name a colour.", "N/A", "blue blue blue blue blue blue blue blue", "pair"),
    ("refusal", "Spell the word.", "dog", "I cannot do that.", "no_accepted_answer"),
    ("votes_disagree", "Spell the word.", "CAT", "C A T", "no_accepted_answer"),
    ("votes_disagree", "Name a colour.", "", " Red ", "accepted_too"),
    ("votes_disagree", "Add the numbers.", "2 3", " 6", "repeated"),
    ("duplicate", "Add the numbers.", "2 3", "5", "not_the_answer"),
    ("cut_off", "Add the numbers.", "2 3", "The sum of", "not_the_answer"),
    ("merge_near_duplicate", "Add the numbers.", "2 3", "55", "not_the_answer"),
    ("too_loud", "Add the numbers.", "2 3", "FIVE!!!", "unknown_reason"),
    ("garble_of_theirs", "Add the numbers.", "2 3", "%%", "unknown_reason"),
)


def write_run(
    directory: Path, *, accepted: tuple[Any, ...] = ACCEPTED, status: str = "finished"
) -> Path:
    """Write it through the engine's own stages, journal and manifest."""
    run = _RUNS["RunWriter"](directory)
    instructions = run.stage("instructions", "instruction")
    instances = run.stage("instances", "instance", output=True)
    key = run.call("Write tasks.", "1. Draw a cat.")
    for place, (text, reason) in enumerate(
        (("Draw a cat.", "asks_for_drawing"), ("Say hi.", "too_short"), ("Sure!", "boilerplate"))
    ):
        instructions.enter({"instruction": text}, order=(place,), keys=[key]).reject(reason)
    place = 0
    for instruction, given, output in accepted:
        payload = {"instruction": instruction, "input": given, "output": output}
        instances.enter(payload, order=(place,), keys=[key]).keep()
        place += 1
    for reason, instruction, given, output, _ in REJECTED:
        payload = {"instruction": instruction, "input": given, "output": output}
        instances.enter(payload, order=(place,), keys=[key]).reject(reason)
        place += 1
    written: Path = run.write(status=status)
    return written
