"""The programs that selfsown is measured beside: pinned, installed, one script each.

    python -m benchmarks.peers            # installs all that are missing, prints what is there

They live in `$XDG_CACHE_HOME/selfsown-benchmarks` (`~/.cache` by default), in folders named after
what is pinned. A peer that cannot be installed has a reason instead of a Python, and the tables
print it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
INSTALL_S = 900


@dataclass(frozen=True, slots=True)
class Peer:
    """One installed peer, or why it is not there."""

    name: str
    packages: tuple[str, ...]
    about: str
    python: Path | None
    """The interpreter of its environment; None if it could not be installed."""
    absent: str = ""
    """Why there is none."""

    @property
    def script(self) -> Path:
        """The program that makes the calls with it: `SCRIPT URL CALLS CONCURRENCY FOLDER`."""
        return FOLDER / f"{self.name.replace('-', '_')}_loop.py"


def peers(only: Collection[str] = (), pinned: str = "peers.toml") -> list[Peer]:
    """The peers pinned in a file, or those of these names; what is missing is installed."""
    pins = tomllib.loads((FOLDER / pinned).read_text(encoding="utf-8"))
    return [_peer(name, pin) for name, pin in pins.items() if not only or name in only]


def _peer(name: str, pin: dict[str, list[str] | str]) -> Peer:
    packages, first, about = tuple(pin["packages"]), tuple(pin.get("first", ())), str(pin["about"])
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.blake2b("\n".join((version, *first, *packages)).encode(), digest_size=4)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "selfsown-benchmarks" / f"{name}-{digest.hexdigest()}"
    python, done = home / "bin" / "python", home / "installed"
    if not done.exists():
        reason = _install(home, python, [step for step in (first, packages) if step])
        if reason:
            return Peer(name, packages, about, None, reason)
        done.touch()
    return Peer(name, packages, about, python)


def _install(home: Path, python: Path, steps: list[tuple[str, ...]]) -> str:
    """Why it failed; empty if it did not."""
    commands = [[sys.executable, "-m", "venv", "--clear", str(home)]]
    commands += [[str(python), "-m", "pip", "install", "--quiet", *step] for step in steps]
    home.mkdir(parents=True, exist_ok=True)
    for command in commands:
        print(f"peers: {' '.join(command)}", file=sys.stderr)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
        except subprocess.TimeoutExpired:
            return f"`pip` had not ended after {INSTALL_S} s"
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return " ".join(errors or ["no reason given"])[:300]
    return ""
