"""The model card of the lab model: data, seed, command and measured scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfsown.evaluate.lab_generation import GenerationQuality
from selfsown.evaluate.lab_suite import Scores
from selfsown.lab.corpus import DOCUMENT_SHARES
from selfsown.lab.layouts import STYLE_SHARES
from selfsown.train.pretrain import Outcome, Settings

_HEAD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [synthetic, micro-world, base-model]
---

# The lab model of selfsown

A base model of {parameters:,} parameters (Llama architecture, {layers} layers of width
{hidden}, context {context} tokens) about a micro-world of 196 task families. It exists to
demonstrate and test the engine offline: prompted with examples it performs; given a bare
instruction it fails, since it goes on with the next exercise instead of answering. (The labelled
format `Task: ... Output:` elicits much of what it knows even without examples.) It is **not** a
source of training data for other models, and it knows nothing outside its world.

## How it was made

- Command: `selfsown lab pretrain --tokens {budget} --seed {seed}`
- Data: {tokens:,} tokens of text made by `selfsown.lab.corpus` from seed {seed}; no other text,
  no other model. Documents: {documents}. Answers on sheets: {styles}.
- Never seen: 11 families, a quarter of all (family, modifier) pairs, and a fifth of all
  (phrasing, verb) pairs.
- Validation loss in nats per token: {answer_loss:.3f} on answers, {total_loss:.3f} overall.
"""

_FOOT = """
## Licence

Weights and text were made by this project and are under Apache-2.0.
"""


def model_card(
    settings: Settings,
    outcome: Outcome,
    scores: Scores | None = None,
    generations: Sequence[GenerationQuality] = (),
) -> str:
    """The text of the card.

    Args:
        settings: how the model was trained.
        outcome: what training reached.
        scores: scores on the suite, where measured.
        generations: runs of instruction generation, where measured.
    """
    text = _HEAD.format(
        parameters=outcome.parameters,
        layers=settings.layers,
        hidden=settings.hidden,
        context=settings.long_rows,
        budget=settings.tokens,
        seed=settings.seed,
        tokens=outcome.tokens,
        documents=", ".join(f"{k} {share:.0%}" for k, (_, share) in DOCUMENT_SHARES.items()),
        styles=", ".join(f"{name} {share:.0%}" for name, share in STYLE_SHARES.items()),
        answer_loss=outcome.answer_loss,
        total_loss=outcome.total_loss,
    )
    if scores is not None:
        text += scores_section(scores)
    if generations:
        text += _generation_section(generations)
    return text + _FOOT


def scores_section(scores: Scores) -> str:
    """The table of scores."""
    rows = [
        f"\n## Scores on suite {scores.suite}\n",
        "Greedy, first output line, mean and bootstrap 95 % interval over 300 items.",
        f"Weights `{scores.weights_sha256[:16]}`, suite `{scores.suite_sha256[:16]}`.\n",
        "| format | demonstrations | ROUGE-L | exact match |",
        "|---|---|---|---|",
    ]
    for score in scores.conditions:
        rouge, exact = score.rouge_l, score.exact_match
        rows.append(
            f"| {score.condition.layout} | {score.condition.shots} "
            f"| {rouge.mean:.3f} ({rouge.low:.3f} to {rouge.high:.3f}) "
            f"| {exact.mean:.3f} ({exact.low:.3f} to {exact.high:.3f}) |"
        )
    return "\n".join(rows) + "\n"


def _generation_section(generations: Sequence[GenerationQuality]) -> str:
    rows = [
        "\n## As a generator of instructions\n",
        "List prompts of eight demonstrations from 25 seeds, temperature 0.9, top-p 0.95.\n",
        "| accepted | candidates | tasks of the world | unseen compositions | families |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {len(g.accepted)} | {g.candidate_count} | {g.task_rate:.1%} | {g.unseen_rate:.1%} "
        f"| {g.family_count} |"
        for g in generations
    ]
    return "\n".join(rows) + "\n"


def write_card(folder: Path, text: str) -> None:
    """Write the card as `README.md` of the folder."""
    (folder / "README.md").write_text(text, encoding="utf-8")
