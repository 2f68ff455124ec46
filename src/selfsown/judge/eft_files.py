"""Examples for a judge as files: what `selfsown train` takes, what was left out, and held-out labels.

| file | one line per |
|---|---|
| `eft.jsonl` | example: `id`, `prompt` (the filled rubric as it was sent), `completion` (reasons and score), `human_rank`, `group_id`, `score`, `sample` |
| `eft.jsonl.provenance.jsonl` | the same example: the run's provenance of its judgement |
| `eft.left_out.jsonl` | judgement that is no example, with `why` |
| `held_out.jsonl` | held-out label as the file had it, a pair as a pair, for `selfsown judge calibrate` |
| `eft.json` | counts; written last |

Prompt and completion are turns where the judge was asked with messages, and texts where it was
asked with a text to go on from: either is trained on as it was asked, with the prompt masked.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.request import JSON
from selfsown.core.rundir import write_lines, write_text
from selfsown.export.export import provenance_path
from selfsown.judge.base import Judge
from selfsown.judge.eft import Example, Found, Ranking
from selfsown.judge.labels import label_row
from selfsown.judge.stored import Sent

EFT: Final = "eft.jsonl"
LEFT_OUT: Final = "eft.left_out.jsonl"
HELD_OUT: Final = "held_out.jsonl"
COUNTS: Final = "eft.json"


def counts_form(
    judge: Judge,
    model: str,
    found: Found,
    train: Sequence[Ranking],
    held_out: Sequence[Ranking],
    *,
    elsewhere: int = 0,
) -> dict[str, JSON]:
    """How many of what; judgements = examples + left out.

    Args:
        judge: who judged.
        model: URI of its model.
        found: what its judgements came to.
        train: rankings that were judged.
        held_out: rankings that were not.
        elsewhere: rankings whose prompts other data have.
    """
    return {
        "judge": judge.name,
        "options": dict(judge.options),
        "model": model,
        "prompts": len(train),
        "prompts_elsewhere": elsewhere,
        "judgements": len(found.examples) + len(found.left_out),
        "examples": len(found.examples),
        "left_out": dict(sorted(found.by_why.items())),
        "scores": {f"{score:g}": count for score, count in sorted(found.by_score.items())},
        "held_out": {
            "prompts": len(held_out),
            "answers": sum(len(one.answers) for one in held_out),
        },
    }


def write_examples(
    directory: Path,
    found: Found,
    held_out: Sequence[Ranking],
    sent: Mapping[str, Sent],
    counts: Mapping[str, JSON],
) -> Path:
    """Write all files, each whole; returns the file of examples.

    Args:
        directory: of the judge's run.
        found: what its judgements came to.
        held_out: rankings that were not judged.
        sent: id of an answer -> what was asked about it; every example's is there.
        counts: of `counts_form`.

    Raises:
        EnvironmentFailure: a file cannot be written.
    """
    path = directory / EFT
    (directory / COUNTS).unlink(missing_ok=True)
    write_lines(path, (_line(_row(one, sent[one.answer.id])) for one in found.examples))
    write_lines(provenance_path(path), map(_line, _provenance(found.examples, sent)))
    write_lines(directory / LEFT_OUT, map(_line, _left_out(found)))
    labels = (label_row(label) for one in held_out for label in one.labels)
    write_lines(directory / HELD_OUT, map(_line, labels))
    write_text(directory / COUNTS, orjson.dumps(counts, option=orjson.OPT_INDENT_2).decode() + "\n")
    return path


def _row(one: Example, sent: Sent) -> dict[str, JSON]:
    """One example; a text to go on from gets the space that the answer began with."""
    request = sent.request
    prompt: JSON = request.get("prompt")
    completion: JSON
    if prompt is None:
        prompt = request["messages"]
        completion = [{"role": "assistant", "content": one.text.strip()}]
    else:
        completion = one.text if one.text[:1].isspace() else f" {one.text}"
    return {
        "id": one.answer.id,
        "prompt": prompt,
        "completion": completion,
        "human_rank": one.human_rank,
        "group_id": one.group,
        "score": one.score,
        "sample": one.sample,
    }


def _provenance(examples: Sequence[Example], sent: Mapping[str, Sent]) -> Iterator[dict[str, JSON]]:
    for number, one in enumerate(examples, 1):
        yield {"line": number, **sent[one.answer.id].provenance}


def _left_out(found: Found) -> Iterator[dict[str, JSON]]:
    for one in found.left_out:
        yield {
            "id": one.answer.id,
            "group_id": one.group,
            "human_rank": one.human_rank,
            "scores": list(one.scores),
            "why": one.why,
        }


def _line(row: Mapping[str, JSON]) -> bytes:
    return orjson.dumps(dict(row))
