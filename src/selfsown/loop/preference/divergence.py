"""How far a policy has moved from another one, in nats per answer, on what it writes itself."""

from __future__ import annotations

from pathlib import Path

from selfsown.loop.preference.standing import Answers, Place
from selfsown.models.answer_tokens import AnswerEncoding, Question
from selfsown.models.divergence import GivenAnswer, answer_divergences


def moved(
    policy: Path, other: Path, answers: Answers, encoding: AnswerEncoding
) -> dict[Place, float]:
    """KL(policy || other) along each of the policy's answers; one that does not fit has none.

    Args:
        policy: folder of the model that wrote the answers.
        other: folder of the model that it is compared with.
        answers: its own.
        encoding: in which trainings write prompt and answer.
    """
    places = sorted(answers)
    given = [
        GivenAnswer(Question(one.prompt.text, one.prompt.input, one.prompt.system), one.text, cut)
        for one, cut in ((answers[place], answers[place].is_cut_off) for place in places)
    ]
    found = answer_divergences(policy, other, given, encoding)
    return {place: one for place, one in zip(places, found, strict=True) if one is not None}


def sampled_plainly(answers: Answers) -> Answers:
    """The answers whose mean is an unbiased estimate: sampled at temperature 1 from all tokens."""
    return {place: one for place, one in answers.items() if one.is_plain}
