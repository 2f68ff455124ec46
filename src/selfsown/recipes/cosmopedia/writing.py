"""One text: asked for until there is an answer that can be used, then cleaned and looked through.

Nothing here sees another text, so it is the work of a flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import CallFailed
from selfsown.core.request import Completion, Request, message
from selfsown.curate.boilerplate import is_refusal
from selfsown.curate.steps import first_drop
from selfsown.curate.verdict import Verdict, drop, keep
from selfsown.documents.tokens import counter
from selfsown.judge.base import Item
from selfsown.recipes.cosmopedia.boilerplate import without_boilerplate
from selfsown.recipes.cosmopedia.findings import findings
from selfsown.recipes.cosmopedia.shapes import has_form
from selfsown.recipes.preference.answers import call_of

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.core.run import Run
    from selfsown.recipes.cosmopedia.options import Options
    from selfsown.recipes.cosmopedia.prompts import Prompt

GENERATOR: Final = "generator"
_REFUSES_WITHIN: Final = 300
"""Characters in which a refusal stands, if an answer is one; stories have such sentences later."""
_CUE: Final = "\n\nText:\n"
"""Behind the prompt of a completion model."""


@dataclass(frozen=True, slots=True)
class Task:
    """A text that is to be written."""

    prompt: Prompt
    extract: str
    topic: str
    is_audited: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it."""

    verdict: Verdict
    """Whether the text may be kept, as far as it alone can tell."""
    fields: dict[str, JSON]
    """What joins the record."""
    keys: tuple[str, ...]
    """Hex keys of the calls behind it."""
    error: CallFailed | None = None
    """Why there is no text."""

    @property
    def text(self) -> str:
        """The cleaned text; empty if there is none."""
        return str(self.fields.get("text", ""))


class Writer:
    """Writes the texts of one run."""

    def __init__(self, run: Run, options: Options) -> None:
        """Prepare; opens what the options name.

        Raises:
            InputError: an index or tokenizer cannot be used.
        """
        self._run, self._options = run, options
        self._registry = options.registry()
        self._count = counter(options.tokenizer)
        self._prompt_filters = options.benchmark_filters()
        self._judge = options.audit.judging()
        self._sampling = options.sampling()

    async def write(self, task: Task) -> Written:
        """Ask for a text and look at it; what fails is told, not raised."""
        overlap = first_drop(self._prompt_filters, task.prompt.text)
        if not overlap.ok:
            return Written(drop("prompt_overlap", overlap.score), {}, ())
        request = self._request(task.prompt)
        keys: list[str] = []
        why = "empty"
        for sample in range(self._options.attempts):
            keys.append(call_of(self._run, GENERATOR, request, sample))
            try:
                answer = await self._run.ask(GENERATOR, request, sample)
            except CallFailed as error:
                if error.kind != "empty":
                    return Written(keep(), {"attempts": sample + 1}, tuple(keys), error)
                continue
            why = unusable(answer.text)
            if not why:
                return await self._looked_through(task, answer, sample, keys)
        return Written(
            keep(),
            {"attempts": self._options.attempts},
            tuple(keys),
            CallFailed("unusable", f"{self._options.attempts} answers, the last one: {why}"),
        )

    async def _looked_through(
        self, task: Task, answer: Completion, sample: int, keys: list[str]
    ) -> Written:
        prompt, text = task.prompt, without_boilerplate(answer.text)
        found = findings(text, task.extract, task.topic, prompt.banned_openings)
        n_tokens = self._count(text)
        fields: dict[str, JSON] = {
            "attempts": sample + 1,
            "finish_reason": answer.finish_reason,
            "n_tokens": n_tokens,
            "flags": found.flags,
            "grounding": found.grounding,
            "raw_text": answer.text,
            "text": text,
        }
        verdict = keep()
        gated = [flag for flag in found.flags if flag in self._options.gates]
        if answer.finish_reason == "length" and not self._options.keep_cut_off:
            verdict = drop("cut_off")
        elif n_tokens < self._options.min_tokens:
            verdict = drop("too_short", n_tokens)
        elif not has_form(text, self._registry.styles[prompt.style].form):
            verdict = drop("other_form")
        elif gated:
            verdict = drop(gated[0])
        elif task.is_audited:
            fields["audit"] = await self._audited(task, text)
        return Written(verdict, fields, tuple(keys))

    async def _audited(self, task: Task, text: str) -> JSON:
        """What the judge says; a judgement that cannot be had is missing, with its reason."""
        assert self._judge is not None
        item = Item(
            prompt=task.prompt.text,
            answer=text,
            reference=task.extract,
            metadata={"sources": [task.extract]},
        )
        try:
            said = await self._judge.judge(self._run, item)
        except CallFailed as error:
            return {
                "judge": self._judge.name,
                "value": None,
                "reason": f"call_failed: {error.kind}",
            }
        return {"judge": self._judge.name, "value": said.value, "reason": said.reason}

    def _request(self, prompt: Prompt) -> Request:
        if self._run.is_chat(GENERATOR):
            return Request(messages=(message("user", prompt.text),), **self._sampling)
        return Request(prompt=prompt.text + _CUE, **self._sampling)


def unusable(answer: str) -> str:
    """Why an answer is asked for once more: `empty` or `refusal`; empty text if it is usable."""
    text = without_boilerplate(answer)
    if not text.strip():
        return "empty"
    return "refusal" if is_refusal(text[:_REFUSES_WITHIN]) else ""
