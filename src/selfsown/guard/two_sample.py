"""Can a simple classifier tell the sample from human text? 0.5 means it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from selfsown.core.randomness import rng_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from selfsown.guard.embedding import Points

    Scores = NDArray[np.float64]

FOLDS: Final = 5
RIDGE: Final = 1.0


def auc(positive: Scores, negative: Scores) -> float:
    """Probability that a positive score exceeds a negative one, ties counted half."""
    import numpy as np

    both = np.concatenate([positive, negative])
    _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[places]  # mean rank of equal scores, from 1
    count = len(positive)
    pairs = count * len(negative)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / pairs)


def held_out_scores(sample: Points, human: Points, seed: int) -> tuple[Scores, Scores]:
    """How machine-like each row looks to a linear classifier that did not see it.

    Five folds of ridge regression on +1 and -1, solved exactly instead of iterated like the usual
    logistic regression; only the ranks of the scores are used.

    Args:
        sample: (rows, dimensions) at least as many rows as folds.
        human: likewise.
        seed: of the folds.
    """
    import numpy as np

    points = np.concatenate([sample, human])
    sides = np.concatenate([np.ones(len(sample)), -np.ones(len(human))])
    kernel = points @ points.T + 1  # the 1 is the intercept
    rng = np.random.default_rng(rng_for(seed, "guard-folds").getrandbits(64))
    folds = np.concatenate([rng.permutation(len(part)) % FOLDS for part in (sample, human)])
    scores = np.empty(len(points))
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        inner = kernel[np.ix_(train, train)] + RIDGE * np.eye(int(train.sum()))
        weights = np.linalg.solve(inner, sides[train])
        scores[test] = kernel[np.ix_(test, train)] @ weights
    return scores[: len(sample)], scores[len(sample) :]
