"""A train/validation split that never puts one instruction on both sides.

Records with the same instruction form a group, and groups are ranked by a hash of the seed and the
instruction. The first groups that together reach the wanted share are the validation set: the same
records and seed give the same split on every machine, and nothing depends on the order of the file.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from selfsown.core.errors import InputError


class Split:
    """Says of each instruction on which side it is.

    Memory: about 100 bytes per distinct instruction while it is built, and per instruction of the
    validation set afterwards; the texts are not kept.
    """

    def __init__(self, instructions: Iterable[str], share: float, seed: int) -> None:
        """Decide for all records at once.

        Args:
            instructions: the instruction of every record, repeats included.
            share: wanted part of all records on the validation side, in [0, 1); 0 for no split.
            seed: another seed, another split.

        Raises:
            InputError: the share is out of range, or there are fewer than two instructions.
        """
        if not 0 <= share < 1:
            raise InputError(
                f"the validation share is {share}, it must be at least 0 and below 1",
                why="it is the part of all records that is kept from training",
                fix="for five in a hundred use --validation 0.05",
            )
        self.seed = seed
        self._validation: frozenset[int] = frozenset()
        if share:
            self._validation = self._choose(Counter(map(self._rank, instructions)), share)

    def is_validation(self, instruction: str) -> bool:
        """Whether records of this instruction belong to the validation set."""
        return self._rank(instruction) in self._validation

    def _choose(self, sizes: Counter[int], share: float) -> frozenset[int]:
        if len(sizes) < 2:
            raise InputError(
                f"the run has {len(sizes)} distinct instruction(s), a split needs two",
                why="no instruction may be on both sides, or validation would measure memory",
                fix="leave out --validation, or extend the run",
            )
        wanted = share * sizes.total()
        chosen: list[int] = []
        total = 0
        for rank in sorted(sizes)[:-1]:  # the last group always stays in the training set
            if chosen and total + sizes[rank] / 2 > wanted:
                break
            chosen.append(rank)
            total += sizes[rank]
        return frozenset(chosen)

    def _rank(self, instruction: str) -> int:
        same = " ".join(instruction.casefold().split())
        digest = hashlib.blake2b(f"{self.seed}\0{same}".encode(), digest_size=8).digest()
        return int.from_bytes(digest)
