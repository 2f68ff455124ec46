"""A recipe of one's own: a pool of questions that grows from what was accepted before.

    python examples/own_recipe.py

Prints:

    questions: 24 accepted, ... rejected as too similar, stop: target
    the first: ... a ... near every ...?
    its parents: ['seed:0', 'seed:1']
    replay without a model: identical True

From the command line the same recipe is `own_recipe:RECIPE`, with this folder on the Python path:
`PYTHONPATH=examples selfsown run own_recipe:RECIPE --rows topics.jsonl --model lab -o runs/own`.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile

from pydantic import BaseModel, ConfigDict, Field

import selfsown
from selfsown.core.request import Completion, Request
from selfsown.core.run import Run
from selfsown.curate.rouge_l import NoveltyPool
from selfsown.models.scripted import ScriptedModel
from selfsown.recipes.base import Recipe


class Options(BaseModel):
    """Options of this recipe; each is a keyword of `selfsown.run` and a `--set` key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(0.7, ge=0, le=1, description="ROUGE-L above it to any other rejects.")


async def questions(run: Run, options: Options) -> None:
    """Show two questions of the pool, ask for a third, keep it if it is new."""
    stage = run.stage("questions", unit="question", output=True)
    pool = [(f"seed:{n}", str(row["question"])) for n, row in enumerate(run.rows())]
    novelty = NoveltyPool(threshold=options.threshold)
    for _, text in pool:
        novelty.add(text)

    def draw(index: int) -> tuple[int, list[tuple[str, str]]]:  # feeds on the pool, asks nobody
        return index, run.rng("shown", index).sample(pool, 2)

    async def work(item: tuple[int, list[tuple[str, str]]]) -> Completion:  # sees its item alone
        index, shown = item
        prompt = "".join(f"Question: {text}\n" for _, text in shown) + "Question:"
        request = Request(prompt=prompt, max_tokens=40, temperature=1.0, stop=("\n",))
        return await run.ask("generator", request, sample=index)

    async for done in run.flow("pool", draw, work, lambda: min(8, 1 + len(pool) // 4)):
        text = "" if done.error else done.result.text.strip()
        candidate = stage.enter(
            {"question": text},
            order=(done.ordinal,),
            parents=[parent for parent, _ in done.item[1]],
            keys=done.keys,
        )
        if done.error:
            candidate.fail(done.error)
        elif not (verdict := novelty.admit(text)).ok:
            candidate.reject("too_similar", verdict.score)
        else:
            novelty.add(text)
            pool.append((candidate.keep().id, text))
        target = run.target or 0
        if stage.counts.kept >= target or stage.counts.entered >= 20 * target:
            run.stop("target" if stage.counts.kept >= target else "saturated")
            break


RECIPE = Recipe(
    name="own_recipe:RECIPE",
    version="1",
    summary="Questions that grow from two given ones.",
    run=questions,
    options=Options,
    target=24,
    target_unit="question",
)

OPENINGS = ("Why does", "How can", "When did", "Where might", "What makes", "How often does")
THINGS = ("moon", "river", "engine", "kettle", "shadow", "glacier", "candle", "market", "beetle")
DEEDS = ("shine", "freeze", "hum", "whistle", "move", "melt", "flicker", "close", "sleep", "grow")


def scripted_answer(request: Request, seed: int) -> str:
    """What stands for a model here: a question made from the call's own seed."""
    rng = random.Random(seed)
    opening, thing, deed, other = map(rng.choice, (OPENINGS, THINGS, DEEDS, THINGS))
    return f" {opening} a {thing} {deed} near every {other}?"


def main(out: str) -> None:
    """Grow the pool, look at one record's origin, and rebuild everything from the journal."""
    seeds = [{"question": "Why is the sky blue?"}, {"question": "How do birds find home?"}]
    result = selfsown.run(RECIPE, rows=seeds, model=ScriptedModel(scripted_answer), out=out)
    kept, similar = len(result.accepted), len(result.rejected)
    print(f"questions: {kept} accepted, {similar} rejected as too similar, stop: {result.stop}")
    first = next(iter(result.accepted))
    print(f"the first: {first['question']}")
    lines = (result.directory / "provenance.jsonl").read_text(encoding="utf-8").splitlines()
    origin = next(line for line in map(json.loads, lines) if line["id"] == first["id"])
    print(f"its parents: {sorted(origin['parents'])}")
    print(f"replay without a model: identical {selfsown.replay(out, recipe=RECIPE).identical}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(sys.argv[1] if len(sys.argv) > 1 else f"{scratch}/own")
