"""Claim: the wheel installs light into an empty environment and runs there without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import orjson
import pytest
from tests.system.processes import REPOSITORY

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000
MOST_PACKAGES = 25
MOST_MB = 20.0
MOST_WEIGHTS_MB = 10.0

DRIVER = """
import json, socket, subprocess, sys
from pathlib import Path
from selfsown.testing.process import ServerProcess

try:
    socket.create_connection(("192.0.2.1", 443), 5)
except OSError as error:
    print(f"network: {error.strerror}", file=sys.stderr)
else:
    sys.exit("the network is not cut")
Path("rows.jsonl").write_text("".join(json.dumps({"n": n}) + "\\n" for n in range(100)))
with ServerProcess() as server:
    command = [str(Path(sys.executable).with_name("selfsown")), "run", "complete"]
    command += ["--rows", "rows.jsonl", "--prompt", "Say {{ n }}.", "--model", server.model_uri()]
    done = subprocess.run([*command, "-o", "run"], capture_output=True, text=True)
    print(done.stderr, file=sys.stderr)
    print(json.dumps({"code": done.returncode, "calls": server.counters()["requests"]}))
"""


def quietly(*command: str | Path, cwd: Path, timeout: int = 240) -> str:
    """Run a command without this environment's Python path; its output."""
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    print(done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel and those of its core dependencies."""
    folder = tmp_path_factory.mktemp("wheels")
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    quietly(sys.executable, *build, REPOSITORY, cwd=folder)
    (ours,) = folder.glob("selfsown-*.whl")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    constraints = ["-c", str(REPOSITORY / "constraints.txt"), "-d", str(folder), str(ours)]
    done = subprocess.run([*pip, *constraints], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package index: {done.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.fixture(scope="module")
def python(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an empty environment with the wheel in it."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True)
    python = home / "bin/python"
    pip = ["-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheels, "selfsown"]
    quietly(python, *pip, cwd=home)
    return python


def test_a_core_install_is_light(wheels: Path) -> None:
    sizes = {path.name.split("-")[0]: path.stat().st_size for path in wheels.glob("*.whl")}
    (ours,) = wheels.glob("selfsown-*.whl")
    with zipfile.ZipFile(ours) as archive:
        shipped = archive.infolist()
    weights = sum(item.compress_size for item in shipped if "/lab/weights/" in item.filename)
    total = sum(sizes.values())
    print(
        f"\n{len(sizes)} packages, {total / MEGABYTE:.1f} MB of wheels; our own "
        f"{sizes['selfsown'] / MEGABYTE:.2f} MB, of which the lab's weights "
        f"{weights / MEGABYTE:.2f} MB; the largest: "
        + ", ".join(
            f"{name} {size / MEGABYTE:.1f}"
            for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:4]
        )
    )
    assert len(sizes) <= MOST_PACKAGES
    assert (total - weights) / MEGABYTE <= MOST_MB
    assert weights / MEGABYTE <= MOST_WEIGHTS_MB


def test_the_wheel_holds_what_runs_and_nothing_else(wheels: Path) -> None:
    (ours,) = wheels.glob("selfsown-*.whl")
    with zipfile.ZipFile(ours) as archive:
        names = set(archive.namelist())
    source = REPOSITORY / "src"
    tracked = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert packed == tracked
    assert any(name.endswith("entry_points.txt") for name in names)
    assert any("licenses/LICENSE" in name for name in names)


def test_complete_runs_from_the_wheel_with_the_network_cut(python: Path, tmp_path: Path) -> None:
    cut = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("cutting the network needs `unshare` and `ip`")
    if subprocess.run([*cut, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user or network namespaces are not permitted here")
    (tmp_path / "driver.py").write_text(DRIVER, encoding="utf-8")
    said = orjson.loads(quietly(*cut, python, "driver.py", cwd=tmp_path))
    assert said == {"code": 0, "calls": 100}
    manifest = orjson.loads((tmp_path / "run/manifest.json").read_bytes())
    assert manifest["data"]["files"]["accepted.jsonl"]["rows"] == 100
    for name in ("report.html", "README.md", "config.yaml", "journal.sqlite"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    heavy = "import importlib.util as u; print([n for n in ('torch', 'numpy', 'transformers', "
    heavy += "'uvloop', 'pytest') if u.find_spec(n)])"
    assert quietly(python, "-c", heavy, cwd=tmp_path).strip() == "[]"
