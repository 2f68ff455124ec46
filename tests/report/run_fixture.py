"""Writes small, realistic run directories through the engine's own journal, stages and manifest.

Loaded with `runpy`, so that the tests of report, export and their commands share it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from selfsown.core.codec import encode_completion, encode_error
from selfsown.core.errors import CallFailed
from selfsown.core.journal import Journal, Row
from selfsown.core.request import Completion, Request, Usage, call_key, canonical_json, request_form
from selfsown.core.rundir import DATA_FILES, write_lines
from selfsown.core.stages import Origin, Sink, Stage, check_conservation

MODEL = "http://127.0.0.1:8000/v1#tiny"
ORIGIN = Origin("self-instruct", "1.2", {"generator": MODEL}, 1)
VERBS = (
    "Write",
    "Create",
    "Describe",
    "List",
    "Explain",
    "Compare",
    "Summarise",
    "Name",
    "Rewrite",
)
OBJECTS = ("story", "poem", "recipe", "letter", "sentence", "reason", "plan", "question", "title")
TOPICS = ("the sea", "an old town", "a lost dog", "winter", "a broken clock", "two rivers", "bread")
SEEDS = (
    ("s0", "Write a short story about a lighthouse."),
    ("s1", "Is the following sentence positive or negative?"),
    ("s2", "Name three uses of a brick."),
    ("s3", "Translate the phrase into French."),
    ("s4", "Describe the rules of chess to a child."),
)


class RunWriter:
    """Collects calls and candidates, then writes the directory."""

    def __init__(self, directory: Path, origin: Origin = ORIGIN) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.origin = origin
        self.rng = random.Random(7)
        self.journal = Journal(directory / "journal.sqlite")
        self.sink = Sink(directory / ".derived.sqlite", origin)
        self.stages: list[Stage] = []
        self.rows: list[Row] = []
        self.calls = 0

    def stage(self, name: str, unit: str, *, output: bool = False) -> Stage:
        """A stage of the funnel."""
        self.stages.append(Stage(name, unit, output, len(self.stages), self.sink))
        return self.stages[-1]

    def call(self, prompt: str, answer: str, *, error: str = "", retried: bool = False) -> str:
        """Journal one call and its attempts; returns the hex key."""
        form = request_form(Request(prompt=prompt, max_tokens=256, temperature=0.7))
        key = call_key(MODEL, form, self.calls)
        usage = Usage(len(prompt) // 4, len(answer) // 4, len(prompt) // 8)
        text = (
            encode_error(CallFailed(error, "refused"))
            if error
            else encode_completion(Completion(answer, usage=usage, model="tiny"))
        )
        second = self.calls // 4
        created = f"2026-03-01T10:{second // 60:02d}:{second % 60:02d}Z"
        request = canonical_json(form).decode()
        rows = [Row("outcomes", (key, "call", MODEL, request, text, int(not error), "", created))]
        kinds = ["rate_limit"] * retried + [error or "ok"]
        for number, kind in enumerate(kinds):
            tokens = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, 0)
            if kind != "ok":
                tokens = (0, 0, 0, 0)
            cost = tokens[0] * 500 + tokens[1] * 1500
            head = (key, 1, number, kind, 200 if kind == "ok" else 429, self.rng.uniform(0.4, 2.5))
            rows.append(Row("attempts", (*head, *tokens, cost, sum(tokens[:2]), "", created)))
        self.rows += rows
        self.calls += 1
        return key.hex()

    def write(
        self,
        *,
        status: str = "finished",
        stop: str = "target",
        seeds: Sequence[tuple[str, str]] = SEEDS,
        data_files: bool = True,
    ) -> Path:
        """Write what a run leaves when it ends with this status."""
        check_conservation(self.stages)
        self.journal.append_now(self.rows)
        self._write_inputs(seeds)
        self._write_config()
        if data_files:
            self._write_data(status, stop)
        self.journal.close()
        self.sink.close()
        return self.directory

    def _write_inputs(self, seeds: Sequence[tuple[str, str]]) -> None:
        if seeds:
            inputs = self.directory / "inputs"
            inputs.mkdir()
            lines = [orjson.dumps({"id": name, "instruction": text}) for name, text in seeds]
            write_lines(inputs / "seeds.jsonl", lines)

    def _write_config(self) -> None:
        config: Mapping[str, Any] = {
            "recipe": self.origin.recipe,
            "preset": "default",
            "models": {"generator": MODEL},
            "seeds": "starter",
            "target": 100,
            "seed": 7,
            "order": "strict",
            "options": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 256, "threshold": 0.7},
            "budget": {"usd": 2.0, "tokens": None},
            "effective": {
                "models": {"generator": {"uri": MODEL, "identity": MODEL}},
                "data": {},
                "versions": {"selfsown": "0.1.0", "python": "3.11"},
            },
        }
        (self.directory / "config.yaml").write_text(yaml.safe_dump(config))

    def _write_data(self, status: str, stop: str) -> None:
        files = {}
        for name in DATA_FILES:
            facts = write_lines(self.directory / name, self.sink.lines(name))
            files[name] = {"sha256": facts.sha256, "rows": facts.rows, "bytes": facts.bytes}
        manifest = {
            "version": 1,
            "data": {
                "recipe": self.origin.recipe,
                "recipe_version": self.origin.recipe_version,
                "seed": 7,
                "stop": stop,
                "files": files,
                "stages": [stage.counts.form(stage.name) for stage in self.stages],
                "notes": {"pool_size": 5},
            },
            "run": {
                "status": status,
                "reason": stop or "the budget is spent",
                "started": "2026-03-01T10:00:00Z",
                "ended": "2026-03-01T10:02:00Z",
                "wall_s": 120.0,
                "resume": "selfsown run self-instruct -o runs/small -n 200",
                "calls_from_journal": 3,
                "shared": 2,
                "reused": 0,
                "unused": 4,
                "calls": self.calls,
                "warnings": [],
            },
        }
        (self.directory / "manifest.json").write_bytes(orjson.dumps(manifest))


def write_self_instruct(
    directory: Path,
    *,
    answers: int = 48,
    status: str = "finished",
    stop: str = "target",
    data_files: bool = True,
    hostile: Sequence[str] = (),
) -> Path:
    """A run of the four-stage recipe; `hostile` texts become instructions of accepted records."""
    run = RunWriter(directory)
    stages = (
        run.stage("completions", "completion"),
        run.stage("instructions", "instruction"),
        run.stage("tasks", "task"),
        run.stage("instances", "instance", output=True),
    )
    pool = [f"seed:{name}" for name, _ in SEEDS]
    known: set[str] = set()
    for ordinal in range(answers):
        place_in_flow = 2 * ordinal  # other deliveries lie between the lists
        parents = run.rng.sample(pool, 3) if len(pool) > 3 else pool[:3]
        texts = [_instruction(run.rng) for _ in range(6)]
        if ordinal == 1:
            texts += hostile
        prompt = "Come up with a series of tasks:\n" + "\n".join(
            f"{n}. {p}" for n, p in enumerate(parents)
        )
        if ordinal % 17 == 16:
            key = run.call(prompt, "", error="content_filter")
            failed = stages[0].enter(
                {"draw": ordinal}, order=(place_in_flow,), parents=parents, keys=[key]
            )
            failed.fail(CallFailed("content_filter", "the provider refused the prompt"))
            continue
        answer = "\n".join(f"{n}. {text}" for n, text in enumerate(texts))
        key = run.call(prompt, answer, retried=ordinal % 9 == 5)
        listed = stages[0].enter(
            {"completion": answer}, order=(place_in_flow,), parents=parents, keys=[key]
        )
        listed.keep()
        for place, text in enumerate(texts):
            candidate = stages[1].enter(
                {"instruction": text}, order=(place_in_flow, place), parents=parents, keys=[key]
            )
            if text in known:
                candidate.reject("rouge_l_too_similar", 1.0)
            elif len(text.split()) < 4:
                candidate.reject("too_short")
            else:
                known.add(text)
                kept = candidate.keep(score=0.31)
                pool.append(kept.id)
                _instances(run, stages, kept.id, text, (place_in_flow, place))
    return run.write(status=status, stop=stop, data_files=data_files)


def write_complete(directory: Path, rows: int = 8) -> Path:
    """A run of the one-stage recipe over independent rows."""
    run = RunWriter(directory, Origin("complete", "1", {"generator": MODEL}))
    stage = run.stage("rows", "row", output=True)
    for number in range(rows):
        key = run.call(f"Summarise: text number {number}", f"Summary {number}.")
        candidate = stage.enter(
            {"id": f"row-{number}", "text": f"text number {number}"}, order=(number,), keys=[key]
        )
        candidate.keep({"completion": f"Summary {number}."})
    return run.write(seeds=(), stop="rows")


def _instances(
    run: RunWriter, stages: Sequence[Stage], parent: str, text: str, order: tuple[int, int]
) -> None:
    label = text.startswith("Name")
    key = run.call(f"Task: {text}\nIs it classification?", "Yes" if label else "No")
    task = (
        stages[2]
        .enter(
            {"instruction": text, "is_classification": label},
            order=order,
            parents=[parent],
            keys=[key],
        )
        .keep()
    )
    answer = " ".join(run.rng.choices(TOPICS, k=run.rng.randint(1, 9)))
    key = run.call(f"Task: {text}\nInput:", answer)
    for number in range(run.rng.randint(1, 2)):
        payload = {
            "instruction": text,
            "input": "" if run.rng.random() < 0.4 else f"about {run.rng.choice(TOPICS)} ({number})",
            "output": answer,
            "is_classification": label,
        }
        candidate = stages[3].enter(
            payload, order=(*order, number), parents=[task.id], keys=[key], parent_depth=1
        )
        if run.rng.random() < 0.1:
            candidate.reject("output_equals_input")
        else:
            candidate.keep()


def _instruction(rng: random.Random) -> str:
    verb, thing, topic = rng.choice(VERBS), rng.choice(OBJECTS), rng.choice(TOPICS)
    if rng.random() < 0.08:
        return f"{verb} {thing}."
    return f"{verb} a {rng.choice(('short', 'long', 'good'))} {thing} about {topic}."
