"""A policy that numbers its answers, and a judge whose scores are a function of them.

For tests of preference recipes through whole runs; nothing depends on the order of calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfsown.core.request import Request
from selfsown.models.scripted import ScriptedModel

Says = Callable[[str, str, int], str]
"""(prompt, answer, call seed) -> what the judge writes."""

_ANSWER = re.compile(r"<answer>\n(.*?)\n</answer>", re.DOTALL)
_INSTRUCTION = re.compile(r"<instruction>\n(.*?)\n</instruction>", re.DOTALL)


def numbering(
    words: Callable[[str, int], str] = lambda prompt, number: f"{prompt} {number}",
) -> ScriptedModel:
    """A policy whose answers to a prompt are `words(prompt, 0)`, `words(prompt, 1)`, ..."""
    asked: dict[str, list[int]] = {}

    def answer(request: Request, seed: int) -> str:
        prompt = request.messages[-1].text
        seen = asked.setdefault(prompt, [])
        if seed not in seen:
            seen.append(seed)
        return words(prompt, seen.index(seed))

    return ScriptedModel(answer, identity="policy")


def grading(says: Says) -> ScriptedModel:
    """A judge that reads prompt and answer out of the rubric."""

    def answer(request: Request, seed: int) -> str:
        shown = request.messages[-1].text
        (prompt,), (given,) = _INSTRUCTION.findall(shown), _ANSWER.findall(shown)
        return says(prompt, given, seed)

    return ScriptedModel(answer, identity="judge")


def stage(directory: Path, name: str) -> dict[str, Any]:
    """What the manifest says of a stage."""
    manifest = json.loads((directory / "manifest.json").read_bytes())
    found: dict[str, Any] = next(one for one in manifest["data"]["stages"] if one["stage"] == name)
    return found


def is_conserved(found: dict[str, Any]) -> bool:
    """Whether what entered a stage is what left it, kept or listed."""
    gone = sum(found["rejected"].values()) + sum(found["failed"].values())
    return bool(found["in"] == found["accepted"] + gone)
