"""Every extension point on one screen, as lazy import strings: nothing loads before it is used.

A package outside adds one with an entry point of the group `selfsown.plugins`, named
`<point>.<name>`, where the point is `models`, `recipes`, `filters`, `judges`, `scorers`,
`exporters`, `pickers` or `pair_exporters`:

    [project.entry-points."selfsown.plugins"]
    "models.mycloud" = "my_package.backend:open_mycloud"

Built-in names cannot be replaced by a plug-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

MODELS: Final[dict[str, str]] = {
    "openai": "selfsown.models.endpoint:open_openai",
    "anthropic": "selfsown.models.anthropic:open_anthropic",
    "http": "selfsown.models.endpoint:open_http",
    "https": "selfsown.models.endpoint:open_http",
    "ollama": "selfsown.models.endpoint:open_ollama",
    "hf": "selfsown.models.hf:open_hf",
    "lab": "selfsown.models.lab:open_lab",
    "scripted": "selfsown.models.scripted:open_scripted",
}
"""URI scheme -> function from `ModelSettings` to a `Model`."""

RECIPES: Final[dict[str, str]] = {
    "complete": "selfsown.recipes.complete:RECIPE",
    "grounded": "selfsown.recipes.grounded.recipe:RECIPE",
    "cosmopedia": "selfsown.recipes.cosmopedia.recipe:RECIPE",
    "online-rlhf": "selfsown.recipes.preference.recipe:ONLINE_RLHF",
    "rephrase": "selfsown.recipes.rephrase.recipe:RECIPE",
    "self-instruct": "selfsown.recipes.self_instruct.recipe:RECIPE",
    "self-rewarding": "selfsown.recipes.preference.recipe:SELF_REWARDING",
    "topics": "selfsown.recipes.topics.recipe:RECIPE",
}
"""Recipe name -> `selfsown.recipes.base.Recipe`."""

FILTERS: Final[dict[str, str]] = {
    "bad_first_character": "selfsown.curate.rules:bad_first_character",
    "benchmark_overlap": "selfsown.curate.index_filter:benchmark_overlap",
    "boilerplate": "selfsown.curate.boilerplate:boilerplate",
    "degenerate_conditional": "selfsown.curate.conditionals:degenerate_conditional",
    "garbled": "selfsown.curate.garble:garbled",
    "keyword": "selfsown.curate.rules:keyword",
    "language": "selfsown.curate.language:language",
    "leaked_markup": "selfsown.curate.boilerplate:leaked_markup",
    "length": "selfsown.curate.rules:length",
    "near_duplicate": "selfsown.curate.near_duplicates:near_duplicate",
    "needs_other_medium": "selfsown.curate.media:needs_other_medium",
    "non_ascii_start": "selfsown.curate.rules:non_ascii_start",
    "write_a_program": "selfsown.curate.rules:write_a_program",
}
"""Filter name -> function decorated with `selfsown.curate.steps.filter_step`."""

JUDGES: Final[dict[str, str]] = {
    "correctness": "selfsown.judge.correctness:Correctness",
    "factuality": "selfsown.judge.factuality:Factuality",
    "instruction_following": "selfsown.judge.following:InstructionFollowing",
    "oracle": "selfsown.judge.oracle:Oracle",
    "pairwise": "selfsown.judge.pairwise:Pairwise",
    "reference": "selfsown.judge.reference:Reference",
    "rubric": "selfsown.judge.rubric:Rubric",
    "verifiable": "selfsown.judge.verifiable:Verifiable",
    "verified_first": "selfsown.judge.verified_first:VerifiedFirst",
}
"""Judge name -> function from its options to a `selfsown.judge.base.Judge`."""

SCORERS: Final[dict[str, str]] = {
    "preference": "selfsown.recipes.preference.comparing:Comparing",
    "reward": "selfsown.recipes.preference.reward:Reward",
    "tournament": "selfsown.recipes.preference.scorers:Tournament",
}
"""Scorer name -> function from its options to a `selfsown.recipes.preference.scorers.Scorer`; every
judge is one, too."""

EXPORTERS: Final[dict[str, str]] = {
    "messages": "selfsown.export.messages:to_messages",
    "prompt-completion": "selfsown.export.prompt_completion:to_prompt_completion",
    "prompt-completion-chat": "selfsown.export.prompt_completion:to_conversational",
    "alpaca": "selfsown.export.alpaca:to_alpaca",
    "sharegpt": "selfsown.export.sharegpt:to_sharegpt",
    "text": "selfsown.export.text:to_text",
}
"""Export format -> function from `selfsown.export.example.Example` to a trainer's row."""

PICKERS: Final[dict[str, str]] = {
    "max_min": "selfsown.preference.pickers:max_min",
    "max_random": "selfsown.preference.pickers:max_random",
    "max_max": "selfsown.preference.pickers:max_max",
    "random": "selfsown.preference.pickers:first_two",
    "length_penalised": "selfsown.preference.pickers:length_penalised",
    "rho_window": "selfsown.preference.pickers:rho_window",
}
"""Picker name -> function from its options to a `selfsown.preference.pickers.Choose`."""

PAIR_EXPORTERS: Final[dict[str, str]] = {
    "records": "selfsown.preference.formats:to_records",
    "trl": "selfsown.preference.formats:to_trl",
    "trl-chat": "selfsown.preference.formats:to_trl_chat",
    "axolotl": "selfsown.preference.formats:to_axolotl",
    "llama-factory": "selfsown.preference.formats:to_llama_factory",
    "llama-factory-alpaca": "selfsown.preference.formats:to_llama_factory_alpaca",
}
"""Format of pairs -> function from `selfsown.preference.records.Pair` to a trainer's row."""

PLUGIN_GROUP: Final = "selfsown.plugins"


def load_extension(
    point: str, builtin: Mapping[str, str], name: str, *, plugins: bool = True
) -> Callable[..., Any] | None:
    """What is registered as `name` at an extension point, imported now; None if nothing is."""
    if name in builtin:
        module, _, attribute = builtin[name].partition(":")
        found: Callable[..., Any] = getattr(import_module(module), attribute)
        return found
    if not plugins:
        return None
    from importlib.metadata import entry_points

    for entry in entry_points(group=PLUGIN_GROUP, name=f"{point}.{name}"):
        loaded: Callable[..., Any] = entry.load()
        return loaded
    return None
