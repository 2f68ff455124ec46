"""The answers of the policy to one prompt: each its own sample, each with the call behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from selfsown.core.errors import CallFailed
from selfsown.core.request import (
    JSON,
    Completion,
    Message,
    Request,
    call_key,
    canonical_json,
    effect_key,
    message,
    request_form,
)
from selfsown.core.run import Result, Run
from selfsown.evaluate.layouts import layout_named
from selfsown.preference.records import Candidate, Prompt, Sampling
from selfsown.recipes.preference.options import JUDGE, OBSERVER, POLICY, Options
from selfsown.recipes.preference.prompts import Row

HUMAN = "human"
"""`Candidate.model` of an answer that stood in the row."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A candidate, or the failed call in its place."""

    candidate: Candidate
    keys: tuple[str, ...]
    """Hex key of the call; empty for an answer of the row."""
    error: CallFailed | None = None

    @property
    def is_cut_off(self) -> bool:
        """Whether it ended at the token limit."""
        return self.candidate.finish_reason == "length"


class Voices:
    """The run's verbs for one prompt, with who answers for whom, and what was asked.

    What observers ask is kept apart, so that records do not depend on them.
    """

    def __init__(self, run: Run, stands_for: Mapping[str, str]) -> None:
        """Speak for one prompt.

        Args:
            run: the run.
            stands_for: role -> the role whose model answers for it.
        """
        self.keys: list[str] = []
        """Hex keys of what was asked."""
        self._run, self._stands_for = run, stands_for

    async def ask(self, role: str, request: Request, sample: int = 0) -> Completion:
        """One journaled model call; raises `CallFailed` for a final failure."""
        role = self._stands_for.get(role, role)
        self.keys.append(call_of(self._run, role, request, sample))
        return await self._run.ask(role, request, sample)

    async def effect(
        self, name: str, version: str, inputs: JSON, fn: Callable[[], JSON | Awaitable[JSON]]
    ) -> JSON:
        """Something dear to compute, journaled."""
        self.keys.append(effect_key(name, version, inputs).hex())
        return await self._run.effect(name, version, inputs, fn)

    async def gather(self, *branches: Awaitable[Result]) -> list[Result]:
        """Several calls at once, results in the order given."""
        return await self._run.gather(*branches)

    def is_chat(self, role: str) -> bool:
        """Whether to ask this role with messages rather than with a bare prompt."""
        return self._run.is_chat(self._stands_for.get(role, role))


def stand_ins(roles: Collection[str], options: Options) -> dict[str, str]:
    """The policy for each judging role without a model, where it may judge itself.

    Args:
        roles: those that have a model.
        options: of the run.
    """
    if not options.self_judging:
        return {}
    return {role: POLICY for role in (JUDGE, OBSERVER) if role not in roles}


def call_of(run: Run, role: str, request: Request, sample: int) -> str:
    """The hex key of a call."""
    identity = run.origin.models.get(role, "")
    return call_key(identity, canonical_json(request_form(request)), sample).hex()


async def answers_to(run: Run, options: Options, row: Row) -> list[Answer]:
    """All answers to one prompt, by index; that of a human, where it takes part, is the last."""
    asked = list(_planned(run, options, row.prompt))

    async def one(candidate: Candidate) -> Answer:
        sample = candidate.sampling.seed or 0
        request = request_of(row.prompt, options, candidate.sampling, is_chat=run.is_chat(POLICY))
        keys = (call_of(run, POLICY, request, sample),)
        try:
            completion = await run.ask(POLICY, request, sample)
        except CallFailed as error:
            return Answer(candidate, keys, error)
        return Answer(
            _answered(candidate, completion, is_stripped=_is_laid_out(run, options)), keys
        )

    found = await run.gather(*map(one, asked))
    if options.human == "none":
        return found
    human = Candidate(
        prompt=row.prompt,
        index=len(found),
        text=row.human or "",
        model=HUMAN,
        round=run.origin.round,
    )
    return [*found, Answer(human, ())]


def request_of(prompt: Prompt, options: Options, sampling: Sampling, *, is_chat: bool) -> Request:
    """What the policy is asked."""
    turns: tuple[Message, ...] = ()
    if is_chat:
        system = (message("system", prompt.system),) if prompt.system else ()
        turns = (*system, message("user", prompt.request))
    return Request(
        messages=turns,
        prompt=None if is_chat else _laid_out(prompt, options.layout),
        max_tokens=options.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        stop=options.stop,
        extra=options.extra,
    )


def _planned(run: Run, options: Options, prompt: Prompt) -> Iterator[Candidate]:
    """The candidates to ask for; equal requests are numbered, so that each is a new sample."""
    drawn: Counter[tuple[float | None, float | None]] = Counter()
    index = 0
    for draws in options.answers:
        for _ in range(draws.count):
            sample = drawn[draws.temperature, draws.top_p]
            drawn[draws.temperature, draws.top_p] += 1
            yield Candidate(
                prompt=prompt,
                index=index,
                text="",
                model=run.origin.models[POLICY],
                model_depth=run.origin.model_depth,
                round=run.origin.round,
                sampling=Sampling(temperature=draws.temperature, top_p=draws.top_p, seed=sample),
            )
            index += 1


def _answered(candidate: Candidate, completion: Completion, *, is_stripped: bool) -> Candidate:
    usage = completion.usage
    return replace(
        candidate,
        text=completion.text.strip() if is_stripped else completion.text,
        n_tokens=None if usage.estimated else usage.output_tokens or None,
        finish_reason=completion.finish_reason,
    )


def _is_laid_out(run: Run, options: Options) -> bool:
    """Whether the space around an answer belongs to a layout rather than to the answer."""
    return options.layout != "bare" and not run.is_chat(POLICY)


def _laid_out(prompt: Prompt, layout: str) -> str:
    """The prompt of a completion model; system text comes first, as trainings write it."""
    pattern = layout_named(layout)
    if layout == "bare":
        return "\n\n".join(filter(None, (prompt.system, pattern.prompt(prompt.text, prompt.input))))
    text = "\n\n".join(filter(None, (prompt.system, prompt.text.strip()))).strip()
    return pattern.prompt(text, prompt.input.strip())
