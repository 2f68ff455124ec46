"""Each example runs offline and prints what its header says, from any folder."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BY_PYTHON = sorted(EXAMPLES.glob("*.py"))


def says(path: Path) -> str:
    """What an example's header promises: the indented block after `Prints:`."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        header = ast.get_docstring(ast.parse(text)) or ""
    else:
        header = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
    block = re.search(r"^Prints:\n\n((?:(?: {4}.*)?\n)+)", header + "\n", re.MULTILINE)
    assert block, f"{path.name} has no `Prints:` block in its header"
    return dedent(block[1]).strip() + "\n"


def prints(command: list[str], folder: Path) -> tuple[str, str]:
    """Standard output and standard error of an example, run in an empty folder."""
    here = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def agrees(said: str, printed: str) -> bool:
    """Whether a text is what was promised; `...` stands for anything, spaces for spaces."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(said, printed, flags)


@pytest.mark.parametrize("path", BY_PYTHON, ids=lambda path: path.name)
def test_a_python_example_prints_what_it_says(path: Path, tmp_path: Path) -> None:
    printed, _ = prints([sys.executable, str(path)], tmp_path)
    assert agrees(says(path), printed), printed


def test_the_config_example_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab model needs the extra `local`")
    path = EXAMPLES / "self_instruct_lab.yaml"
    _, told = prints([sys.executable, "-m", "selfsown", "run", str(path)], tmp_path)
    lasting = [
        line for line in told.splitlines() if not re.match(r"\d[\d.]* s  |report:|more:", line)
    ]
    assert agrees(says(path), "\n".join(lasting) + "\n"), told
    assert (tmp_path / "runs/self-instruct-lab/accepted.jsonl").exists()


def test_the_plugin_example_is_installed_and_used_by_name(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab model needs the extra `local`")
    pytest.importorskip("hatchling", reason="installing the plug-in offline needs hatchling")
    path = EXAMPLES / "plugin" / "try.sh"
    printed, _ = prints(["bash", str(path)], tmp_path)
    assert agrees(says(path), printed), printed


def test_a_wrong_promise_would_be_noticed() -> None:
    assert agrees("a ... c\n", "a  b c\n")
    assert not agrees("a ... c\n", "a b d\n")
