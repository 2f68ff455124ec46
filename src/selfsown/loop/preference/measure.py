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

KL(policy || other) is in nats per answer: summed over the tokens of the policy's own answers, each
one's end included, of the exact divergence of the two distributions of the next token
(`selfsown.models.divergence`), in the encoding that the policy was trained with. It is taken of the
answers that were sampled at temperature 1 from all tokens, which makes it unbiased; where there are
none, of all. Of an answer that was cut off there is no end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from selfsown.core.config import difference
from selfsown.core.errors import ConfigChanged
from selfsown.core.inputs import read_rows
from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.loop.config import shown_model
from selfsown.loop.preference.divergence import moved, sampled_plainly
from selfsown.loop.preference.probing import (
    GOLD,
    PROXY,
    SECOND,
    Policy,
    Probed,
    Probing,
    answered,
    ask,
)
from selfsown.loop.preference.standing import (
    Answers,
    Place,
    average,
    by_prompt,
    contested,
    gains,
    gap,
    rates,
    rewards,
)
from selfsown.models.fingerprint import model_hash
from selfsown.report.loop_numbers import Measure

PROBE: Final = "probe.json"
"""The last file of a probe's directory."""

Tell = Callable[[str], None]
Decider = Literal["gold", "second", "proxy"]


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
    is_kl_unbiased: bool
    """Whether there were answers at temperature 1 from all tokens."""
    kl_answers: int
    """Answers that the KL to the initial policy is the mean of: those that cannot be written in the
    encoding, or are too long, have none."""
    by_prompt: Mapping[str, Mapping[str, float]]
    """`proxy`, `gold`, `second` -> prompt -> mean over its answers; policies compare by these."""


def read_probe(out: Path) -> Probe | None:
    """What was measured in a probe's directory; None if that is not finished."""
    path = out / PROBE
    return _probe_of(orjson.loads(path.read_bytes())["probe"]) if path.is_file() else None


def probe(
    policy: Policy,
    out: Path,
    probing: Probing,
    *,
    initial: Probed | None = None,
    reference: Path | None = None,
    tell: Tell = lambda line: None,
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
    identity = _identity(policy, probing, initial, reference)
    path = out / PROBE
    if path.is_file():
        form = orjson.loads(path.read_bytes())
        _refuse_another(path, form["identity"], identity)
        return _probe_of(form["probe"])
    answers = ask(policy, out, probing)
    start = answered(initial.out, probing) if initial else answers
    prompts = sum(1 for _ in read_rows(probing.prompts))
    found = _Measuring(policy, answers, start, probing).probe(initial, reference, prompts)
    whole = {"identity": identity, "probe": asdict(found)}
    text = orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()
    write_text(path, text + "\n")
    tell(probe_line(found))
    return found


def probe_line(found: Probe) -> str:
    """The numbers that matter most, on one line."""
    shown = {
        "gold": found.gold,
        "proxy": found.proxy,
        "second": found.second,
        "gap": found.gap,
        "characters": found.length,
        "KL to the initial policy": found.kl_initial,
    }
    told = [f"{name} {one.value:.3g}" for name, one in shown.items() if one is not None]
    return f"{found.answered} of {found.asked} answers; {', '.join(told)}"


class _Measuring:
    """The numbers of one policy."""

    def __init__(self, policy: Policy, own: Answers, start: Answers, probing: Probing) -> None:
        self._policy, self._own, self._start, self._probing = policy, own, start, probing
        self._known: dict[str, dict[Place, float]] = {}
        present = {name for one in start.values() for name in one.rewards}
        self._decider: Decider = next((name for name in (GOLD, SECOND) if name in present), PROXY)

    def probe(self, initial: Probed | None, reference: Path | None, prompts: int) -> Probe:
        """All of them."""
        own, start = self._own, self._start
        win_rate, length_matched = rates(contested(own, start, self._decider))
        plain = sampled_plainly(own)
        measured = plain or own
        to_initial = self._moved(initial.policy.folder if initial else None, measured)
        to_reference = self._moved(reference, measured) if reference else None
        return Probe(
            model_hash=model_hash(self._policy.folder),
            prompts=prompts,
            asked=prompts * self._probing.effective().own_answers,
            answered=len(own),
            proxy=self._mean(PROXY),
            gold=self._mean(GOLD),
            second=self._mean(SECOND),
            proxy_gain=average(gains(own, start, PROXY)),
            gold_gain=average(gains(own, start, GOLD)),
            second_gain=average(gains(own, start, SECOND)),
            gap=average(gap(own, start, PROXY, GOLD)),
            length=average(by_prompt({place: len(one.text) for place, one in own.items()})),
            win_rate=win_rate,
            length_matched=length_matched,
            decider=self._decider,
            kl_initial=average(by_prompt(to_initial)),
            kl_reference=None if to_reference is None else average(by_prompt(to_reference)),
            is_kl_unbiased=bool(plain),
            kl_answers=len(to_initial),
            by_prompt={name: by_prompt(rewards(own, name)) for name in (PROXY, GOLD, SECOND)},
        )

    def _mean(self, scorer: str) -> Measure | None:
        return average(by_prompt(rewards(self._own, scorer)))

    def _moved(self, folder: Path | None, answers: Answers) -> dict[Place, float]:
        """KL to another model by answer; None: to the policy itself."""
        own = self._policy.folder
        if folder is None or model_hash(folder) == model_hash(own):
            return dict.fromkeys(answers, 0.0)
        known = model_hash(folder)
        if known not in self._known:  # the reference often is the initial policy
            self._known[known] = moved(own, folder, answers, self._probing.encoding)
        return self._known[known]


def _identity(
    policy: Policy, probing: Probing, initial: Probed | None, reference: Path | None
) -> dict[str, JSON]:
    """What the numbers depend on."""
    models = {role: shown_model(one) for role, one in probing.models.items()}
    return {
        "policy": model_hash(policy.folder),
        "initial": model_hash(initial.policy.folder) if initial else None,
        "reference": model_hash(reference) if reference else None,
        "recipe": probing.recipe,
        "options": probing.effective().model_dump(mode="json"),
        "models": models,
        "prompts": hashlib.sha256(probing.prompts.read_bytes()).hexdigest(),
        "encoding": probing.encoding,
        "seed": probing.seed,
    }


def _refuse_another(path: Path, before: JSON, now: JSON) -> None:
    """Stop if other numbers were measured than those that are asked for.

    Raises:
        ConfigChanged: names what differs.
    """
    lines = difference(before, now)
    if lines:
        raise ConfigChanged(
            f"`{path}` holds another probe: " + "; ".join(lines[:20]),
            why="policies are compared by numbers that were measured alike",
            fix="give another directory with `-o`, or go back to the old values",
        )


def _probe_of(form: Mapping[str, Any]) -> Probe:
    """The record in a file."""
    values = dict(form)
    for name, value in form.items():
        if isinstance(value, dict) and name != "by_prompt":
            values[name] = Measure(**value)
    return Probe(**values)
