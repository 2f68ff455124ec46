"""Canary keys in environment and config; no file, output, traceback or process title shows one.

Every way in which a key can come: a variable that the config names, the config, a header, the
password and the query of a URL, the providers' own variables, and a password in their base URLs.
One endpoint repeats all of them in whatever it says, one refuses everything (calls, batches, lists)
and repeats what it was sent. Not covered: what a user types on the command line, and a completion
that repeats a key, which is data.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

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
    "bearer": "canary+bearer/9Xs4",
    "URL": "canary.url.6Wt4",
    "query": "canary.query.5Vu5",
    "OPENAI_API_KEY": "sk-canary+openai/4Tw6",
    "ANTHROPIC_API_KEY": "sk-canary+anthropic/3Sx7",
    "OPENAI_BASE_URL": "canary.openai.2Ry8",
    "ANTHROPIC_BASE_URL": "canary.anthropic.1Qz9",
    "SELFSOWN_API_KEY": "canary+serve/0Pa0",
}
ROWS = 24
LONGEST_S = 60.0
"""Of a command; then it has failed."""
BATCH = {
    "enabled": True, "requests": 10, "linger_s": 0.02, "poll_s": 0.01, "poll_most_s": 0.05,
    "lookup_s": 0.3,
}  # fmt: skip
Command = tuple[tuple[str | Path, ...], tuple[int, ...]]
"""Arguments, and the exit codes that it may have."""


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


class Parrot(BaseHTTPRequestHandler):
    """An endpoint that refuses whatever it is asked, and repeats all headers and the path."""

    def do_GET(self) -> None:
        """Refuse, each time in another way."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server: Any = self.server
        server.requests = getattr(server, "requests", 0) + 1
        said = f"You sent {self.path} with {dict(self.headers.items())}"
        body = orjson.dumps({"error": {"message": said, "type": "x", "code": said}})
        self.send_response((400, 500, 429, 403, 404, 401)[server.requests % 6])
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def parrot() -> Iterator[str]:
    """Its host and port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Parrot) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def tables(plan: Plan, home: Path) -> list[Table]:
    """Every verb with every kind of key."""
    table = Table("Canary keys", ("key", "commands", "files", "in files", "in output", "in titles"))
    table.note = "Looked for as they are, in base64, in hex and percent-encoded."
    kinds = tuple(CANARIES)[:-1] if plan.share == 1 else ("config",)
    with (
        ServerProcess("--answer", "tests.chaos.secrets:echo", "--model", "m") as server,
        parrot() as refuses,
    ):
        hosts = server.url.removeprefix("http://").removesuffix("/v1"), refuses
        for kind in kinds:
            place = Place(kind, home / kind, *hosts)
            commands = place.commands()
            if plan.share < 1:
                commands = [commands[n] for n in (2, 3, 4, 6)]
            counts = used(place, commands)
            table.add(kind, *(counts[name] for name in ("commands", "files", "in files")),
                      counts["in output"], counts["in titles"])  # fmt: skip
            found = [name for name in ("in files", "in output", "in titles") if counts[name]]
            table.check(not found, f"the key of the {kind} is {', '.join(found)}")
            table.check(counts["as expected"] == counts["commands"], f"{kind}: a command failed")
        if plan.share == 1:
            shown = served(server)
            table.add("SELFSOWN_API_KEY", 1, 0, 0, *map(int, shown))
            table.check(not any(shown), "the key of `selfsown serve` is shown")
    return [table]


def served(server: ServerProcess) -> tuple[bool, bool]:
    """Whether `selfsown serve` shows its key in what it says, or in its title."""
    key = CANARIES["SELFSOWN_API_KEY"]
    child = subprocess.Popen(
        selfsown("serve", server.model_uri("m"), "--port", "0"),
        env=environment(SELFSOWN_API_KEY=key), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert child.stdout is not None
    said = child.stdout.readline()
    url = said.decode().split()[-1].rstrip("/").removesuffix("/v1")
    statuses = []
    for sent in (key, key + "?", ""):
        headers = {"Authorization": f"Bearer {sent}", "Content-Type": "application/json"}
        body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Say 4"}]})
        request = Request(f"{url}/v1/chat/completions", body, headers)  # noqa: S310 - ours
        try:
            with urlopen(request, timeout=30) as reply:  # noqa: S310 - as above
                answer = reply.read()
                statuses.append(reply.status)
        except HTTPError as error:
            answer = error.read()
            statuses.append(error.code)
        said += answer
    title = Path(f"/proc/{child.pid}/cmdline").read_bytes()
    child.send_signal(signal.SIGINT)
    said += child.communicate(timeout=30)[0]
    assert statuses[1:] == [401, 401], statuses
    forms = shapes(key)
    return any(form in said for form in forms), any(form in title for form in forms)


class Place:
    """One kind of key, and commands that use it."""

    def __init__(self, kind: str, home: Path, host: str, refuses: str) -> None:
        """Make the inputs.

        Args:
            kind: where the key is.
            home: directory for everything.
            host: of the endpoint that answers, mostly.
            refuses: of the one that does not.
        """
        self.kind, self.host, self.refuses = kind, host, refuses
        self.given, self.made = home / "given", home / "made"
        for directory in (home, self.given, self.made):
            directory.mkdir()
        self.key = CANARIES[kind]
        self.home = str(home)
        self.provider = kind.partition("_")[0].lower() if kind.isupper() and "_" in kind else ""
        rows = b"".join(orjson.dumps({"n": n}) + b"\n" for n in range(ROWS))
        (self.given / "rows.jsonl").write_bytes(rows)
        (self.given / "one.jsonl").write_bytes(b'{"n": 401}\n')
        (self.given / "batch.jsonl").write_bytes(b'{"n": 1}\n{"n": 3}\n{"n": 5}\n{"n": 11}\n')

    def settings(self, host: str) -> dict[str, Any]:
        """A model's settings; those of a provider are in the environment."""
        if self.provider:
            return {"uri": f"{self.provider}:m"}
        plain = {"uri": f"http://{host}/v1#m"}
        return {
            "environment": {**plain, "api_key_env": "CANARY_KEY"},
            "config": {**plain, "api_key": self.key},
            "header": {**plain, "headers": {"X-Team-Key": self.key}},
            "bearer": {**plain, "headers": {"Authorization": f"Bearer {self.key}"}},
            "URL": {"uri": f"http://me:{self.key}@{host}/v1#m"},
            "query": {"uri": f"http://{host}/v1?key={self.key}#m"},
        }[self.kind]

    def variables(self, host: str) -> dict[str, str]:
        """The environment of a command."""
        found = {"SELFSOWN_HOME": self.home}
        if self.kind == "environment":
            found["CANARY_KEY"] = self.key
        if self.provider:
            is_key, name = self.kind.endswith("_API_KEY"), self.provider.upper()
            user = "" if is_key else f"me:{self.key}@"
            path = "/v1" if self.provider == "openai" else ""
            found[f"{name}_API_KEY"] = self.key if is_key else "sk-1"
            found[f"{name}_BASE_URL"] = f"http://{user}{host}{path}"
        return found

    def config(self, name: str, host: str = "", **more: Any) -> Path:
        """The config of a run."""
        form = {
            "recipe": "complete", "rows": str(self.given / "rows.jsonl"),
            "options": {"prompt": "Say {{ n }}", "max_tokens": 64},
            "models": {"generator": self.settings(host or self.host)}, "limits": {"attempts": 2},
            "out": str(self.made / name), **more,
        }  # fmt: skip
        return write_config(self.given / f"{name}.yaml", form)

    def commands(self) -> list[Command]:
        """Every verb that meets a model or a run directory."""
        made, run, quiet = self.made, self.config("run"), ("--quiet", "--yes")
        broken = self.config("broken", recipe="tests.chaos.secrets:BROKEN", options={})
        wrong = {"generator": {**self.settings(self.host), "timeout_s": "soon"}}
        one = str(self.given / "one.jsonl")
        export = ("export", made / "run", "--format", "messages", "-o", made / "train.jsonl")
        commands: list[Command] = [
            (("plan", run), (0,)),
            (("preview", run), (0, 1, 3)),
            (("run", run, *quiet), (0,)),
            (("run", self.config("refused", rows=one), *quiet), (3,)),
            (("run", broken, *quiet), (1, 2, 3)),
            (("run", self.config("mistyped", models=wrong), *quiet), (2,)),
            (("run", self.config("shards"), "--shards", "2", "--workers", "2", "--quiet"), (0,)),
            (("merge", made / "shards", "-o", made / "merged"), (0,)),
            (("replay", made / "run", "--json"), (0,)),
            (("status", made / "run"), (0,)),
            (("report", made / "run", "--card"), (0,)),
            (("doctor", made / "run"), (0,)),
            (export, (0,)),
            (("run", self.config("parrot", self.refuses), *quiet), (1, 3)),
        ]
        if self.provider:
            model = f"{self.provider}:m"
            evaluate = ("evaluate", model, "--suite", "lab-plain", "--limit", "4", "--yes")
            for name, host in (("batched", self.host), ("batched-parrot", self.refuses)):
                path = self.config(name, host, batch=BATCH, rows=str(self.given / "batch.jsonl"))
                commands.append((("run", path, *quiet), (0, 1) if host == self.host else (1, 3)))
            commands.append(((*evaluate, "-o", made / "scores"), (0,)))
            commands.append((("doctor", "--model", model), (0, 1)))
        else:
            commands.append((("loop", self.loop(), "--quiet"), (1, 3)))
        return commands

    def loop(self) -> Path:
        """A loop whose second model refuses; it ends with the first call of that."""
        form = {
            "seeds": "lab:25", "suites": ["lab-plain"], "suite_limit": 4, "rounds": 1, "target": 2,
            "models": {"labeler": self.settings(self.refuses)}, "limits": {"attempts": 1},
            "train": {"preset": "lab", "max_steps": 1}, "out": str(self.made / "loop"),
        }  # fmt: skip
        return write_config(self.given / "loop.yaml", form)


def used(place: Place, commands: list[Command]) -> Counter[str]:
    """What the commands show of the key, and leave of it in files."""
    counts, forms = Counter[str](), shapes(place.key)
    for command, codes in commands:
        refuses = "parrot" in Path(command[1]).name
        variables = place.variables(place.refuses if refuses else place.host)
        counts["commands"] += 1
        code, said, titles = watched(command, environment(**variables))
        expected = code in codes
        counts["as expected"] += expected
        if not expected:
            print(f"{place.kind}: {command[:2]} ended with {code}:\n{said.decode()[-800:]}")
        shown = any(form in said for form in forms)
        if shown:
            print(f"{place.kind}: {command[:2]} says\n{said.decode()[-800:]}")
        counts["in output"] += shown
        counts["in titles"] += any(form in titles for form in forms)
    for path in place.made.rglob("*"):
        if path.is_file():
            counts["files"] += 1
            data = path.read_bytes() + str(path).encode()
            held = any(form in data for form in forms)
            if held:
                print(f"{place.kind}: {path.relative_to(place.made)} holds the key")
            counts["in files"] += held
    return counts


def watched(command: tuple[str | Path, ...], variables: dict[str, str]) -> tuple[int, bytes, bytes]:
    """Exit code, everything it said, and the titles of it and its children while it went on."""
    child = subprocess.Popen(
        selfsown(*command), env=variables, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    titles, ends = b"", time.monotonic() + LONGEST_S
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
        if time.monotonic() > ends:
            child.kill()
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
