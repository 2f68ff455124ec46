"""Claim: imports only point down the floors, and files keep to the house rules.

The floors stand in `docs/architecture.md` and are read from there.
`python tests/test_architecture.py` writes the table's last column anew; floors are for people to
choose.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "selfsown"
MODULES = sorted(PACKAGE.rglob("*.py"))
DOCUMENT = ROOT / "docs" / "architecture.md"
ROW = re.compile(r"^(\| (\d+) \| `(\w+)` \|[^|]+\|)([^|]*)\|$", re.MULTILINE)
"""A row of the floor table: all but its last column, floor, room, last column."""
LONG = 500
"""Lines beyond which a file's docstring has to say why it is one file."""


@dataclass(frozen=True)
class Room:
    """A row of the floor table: a folder or top-level file of the package."""

    floor: int
    imports: frozenset[str]


def documented() -> dict[str, Room]:
    """The floor table of the document: room → floor and the rooms it imports."""
    return {
        name: Room(int(floor), frozenset(re.findall(r"`(\w+)`", used)))
        for _, floor, name, used in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    }


def imported(tree: ast.Module, path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top, in a function or for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = str(node.module)
            if module == "selfsown":  # `from selfsown import core` or `... import __version__`
                yield from (f"selfsown.{alias.name}" for alias in node.names)
            else:
                yield module


def room_of(module: str) -> str:
    """The room of a module, `core` for `selfsown.core.run`; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def edges() -> dict[str, set[str]]:
    """Room → the rooms it imports, as the code has it. The package's own front door is left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        relative = path.relative_to(PACKAGE)
        room = relative.parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        found[room] |= {
            other
            for module in imported(ast.parse(path.read_text(encoding="utf-8")), path)
            if module.startswith("selfsown.")
            and (other := room_of(module)) not in ("", room, "__version__")
        }
    return dict(found)


def test_the_floor_table_is_what_the_code_imports() -> None:
    rooms, found = documented(), edges()
    assert sorted(rooms) == sorted(found), "the table in docs/architecture.md names other rooms"
    wrong = {room: used for room, used in found.items() if rooms[room].imports != used}
    assert not wrong, "python tests/test_architecture.py writes the last column anew"


def test_imports_only_point_down() -> None:
    rooms = documented()
    up = [
        f"{room} (floor {rooms[room].floor}) imports {other} (floor {rooms[other].floor})"
        for room, used in edges().items()
        for other in used
        if rooms[other].floor >= rooms[room].floor
    ]
    assert not up


def test_an_import_that_points_up_would_be_found() -> None:
    lazily = ast.parse("def f() -> None:\n    from selfsown.cli.main import main\n")
    assert [room_of(module) for module in imported(lazily, PACKAGE)] == ["cli"]
    assert documented()["cli"].floor > documented()["core"].floor


def test_core_and_extensions_import_nothing_of_ours() -> None:
    assert edges()["core"] == edges()["extensions"] == set()


def test_lazy_import_strings_of_the_extension_points_exist() -> None:
    import selfsown.extensions as screen

    tables: list[Mapping[str, str]] = [
        value for name, value in vars(screen).items() if name.isupper() and isinstance(value, dict)
    ]
    assert len(tables) >= 4
    for target in (target for table in tables for target in table.values()):
        module, _, attribute = target.partition(":")
        file = ROOT / "src" / (module.replace(".", "/") + ".py")
        assert re.search(rf"^(def |class )?{attribute}\b", file.read_text(), re.MULTILINE), target


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc"])
def test_no_module_is_a_drawer_for_everything(word: str) -> None:
    assert not [path for path in MODULES if word in path.relative_to(PACKAGE).with_suffix("").parts]


def test_every_module_says_in_one_sentence_what_it_is() -> None:
    unsaid = []
    for path in MODULES:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = docstring.strip().partition("\n\n")[0]
        if not first.rstrip().endswith((".", "?", "!", ":")):
            unsaid.append(str(path.relative_to(PACKAGE)))
    assert not unsaid


def test_a_long_file_says_why_it_is_one_file() -> None:
    unjustified = [
        f"{path.relative_to(PACKAGE)}: {count} lines"
        for path in MODULES
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LONG
        and "in one file" not in (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    ]
    assert not unjustified, "split it, or let the docstring say why it stays `in one file`"


def test_no_function_is_longer_than_sixty_lines() -> None:
    long = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = (node.end_lineno or 0) - body_start(node) + 1
                if count > 60:
                    long.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}: {count}")
    assert not long


def body_start(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """First line of a function's body after its docstring."""
    has_docstring = ast.get_docstring(node) is not None and len(node.body) > 1
    return node.body[1].lineno if has_docstring else node.body[0].lineno


def rewritten() -> str:
    """The document with the last column of its floor table as the code has it."""
    found = edges()

    def row(match: re.Match[str]) -> str:
        used = ", ".join(f"`{name}`" for name in sorted(found.get(match[3], ())))
        return f"{match[1]} {used} |" if used else f"{match[1]} |"

    return ROW.sub(row, DOCUMENT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(), encoding="utf-8")
