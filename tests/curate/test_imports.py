"""Claim: the whole room runs on the standard library and never asks a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import selfsown.curate

MODULES = sorted(path.stem for path in Path(selfsown.curate.__file__).parent.glob("*.py"))
PROBE = """
import sys
before = set(sys.modules)
import {imports}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(sorted(new - set(sys.stdlib_module_names) - {{"selfsown"}}))
print(sorted(name for name in sys.modules if name.startswith("selfsown.")
             and name.split(".")[1] not in ("core", "curate")))
"""


def test_curate_imports_nothing_but_the_standard_library_and_core() -> None:
    imports = ", ".join(f"selfsown.curate.{name}" for name in MODULES if name != "__init__")
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(imports=imports)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
