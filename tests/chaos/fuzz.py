"""Inputs that nobody meant: every reader gives a value or one of our errors, and in good time.

A case is made by hypothesis out of what `cases` has for the reader.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.chaos import document_files
from tests.chaos.cases import (
    ANSWER_TEXT,
    BATCH_RESULT,
    BATCH_STATE,
    CONFIG,
    GOOD,
    GOOD_LINEAGE,
    GOOD_SEGMENT,
    GOOD_SUITE,
    GOOD_TOML,
    GOOD_YAML,
    JSON_TEXT,
    LIST_TEXT,
    LOOP,
    MODEL,
    RATE,
    RATES,
    REPLY,
    SCRIPT_TEXT,
    SEED_TEXT,
    SUFFIXES,
    YAML_TEXT,
    anything,
    edited,
    fragments,
    shaped,
)
from tests.chaos.plan import Plan, Table

from selfsown.core.batch_model import BatchResult
from selfsown.core.config import apply_set, make_config, read_config
from selfsown.core.errors import SelfsownError
from selfsown.core.inputs import read_rows
from selfsown.core.model import AttemptFailed
from selfsown.core.request import Request, clean_text, message
from selfsown.curate.decontaminate import DecontaminationIndex, Item
from selfsown.curate.index_file import IndexFile, write_index
from selfsown.evaluate.metrics import METRICS
from selfsown.evaluate.predictions import FIELDS, read_predictions
from selfsown.evaluate.results import read_results, results_of_predictions, write_results
from selfsown.evaluate.suite import Instance
from selfsown.evaluate.suite_file import read_suite_file
from selfsown.export.example import fields_for, read_example
from selfsown.export.formats import FORMATS, find_format
from selfsown.loop.config import LoopConfig, make_loop_config
from selfsown.models.anthropic import read_message
from selfsown.models.batch_anthropic import _state as anthropic_state
from selfsown.models.batch_listing import listed, stamp_seconds
from selfsown.models.judging import usable
from selfsown.models.lineage import LINEAGE, read_lineage
from selfsown.models.openai_format import decode, read_completion
from selfsown.models.rate_headers import rate_state, retry_after_s
from selfsown.models.script_file import read_script
from selfsown.models.structured import SchemaMissed, parse_structured
from selfsown.models.uri import open_model
from selfsown.recipes.seeds.reader import inspect_seeds, read_seeds
from selfsown.recipes.self_instruct import parse, published
from selfsown.scale.segments import Chain, read_header, restore
from selfsown.scale.store import Store

CASES = 10_000
LONGEST_S = 2.0


@dataclass(frozen=True)
class Target:
    """One reader."""

    name: str
    cases: st.SearchStrategy[Any]
    read: Callable[[Path, Any], object]


def seed_file(home: Path, case: tuple[str, str]) -> None:
    text, suffix = case
    path = home / f"seeds{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    report = inspect_seeds(path)
    assert report.tasks or report.errors, "neither tasks nor a reason"
    read_seeds(path)


def seed_rows(home: Path, rows: list[Any]) -> None:
    report = inspect_seeds(rows)
    assert report.tasks or report.errors, "neither tasks nor a reason"


def config_file(home: Path, case: tuple[str, str]) -> None:
    path = home / f"config{case[1]}"
    path.write_bytes(case[0].encode("utf-8", "surrogatepass"))
    make_config(read_config(path))


def config_values(home: Path, case: Mapping[str, Any]) -> None:
    make_config(case)


def assignment(home: Path, text: str) -> None:
    config: dict[str, Any] = {"recipe": "complete"}
    apply_set(config, text)
    make_config(config)


def scripts(home: Path, case: tuple[str, str]) -> None:
    read_script(case[0].encode("utf-8", "surrogatepass"), home / f"script{case[1]}")


def lists(home: Path, text: str) -> None:
    text = clean_text(text)
    for cut_off in (True, False):
        for open_item in (True, False):
            kept = parse.read_list(text, cut_off=cut_off, open_item=open_item)
            assert all(item.strip() for item in kept if isinstance(item, str)), "a blank item"
    published.read_list(text)
    published.read_list(text, "task")


def answers(home: Path, text: str) -> None:
    text = clean_text(text)
    parse.read_yes_no(text), published.read_yes_no(text), parse.read_output(text)
    for cut_off in (True, False):
        for module in (parse, published):
            module.read_instances(text, cut_off=cut_off)
            module.read_labelled(text, cut_off=cut_off)


def json_answers(home: Path, value: Any) -> None:
    parse.read_list_json(value, cut_off=False)
    parse.read_yes_no_json(value)
    parse.read_output_json(value)
    for label_first in (True, False):
        parse.read_pairs_json(value, label_first=label_first, cut_off=True)


SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "string"}}, "n": {"type": "number"}},
    "required": ["a"],
}


def structured(home: Path, text: str) -> None:
    value, _ = parse_structured(clean_text(text), SCHEMA)
    assert isinstance(value, dict) and isinstance(value["a"], list), "the schema is not met"
    orjson.dumps(value)


CHAT = Request(messages=(message("user", "hi"),), max_tokens=9)


def replies(home: Path, case: Any) -> None:
    body = case if isinstance(case, bytes) else json.dumps(case).encode()
    payload = decode(body)
    if isinstance(payload, dict):
        completion, refusal = read_completion(payload, CHAT)
        completion.text.encode()
        usable(completion, refusal, CHAT, native=False)


def messages(home: Path, payload: Mapping[str, Any]) -> None:
    read_message(payload, CHAT).text.encode()


def headers(home: Path, case: Mapping[str, str]) -> None:
    wait = retry_after_s(case)
    assert wait is None or 0 <= wait < 1e7, f"waits {wait} s"
    rate_state(case)


def scores(home: Path, case: tuple[str, str, str]) -> None:
    instruction, answer, reference = case
    one = Instance(id="1", instruction=instruction, references=(reference,), prompt=instruction)
    for name, metric in METRICS.items():
        assert 0 <= metric.score(one, answer) <= 1, f"{name} leaves [0, 1]"


def predictions(home: Path, rows: list[Any]) -> None:
    path = home / "predictions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read_predictions(path)


def row_file(home: Path, case: tuple[str, str]) -> None:
    path = home / f"rows{case[1]}"
    path.write_bytes(case[0].encode("utf-8", "surrogatepass"))
    for row in read_rows(path):
        orjson.dumps(row)


def exports(home: Path, row: Mapping[str, Any]) -> None:
    line = json.loads(clean_text(json.dumps(row, ensure_ascii=False)))  # as a line of a run is
    example = read_example(line, fields_for(line, prompt=None, completion=None, system=None), "x:1")
    for name in FORMATS:
        written = orjson.dumps(find_format(name)(example), option=orjson.OPT_APPEND_NEWLINE)
        assert written.count(b"\n") == 1, f"{name} breaks the line"
        held = "".join(strings(orjson.loads(written)))
        assert example.instruction in held and example.output in held, f"{name} loses text"


def suite_files(home: Path, text: str) -> None:
    path = home / "suite.jsonl"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    read_suite_file(path)


def result_files(home: Path, case: tuple[int, int, bytes]) -> None:
    path, broken = home / "whole.json", home / "broken.json"
    if not path.exists():
        given = home / "given.jsonl"
        given.write_text(json.dumps({name: "x" for name in FIELDS}) + "\n")
        write_results(path, results_of_predictions(given))
    data, (at, size, piece) = path.read_bytes(), case
    start = at * len(data) // 1000
    broken.write_bytes(data[:start] + piece + data[start + size :])
    read_results(broken)


def loop_configs(home: Path, case: Mapping[str, Any]) -> None:
    make_loop_config(case).identity()


def lineages(home: Path, text: str) -> None:
    (home / LINEAGE).write_bytes(text.encode("utf-8", "surrogatepass"))
    read_lineage(home)


def indexes(home: Path, case: tuple[int, int, bytes]) -> None:
    path, broken = home / "whole.index", home / "broken.index"
    if not path.exists():
        index = DecontaminationIndex()
        for number in range(4):
            index.add(Item("mmlu", str(number), "question", f"Name {number} rivers. " * 9, True))
        write_index(path, index.own)
    at, size, piece = case
    data = path.read_bytes()
    start = at * len(data) // 1000
    broken.write_bytes(data[:start] + piece + data[start + size :])
    held = IndexFile(broken)
    assert [held.item(number).id for number in range(4)] == ["0", "1", "2", "3"]


def segments(home: Path, case: tuple[str, int, bytes]) -> None:
    text, at, piece = case
    data = gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)
    start = at * len(data) // 1000
    folder, name = home / "store/s/segments", "000001-000000000001.gz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data[:start] + piece if at % 2 else data)
    store, path = Store(str(home / "store")), home / "restored.sqlite"
    read_header(store, "s", name)
    for old in home.glob("restored.sqlite*"):
        old.unlink()
    restore(store, "s", Chain(1, (name,), 1), path)


PROVIDERS = {
    name: open_model({"uri": f"{name}:m", "api_key": "k"}, environ={})
    for name in ("openai", "anthropic")
}


def batch_results(home: Path, case: tuple[str, Any]) -> None:
    line = decode(json.dumps(case[1]).encode())
    if isinstance(line, dict):
        api: Any = PROVIDERS[case[0]]
        api.read_batched(BatchResult("k", line), CHAT).completion.text.encode()


def batch_states(home: Path, case: tuple[str, Any]) -> None:
    page = decode(json.dumps(case[1]).encode())
    if not isinstance(page, dict):
        return
    for batch in (page, *listed(page)):
        stamp_seconds(str(batch.get("created_at")))
        if case[0] == "openai":
            api: Any = PROVIDERS["openai"]
            api._state(batch)
        else:
            anthropic_state(batch)


def strings(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in strings(one)]


PROVIDER = st.sampled_from(tuple(PROVIDERS))
TARGETS = (
    Target("seed files", st.tuples(SEED_TEXT | edited(GOOD * 3), SUFFIXES), seed_file),
    Target(
        "seed rows",
        st.lists(
            shaped("id", "name", "instruction", "instances", "input", "output", "messages")
            | anything,
            max_size=4,
        ),
        seed_rows,
    ),
    Target("row files", st.tuples(SEED_TEXT, SUFFIXES), row_file),
    Target(
        "config files",
        st.tuples(YAML_TEXT, st.sampled_from((".yaml", ".toml")))
        | st.tuples(edited(GOOD_YAML, noise=("\n", ": ", "{", "- ", "1e999")), st.just(".yaml"))
        | st.tuples(edited(GOOD_TOML, noise=("\n", "=", "[", '"')), st.just(".toml")),
        config_file,
    ),
    Target("config values", CONFIG, config_values),
    Target("--set", fragments("a", "=", ".", "limits.", "2001-99-99", "[", most=6), assignment),
    Target(
        "model scripts",
        st.tuples(YAML_TEXT | SCRIPT_TEXT, st.sampled_from((".yaml", ".jsonl"))),
        scripts,
    ),
    Target("lists of a model", LIST_TEXT, lists),
    Target("answers of a model", ANSWER_TEXT, answers),
    Target(
        "JSON of a model",
        anything | shaped("tasks", "input", "output", "pairs", "instances"),
        json_answers,
    ),
    Target("structured answers", JSON_TEXT, structured),
    Target("replies, OpenAI", REPLY, replies),
    Target("replies, Anthropic", shaped("content", "stop_reason", "usage", "model"), messages),
    Target("rate headers", st.dictionaries(RATES, RATE, max_size=4), headers),
    Target("scores", st.tuples(ANSWER_TEXT, ANSWER_TEXT, ANSWER_TEXT), scores),
    Target(
        "prediction files",
        st.lists(
            shaped(*FIELDS) | st.fixed_dictionaries(dict.fromkeys(FIELDS, ANSWER_TEXT)), max_size=3
        ),
        predictions,
    ),
    Target(
        "exports",
        st.dictionaries(
            st.sampled_from(("instruction", "input", "output", "completion", "system")),
            ANSWER_TEXT | ANSWER_TEXT | anything,
        )
        | st.fixed_dictionaries(
            {"instruction": ANSWER_TEXT, "output": ANSWER_TEXT},
            optional={"input": ANSWER_TEXT, "system": ANSWER_TEXT},
        ),
        exports,
    ),
    Target("suite files", SEED_TEXT | edited(GOOD_SUITE), suite_files),
    Target(
        "result files",
        st.tuples(
            st.integers(0, 999), st.integers(0, 12),
            st.sampled_from((b"null", b"0", b"[]", b"{}", b'"a"', b"")) | st.binary(max_size=4),
        ),
        result_files,
    ),
    Target("documents", document_files.FILES, document_files.files),
    Target("PDFs", document_files.PDFS, document_files.pdfs),
    Target(
        "loop configs",
        st.builds(
            lambda top, model: {**LOOP, **top, **model},
            shaped(*LoopConfig.model_fields),
            st.just({}) | MODEL.map(lambda model: {"models": {"labeler": model}}),
        ),
        loop_configs,
    ),
    Target("selfsown.json of a model", JSON_TEXT | edited(GOOD_LINEAGE), lineages),
    Target(
        "index files",
        st.tuples(st.integers(0, 999), st.integers(0, 300), st.binary(max_size=20)),
        indexes,
    ),
    Target(
        "segments",
        st.tuples(
            edited(GOOD_SEGMENT, noise=("{}", "[]", "null", "\n")),
            st.integers(0, 999), st.binary(max_size=20),
        ),
        segments,
    ),
    Target("batch results", st.tuples(PROVIDER, BATCH_RESULT), batch_results),
    Target(
        "batch states",
        st.tuples(
            PROVIDER, BATCH_STATE | st.lists(BATCH_STATE, max_size=2).map(lambda d: {"data": d})
        ),
        batch_states,
    ),
)  # fmt: skip


@dataclass
class Count:
    """What became of the cases of one reader."""

    cases: int = 0
    refused: int = 0
    longest_s: float = 0.0


def fuzzed(target: Target, home: Path, cases: int, start: int) -> tuple[Count, str]:
    """So many cases; the first that failed, made small, in words."""
    count = Count()

    @seed(start)
    @settings(
        max_examples=cases, deadline=None, database=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    @given(target.cases)
    def one(case: Any) -> None:
        count.cases += 1
        began = time.perf_counter()
        try:
            target.read(home, case)
        except (SelfsownError, AttemptFailed, SchemaMissed):
            count.refused += 1
        count.longest_s = max(count.longest_s, time.perf_counter() - began)

    try:
        one()
    except Exception as error:  # whatever a reader lets through is what we look for
        notes = " ".join(getattr(error, "__notes__", ()))
        return count, f"{type(error).__name__}: {error}; {notes}"[:600]
    return count, ""


def tables(plan: Plan, home: Path) -> list[Table]:
    """Every reader."""
    table = Table("Fuzzed inputs", ("reader", "cases", "refused", "longest ms", "crashed"))
    for target in TARGETS:
        start = plan.rng(target.name).randrange(1 << 32)
        count, said = fuzzed(target, home, plan.count(CASES), start)
        table.add(
            target.name, count.cases, count.refused, f"{count.longest_s * 1e3:.0f}", int(bool(said))
        )
        table.check(not said, f"{target.name}: {said}")
        table.check(count.longest_s < LONGEST_S, f"{target.name} took {count.longest_s:.1f} s")
    return [table]
