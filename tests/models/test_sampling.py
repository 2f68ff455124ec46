"""Claim: a row's next token is a function of its own logits, settings and seed, as specified."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra `local`")

from selfsown.models.sampling import Sampling, TokenStream, choose  # noqa: E402


def test_penalties_agree_with_a_case_worked_out_by_hand() -> None:
    # Logits 3.0, 2.5, 2.0; presence 0.25, frequency 0.5.
    # 1st: 3.0 2.5 2.0 -> token 0, then 0 is less 0.25 + 0.5 = 0.75
    # 2nd: 2.25 2.5 2.0 -> token 1, then 1 is less 0.75
    # 3rd: 2.25 1.75 2.0 -> token 0, then 0 is less 0.25 + 2 * 0.5 = 1.25
    # 4th: 1.75 1.75 2.0 -> token 2, then 2 is less 0.75
    # 5th: 1.75 1.75 1.25 -> token 0, the lowest id among equals
    row = TokenStream(Sampling(temperature=0.0, presence_penalty=0.25, frequency_penalty=0.5))
    logits = torch.tensor([[3.0, 2.5, 2.0]])
    assert [choose(logits, [row])[0] for _ in range(5)] == [0, 1, 0, 2, 0]
    assert logits.tolist() == [[3.0, 2.5, 2.0]]


def test_penalties_of_one_row_leave_the_others_alone() -> None:
    logits = torch.tensor([[1.0, 0.9], [1.0, 0.9]])
    rows = [
        TokenStream(Sampling(temperature=0.0, presence_penalty=0.2)),
        TokenStream(Sampling(temperature=0.0)),
    ]
    assert [choose(logits, rows) for _ in range(3)] == [[0, 0], [1, 0], [0, 0]]


def _reference(logits: list[float], sampling: Sampling) -> int:
    """One token by the definition, in plain Python."""
    heat = [math.exp(logit / sampling.temperature) for logit in logits]
    total = sum(heat)
    probs = [h / total for h in heat]
    mass, least = 0.0, 0.0
    for prob in sorted(probs, reverse=True):
        mass, least = mass + prob, prob
        if mass >= sampling.top_p:
            break
    kept = [prob if prob >= least else 0.0 for prob in probs]
    target = random.Random(sampling.seed).random() * sum(kept)
    running = 0.0
    for token, prob in enumerate(kept):
        running += prob
        if running > target:
            return token
    return len(kept) - 1


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**9), st.floats(0.2, 2.0), st.floats(0.05, 1.0), st.sampled_from([7, 300]))
def test_a_token_is_the_one_that_the_definition_names(
    seed: int, temperature: float, top_p: float, vocabulary: int
) -> None:
    numbers = random.Random(seed)
    logits = [numbers.gauss(0, 2) for _ in range(vocabulary)]
    sampling = Sampling(seed=seed, temperature=temperature, top_p=top_p)
    chosen = choose(torch.tensor([logits]), [TokenStream(sampling)])
    assert chosen == [_reference(logits, sampling)]


def test_a_row_chooses_the_same_tokens_alone_and_among_others() -> None:
    logits = torch.randn(12, 500, generator=torch.Generator().manual_seed(1)) * 3
    kinds = [
        Sampling(seed=i, temperature=[0.0, 0.7, 1.3][i % 3], top_p=[1.0, 0.9][i % 2])
        for i in range(12)
    ]
    together = [TokenStream(kind) for kind in kinds]
    alone = [TokenStream(kind) for kind in kinds]
    for _ in range(5):
        expected = [choose(logits[i : i + 1], [row])[0] for i, row in enumerate(alone)]
        assert choose(logits, together) == expected


def test_sampled_frequencies_follow_the_distribution() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).expand(4000, 4)
    rows = [TokenStream(Sampling(seed=i)) for i in range(4000)]
    chosen = choose(logits, rows)
    for token, probability in enumerate((0.5, 0.3, 0.15, 0.05)):
        spread = math.sqrt(probability * (1 - probability) / 4000)
        assert abs(chosen.count(token) / 4000 - probability) < 4 * spread


def test_a_tiny_nucleus_and_a_tiny_temperature_both_mean_greedy() -> None:
    logits = torch.tensor([[0.1, 0.3, 0.2]])
    for sampling in (Sampling(top_p=1e-9), Sampling(temperature=1e-30), Sampling(temperature=0.0)):
        row = TokenStream(sampling)
        assert [choose(logits, [row])[0] for _ in range(5)] == [1] * 5
