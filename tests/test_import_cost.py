"""Claim: starting the program, or importing the package, loads nothing heavy and costs little."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = (
    *("aiohttp", "asyncio", "jinja2", "json_repair", "numpy", "orjson", "pyarrow", "pydantic"),
    *("rich", "sqlite3", "tokenizers", "torch", "transformers", "uvloop", "yaml"),
)
"""What neither `selfsown --help` nor `import selfsown` may load."""


@pytest.mark.parametrize(
    "code",
    [
        "import selfsown",
        "from selfsown.cli.main import main; main(['--help'])",
        "from selfsown.cli.main import main; main(['--version'])",
        "import selfsown.extensions, selfsown.core.errors",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    report = f"{code}\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("verb", ["run", "plan", "status", "why", "replay", "demo", "doctor"])
def test_help_of_a_verb_does_not_load_models_either(verb: str) -> None:
    code = f"from selfsown.cli.main import main; main(['{verb}', '--help'])"
    report = f"{code}\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & {"aiohttp", "numpy", "pydantic", "torch", "transformers"}


def test_help_costs_less_than_150_cpu_milliseconds_over_an_empty_program() -> None:
    empty = min(_cpu_s("-c", "pass") for _ in range(5))
    helped = min(_cpu_s("-m", "selfsown", "--help") for _ in range(5))
    assert helped - empty < 0.15


def _cpu_s(*arguments: str) -> float:
    """CPU seconds of a child process, its own children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
