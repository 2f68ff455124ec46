"""A preference loop on the lab that turns in seconds: few prompts, an oracle, no training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.lab.world import sample_instruction, sample_item
from selfsown.loop.preference.config import PreferenceLoopConfig, make_preference_loop_config
from selfsown.models.fingerprint import model_hash
from selfsown.models.lineage import ModelLineage, write_lineage
from selfsown.train.plan import make_plan, refuse_change, write_plan
from selfsown.train.settings import TrainConfig
from selfsown.train.sft import TrainResult

PER_ROUND = 6


def lab_prompts(count: int) -> list[dict[str, JSON]]:
    """Tasks of the micro-world, no two with one instruction."""
    rows: dict[str, dict[str, JSON]] = {}
    number = 0
    while len(rows) < count:
        rng = rng_for(0, "preference-loop-tests", number)
        number += 1
        told = sample_instruction(rng, "seen")
        rows[told.text] = {"instruction": told.text, "input": sample_item(rng, told).input}
    return list(rows.values())


def write_rows(path: Path, rows: list[dict[str, JSON]]) -> Path:
    """Rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def asked_of(row: Mapping[str, JSON]) -> dict[str, JSON]:
    """A row of prompts as columns of pairs."""
    return {"prompt": row["instruction"], "input": row["input"]}


def form(home: Path, **changes: Any) -> dict[str, Any]:
    """The keys of a loop of two rounds beside its files, which are written here."""
    rows = lab_prompts(3 * PER_ROUND + 2)
    declared = write_rows(home / "prompts.jsonl", rows[2:])
    validation = write_rows(home / "validation.jsonl", rows[:2])
    told = [{**asked_of(row), "chosen": "right", "rejected": "wrong"} for row in rows[2:]]
    offline = write_rows(home / "offline.jsonl", told)
    return {
        "recipe": "online-rlhf",
        "base": "lab",
        "prompts": {"file": str(declared), "per_round": PER_ROUND},
        "rounds": 2,
        "options": {
            "layout": "task",
            "max_tokens": 12,
            "stop": ["\n"],
            "answers": [{"count": 3, "temperature": 1.3, "top_p": 1.0}],
            "scorer": "oracle",
            "scorer_options": {"noise": 0.5},
        },
        "train": {"preset": "lab", "threads": 1, "max_steps": 2, "micro_batch_size": 2},
        "probe": {
            "prompts": str(validation),
            "gold": {"scorer": "oracle"},
            "answers": [{"count": 2, "temperature": 1.0, "top_p": 1.0}],
        },
        "floors": {"pair_yield": 0.0},
        "sft": {"preset": "lab", "threads": 1, "max_steps": 2},
        "offline_pairs": str(offline),
        "out": str(home / "loop"),
        **changes,
    }


def small(home: Path, **changes: Any) -> PreferenceLoopConfig:
    """The config of such a loop."""
    return make_preference_loop_config(form(home, **changes))


class StandInTrainer:
    """Trains nothing: the base goes on under another hash, with the record of a real training.

    Plan, checks and reference are the real ones.
    """

    def __init__(self) -> None:
        self.trained: list[TrainConfig] = []

    def __call__(self, config: TrainConfig) -> TrainResult:
        """As `selfsown.train.sft.train`."""
        plan = make_plan(config)
        refuse_change(plan)
        path = plan.out / "training.json"
        if not path.is_file():
            self.trained.append(config)
            write_plan(plan)
            for file in plan.base.iterdir():
                if file.is_file() and file.suffix == ".json" and file.name != "training.json":
                    shutil.copy(file, plan.out / file.name)
                elif file.suffix == ".safetensors":
                    (plan.out / file.name).hardlink_to(file)
            self._rename(plan.out / "config.json")
            depth = plan.base_depth + 1
            hash_ = model_hash(plan.out)
            lineage = ModelLineage(hash_, depth, 0.0, config.base, plan.base_hash, 0, depth, 1.0)
            write_lineage(plan.out, lineage)
            record = self._record(plan, hash_, depth)
            path.write_text(json.dumps(record), encoding="utf-8")
        return TrainResult(plan.out, True, json.loads(path.read_text("utf-8")), None)

    def _rename(self, path: Path) -> None:
        config = json.loads(path.read_text("utf-8"))
        config["stand_in"] = config.get("stand_in", 0) + 1
        path.unlink()
        path.write_text(json.dumps(config), encoding="utf-8")

    def _record(self, plan: Any, hash_: str, depth: int) -> Mapping[str, JSON]:
        record: dict[str, JSON] = {
            "model": {"model_hash": hash_, "model_depth": depth},
            "identity": dict(plan.identity),
            "result": {"seconds": 0.0},
        }
        if plan.reference is not None:
            record["reference"] = {
                "kind": plan.reference.kind,
                "folder": str(plan.reference.folder),
                "model_hash": plan.reference.model_hash,
            }
            record["policy"] = {"folder": str(plan.base), "model_hash": plan.base_hash}
        return record
