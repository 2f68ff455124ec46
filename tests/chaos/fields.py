"""Terminal escapes and HTML in every field that a user, a file or an endpoint can fill.

What is shown (terminal, report, data-set card) holds none of them as such; what is stored is kept.
Each field is made hostile alone, so that one that stops the run hides no other.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner
from tests.chaos.plan import Plan, Table
from tests.system.processes import write_config

from selfsown.cli.main import cli
from selfsown.testing.replies import Planned, error_reply
from selfsown.testing.server import LocalServer, ServerOptions

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202e"
HTML = "<script>alert(1)<\x2fscript><img src=x onerror=alert(2)>"
HOSTILE = f"a{ESCAPES}{HTML}"
RAW = ("\x1b", "\x07", "\x9b", "\x7f", "\u202e")
RAW_HTML = ("<script>alert(1)", "<img src=x")

Form = dict[str, Any]


def _row_value(form: Form) -> None:
    form["rows"][0]["text"] = HOSTILE


def _row_name(form: Form) -> None:
    form["rows"][0][HOSTILE] = "x"


def _row_id(form: Form) -> None:
    form["rows"][0]["id"] = HOSTILE


def _prompt(form: Form) -> None:
    form["config"]["options"]["prompt"] = HOSTILE + " {{ text }}"


def _template(form: Form) -> None:
    form["config"]["options"]["prompt"] = "{{ text }} {{ nothing" + HOSTILE + " }}"


def _system(form: Form) -> None:
    form["config"]["options"]["system"] = HOSTILE


def _unknown_key(form: Form) -> None:
    form["config"][HOSTILE] = 1


def _wrong_value(form: Form) -> None:
    form["config"]["limits"] = {"attempts": HOSTILE}


def _recipe(form: Form) -> None:
    form["config"]["recipe"] = HOSTILE


def _rows_file(form: Form) -> None:
    form["config"]["rows"] = HOSTILE


def _model_name(form: Form) -> None:
    form["model"] = HOSTILE


def _identity(form: Form) -> None:
    form["identity"] = HOSTILE


def _out(form: Form) -> None:
    form["out"] = "a\x1b[2J\u202e<img src=x onerror=alert(2)>"


def _reply(change: Callable[[Mapping[str, Any]], Planned]) -> Callable[[Form], None]:
    return lambda form: form.update(reply=change)


def _completion(**changes: Any) -> Callable[[Mapping[str, Any]], Planned]:
    """A reply with other members than usual; `content` and `finish_reason` are its choice's."""

    def make(body: Mapping[str, Any]) -> Planned:
        turn = {"content": changes.get("content", "fine"), "reasoning": changes.get("reasoning")}
        choice = {"message": turn, "finish_reason": changes.get("finish_reason", "stop")}
        form = {"model": changes.get("model", "m"), "id": changes.get("id"), "choices": [choice]}
        return Planned(200, json.dumps(form).encode())

    return make


FIELDS: dict[str, Callable[[Form], None]] = {
    "value in a row": _row_value,
    "name in a row": _row_name,
    "id of a row": _row_id,
    "prompt": _prompt,
    "variable of a template": _template,
    "system prompt": _system,
    "unknown key of a config": _unknown_key,
    "value in a config": _wrong_value,
    "recipe": _recipe,
    "name of a file": _rows_file,
    "name of a model": _model_name,
    "identity of a model": _identity,
    "run directory": _out,
    "completion": _reply(_completion(content=HOSTILE)),
    "reasoning": _reply(_completion(reasoning=HOSTILE)),
    "reported model": _reply(_completion(model=HOSTILE)),
    "finish reason": _reply(_completion(finish_reason=HOSTILE)),
    "id of a reply": _reply(_completion(id=HOSTILE)),
    "message of a 400": _reply(lambda body: error_reply(400, HOSTILE, HOSTILE)),
    "message of a 401": _reply(lambda body: error_reply(401, HOSTILE, HOSTILE)),
    "message of a 500": _reply(lambda body: error_reply(500, HOSTILE, HOSTILE)),
    "body of a 200": _reply(lambda body: Planned(200, HOSTILE.encode())),
}


def tables(plan: Plan, home: Path) -> list[Table]:
    """Every field, and seeds with every field of theirs."""
    table = Table("Hostile fields", ("field", "commands", "crashed", "escapes shown", "raw HTML"))
    table.note = (
        "Crashed: ended by anything but one of our errors. The name of a run directory, which the"
        " user types, is repeated as it is on the terminal."
    )
    chosen = list(FIELDS) if plan.share == 1 else plan.rng("fields").sample(list(FIELDS), 4)
    for number, name in enumerate(chosen):
        counts = Counter[str]()
        shown(name, home / str(number), counts)
        cells = [counts[one] for one in ("crashed", "escapes", "html")]
        table.add(name, counts["commands"], *cells)
        table.check(not any(cells), f"{name}: {counts['said'] or ''}")
    counts = Counter[str]()
    seeds(home, counts)
    cells = [counts[one] for one in ("crashed", "escapes", "html")]
    table.add("seed tasks, each field", counts["commands"], *cells)
    table.check(not any(cells), "seed tasks")
    return [table]


def shown(name: str, home: Path, counts: Counter[str]) -> None:
    """A run with one hostile field, and every command that shows something of it."""
    home.mkdir()
    heard = Counter[str]() if name == "run directory" else counts
    form: Form = {
        "rows": [{"id": "one", "text": "t"}, {"id": "two", "text": "u"}],
        "config": {"recipe": "complete", "options": {"prompt": "Say {{ text }}."}},
        "out": "run",
        "model": "m",
        "reply": _completion(),
    }
    FIELDS[name](form)
    rows = home / "rows.jsonl"
    rows.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in form["rows"]))
    out = home / form["out"]
    with server(form["reply"]) as url:
        settings = {"uri": f"{url}#{form['model']}", "api_key": "k"}
        if "identity" in form:
            settings["identity"] = form["identity"]
        config = {
            "rows": str(rows), "models": {"generator": settings}, "limits": {"attempts": 2},
            "max_failure_rate": 1.0, "out": str(out), **copy.deepcopy(form["config"]),
        }  # fmt: skip
        path = write_config(home / "config.yaml", config)
        for command in (("plan", path), ("preview", path), ("run", path, "--yes")):
            said(heard, *command)
    for command in (
        ("status", out), ("report", out, "--card"), ("replay", out), ("doctor", out),
        ("export", out, "--format", "text", "--no-decontaminate", "-o", home / "x.jsonl"),
    ):  # fmt: skip
        said(heard, *command)
    counts["commands"], counts["crashed"] = heard["commands"], heard["crashed"]
    for page in (*out.glob("*.html"), *out.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        counts["escapes"] += any(char in text for char in RAW)
        if page.suffix == ".md":
            text = as_markdown_shows(text)
        counts["html"] += any(tag in text for tag in RAW_HTML)


def as_markdown_shows(text: str) -> str:
    """A page of Markdown without its front matter, code and escaped characters: all raw HTML."""
    body = text.removeprefix("---\n").partition("\n---\n")[2]
    return re.sub(r"(`+).*?\1|\\.", "", body, flags=re.DOTALL)


def said(counts: Counter[str], *command: str | Path) -> None:
    """Run a command here, and look at what it says."""
    result = CliRunner().invoke(cli, [str(item) for item in command], env={"NO_COLOR": "1"})
    counts["commands"] += 1
    counts["escapes"] += any(char in result.output for char in RAW)
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        counts["crashed"] += 1
        print(f"{command[0]}: {type(error).__name__}: {error!s:.300}")


def seeds(home: Path, counts: Counter[str]) -> None:
    """Seed files with every field hostile, one after the other."""
    task = {"id": "a", "name": "b", "instruction": "Do it.", "input": "x", "output": "y"}
    for key in (*task, HOSTILE):
        path = home / "seeds.jsonl"
        lines = [{**task, key: HOSTILE}, {**task, "id": "b", "instruction": "Another one."}]
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        said(counts, "seeds", "check", path)
        said(counts, "seeds", "show", path)


@contextmanager
def server(reply: Callable[[Mapping[str, Any]], Planned]) -> Iterator[str]:
    """A server in a thread of its own, which serves every name."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    one = LocalServer(ServerOptions(models=(), answer=reply))
    asyncio.run_coroutine_threadsafe(one.start(), loop).result(10)
    try:
        yield one.url
    finally:
        asyncio.run_coroutine_threadsafe(one.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
