"""Claim: what is asked again is exactly what changed in effect, and `plan` says so before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.recipes.gardener import SEEDS
from tests.system.answers import garden, word

from selfsown.core.config import make_config
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.offline import Plan, plan
from selfsown.runner import RunResult, Start, execute
from selfsown.testing.server import LocalServer, ServerOptions

Config = dict[str, Any]
ROWS = [{"n": n, "note": "base"} for n in range(12)]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
OPERATIONAL_LIMITS = {
    "concurrency": 3,
    "timeout_s": 50,
    "attempts": 2,
    "resend": 0.5,
    "requests_per_minute": 60_000,
    "tokens_per_minute": 60_000_000,
}


def option(name: str, value: Any) -> Callable[[Config], None]:
    return lambda config: config["options"].update({name: value})


def of_model(name: str, value: Any) -> Callable[[Config], None]:
    return lambda config: config["models"]["generator"].update({name: value})


def key(name: str, value: Any) -> Callable[[Config], None]:
    return lambda config: config.update({name: value})


def limit(name: str, value: Any) -> Callable[[Config], None]:
    return lambda config: config["limits"].update({name: value})


def row(index: int, value: Any) -> Callable[[Config], None]:
    return lambda config: config["data"].__setitem__(index, value)


def model_name(config: Config) -> None:
    config["models"]["generator"]["uri"] += "-large"


def add_row(config: Config) -> None:
    config["data"].append({"n": 99, "note": "new"})


def drop_row(config: Config) -> None:
    del config["data"][5]


def turn_rows(config: Config) -> None:
    config["data"].reverse()


def rename_rows(config: Config) -> None:
    config["file"] = "renamed.jsonl"


ALL = len(ROWS)
MUTATIONS: dict[str, tuple[Callable[[Config], None], int]] = {
    # What the model sees: everything is asked again.
    "prompt template": (option("prompt", "Tell {{ n }}."), ALL),
    "system prompt": (option("system", "Be brief."), ALL),
    "temperature": (option("temperature", 0.5), ALL),
    "top_p": (option("top_p", 0.9), ALL),
    "max_tokens": (option("max_tokens", 77), ALL),
    "stop": (option("stop", ["\n\n"]), ALL),
    "extra": (option("extra", {"min_p": 0.1}), ALL),
    "schema": (option("json_schema", SCHEMA), ALL),
    "model name": (model_name, ALL),
    "model extra": (of_model("extra", {"reasoning_effort": "low"}), ALL),
    "model identity": (of_model("identity", "revision-2"), ALL),
    "model layout": (of_model("layout", "completion"), ALL),
    # Some rows: exactly those.
    "one changed row": (row(3, {"n": 300, "note": "base"}), 1),
    "one more row": (add_row, 1),
    # Nothing that a model sees.
    "one row less": (drop_row, 0),
    "rows in another order": (turn_rows, 0),
    "a field that the prompt does not use": (row(3, {"n": 3, "note": "changed"}), 0),
    "template that renders the same": (option("prompt", "Say {{n}}{{ '.' }}"), 0),
    "what is accepted": (option("keep_cut_off", True), 0),
    "file name of the rows": (rename_rows, 0),
    "run seed": (key("seed", 5), 0),
    "order": (key("order", "strict"), 0),
    "target": (key("target", 5), 0),
    "failure rate": (key("max_failure_rate", 0.1), 0),
    "model depth": (key("model_depth", 2), 0),
    "round": (key("round", 2), 0),
    "budget": (key("budget", {"tokens": 10_000_000}), 0),
    "headers": (of_model("headers", {"X-Team": "b"}), 0),
    "api key": (of_model("api_key", "sk-canary-123456"), 0),
    "price": (of_model("price", {"input": 1, "output": 2}), 0),
    "model time-out": (of_model("timeout_s", 33), 0),
    **{name: (limit(name, value), 0) for name, value in OPERATIONAL_LIMITS.items()},
}


def base_config(server: LocalServer) -> Config:
    return {
        "recipe": "complete",
        "options": {"prompt": "Say {{ n }}."},
        "models": {"generator": {"uri": server.model_uri("small")}},
        "limits": {},
        "data": copy.deepcopy(ROWS),
        "file": "rows.jsonl",
    }


async def planned_and_run(config: Config, home: Path) -> tuple[Plan, RunResult]:
    """What `plan` says of a config, and then the run."""
    config = copy.deepcopy(config)
    rows = home / config.pop("file", "rows.jsonl")
    rows.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in config.pop("data")))
    kind = config.pop("inputs", "rows")
    checked = make_config({**config, kind: str(rows), "out": str(home / "run")})
    return await plan(checked), await execute(checked, Start(update=True))


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_changed_setting_asks_again_exactly_what_it_changes(
    tmp_path: Path, name: str
) -> None:
    change, expected = MUTATIONS[name]
    async with LocalServer(ServerOptions(models=("small", "small-large"))) as server:
        config = base_config(server)
        first, _ = await planned_and_run(config, tmp_path)
        assert (first.new_calls, server.counters.request_count) == (ALL, ALL)
        server.counters.reset()
        change(config)
        said, result = await planned_and_run(config, tmp_path)
        asked = server.counters.request_count
        ended = len(result.accepted) + len(result.rejected) + len(result.failed)
        assert ended == ALL + (name == "one more row") - (name == "one row less")
        assert asked == expected
        assert said.exact
        assert said.new_calls == asked
        assert said.new_calls + said.cached_calls == ended
        again, _ = await planned_and_run(config, tmp_path)
        assert (again.new_calls, server.counters.request_count) == (0, asked)
        if expected == 1:
            assert server.last is not None
            assert b"Say 300." in server.last.body or b"Say 99." in server.last.body


async def test_another_port_of_the_same_server_asks_nothing_again(tmp_path: Path) -> None:
    async with LocalServer(ServerOptions(models=())) as server:
        await planned_and_run(base_config(server), tmp_path)
    async with LocalServer(ServerOptions(models=())) as elsewhere:
        said, _ = await planned_and_run(base_config(elsewhere), tmp_path)
        assert (said.new_calls, elsewhere.counters.request_count) == (0, 0)


GROWING: Config = {
    "recipe": "tests.core.growing:RECIPE",
    "options": {},
    "target": 25,
    "data": [{"x": 1}],
}
SELF_INSTRUCT: Config = {
    "recipe": "self-instruct",
    "options": {"layout": "completion"},
    "target": 25,
    "inputs": "seeds",
    "data": SEEDS,
}
VOTING: Config = {**SELF_INSTRUCT, "options": {"layout": "completion", "answer_votes": 3}}
GROWING_CHANGES: dict[str, tuple[Config, Callable[[Config], None]]] = {
    "every prompt": (GROWING, option("suffix", "!")),
    "run seed": (GROWING, key("seed", 9)),
    "a smaller window": (GROWING, option("cap", 3)),
    "a larger target": (GROWING, key("target", 40)),
    "nothing": (GROWING, key("max_failure_rate", 0.2)),
    "self-instruct, list temperature": (SELF_INSTRUCT, option("lists", {"temperature": 0.3})),
    "self-instruct, novelty": (SELF_INSTRUCT, option("novelty_threshold", 0.2)),
    "self-instruct, instances": (SELF_INSTRUCT, option("input_first", {"temperature": 0.9})),
    "self-instruct, votes": (SELF_INSTRUCT, option("answer_votes", 3)),
    "self-instruct, fewer votes": (VOTING, option("answer_votes_agree", 1)),
    "self-instruct, sampling of votes": (VOTING, option("answer", {"temperature": 0.9})),
    "self-instruct, a larger target": (SELF_INSTRUCT, key("target", 40)),
    "self-instruct, nothing": (SELF_INSTRUCT, limit("concurrency", 3)),
}


@pytest.mark.parametrize("order", ["strict", "arrival"])
@pytest.mark.parametrize("name", GROWING_CHANGES)
async def test_in_a_growing_pool_plan_names_the_first_divergent_draw_and_a_bound(
    tmp_path: Path, name: str, order: str
) -> None:
    base, change = GROWING_CHANGES[name]
    answer = word if base is GROWING else garden
    async with LocalServer(ServerOptions(answer=answer)) as server:
        models = {"generator": {"uri": server.model_uri()}}
        config = copy.deepcopy(base) | {"models": models, "order": order, "limits": {}}
        await planned_and_run(config, tmp_path)
        before = last_outcome(tmp_path / "run")
        server.counters.reset()
        change(config)
        said, _ = await planned_and_run(config, tmp_path)
        asked = server.counters.request_count
    assert not said.exact
    assert asked <= said.new_calls
    assert said.first_divergent_draw == first_new_draw(tmp_path / "run", before)
    if name == "every prompt":
        assert said.first_divergent_draw == 0
    if name.endswith(("nothing", "a larger target")):
        assert said.first_divergent_draw is None
    else:
        assert asked > 0
        assert said.first_divergent_draw is not None
    if name.endswith("nothing"):
        assert (asked, said.new_calls) == (0, 0)
    print(
        f"\n{name}, {order}: first divergent draw {said.first_divergent_draw}, "
        f"{asked} calls asked, at most {said.new_calls} planned"
    )


def last_outcome(run: Path) -> int:
    journal = Journal(run / JOURNAL_NAME, read_only=True)
    try:
        return journal.scalar("SELECT max(seq) FROM outcomes")
    finally:
        journal.close()


def first_new_draw(run: Path, before: int) -> int | None:
    """The first draw handed over in the first epoch whose later hand-over needed a new outcome."""
    journal = Journal(run / JOURNAL_NAME, read_only=True)
    try:
        new = {bytes(row[1])[:8] for row in journal.rows("outcomes", "WHERE seq>?", (before,))}
        draws: dict[int, list[tuple[int, bytes]]] = {}
        for row in journal.rows("deliveries"):
            draws.setdefault(int(row[4]), []).append((int(row[1]), bytes(row[6])))
    finally:
        journal.close()
    known = {draw for draw, found in draws.items() if any(epoch == 0 for epoch, _ in found)}
    diverged = [
        draw
        for draw in known
        for epoch, asks in draws[draw]
        if epoch == 1 and any(asks[at : at + 8] in new for at in range(0, len(asks), 8))
    ]
    return min(diverged, default=None)
