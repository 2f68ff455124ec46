"""Inputs that nobody meant: every reader gives a value or one of our errors, and in good time.

A case is made by hypothesis: text of fragments that mean something to the reader, noise between
them, or JSON of any shape under keys that the reader knows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.chaos.plan import Plan, Table

from selfsown.core.config import RunConfig, apply_set, make_config, read_config
from selfsown.core.errors import SelfsownError
from selfsown.core.inputs import read_rows
from selfsown.core.model import AttemptFailed
from selfsown.core.request import Request, clean_text, message
from selfsown.evaluate.metrics import METRICS
from selfsown.evaluate.predictions import FIELDS, read_predictions
from selfsown.evaluate.suite import Instance
from selfsown.export.example import fields_for, read_example
from selfsown.export.formats import FORMATS, find_format
from selfsown.models.anthropic import read_message
from selfsown.models.judging import usable
from selfsown.models.openai_format import decode, read_completion
from selfsown.models.rate_headers import rate_state, retry_after_s
from selfsown.models.script_file import read_script
from selfsown.models.structured import SchemaMissed, parse_structured
from selfsown.recipes.seeds.reader import inspect_seeds, read_seeds
from selfsown.recipes.self_instruct import parse, published

CASES = 10_000
LONGEST_S = 2.0
HOSTILE = ("\x1b]0;owned\x07", "\x00", "\ud800", "\u2028", "\u202e", "<script>", "\r", "\x85", "é")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)  # fmt: skip


def fragments(*meant: str, most: int = 14) -> st.SearchStrategy[str]:
    """Text of pieces that mean something, and of noise."""
    return st.lists(st.sampled_from((*meant, *HOSTILE)) | st.text(max_size=6), max_size=most).map(
        "".join
    )


def shaped(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some known keys, each with anything."""
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=4), anything, max_size=6)


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


def strings(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in strings(one)]


GOOD = '{"instruction": "Do it.", "instances": [{"input": "", "output": "b"}]}\n'
SEED_TEXT = fragments(
    GOOD, GOOD, GOOD, GOOD,
    '{"instruction": "Do it.", "instances": [{"input": "", "output": "b"}]}', "\n", "{", "}", "[",
    "]", '"instruction"', ":", ",", '"', "instruction,output\n", "a,b\n", "\ufeff", '"id": 1', "\\",
)  # fmt: skip
YAML_TEXT = fragments(
    "recipe: complete\n", "models:\n", "  generator: ", "{uri: scripted}\n", "limits: ", "{", "}",
    "[", "]", "- ", ": ", "\n", "2001-99-99", "1e999", "0x", "&a ", "*a", "<<: *a\n", "!!python/x ",
    "!!binary ", "!!timestamp ", '"', "'", "|\n", "? ", "\t", "seeds: ", "[[" * 40, "9" * 30, "=",
    "12:30:99",
)  # fmt: skip
LIST_TEXT = fragments(
    "1. ",
    "2. ",
    "Task 10: ",
    "Task 11:",
    "\n",
    "- ",
    "Name a river.",
    " ",
    "\t",
    "12 .",
    "```",
    "#",
)
ANSWER_TEXT = fragments(
    "Yes", "No", "Example 1", "Input:", "Output:", "Output 2 :", "Class label: ", "\n", " ", "x",
    "```", "Input: <noinput>", "None", "Example", "Answer",
)  # fmt: skip
JSON_TEXT = fragments(
    '{"a": ["x"]}', "```json\n", "\n```", "{", "}", "[", "]", '"a"', ":", ",", '"', "'", "NaN",
    "1e999", "\\u", "\\ud800", "true", "None", "// c\n", "Sure! ", "[" * 300, "9" * 20,
)  # fmt: skip
REPLY = st.binary(max_size=60) | shaped("choices", "usage", "model", "error") | st.builds(
    lambda turn, usage, finish: {
        "choices": [{"message": turn, "finish_reason": finish}], "usage": usage, "model": "m"
    },
    shaped("content", "refusal", "reasoning", "reasoning_content", "tool_calls"),
    anything | shaped("prompt_tokens", "completion_tokens", "prompt_tokens_details"),
    anything,
)  # fmt: skip
NAMES = tuple(RunConfig.model_fields)
LIMITS = ("concurrency", "attempts", "timeout_s", "resend", "requests_per_minute", "down_after_s")
MODEL = shaped("uri", "api_key", "price", "headers", "extra")
CONFIG = st.builds(
    lambda top, model, limits: {"recipe": "complete", **top, **model, **limits},
    shaped(*NAMES),
    st.just({}) | MODEL.map(lambda model: {"models": {"generator": model}}),
    st.just({}) | shaped(*LIMITS).map(lambda m: {"limits": m}),
)  # fmt: skip
RATES = st.sampled_from(
    ("retry-after", "retry-after-ms", "x-ratelimit-limit-requests", "x-ratelimit-reset-requests",
     "x-ratelimit-remaining-tokens", "date", "anthropic-ratelimit-requests-reset",
     "anthropic-ratelimit-tokens-remaining")
)  # fmt: skip
RATE = fragments("1", "-", "9" * 20, "ms", "s", "m", "h", ".", "e9", "nan", "inf",
                 "Fri, 20 Nov 2026 ",
                 "2026-11-20T15:00:00Z", "14:00:00 GMT", most=4)  # fmt: skip
SCRIPT_TEXT = fragments(
    "rules:\n", "- match: a\n", "  text: b\n", "identity: x\n", "capabilities: ", "1: 2\n",
    '{"match": "a", "text": "b"}\n', '{"error": "bad_request"}\n', "{", "}", ": ", "regex: (",
)  # fmt: skip
SUFFIXES = st.sampled_from((".jsonl", ".json", ".csv", ".txt"))
TARGETS = (
    Target("seed files", st.tuples(SEED_TEXT, SUFFIXES), seed_file),
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
    Target("config files", st.tuples(YAML_TEXT, st.sampled_from((".yaml", ".toml"))), config_file),
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
        ),
        exports,
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
