"""Random generators from (run seed, stage, draw): results never depend on timing or workers."""

from __future__ import annotations

import hashlib
import random


def rng_for(run_seed: int, stage: str, draw: int = 0) -> random.Random:
    """An independent generator for one draw of one stage.

    The same three arguments give the same sequence on every machine and Python version that keeps
    `random.Random`'s documented reproducibility; different arguments give unrelated ones.
    """
    digest = hashlib.blake2b(f"{run_seed}\0{stage}\0{draw}".encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest))
