"""Canary keys in environment and config; no file, output, traceback or process title shows one.

Five of them: the key in the environment, one in the config, one in a header, and the password and
query of a URL. The endpoint repeats all of them in whatever it says. Not covered: what a user types
on the command line, and a completion that repeats a key, which is data.
"""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import psutil
from pydantic import BaseModel
from tests.chaos.plan import Plan, Table
from tests.system.processes import environment, selfsown, write_config

from selfsown.recipes.base import Recipe
from selfsown.testing.process import ServerProcess
from selfsown.testing.replies import Planned, error_reply, pseudo_answer

CANARIES = {
    "environment": "sk-canary+env/7Zq1",
    "config": "sk-canary+config/8Yr2",
    "header": "canary+header/9Xs3",
    "URL": "canary.url.6Wt4",
    "query": "canary.query.5Vu5",
}
ROWS = 24


def echo(body: Mapping[str, Any]) -> Planned | str:
    """Some calls fail, each in its way, and say every key aloud."""
    said = "Incorrect key: " + " ".join(CANARIES.values())
    number = str(body["messages"][0]["content"]).rpartition(" ")[2]
    failures = {
        "3": error_reply(400, "invalid_request", said),
        "5": error_reply(500, "server_error", said, {"X-Request-Id": said}),
        "7": Planned(200, f"<html>{said}</html>".encode(), content_type="text/html"),
        "9": Planned(200, b'{"choices": [' + said.encode()),
        "11": Planned(200, orjson.dumps({"error": said})),
        "401": error_reply(401, "invalid_api_key", said),
    }
    return failures.get(number) or pseudo_answer(body)


class Nothing(BaseModel):
    """No options."""


async def _breaks(run: Any, options: Any) -> None:
    """A recipe with a mistake."""
    raise RuntimeError(f"a mistake amid {run!r}")


BROKEN = Recipe(name="broken", version="1", run=_breaks, options=Nothing, summary="Breaks.")


def tables(plan: Plan, home: Path) -> list[Table]:
    """Every verb with every kind of key."""
    table = Table("Canary keys", ("key", "commands", "files", "in files", "in output", "in titles"))
    table.note = "Looked for as they are, in base64, in hex and percent-encoded."
    kinds = tuple(CANARIES) if plan.share == 1 else ("config",)
    with ServerProcess("--answer", "tests.chaos.secrets:echo", "--model", "m") as server:
        for kind in kinds:
            place = home / kind
            place.mkdir()
            counts = Counter[str]()
            used(plan, kind, place, server, counts)
            table.add(kind, *(counts[name] for name in ("commands", "files", "in files")),
                      counts["in output"], counts["in titles"])  # fmt: skip
            found = [name for name in ("in files", "in output", "in titles") if counts[name]]
            table.check(not found, f"the key of the {kind} is {', '.join(found)}")
            table.check(counts["as expected"] == counts["commands"], f"{kind}: a command failed")
    return [table]


def used(plan: Plan, kind: str, home: Path, server: ServerProcess, counts: Counter[str]) -> None:
    """Every verb that meets a model or a run directory, with one key."""
    host = server.url.removeprefix("http://")
    settings: dict[str, Any] = {"uri": server.model_uri("m")}
    variables = {"SELFSOWN_HOME": str(home)}
    match kind:
        case "environment":
            settings["api_key_env"] = "CANARY_KEY"
            variables["CANARY_KEY"] = CANARIES[kind]
        case "config":
            settings["api_key"] = CANARIES[kind]
        case "header":
            settings["headers"] = {"X-Team-Key": CANARIES[kind]}
        case "URL":
            settings["uri"] = f"http://me:{CANARIES[kind]}@{host}#m"
        case _:
            settings["uri"] = f"http://{host}?key={CANARIES[kind]}#m"
    given = home / "given"
    given.mkdir()
    rows, one, made = given / "rows.jsonl", given / "one.jsonl", home / "made"
    rows.write_bytes(b"".join(orjson.dumps({"n": n}) + b"\n" for n in range(ROWS)))
    one.write_bytes(b'{"n": 401}\n')
    made.mkdir()

    def config(name: str, **more: Any) -> Path:
        form = {
            "recipe": "complete", "rows": str(rows), "options": {"prompt": "Say {{ n }}"},
            "models": {"generator": settings}, "limits": {"attempts": 2}, "out": str(made / name),
            **more,
        }  # fmt: skip
        return write_config(given / f"{name}.yaml", form)

    run, quiet = config("run"), ("--quiet", "--yes")
    broken = config("broken", recipe="tests.chaos.secrets:BROKEN", options={})
    wrong = {"generator": {**settings, "timeout_s": "soon"}}
    commands: list[tuple[tuple[str | Path, ...], tuple[int, ...]]] = [
        (("plan", run), (0,)),
        (("preview", run), (0, 1, 3)),
        (("run", run, *quiet), (0,)),
        (("run", config("refused", rows=str(one)), *quiet), (3,)),
        (("run", broken, *quiet), (1, 2, 3)),
        (("run", config("mistyped", models=wrong), *quiet), (2,)),
        (("run", config("shards"), "--shards", "2", "--workers", "2", "--quiet"), (0,)),
        (("merge", made / "shards", "-o", made / "merged"), (0,)),
        (("replay", made / "run", "--json"), (0,)),
        (("status", made / "run"), (0,)),
        (("report", made / "run", "--card"), (0,)),
        (("doctor", made / "run"), (0,)),
        (("export", made / "run", "--format", "messages", "-o", made / "train.jsonl"), (0,)),
    ]
    if plan.share < 1:
        commands = [commands[n] for n in (2, 3, 4, 6)]
    forms = shapes(CANARIES[kind])
    for command, codes in commands:
        counts["commands"] += 1
        code, said, titles = watched(command, environment(**variables))
        expected = code in codes
        counts["as expected"] += expected
        if not expected:
            print(f"{kind}: {command[:2]} ended with {code}:\n{said.decode()[-800:]}")
        counts["in output"] += any(form in said for form in forms)
        counts["in titles"] += any(form in titles for form in forms)
    for path in made.rglob("*"):
        if path.is_file():
            counts["files"] += 1
            data = path.read_bytes() + str(path).encode()
            counts["in files"] += any(form in data for form in forms)


def watched(command: tuple[str | Path, ...], variables: dict[str, str]) -> tuple[int, bytes, bytes]:
    """Exit code, everything it said, and the titles of it and its children while it went on."""
    child = subprocess.Popen(
        selfsown(*command), env=variables, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    titles = b""
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    said = b""
    while True:
        done = child.poll() is not None
        said += child.stdout.read() or b""
        if done:
            break
        for process in (child.pid, *children(child.pid)):
            path = Path(f"/proc/{process}/cmdline")
            titles += path.read_bytes() if path.exists() else b""
        time.sleep(0.02)
    child.stdout.close()
    return child.returncode, said, titles


def children(pid: int) -> list[int]:
    """Processes below one."""
    try:
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def shapes(canary: str) -> list[bytes]:
    """The forms in which a key could stand somewhere."""
    plain = canary.encode()
    return [
        plain, base64.b64encode(plain), base64.b64encode(b"me:" + plain).rstrip(b"="),
        plain.hex().encode(), quote(canary, safe="").encode(),
    ]  # fmt: skip
