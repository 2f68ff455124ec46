"""The smallest recipe: a prompt per row, an answer per row. Read it to learn what one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion, Message, Request, message
from selfsown.core.run import Run
from selfsown.core.templates import render, template
from selfsown.curate.steps import first_drop
from selfsown.curate.verdict import Verdict, drop
from selfsown.documents.document import unread_of_row
from selfsown.recipes.base import Recipe
from selfsown.recipes.independent import independent_filters


class Options(BaseModel):
    """Options of `complete`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(description="Jinja2 template; `{{ field }}` is a field of the row.")
    system: str | None = Field(None, description="System prompt, also a template; chat models.")
    json_schema: dict[str, Any] | None = Field(
        None, description="JSON schema of the answer; its top-level fields join the row."
    )
    max_tokens: int = Field(1024, ge=1, description="Most generated tokens per answer.")
    temperature: float | None = Field(None, ge=0, description="Empty: the server's default.")
    top_p: float | None = Field(None, gt=0, le=1, description="Empty: the server's default.")
    stop: tuple[str, ...] = Field((), description="Strings that end an answer.")
    extra: dict[str, Any] = Field({}, description="Provider-specific body parameters.")
    prompt_filters: dict[str, dict[str, Any]] = Field(
        {},
        description="Filters that a rendered prompt has to pass before it is asked, by name with"
        " their options, for example `benchmark_overlap`.",
    )
    keep_cut_off: bool = Field(False, description="Accept answers cut off at `max_tokens`.")
    sample_field: str | None = Field(
        None,
        description="Field of the row with a number from 0: rows with equal prompts share one"
        " answer, unless their numbers differ.",
    )


async def complete(run: Run, options: Options) -> None:
    """Ask for one completion per row; a row is accepted, rejected or failed.

    It is rejected for its prompt, for an answer that is empty or cut off, or as a document that
    could not be read.
    """
    rows = run.stage("rows", unit="row", output=True)
    for text in filter(None, (options.prompt, options.system)):
        template(text)  # a broken template stops the run before the first call
    filters = independent_filters(options.prompt_filters, "prompts")
    sampling = options.model_dump(include={"max_tokens", "temperature", "top_p", "stop", "extra"})

    async def work(row: Mapping[str, JSON]) -> Completion | Verdict:
        if (unread := unread_of_row(row)) is not None:
            return drop(unread.reason)
        request = _request(run, options, sampling, row)
        verdict = first_drop(filters, _text(request))
        if not verdict.ok:
            return verdict
        return await run.ask("generator", request, _sample(options, row))

    async for done in run.map(run.rows(), work):
        candidate = rows.enter(done.item, order=(done.draw,), keys=done.keys)
        try:
            answer = done.result
        except CallFailed as error:
            candidate.fail(error)
            continue
        if isinstance(answer, Verdict):
            candidate.reject(answer.reason or "prompt", answer.score)
        elif not answer.text.strip():
            candidate.reject("empty")
        elif answer.finish_reason == "length" and not options.keep_cut_off:
            candidate.reject("cut_off")
        else:
            parsed = answer.parsed if isinstance(answer.parsed, Mapping) else {}
            candidate.keep({**parsed, "completion": answer.text})
    run.stop("rows")


def _text(request: Request) -> str:
    """Everything that a request says to the model."""
    return request.prompt or "\n".join(turn.text for turn in request.messages)


def _request(
    run: Run, options: Options, sampling: Mapping[str, Any], row: Mapping[str, JSON]
) -> Request:
    prompt = render(options.prompt, row)
    if not run.is_chat("generator"):
        return Request(prompt=prompt, schema=options.json_schema, **sampling)
    turns: tuple[Message, ...] = (message("user", prompt),)
    if options.system is not None:
        turns = (message("system", render(options.system, row)), *turns)
    return Request(messages=turns, schema=options.json_schema, **sampling)


def _sample(options: Options, row: Mapping[str, JSON]) -> int:
    if options.sample_field is None:
        return 0
    value = row.get(options.sample_field)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise CallFailed("bad_row", f"`{options.sample_field}` is {value!r}, not a number from 0")


RECIPE = Recipe(
    name="complete",
    version="1",
    summary="One prompt per row of a file: bulk calls that lose no row and never pay twice.",
    run=complete,
    options=Options,
    added=frozenset({"prompt_filters", "sample_field"}),
)
