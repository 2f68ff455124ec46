"""`selfsown doctor`: what works here, whether a run directory is whole, and how to mend one."""

from __future__ import annotations

import json
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

if TYPE_CHECKING:
    from selfsown.core.journal import Journal
    from selfsown.core.salvage import Salvage

Verdict = Literal["ok", "note", "bad"]

_LOW_DISK_BYTES: Final = 1_000_000_000
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+).*?extra\s*==\s*['\"]([^'\"]+)['\"]")
_RECOVER: Final = "selfsown doctor {} --recover NEW_DIR  (copies every intact row)"
_COPIED: Final = ("config.yaml", "inputs", "blobs")
"""What a recovered directory takes over beside the journal's rows."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    verdict: Verdict
    """`note`: works without it; `bad`: something is wrong."""
    what: str
    fix: str = ""


@click.command()
@click.argument("run_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--model", "uri", metavar="URI", help="Ask this model for one token.")
@click.option(
    "--recover",
    metavar="NEW_DIR",
    type=click.Path(path_type=Path),
    help="Copy every intact row of DIR's journal into a new run directory.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(run_dir: Path | None, uri: str | None, recover: Path | None, as_json: bool) -> int:
    """Check the set-up; with DIR, check a run's journal, counts and files.

    Exit 1 if something is wrong. Nothing in DIR is written.
    """
    if recover is not None:
        if run_dir is None:
            raise click.UsageError("`--recover NEW_DIR` needs the DIR to recover from")
        _recover(run_dir, recover)
        return 0
    checks = list(check_run(run_dir)) if run_dir is not None else list(check_environment())
    if uri is not None:
        checks.append(check_model(uri))
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        click.echo("\n".join(check_lines(checks)))
    return 1 if any(check.verdict == "bad" for check in checks) else 0


def check_environment() -> Iterator[Check]:
    """Python, the packages of each extra, the lab's weights, the disk."""
    from selfsown import __version__
    from selfsown.report.words import amount_of_bytes

    yield Check("selfsown", "ok", __version__)
    is_new = sys.version_info >= (3, 11)
    yield Check("python", "ok" if is_new else "bad", platform.python_version(), "use 3.11 or newer")
    for extra, packages in _extras().items():
        missing = [name for name, version in packages.items() if version is None]
        if missing:
            fix = f"pip install 'selfsown[{extra}]'"
            yield Check(f"extra {extra}", "note", f"not installed: {', '.join(missing)}", fix)
        else:
            found = ", ".join(f"{name} {version}" for name, version in packages.items())
            yield Check(f"extra {extra}", "ok", found)
    yield _check_lab()
    free = shutil.disk_usage(Path.cwd()).free
    verdict: Verdict = "ok" if free >= _LOW_DISK_BYTES else "bad"
    yield Check(
        "disk", verdict, f"{amount_of_bytes(free)} free here", "a run stops when it is full"
    )


def check_model(uri: str) -> Check:
    """Ask a model for one token."""
    from selfsown.core.errors import SelfsownError
    from selfsown.core.model import AttemptFailed
    from selfsown.runner import run_loop

    try:
        return Check("model", "ok", run_loop(_ask_once(uri)))
    except SelfsownError as error:
        return Check("model", "bad", f"`{uri}`: {error.what}", error.fix)
    except AttemptFailed as error:
        if error.kind == "empty":  # it answered; base models may begin with nothing
            return Check("model", "ok", "it answers")
        return Check("model", "bad", f"{error.kind}: {error.detail}", "check URL, name and key")


def check_run(directory: Path) -> Iterator[Check]:
    """Journal rows, lock, conservation and checksums of a run directory.

    Raises:
        InputError: the directory has no config.yaml.
    """
    from selfsown.cli.status import lock_holder
    from selfsown.core.effective import read_effective

    read_effective(directory)
    holder = lock_holder(directory)
    in_use = f"held by process {holder}, which writes it now"
    yield Check("lock", "note" if holder else "ok", in_use if holder else "free")
    yield from _check_journal(directory)
    yield from _check_manifest(directory, is_running=holder is not None)


def check_lines(checks: list[Check]) -> list[str]:
    """Checks in words."""
    from selfsown.cli.summary import aligned
    from selfsown.report.shown import shown_line

    lines = aligned([[c.verdict, c.name, shown_line(c.what, 200)] for c in checks])
    fixes = [check for check in checks if check.fix and check.verdict != "ok"]
    return [*lines, *(f"hint: {check.name}: {check.fix}" for check in fixes)]


def recover_run(directory: Path, target: Path) -> Salvage:
    """Copy a run directory with every intact row of its journal; the original is not touched.

    Raises:
        InputError: `target` exists, or `directory` holds no journal.
    """
    from selfsown.core.errors import InputError
    from selfsown.core.journal import JOURNAL_NAME
    from selfsown.core.salvage import salvage

    source = directory / JOURNAL_NAME
    if not source.exists():
        raise InputError(
            f"`{source}` does not exist",
            why="a run's answers are in its journal",
            fix="give the directory of a run that has been started",
        )
    if target.exists():
        raise InputError(
            f"`{target}` exists",
            why="recovery never overwrites",
            fix="give a directory that does not exist yet",
        )
    target.mkdir(parents=True)
    for name in _COPIED:
        part = directory / name
        if part.is_dir():
            shutil.copytree(part, target / name)
        elif part.exists():
            shutil.copyfile(part, target / name)
    return salvage(source, target / JOURNAL_NAME)


def _recover(directory: Path, target: Path) -> None:
    from selfsown.cli.run import program
    from selfsown.report.words import count, plural

    found = recover_run(directory, target)
    kept = ", ".join(f"{count(rows)} {table}" for table, rows in found.rows.items() if rows)
    click.echo(f"recovered from {plural(found.pages, 'page')}: {kept or 'nothing'}")
    if found.refused:
        click.echo(f"left out: {plural(found.refused, 'cell')} whose checksum does not hold")
    config = shlex.quote(str(target / "config.yaml"))
    click.echo(f"next: {program()} run {config}  (asks only for what was lost)", err=True)


def _extras() -> dict[str, dict[str, str | None]]:
    """Extra → package → installed version, from this package's own metadata."""
    from importlib.metadata import PackageNotFoundError, requires, version

    extras: dict[str, dict[str, str | None]] = {}
    for line in requires("selfsown") or []:
        match = _REQUIREMENT.match(line)
        if match is None or match[1].lower() == "selfsown":
            continue
        try:
            found: str | None = version(match[1])
        except PackageNotFoundError:
            found = None
        extras.setdefault(match[2], {})[match[1]] = found
    return {name: packages for name, packages in extras.items() if name != "all"}


def _check_lab() -> Check:
    """The embedded model's files, by opening it; its weights are not loaded."""
    from selfsown.core.errors import MissingExtra, SelfsownError
    from selfsown.models.uri import open_model

    try:
        model = open_model("lab")
    except MissingExtra as error:
        return Check("lab model", "note", error.what, error.fix)
    except SelfsownError as error:
        return Check("lab model", "bad", error.what, error.fix)
    return Check("lab model", "ok", model.identity)


async def _ask_once(uri: str) -> str:
    from selfsown.core.request import Request, message
    from selfsown.models.uri import open_model

    model = open_model(uri)
    try:
        if model.capabilities.chat:
            request = Request(messages=(message("user", "Say yes."),), max_tokens=1)
        else:
            request = Request(prompt="Say yes.", max_tokens=1)
        answer = await model.attempt(request, timeout_s=60.0)
    finally:
        await model.close()
    return f"`{model.uri}` answers as `{answer.completion.model or model.identity}`"


def _check_journal(directory: Path) -> Iterator[Check]:
    """Every row of every table against its checksum."""
    from selfsown.core.errors import SelfsownError
    from selfsown.core.journal import JOURNAL_NAME, TABLES, Journal
    from selfsown.report.words import count

    try:
        journal = Journal(directory / JOURNAL_NAME, read_only=True)
    except SelfsownError as error:
        yield Check("journal", "bad", error.what, error.fix)
        return
    try:
        rows = {table: _read_through(journal, table) for table in TABLES}
    finally:
        journal.close()
    broken = {table: found for table, found in rows.items() if isinstance(found, SelfsownError)}
    for table, problem in broken.items():
        yield Check(f"journal, {table}", "bad", problem.what, _RECOVER.format(directory))
    if not broken:
        total = sum(found for found in rows.values() if isinstance(found, int))
        yield Check("journal", "ok", f"all {count(total)} checksums hold")


def _read_through(journal: Journal, table: str) -> Any:
    """The number of rows of a table, or the error at the first one that does not hold."""
    from selfsown.core.errors import SelfsownError

    try:
        return sum(1 for _ in journal.rows(table))
    except SelfsownError as error:
        return error


def _check_manifest(directory: Path, *, is_running: bool) -> Iterator[Check]:
    """Counts that add up, and files that are as the manifest says."""
    from selfsown.core.rundir import MANIFEST, read_manifest, sha256_of

    if not (directory / MANIFEST).exists():
        yield Check("manifest", "note", "none yet: the run has not ended", "run it again")
        return
    manifest: Any = read_manifest(directory)
    leaks = [
        f"{stage['stage']} {lost}"
        for stage in manifest["data"]["stages"]
        if (lost := _lost(stage)) and manifest["run"]["status"] == "finished"
    ]
    fix = "report it with the recipe's name"
    yield Check(
        "conservation",
        "bad" if leaks else "ok",
        f"candidates missing: {', '.join(leaks)}" if leaks else "in = kept + rejected + failed",
        fix if leaks else "",
    )
    for name, facts in manifest["data"]["files"].items():
        path = directory / name
        if path.exists() and sha256_of(path) == facts["sha256"]:
            yield Check(name, "ok", f"{facts['rows']:,} rows, checksum holds")
        else:
            what = "does not match the manifest" if path.exists() else "is missing"
            again = f"selfsown run {shlex.quote(str(directory / 'config.yaml'))}"
            yield Check(name, "note" if is_running else "bad", what, f"{again}  (writes it anew)")


def _lost(stage: dict[str, Any]) -> int:
    ended = stage["accepted"] + sum(stage["rejected"].values()) + sum(stage["failed"].values())
    return int(stage["in"] - ended)
