"""How far a policy has moved from another one, in nats per answer, on what it writes itself.

KL(policy || other) is the mean over the policy's own answers of log policy(y | x) - log other(y |
x). Both are exact log-likelihoods of the answer's tokens and of its end, in the encoding that
trainings write prompt and answer with, so the same text is the same tokens to both. Of an answer
that was cut off the end does not count, since it was not written.
"""

from __future__ import annotations

from pathlib import Path

from selfsown.loop.preference.standing import Answers, Place
from selfsown.models.answer_tokens import AnswerEncoding, Question
from selfsown.models.likelihood import GivenAnswer, answer_likelihoods


def log_likelihoods(folder: Path, answers: Answers, encoding: AnswerEncoding) -> dict[Place, float]:
    """Log-likelihood of each answer given its prompt, in nats; one that does not fit has none.

    Args:
        folder: of the model, as transformers opens it.
        answers: of any policy.
        encoding: of the trainings.
    """
    places = sorted(answers)
    given = [
        GivenAnswer(Question(one.prompt.text, one.prompt.input, one.prompt.system), one.text, cut)
        for one, cut in ((answers[place], answers[place].is_cut_off) for place in places)
    ]
    found = answer_likelihoods(folder, given, encoding)
    return {place: -one.nats for place, one in zip(places, found, strict=True) if one is not None}


def differences(own: dict[Place, float], other: dict[Place, float]) -> dict[Place, float]:
    """By how many nats each answer is likelier under its own policy; its mean estimates the KL."""
    return {place: value - other[place] for place, value in own.items() if place in other}


def sampled_plainly(answers: Answers) -> Answers:
    """The answers on which the mean is an unbiased estimate: sampled at temperature 1, no cut."""
    return {place: one for place, one in answers.items() if one.is_plain}
