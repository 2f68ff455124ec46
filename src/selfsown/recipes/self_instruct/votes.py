"""Self-consistency (Wang et al. 2022, arXiv:2203.11171): keep outputs that further answers repeat.

After the filters, the generator does the task again, with other demonstrations, `answer_votes`
times at most. An answer equal to the instance's own output is a vote for it; the instance stays if
`answer_votes_agree` answers are. Nothing is asked once that is decided.

Differs from the paper (section 2):
1. An answer that most samples share does not replace an output that it contradicts: the instance is
   rejected. Measured on the lab, putting it in its place keeps more and is right less often.
2. Every vote has demonstrations of its own; the paper samples from one fixed prompt.
3. Answers are compared whole, without regard to case and spacing, since instructions have no final
   answer to cut out of a rationale. A task with many right outputs loses most of its instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from selfsown.core.errors import CallFailed
from selfsown.core.request import Request
from selfsown.core.run import Run
from selfsown.curate.instances import Instance, folded
from selfsown.recipes.self_instruct.answers import answer_in
from selfsown.recipes.self_instruct.demonstrations import Member
from selfsown.recipes.self_instruct.layouts import Layout
from selfsown.recipes.self_instruct.sampling import RETRY_TEMPERATURE

Decision = Literal["open", "kept", "rejected", "failed"]

DISAGREE: Final = "votes_disagree"
"""Why an outvoted instance is rejected."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One more answer to an instance."""

    answer: str | None
    """None where it could not be read, or the call failed."""
    error: CallFailed | None = None
    """Why the call failed for good."""


@dataclass(frozen=True, slots=True)
class Count:
    """The votes on one output so far."""

    most: int
    """Votes asked for at most."""
    needed: int
    """Votes that must agree."""
    asked: int = 0
    agreed: int = 0
    failed: int = 0
    """Votes that are missing since their calls failed for good."""

    def add(self, vote: Vote, output: str) -> Count:
        """One more vote. Whoever says something else, or nothing that can be read, disagrees."""
        agrees = vote.answer is not None and folded(vote.answer) == folded(output)
        return replace(
            self,
            asked=self.asked + 1,
            agreed=self.agreed + agrees,
            failed=self.failed + (vote.error is not None),
        )

    @property
    def decision(self) -> Decision:
        """What no further vote can change, or `open`.

        `failed`: every vote is in, and those that failed would have decided.
        """
        if self.agreed >= self.needed:
            return "kept"
        if self._spare < 0:
            return "rejected"
        return "open" if self.asked < self.most else "failed"

    @property
    def next_count(self) -> int:
        """Votes to ask for at once: none of them could turn out to be one too many."""
        if self.decision != "open":
            return 0
        return min(self.most - self.asked, self.needed - self.agreed, self._spare + 1)

    @property
    def _spare(self) -> int:
        """Votes beyond those needed that may still come out against; negative: outvoted."""
        return self.most - self.asked + self.failed + self.agreed - self.needed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the votes on one instance came to."""

    count: Count
    error: CallFailed | None = None
    """The first failure, where the failed votes would have decided."""

    @property
    def reason(self) -> str | None:
        """Why the instance is rejected; None if it is not."""
        return DISAGREE if self.count.decision == "rejected" else None


async def vote_on(
    run: Run, layout: Layout, member: Member, instance: Instance, occurrence: int
) -> Outcome:
    """Ask for votes on the output of `instance` until they decide.

    The answers are the same whichever are asked at once: each has its number as `sample`.
    `occurrence` is how often the same instruction was worked on before.
    """
    options = layout.options
    count = Count(options.answer_votes, options.votes_needed)
    requests: list[Request] = []
    errors: list[CallFailed] = []

    async def one(number: int) -> Vote:
        try:
            answer = await run.ask(
                "generator", requests[number], occurrence * options.answer_votes + number
            )
        except CallFailed as error:
            return Vote(None, None if error.kind == "schema" else error)
        return Vote(answer_in(answer, layout.generator))

    while count.next_count:
        numbers = range(count.asked, count.asked + count.next_count)
        for number in numbers:
            request = layout.answer_request(
                member.instruction, instance.input, number, member.shown
            )
            requests.append(_distinct(request, requests))
        for vote in await run.gather(*(one(number) for number in numbers)):
            count = count.add(vote, instance.output)
            errors += [vote.error] if vote.error else []
    return Outcome(count, errors[0] if count.decision == "failed" else None)


def _distinct(request: Request, earlier: Sequence[Request]) -> Request:
    """The request, sampled if it is greedy and was asked before: it would only repeat itself."""
    if request.temperature == 0 and request in earlier:
        return replace(request, temperature=RETRY_TEMPERATURE)
    return request
