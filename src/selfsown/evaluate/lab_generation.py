"""How good and how new the instructions of a model are, judged by the oracle.

A small Self-Instruct step 1 without journal: list prompts of eight demonstrations, rule filters,
novelty against the pool. It measures the two bars of the lab model: the share of accepted
instructions that are tasks of the world, and the share that are compositions never seen in
pretraining.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from selfsown.core.randomness import rng_for
from selfsown.curate.rouge_l import NoveltyPool
from selfsown.curate.rules import Preset, first_drop, instruction_rules
from selfsown.evaluate.lab_model import complete, load_model
from selfsown.lab import oracle
from selfsown.lab.layouts import LIST_HEADER
from selfsown.lab.seed_tasks import DEFAULT_SEED_COUNT, seeds_path

_ITEM = re.compile(r"^ ?(?:Task \d+:)?\s*(.+)$")
_REQUESTS_PER_BATCH = 16


@dataclass(frozen=True, slots=True)
class GenerationQuality:
    """What came of asking a model for instructions."""

    request_count: int
    candidate_count: int
    accepted: tuple[str, ...]
    rejected: dict[str, int]
    """Candidates rejected, by the reason of the filter."""
    task_rate: float
    """Share of the accepted that are tasks of the world."""
    unseen_rate: float
    """Share of the accepted that are compositions never seen in pretraining."""
    family_count: int
    """Different task families among the accepted."""


def measure_generation(
    model_dir: Path,
    *,
    target: int = 300,
    seed: int = 0,
    seed_count: int = DEFAULT_SEED_COUNT,
    preset: Preset = "default",
    max_requests: int = 4_000,
) -> GenerationQuality:
    """Grow a pool of `target` instructions from the lab's first seeds and judge it.

    Args:
        model_dir: a Hugging Face folder.
        target: accepted instructions to reach; fewer come back if `max_requests` are not enough.
        seed: seed of demonstrations and sampling.
        seed_count: human seeds to start from.
        preset: which rule filters judge the candidates.
        max_requests: list prompts to send at most.
    """
    loaded = load_model(model_dir)
    seeds = [json.loads(line)["instruction"] for line in _seed_lines()[:seed_count]]
    rules = instruction_rules(preset)
    pool = NoveltyPool(0.7)
    for text in seeds:
        pool.add(text)
    accepted: list[str] = []
    rejected: Counter[str] = Counter()
    requests = 0
    while len(accepted) < target and requests < max_requests:
        prompts = []
        for draw in range(requests, requests + _REQUESTS_PER_BATCH):
            rng = rng_for(seed, "lab-generation", draw)
            machine = rng.sample(accepted, min(2, len(accepted)))
            shown = machine + rng.sample(seeds, 8 - len(machine))
            rng.shuffle(shown)
            prompts.append(list_prompt(shown))
        texts = complete(
            loaded, prompts, max_new_tokens=160, temperature=0.9, top_p=0.95, seed=seed + requests
        )
        requests += len(prompts)
        for candidate in (line for text in texts for line in _candidates(text)):
            verdict = first_drop(rules, candidate)
            verdict = pool.admit(candidate) if verdict.ok else verdict
            if verdict.ok:
                pool.add(candidate)
                accepted.append(candidate)
            else:
                rejected[verdict.reason or "unnamed"] += 1
    return _judged(requests, accepted[:target], rejected, len(accepted))


def list_prompt(instructions: list[str]) -> str:
    """A list with an open next number."""
    lines = [f"Task {k}: {text}\n" for k, text in enumerate(instructions, 1)]
    return f"{LIST_HEADER}\n{''.join(lines)}Task {len(lines) + 1}:"


def _seed_lines() -> list[str]:
    return seeds_path().read_text(encoding="utf-8").splitlines()


def _candidates(completion: str) -> list[str]:
    """The whole lines of a completion, without marks; the last, perhaps cut off, is left out."""
    lines = completion.split("\n\n", 1)[0].split("\n")
    found = (_ITEM.match(line) for line in lines[:-1])
    return [match[1].strip() for match in found if match]


def _judged(
    requests: int, kept: list[str], rejected: Counter[str], accepted_count: int
) -> GenerationQuality:
    programs = [oracle.parse(text) for text in kept]
    families = {program.family for program in programs if program is not None}
    count = max(1, len(kept))
    return GenerationQuality(
        request_count=requests,
        candidate_count=accepted_count + sum(rejected.values()),
        accepted=tuple(kept),
        rejected=dict(sorted(rejected.items())),
        task_rate=sum(program is not None for program in programs) / count,
        unseen_rate=sum(map(oracle.is_unseen, kept)) / count,
        family_count=len(families),
    )
