"""What a policy is, on validation prompts that no round trains on: one record per policy.

The loop's recipe asks the policy for answers. Its own scorer gives the *proxy*, which is what the
pairs are made by; observers give *gold* (what is really wanted, where something knows it) and
*second* (another reward model). No pair is made of what observers say.

All means are means over prompts of the mean over a prompt's answers, with 95 % bootstrap intervals
that resample prompts. Proxy and gold are on different scales, so both are given as they are, and as
*gains*: (mean of this policy - mean of the initial one) / s, over the prompts that both have such a
score on. s is the standard deviation, within prompts and pooled over them, of the initial policy's
scores: sqrt(sum of squared distances from the prompt's mean / sum of (answers - 1)). Between
prompts nothing is compared, since a reward model's scores of two prompts are not comparable. The
*gap* is the proxy's gain minus gold's: how much more the scorer believes to have gained than was.

KL(policy || other) is in nats per answer: the mean of log policy(y | x) - log other(y | x) over the
policy's own answers y, exact log-likelihoods of the answer's tokens and its end, in the encoding
that it was trained with. It is unbiased where answers are sampled at temperature 1 from all tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from selfsown.core.request import JSON
from selfsown.models.answer_tokens import AnswerEncoding
from selfsown.report.loop_numbers import Measure

PROBE: Final = "probe.json"
"""The last file of a probe's directory."""
GOLD: Final = "gold"
SECOND: Final = "second"
"""Names of the recipe's observers that a probe reads."""

Decider = Literal["gold", "second", "proxy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A model that is measured."""

    uri: str
    """Opens it for a run."""
    folder: Path
    """Of its weights, as transformers opens them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How the policies of a loop are measured: the same for all of them."""

    recipe: str
    """The loop's; its first role is the policy."""
    options: Mapping[str, Any]
    """Of the recipe: those of the rounds, with the probe's `answers` and `observers`."""
    models: Mapping[str, str | Mapping[str, Any]]
    """Of the recipe's other roles; without a judge the policy judges itself, where it may."""
    prompts: Path
    """Validation prompts as rows of the recipe."""
    encoding: AnswerEncoding
    """How the trainings write prompt and answer."""
    seed: int = 0
    limits: Mapping[str, JSON] = field(default_factory=dict)
    """Of model calls, as in a config."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The initial policy and the directory of its probe."""

    policy: Policy
    out: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One policy; None stands where nothing could be measured."""

    model_hash: str
    prompts: int
    """Validation prompts."""
    asked: int
    """Answers that were asked for."""
    answered: int
    """Answers that came: an empty one, for example, is a failed call."""
    proxy: Measure | None
    """Mean reward by the loop's scorer, on its scale."""
    gold: Measure | None
    """Mean reward by the observer `gold`, on its scale; None without one."""
    second: Measure | None
    """The same of the observer `second`."""
    proxy_gain: Measure | None
    """Standardised, see the module; 0 for the initial policy."""
    gold_gain: Measure | None
    second_gain: Measure | None
    gap: Measure | None
    """Gain of the proxy minus gain of gold, on the prompts that have both."""
    length: Measure | None
    """Characters of an answer."""
    win_rate: Measure | None
    """Share of the contests with the initial policy that are won, ties one half."""
    length_matched: Measure | None
    """The same at equal length, see `selfsown.judge.win_rate`."""
    decider: Decider
    """Whose scores decide contests: gold's, else second's, else the proxy's."""
    kl_initial: Measure | None
    """To the initial policy, in nats per answer."""
    kl_reference: Measure | None
    """To the reference of its training; None where it has none."""
    unmeasured: int
    """Answers without a KL: they cannot be written in the encoding, or are too long."""


def probe(
    policy: Policy,
    out: Path,
    probing: Probing,
    *,
    initial: Probed | None = None,
    reference: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Probe:
    """Measure a policy, or read what was measured; `out` goes on where it was killed.

    Args:
        policy: what is measured.
        out: directory of the probe; `probe.json` is its last file.
        probing: how.
        initial: the initial policy; None: this is the initial policy.
        reference: folder of the reference of its training, as that began; None: it has none.
        tell: receives one line if the policy was asked now.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
        ConfigChanged: `out` holds the probe of another policy, or another way of measuring.
    """
    raise NotImplementedError
