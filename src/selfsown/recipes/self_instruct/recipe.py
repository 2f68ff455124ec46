"""Self-Instruct (Wang et al. 2023, arXiv:2212.10560): a data set that grows from human seeds.

New instructions are asked for with demonstrations from the pool (section 2.2, step 1), each
accepted one is called classification or not (step 2) and given instances, input first or output
first (step 3), and both are filtered (step 4). With option `answer_votes`, the model's further
answers vote on each instance (`votes.py`). With documents, each list request shows a passage, and
what is made of it is made in the domain of the documents (`recipes/grounded/library.py`).

Differs from the paper, also in preset `paper`:
1. No barrier between the steps: one flow has two kinds of items, list requests and accepted
   instructions. Only instructions feed back into the pool, so the data cannot tell.
2. The prompts are laid out as published, in our own words, and their worked examples are the run's
   own seeds.
3. A run that finds nothing new stops (`least_yield`); the original would go on.
Every other difference is an option with the published value in preset `paper` (`presets.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import maxsize

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.flow import Flow
from selfsown.core.run import Run
from selfsown.core.token_counts import BYTES_PER_TOKEN
from selfsown.curate.index_filter import filtered_index, refuse_repeating_seeds
from selfsown.recipes.base import CallBound, Recipe
from selfsown.recipes.grounded.library import Library
from selfsown.recipes.saturation import most_answers
from selfsown.recipes.seeds import SeedTask
from selfsown.recipes.self_instruct.demonstrations import choose_shots
from selfsown.recipes.self_instruct.growth import Answer, GoalItem, Growth, Item, ListItem
from selfsown.recipes.self_instruct.layouts import (
    CallKind,
    Layout,
    Voice,
    max_tokens,
    prompt_limit,
    voice_of,
)
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.presets import PRESETS
from selfsown.recipes.self_instruct.tasks import answer_task
from selfsown.recipes.self_instruct.templates import Templates


async def self_instruct(run: Run, options: Options) -> None:
    """Grow the pool until the target, saturation or `max_requests`."""
    seeds = [seed for seed in run.seeds if isinstance(seed, SeedTask)]
    refuse_repeating_seeds(((seed.id, _texts(seed)) for seed in seeds), options.filters)
    labeler = "labeler" if run.has_role("labeler") else "generator"
    human = [seed for seed in seeds if not seed.depth]
    shots = choose_shots(human, options, lambda prompt: run.rng(f"shots-{prompt}"))
    generator, judge = _voice(run, options, "generator"), _voice(run, options, labeler)
    layout = Layout(options, Templates(options.prompts), shots, generator, judge)
    growth = Growth(run, layout, _pool_seeds(seeds, options), _library(run, layout))

    async def work(item: Item) -> Answer:
        if isinstance(item, GoalItem):
            goal = await run.effect(
                "target", "1", {"number": item.number}, lambda: run.target, free=True
            )
            return goal if isinstance(goal, int) else None
        if isinstance(item, ListItem):
            return await run.ask("generator", item.request, item.sample)
        return await answer_task(run, layout, labeler, item)

    flow: Flow[Item, Answer] = run.flow("pool", growth.draw, work, growth.ahead)
    async for done in flow:
        growth.take(done)
        if growth.is_complete:
            break
    growth.finish()


def _library(run: Run, layout: Layout) -> Library | None:
    """The passages of the documents; None where there are none.

    Raises:
        ConfigError: a passage fills the context of the model, or the user's template has none.
        InputError: no passage can be used.
        MissingIndex: an index of the filter `benchmark_overlap` is not there.
    """
    if next(iter(run.rows()), None) is None:
        return None
    options = layout.options
    for name in ("list", "chat_list"):
        if "passage" not in options.prompts.get(name, "passage"):
            raise ConfigError(
                f"the template of prompt `{name}` shows no passage",
                why="records would name a document that the model never saw",
                fix=f"put `{{{{ passage }}}}` into option `prompts.{name}`",
            )
    limit = prompt_limit(options, "lists", layout.generator)
    most_bytes = BYTES_PER_TOKEN * options.grounding.passage_tokens
    if limit is not None and 2 * most_bytes > limit:
        raise ConfigError(
            f"a passage of {options.grounding.passage_tokens} tokens may fill a prompt of {limit}"
            " bytes",
            why="demonstrations and what is asked have to fit beside it",
            fix=f"--set grounding.passage_tokens={limit // (2 * BYTES_PER_TOKEN)}",
        )
    index = filtered_index(options.filters)
    return Library(run, options.grounding, options.held_out, index)


def call_bounds(options: Options, missing: int, seed_count: int) -> tuple[CallBound, ...]:
    """Most calls of each kind until `missing` more units are accepted; `sys.maxsize`: no bound.

    Saturation bounds them: of every full window of tasks but the last, `least_task_yield` are kept,
    and of every full window of list requests but the last, `least_yield` per request are accepted.
    A run that goes well needs a small part of it.
    """
    lists_ahead = options.block or options.ahead_cap
    window = options.saturation_window
    if options.target_counts == "tasks":
        # Instructions in work never exceed what is missing.
        tasks = most_answers(missing, window, options.least_task_yield, missing)
        wanted = None if tasks is None else tasks + missing
    else:
        wanted = missing
    lists = None
    if wanted is not None:
        lists = most_answers(wanted, window, options.least_yield, lists_ahead)
    lists = min(maxsize if lists is None else lists, options.max_requests or maxsize)
    if options.target_counts == "instructions":
        # The last answers in flight may all be accepted beyond the target.
        tasks = missing + (1 + lists_ahead) * options.new_per_request
    most_tasks = maxsize if tasks is None else tasks
    per_task = options.ask_classification * (1 + options.classification_retries)
    questions = min(maxsize, most_tasks * per_task)
    instances = min(maxsize, most_tasks * (1 + options.instance_retries))
    votes: tuple[CallBound, ...] = ()
    if options.answer_votes:
        votes_per_task = options.max_instances * options.answer_votes
        most_votes = min(maxsize, most_tasks * votes_per_task)
        votes = (_bound(options, "votes on instances", "generator", "answer", most_votes),)
    return (
        _bound(options, "instruction lists", "generator", "lists", lists),
        _bound(options, "classification questions", "labeler", "classification", questions),
        _bound(options, "instances", "generator", "input_first", instances),
        *votes,
    )


def calls_per_task(options: Options) -> float:
    """Calls for one accepted task: on the lab 2.2, with votes about 3 and as many as votes.

    One of them is the question whether it is classification.
    """
    asked = 3.0 + 0.95 * options.answer_votes if options.answer_votes else 2.5
    return asked if options.ask_classification else asked - 1.0


def _pool_seeds(seeds: Sequence[SeedTask], options: Options) -> Sequence[SeedTask]:
    chosen = [s for s in seeds if s.is_classification or not options.classification_only]
    if not chosen:
        raise InputError(
            "there is no seed task to start from",
            why="`classification_only` uses the classification seeds alone"
            if seeds
            else "each list prompt shows instructions from the pool, which starts with the seeds",
            fix="give seeds with `is_classification: true`, or drop the option"
            if seeds
            else "--seeds FILE",
        )
    return chosen


def _texts(seed: SeedTask) -> list[str]:
    """What a seed shows to the model: each part, and each question as a whole."""
    parts = [part for one in seed.instances for part in (one.input, one.output)]
    questions = [f"{seed.instruction}\n{one.input}" for one in seed.instances]
    return [seed.instruction, *parts, *questions]


def _voice(run: Run, options: Options, role: str) -> Voice:
    """How to speak to a role; refuses a layout that its model cannot take."""
    capabilities = run.capabilities(role)
    voice = voice_of(options, capabilities, run.is_chat(role))
    able = capabilities.chat if voice.chat else capabilities.completion
    if not able:
        wanted, other = ("chat", "completion") if voice.chat else ("completion", "chat")
        raise ConfigError(
            f"the model of role `{role}` does not take the {wanted} layout",
            why=f"option `layout` is `{options.layout}`",
            fix=f"--set layout={other}, or `auto`",
        )
    return voice


def _bound(options: Options, kind: str, role: str, call: CallKind, calls: int) -> CallBound:
    """The bound of one kind; answers are as long as the options let them be anywhere."""
    unknown = Voice(True, False, None)
    return CallBound(kind, role, calls, max_tokens(call, getattr(options, call), unknown))


RECIPE = Recipe(
    name="self-instruct",
    version="1",
    summary="Instructions, inputs and outputs that grow from human seed tasks.",
    source="Self-Instruct, arXiv:2212.10560",
    run=self_instruct,
    options=Options,
    presets=PRESETS,
    roles={
        "generator": "writes instructions and instances",
        "labeler": "says which instructions are classification tasks; the generator, if not given",
    },
    inputs="seeds",
    takes_documents=True,
    target=100,
    target_unit="task",
    calls_per_unit=calls_per_task,
    target_stage=lambda options: options.target_counts,
    bound=call_bounds,
    added=frozenset(
        {
            "answer",
            "answer_demonstrations",
            "answer_votes",
            "answer_votes_agree",
            "ask_classification",
            "grounding",
            "held_out",
        }
    ),
)
