"""`selfsown status` on what is no run: a loop, one of its rounds, an experiment, a training."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from selfsown.cli.main import shown

Kind = Literal["loop", "round", "experiment", "training", "sharded job", "merge"]

_STOPPED_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class OtherStatus:
    """What a directory holds that is no run."""

    directory: str
    kind: Kind
    state: str
    """In words."""
    process: int | None
    """The process that writes the directory now."""
    lines: tuple[str, ...]
    """More about it."""
    next: str
    """The command to go on with; empty while a process works on it."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a round ended, of whatever loop it is."""

    round: int
    decision: str
    reason: str


def read_other(directory: Path, holder: Callable[[Path], int | None]) -> OtherStatus | None:
    """The status of a directory that is no run; None if it is nothing that selfsown knows.

    Args:
        directory: any.
        holder: the process that holds a directory's lock.

    Raises:
        InputError: a file in it cannot be read.
    """
    from selfsown.core.journal import JOURNAL_NAME
    from selfsown.core.rundir import MANIFEST
    from selfsown.loop.places import ARMS, LoopPlaces
    from selfsown.scale.job import is_job
    from selfsown.train.plan import PLAN, RECORD, WORK

    if is_job(directory):
        return _job(directory, holder(directory))
    if not (directory / JOURNAL_NAME).exists() and (directory / MANIFEST).exists():
        return _merge(directory)
    if LoopPlaces(directory).config.is_file():
        return _loop(directory, holder(directory))
    home = directory.parent.parent
    if directory.parent.name == "rounds" and LoopPlaces(home).config.is_file():
        return _round(directory, home, holder(home))
    if LoopPlaces(directory).numbers.is_file() or (directory / ARMS).is_dir():
        return _experiment(directory, holder(directory))
    if (directory / RECORD).is_file() or (directory / WORK / PLAN).is_file():
        return _training(directory, holder(directory / WORK))
    return None


def other_lines(found: OtherStatus) -> list[str]:
    """The status in words."""
    lines = [f"{found.directory}: {found.kind}, {found.state}", *found.lines]
    return [shown(line) for line in lines] + ([f"next: {found.next}"] if found.next else [])


def _loop(directory: Path, process: int | None) -> OtherStatus:
    from selfsown.cli.run import program
    from selfsown.core.config import read_config
    from selfsown.loop.places import LoopPlaces

    places = LoopPlaces(directory)
    config = read_config(places.config)
    wanted = int(config["rounds"])
    found = (_ended(places.round(number).ending) for number in range(wanted))
    endings = [one for one in found if one is not None]
    lines = [f"round {one.round}: {one.decision}: {one.reason}" for one in endings]
    again = f"{program()} loop {shlex.quote(str(places.config))}"
    if endings and endings[-1].decision == "stopped":
        state, again = f"stopped by the guard in round {endings[-1].round}", ""
        lines += [f"remedy: {one}" for one in _remedies(places.round(endings[-1].round).home)]
    elif len(endings) == wanted:
        state = f"finished: all {wanted} rounds are turned"
        again += f" --rounds {2 * wanted}"
    else:
        state = f"{len(endings)} of {wanted} rounds turned"
        stage = _stage(places.round(len(endings)).home, config.get("recipe"))
        lines.append(f"round {len(endings)}: {stage}")
    lines += _control_lines(directory, config)
    if process is not None:
        state, again = f"running, in process {process}: {state}", ""
    if places.page.is_file():
        lines.append(f"page: {places.page}")
    return OtherStatus(str(directory), "loop", state, process, tuple(lines), again)


def _control_lines(directory: Path, config: dict[str, Any]) -> list[str]:
    """Which controls a loop over pairs has, and which it is to have."""
    from selfsown.loop.preference.measure import PROBE
    from selfsown.loop.preference.places import PreferencePlaces

    places, last = PreferencePlaces(directory), int(config["rounds"]) - 1
    wanted = config.get("controls") or []
    chains = [places.control(name) for name in wanted]
    made = [
        name
        for name, chain in zip(wanted, chains, strict=True)
        if (chain.home / "probe" / PROBE).is_file() or chain.round(last).ending.is_file()
    ]
    left = [name for name in wanted if name not in made]
    lines = [f"controls: {', '.join(made)}"] if made else []
    return [*lines, f"controls to make: {', '.join(left)}"] if left else lines


def _job(directory: Path, process: int | None) -> OtherStatus:
    from selfsown.cli.run import program
    from selfsown.core.cost import NANO
    from selfsown.report.words import count, plural, usd
    from selfsown.scale.job import read_facts
    from selfsown.scale.ledger import Ledger
    from selfsown.scale.places import JobPlaces

    facts = read_facts(directory)
    with Ledger(JobPlaces(directory).ledger, read_only=True) as ledger:
        totals, stopped = ledger.totals(), ledger.stopped(_STOPPED_SHOWN)
    is_done = totals.finished == totals.shards
    state = f"{count(totals.finished)} of {plural(totals.shards, 'shard')} finished"
    epochs = f" in {plural(facts.epochs, 'epoch')}" if facts.epochs > 1 else ""
    lines = [
        f"{facts.recipe}: {count(facts.rows)} inputs over {plural(facts.shards, 'shard')}{epochs}",
        f"shards that ended: {count(totals.accepted)} kept, {count(totals.rejected)} rejected,"
        f" {count(totals.failures)} failed; {plural(totals.calls, 'call')},"
        f" {count(totals.tokens)} tokens, {usd(totals.nano_usd / NANO)}",
        *(f"shard {shard:05d} was stopped: {what}" for shard, what in stopped),
    ]
    if process is not None:
        return OtherStatus(
            str(directory),
            "sharded job",
            f"running, in process {process}: {state}",
            process,
            tuple(lines),
            "",
        )
    home = shlex.quote(str(directory))
    again = f"{program()} merge {home} -o {home}/merged"
    if not is_done:
        again = "the command that began it, again: it resumes"
    return OtherStatus(str(directory), "sharded job", state, None, tuple(lines), again)


def _merge(directory: Path) -> OtherStatus | None:
    from selfsown.cli.merge import export_command
    from selfsown.cli.summary import stage_lines
    from selfsown.core.rundir import read_manifest
    from selfsown.report.words import count, plural

    data: Any = read_manifest(directory)["data"]
    facts = data["notes"].get("merge")
    if facts is None:
        return None
    state = (
        f"{plural(facts['runs'], 'run')}, {count(facts['accepted'])} of {count(facts['in'])} kept"
    )
    again = export_command(directory, data["recipe"])
    lines = tuple(stage_lines(data["stages"]))
    return OtherStatus(str(directory), "merge", state, None, lines, again)


def _remedies(home: Path) -> list[str]:
    """What the guard advised in the round that it stopped."""
    from selfsown.guard.record import read_record

    verdict = read_record(home).verdict
    return [one.action for one in verdict.remedies] if verdict else []


def _experiment(directory: Path, process: int | None) -> OtherStatus:
    from selfsown.loop.places import LoopPlaces
    from selfsown.report.words import plural

    places = LoopPlaces(directory)
    loops = sorted(path.parent for path in directory.glob("*/**/loop.yaml"))
    lines = [f"loop inside: selfsown status {shlex.quote(str(one))}" for one in loops]
    state = f"arms and {plural(len(loops), 'loop')} on one page"
    if places.page.is_file():
        lines.append(f"page: {places.page}")
    else:
        state = "the arms are not all made yet"
    if process is not None:
        state = f"running, in process {process}: {state}"
    again = "" if process is not None else "the command that began it, again: it does what is left"
    return OtherStatus(str(directory), "experiment", state, process, tuple(lines), again)


def _round(directory: Path, home: Path, process: int | None) -> OtherStatus:
    from selfsown.cli.run import program
    from selfsown.core.config import read_config
    from selfsown.loop.places import LoopPlaces, RoundPlaces

    recipe = read_config(LoopPlaces(home).config).get("recipe")
    ending = _ended(RoundPlaces(directory).ending)
    state = f"{ending.decision}: {ending.reason}" if ending else _stage(directory, recipe)
    names = ("run", "model", "eval", "probe/run", "anchor/run")
    inside = ", ".join(f"`{directory / name}`" for name in names if (directory / name).is_dir())
    lines = (f"of the loop `{home}`",) + ((f"inside: {inside}",) if inside else ())
    again = "" if process else f"{program()} status {shlex.quote(str(home))}"
    return OtherStatus(str(directory), "round", state, process, lines, again)


def _ended(path: Path) -> _Ended | None:
    """How a round of any loop ended; None if it has not."""
    import orjson

    if not path.is_file():
        return None
    form = orjson.loads(path.read_bytes())
    return _Ended(form["round"], form["decision"], form["reason"])


def _stage(home: Path, recipe: object) -> str:
    """What is done of a round that has not ended; a stage is done when its last file exists."""
    from selfsown.loop.preference.config import RECIPE_NAMES

    done = _preference_stages(home) if recipe in RECIPE_NAMES else _tuning_stages(home)
    names = [name for name, is_done in done.items() if is_done]
    return f"{', '.join(names)}; not ended" if names else "not finished generating"


def _tuning_stages(home: Path) -> dict[str, bool]:
    from selfsown.evaluate.results import RESULTS
    from selfsown.guard.record import GUARD_FILE
    from selfsown.loop.generate import is_finished
    from selfsown.loop.places import RoundPlaces
    from selfsown.train.plan import RECORD

    places = RoundPlaces(home)
    return {
        "generated": is_finished(places.run),
        "curated": places.curated.is_file(),
        "guarded": (home / GUARD_FILE).is_file(),
        "trained": (places.model / RECORD).is_file(),
        "evaluated": (places.scores / RESULTS).is_file(),
    }


def _preference_stages(home: Path) -> dict[str, bool]:
    from selfsown.loop.generate import is_finished
    from selfsown.loop.preference.measure import PROBE
    from selfsown.loop.preference.places import RoundPlaces
    from selfsown.train.plan import RECORD

    places = RoundPlaces(home)
    return {
        "generated": is_finished(places.run),
        "paired": places.gates.is_file(),
        "trained": (places.model / RECORD).is_file(),
        "probed": (places.probe / PROBE).is_file(),
    }


def _training(directory: Path, process: int | None) -> OtherStatus:
    from selfsown.train.checkpoints import last_checkpoint
    from selfsown.train.child import CHECKPOINTS
    from selfsown.train.plan import RECORD, WORK, read_training
    from selfsown.train.sft import LOG

    if (directory / RECORD).is_file():
        model = read_training(directory)["model"]
        assert isinstance(model, dict)
        about = f"depth {model['model_depth']}, {model['human_share']:.0%} of the tokens human"
        lines = (f"base: {model['base']}", about)
        place = shlex.quote(str(directory))
        again = f"selfsown evaluate {place} --suite SUITE -o evals/NAME"
        return OtherStatus(str(directory), "training", "finished", None, lines, again)
    last = last_checkpoint(directory / WORK / CHECKPOINTS)
    state = f"not finished; {f'`{last.name}` is whole' if last else 'no checkpoint yet'}"
    if process is not None:
        state = f"running, in process {process}: {state}"
    log = f"log: {directory / WORK / LOG}"
    again = "" if process is not None else "the `selfsown train` command that began it, again"
    return OtherStatus(str(directory), "training", state, process, (log,), again)
