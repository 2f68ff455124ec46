"""Claim: the documents can be done: code runs, commands parse, links hold, listings are true.

`python tests/docs/test_docs.py` copies the program's help into `docs/guides/commands.md`, and
`selfsown demo 2> FILE; python tests/docs/test_docs.py FILE` the demo's output into README.md.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
import yaml

from selfsown.cli.demo import demo_run, opening_lines
from selfsown.cli.main import cli
from selfsown.core.config import make_config
from selfsown.loop.config import make_loop_config
from selfsown.loop.preference.config import make_preference_loop_config
from selfsown.models.settings import read_settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "guides" / "commands.md"
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".j2", ".sh", ".html", ".css", ".js", ""}
MACHINE_PATHS = ("/" + "work/", "/" + "tmp/", "/" + "root/")
"""Folders of some machine; written in two parts, so that this file holds none of them."""


def name_of(path: Path) -> str:
    """A file's path in the repository, as a test id."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, *languages: str) -> Iterator[str]:
    """The fenced blocks of a document in any of these languages."""
    text = path.read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield block


def command_lines(path: Path) -> Iterator[list[str]]:
    """The words of every command line in a document's shell blocks, comments taken off."""
    for block in blocks(path, "sh", "bash", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words:
                yield words


def check_syntax(command: click.Command, words: Sequence[str]) -> None:
    """Parse a command line down to its verb, without opening files; click's errors pass."""
    context = click.Context(command, **command.context_settings)
    if isinstance(command, click.Group) and not is_used_as_verb(command, words):
        if words[:1] and words[0] in ("--help", "--version"):
            return
        name = words[0] if words else ""
        verb = command.get_command(context, name)
        if verb is None:
            raise click.UsageError(f"no command `{name}` in `{command.name}`")
        check_syntax(verb, words[1:])
        return
    given, left, _ = command.make_parser(context).parse_args(list(words))
    if left:
        raise click.UsageError(f"unexpected {left}")
    for parameter in command.params:
        value = given.get(parameter.name or "")
        if parameter.required and not isinstance(value, str | tuple):
            raise click.MissingParameter(param=parameter)
        if isinstance(value, str) and isinstance(
            parameter.type, click.Choice | click.types.IntParamType | click.types.FloatParamType
        ):
            parameter.type.convert(value, parameter, context)


def is_used_as_verb(group: click.Group, words: Sequence[str]) -> bool:
    """Whether a group that does something by itself is given its own options."""
    first = words[0] if words else ""
    is_help = first in ("--help", "--version")
    return group.invoke_without_command and first.startswith("-") and not is_help


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if any(blocks(path, "python"))], ids=name_of
)
def test_the_python_blocks_of_a_document_run_one_after_another(path: Path, tmp_path: Path) -> None:
    code = "\n".join(blocks(path, "python"))
    if '"lab"' in code:
        pytest.importorskip("torch", reason="the lab model needs the extra `local`")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_command_line_of_a_document_parses(path: Path) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in command_lines(path):
        if words[0] == "selfsown":
            check_syntax(cli, words[1:])
        elif words[0] == "make":
            assert set(words[1:]) <= set(targets), words


def test_a_command_line_that_does_not_exist_would_be_noticed() -> None:
    for wrong in (
        "run self-instruct --modle lab",
        "grow",
        "seeds water",
        "export runs/mine",
        "run",
        "run a b",
        "run a --order alphabetic",
        "run a -n many",
    ):
        with pytest.raises(click.UsageError):
            check_syntax(cli, wrong.split())


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_configs_and_records_in_documents_are_valid(path: Path) -> None:
    for block in blocks(path, "yaml"):
        form = yaml.safe_load(block)
        if "suites" in form:
            make_loop_config(form)
            continue
        if "probe" in form:
            make_preference_loop_config(form)
            continue
        config = make_config(form)
        for settings in config.models.values():
            read_settings(settings, {"MY_KEY": "key"})
    for block in blocks(path, "json"):
        for line in block.splitlines():
            json.loads(line)


def test_the_help_listing_is_the_programs() -> None:
    assert COMMANDS.read_text("utf-8") == with_help(), "python tests/docs/test_docs.py copies it"


def test_the_demo_in_the_readme_opens_and_closes_as_the_program_does() -> None:
    shown = README.read_text("utf-8").partition("<!-- demo:begin -->")[2]
    shown = shown.partition("<!-- demo:end -->")[0]
    assert "\n".join(opening_lines(demo_run("runs/demo", 100, 7))) in shown
    for label in ("completions", "instructions", "instances", "finished: the target is reached"):
        assert re.search(rf"^{label}\b", shown, re.MULTILINE), label


def with_help() -> str:
    """The document of all commands with the program's help in its place."""
    context = click.Context(
        cli, info_name="selfsown", terminal_width=80, max_content_width=80, **cli.context_settings
    )
    return marked(COMMANDS, "help", cli.get_help(context))


def with_demo(printed: str) -> str:
    """The README with what the demo printed, progress left out, in its place."""
    lines = [line for line in printed.splitlines() if not re.match(r"[\d.]+ (s|min)  ", line)]
    return marked(README, "demo", re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())


def marked(path: Path, name: str, text: str) -> str:
    """A document with a text as the block between two marks."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    head, _, rest = path.read_text("utf-8").partition(begin)
    return f"{head}{begin}```text\n{text}\n```\n{end}{rest.partition(end)[2]}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_to_files_and_headings_hold(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{name_of(path)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_named_modules_and_tests_exist() -> None:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for file in re.findall(r"`((?:src|tests|docs|benchmarks|examples)/[\w./-]+\.\w+)`", text):
            known = "NAME" in file or (ROOT / file).exists()
            assert known, f"{name_of(path)} names {file}"
    papers = (ROOT / "docs/papers.md").read_text(encoding="utf-8")
    for file in re.findall(r"`((?:core|curate|models|report|train)/[\w./]+\.py)`", papers):
        assert (ROOT / "src/selfsown" / file).exists(), f"docs/papers.md names {file}"


def test_the_readme_names_every_room_of_the_package() -> None:
    tree = (ROOT / "README.md").read_text("utf-8").partition("## Files")[2]
    rooms = [path for path in (ROOT / "src/selfsown").iterdir() if not path.name.startswith("_")]
    named = [path.name for path in rooms if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert len(named) > 10
    assert not [name for name in named if not re.search(rf"\b{re.escape(name)}", tree)]


def test_journal_tables_are_documented_as_they_are() -> None:
    from selfsown.core.journal import TABLES

    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|$", text, re.MULTILINE))
    documented = {name: tuple(re.findall(r"`(\w+)`", columns)) for name, columns in rows.items()}
    assert documented == TABLES


def test_no_shipped_text_holds_a_path_of_some_machine() -> None:
    found = []
    for path in shipped():
        text = path.read_text(encoding="utf-8")
        found += [f"{name_of(path)}: {part}" for part in MACHINE_PATHS if part in text]
    assert not found


def shipped() -> Iterator[Path]:
    """Every text file of the repository that a user gets."""
    folders = ("src", "tests", "docs", "examples", "benchmarks", ".ci")
    for path in [
        *ROOT.glob("*"),
        *(file for folder in folders for file in (ROOT / folder).rglob("*")),
    ]:
        hidden = any(
            part.startswith((".", "__")) and part != ".ci" for part in path.relative_to(ROOT).parts
        )
        if path.is_file() and path.suffix in TEXT and not hidden:
            yield path


if __name__ == "__main__":
    COMMANDS.write_text(with_help(), encoding="utf-8")
    if sys.argv[1:]:
        README.write_text(with_demo(Path(sys.argv[1]).read_text("utf-8")), encoding="utf-8")
