"""Scored answers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from selfsown.preference.records import Candidate, Prompt, Scored


def answer(
    index: int,
    values: Sequence[float | None] | float | None,
    text: str | None = None,
    *,
    prompt: Prompt | None = None,
    model: str = "lab",
) -> Scored:
    """Candidate number `index` with these judgements; its text says which it is."""
    given = values if isinstance(values, Sequence) else (values,)
    return Scored(
        candidate=Candidate(
            prompt=prompt or Prompt(id="p", text="Name a colour."),
            index=index,
            text=f"answer {chr(65 + index)}" if text is None else text,
            model=model,
        ),
        values=tuple(given),
        judge="rubric",
    )


def answers(*rewards: float | None, lengths: Sequence[int] | None = None) -> list[Scored]:
    """One candidate per reward; with `lengths`, texts of so many characters."""
    texts = [chr(97 + i) * n for i, n in enumerate(lengths)] if lengths else [None] * len(rewards)
    return [answer(i, reward, texts[i]) for i, reward in enumerate(rewards)]
