"""Claim: rehearsal rows hold each instruction so often as asked, in the recipe's own layout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from selfsown.core.rundir import read_lines
from selfsown.export.export import provenance_path
from selfsown.loop.rehearsal import write_lists


def rows(path: Path) -> list[Any]:
    return list(read_lines(path))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    lines, told = [], []
    for number in range(20):
        row = {"instruction": f"Say {number % 18}.", "input": "", "output": "x"}
        lines.append(orjson.dumps(row))
        source = {"line": number + 1, "id": f"r-{number}", "origin": "model", "model_depth": 2}
        told.append(orjson.dumps(source))
    path.write_bytes(b"\n".join(lines) + b"\n")
    provenance_path(path).write_bytes(b"\n".join(told) + b"\n")
    return path


@pytest.mark.parametrize("passes", [1, 3])
def test_each_instruction_carries_the_loss_so_often(data: Path, passes: int) -> None:
    out = data.with_name("lists.jsonl")
    write_lists(data, out, {}, passes=passes)
    text = "".join(row["completion"] for row in rows(out))
    for number in range(18):
        assert len(re.findall(rf"Say {number}\.", text)) == passes


def test_a_list_is_continued_where_its_prompt_ends(data: Path) -> None:
    out = data.with_name("lists.jsonl")
    write_lists(data, out, {"list_header": "Come up with tasks:"}, passes=1)
    for row in rows(out):
        whole = row["prompt"] + row["completion"]
        marks = [int(found) for found in re.findall(r"Task (\d+):", whole)]
        assert whole.startswith("Come up with tasks:\nTask 1: Say ")
        assert marks == list(range(1, len(marks) + 1))
        assert row["prompt"].count("Say ") == 8
        assert row["prompt"].endswith("Task 9:") and row["completion"].startswith(" Say ")


def test_numbered_lists_follow_the_recipes_option(data: Path) -> None:
    out = data.with_name("lists.jsonl")
    write_lists(data, out, {"list_style": "numbered"}, passes=1)
    assert "\n1. Say " in rows(out)[0]["prompt"]


def test_lists_carry_origin_and_depth_of_their_tasks(data: Path) -> None:
    out = data.with_name("lists.jsonl")
    write_lists(data, out, {}, passes=1)
    told = rows(provenance_path(out))
    assert [row["line"] for row in told] == list(range(1, len(told) + 1))
    assert {(row["origin"], row["model_depth"]) for row in told} == {("model", 2)}
    assert len({row["id"] for row in told}) == len(told)
