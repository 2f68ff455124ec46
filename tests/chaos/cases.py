"""What cases are made of: text of fragments that mean something to a reader, noise between them.

Beside them good files with small edits, and JSON of any shape under keys that a reader knows.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from selfsown.core.config import RunConfig
from selfsown.core.journal import checksum

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


def edited(*texts: str, noise: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """A good text after up to three edits: pieces cut out, doubled, or replaced."""
    pieces = st.sampled_from((*noise, *HOSTILE, "")) | st.text(max_size=4)
    edits = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 30), pieces), max_size=3)

    def apply(text: str, edits: list[tuple[int, int, str]]) -> str:
        for at, size, piece in edits:
            start = at * len(text) // 1000
            doubled = text[start : start + size] if not size % 2 else ""
            text = text[:start] + doubled + piece + text[start + size * (not doubled) :]
        return text

    return st.builds(apply, st.sampled_from(texts), edits)


def shaped(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some known keys, each with anything."""
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=4), anything, max_size=6)


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
GOOD_YAML = """recipe: self-instruct
models:
  generator: {uri: scripted, price: {input: 1, output: 2}, extra: {top_k: 3}}
seeds: starter
target: 20
order: strict
options: {layout: completion, answer_votes: 3}
limits: {concurrency: 5, resend: 0.01}
budget: {usd: 1.5}
out: runs/x
"""
GOOD_TOML = """recipe = "complete"
rows = "rows.jsonl"
seed = 3
[options]
prompt = "Say {{ n }}"
[models.generator]
uri = "scripted"
"""
GOOD_SUITE = (
    '{"instruction": "Do it.", "input": "x", "references": ["a", "b"], "category": "c"}\n'
    '{"id": "t", "instruction": "Do.", "instances": [{"input": "x", "output": "y"}]}\n'
    '{"task": "task1_x", "definition": ["Do."], "category": ["QA"], "instances":'
    ' [{"input": "x", "outputs": ["y"]}]}\n'
)
GOOD_LINEAGE = json.dumps(
    {"version": 1, "kind": "model", "model_hash": "x", "model_depth": 1, "human_share": 0.5,
     "base": "lab", "base_hash": "y", "base_depth": 0, "training_depth": 1, "epochs": 1.0}
)  # fmt: skip
GOOD_SEGMENT = (
    '{"shard":0,"attempt":1,"first":1,"last":1,"whole":true}\n'
    + '["sessions",1,"' + checksum(1, "sessions", ("t", "n")).hex() + '",["t","n"]]\n'
)  # fmt: skip
TURN = shaped("content", "refusal", "reasoning") | st.builds(
    lambda text, more: {"content": text, **more}, ANSWER_TEXT, shaped("refusal", "role")
)
SAID = shaped("content", "usage", "model") | st.builds(
    lambda text, more: {"content": [{"type": "text", "text": text}], **more},
    ANSWER_TEXT, shaped("usage", "model", "stop_reason"),
)  # fmt: skip
BATCH_RESULT = st.builds(
    lambda response, error: {"custom_id": "k", **response, **error},
    shaped("response", "result", "error")
    | st.fixed_dictionaries(
        {"response": st.fixed_dictionaries(
            {"status_code": st.sampled_from((200, 400, 500)) | anything,
             "body": shaped("choices", "error", "usage") | st.builds(
                 lambda turn: {"choices": [{"message": turn, "finish_reason": "stop"}]}, TURN)})}
    )
    | st.fixed_dictionaries(
        {"result": st.fixed_dictionaries(
            {"type": st.sampled_from(("succeeded", "errored", "expired", "canceled")) | anything},
            optional={"message": SAID,
                      "error": shaped("error", "type", "message") | st.builds(
                          lambda inner: {"error": inner}, shaped("type", "message"))})}
    ),
    st.just({}) | shaped("code", "message").map(lambda error: {"error": error}),
)  # fmt: skip
COUNTS = shaped("total", "completed", "failed", "processing", "succeeded", "expired", "errored")
BATCH_STATE = st.fixed_dictionaries(
    {"id": st.just("b") | anything},
    optional={
        "status": st.sampled_from(("failed", "completed", "validating")) | anything,
        "processing_status": st.sampled_from(("ended", "in_progress")) | anything,
        "request_counts": COUNTS | anything,
        "created_at": st.integers() | st.just("2026-11-20T15:00:00Z") | anything,
        "errors": anything | st.builds(
            lambda one: {"data": [one]}, shaped("line", "code", "message")),
    },
)  # fmt: skip
LOOP = {"seeds": "lab:25", "suites": ["lab-plain"], "out": "x"}
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
