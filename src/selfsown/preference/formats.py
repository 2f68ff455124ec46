"""Preference pairs in the columns that trainers take, by the trainer's name.

A new one is one function and one line in `PAIR_EXPORTERS` of `selfsown.extensions`; a package
outside adds one as the entry point `pair_exporters.<name>`. Columns were checked against TRL 1.16
(whose own preprocessing the tests run), and against the readers of preference data in Axolotl
(`prompt_strategies/dpo/chat_template.py`) and LLaMA-Factory (`data/converter.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from selfsown.core.errors import InputError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON
from selfsown.export.prompt_completion import to_conversational, to_prompt_completion
from selfsown.export.sharegpt import to_sharegpt
from selfsown.extensions import PAIR_EXPORTERS, load_extension
from selfsown.preference.records import Pair

PairFormat: TypeAlias = Callable[[Pair], dict[str, JSON]]


def find_pair_format(name: str) -> PairFormat:
    """The format of this name.

    Raises:
        InputError: there is none.
    """
    found = load_extension("pair_exporters", PAIR_EXPORTERS, name)
    if found is None:
        near = did_you_mean(name, PAIR_EXPORTERS)
        raise InputError(
            f"unknown format of pairs `{name}`",
            why="each format writes the columns of one trainer",
            fix=f"{near + ' ' if near else ''}choose one of: {', '.join(PAIR_EXPORTERS)}",
        )
    return found


def to_records(pair: Pair) -> dict[str, JSON]:
    """Everything that is known of a pair; what selfsown itself reads."""
    return pair.row()


def to_trl(pair: Pair) -> dict[str, JSON]:
    """TRL, standard: text columns `prompt`, `chosen`, `rejected`, meant to be joined as they are.

    The prompt ends with a blank line, as in the format `prompt-completion`. Axolotl takes the same
    columns with `type: passthrough`.
    """
    prompt = to_prompt_completion(pair.prompt.example(pair.chosen))["prompt"]
    return {"prompt": prompt, "chosen": pair.chosen, "rejected": pair.rejected}


def to_trl_chat(pair: Pair) -> dict[str, JSON]:
    """TRL, conversational: turns in `prompt` (system and user), `chosen`, `rejected`."""
    chosen = to_conversational(pair.prompt.example(pair.chosen))
    rejected = to_conversational(pair.prompt.example(pair.rejected))
    return {
        "prompt": chosen["prompt"],
        "chosen": chosen["completion"],
        "rejected": rejected["completion"],
    }


def to_axolotl(pair: Pair) -> dict[str, JSON]:
    """Axolotl, `rl: dpo` and `type: chat_template.default`: `messages`, `chosen`, `rejected`.

    The last two are one turn each, not a list of turns.
    """
    return {
        "messages": to_conversational(pair.prompt.example(pair.chosen))["prompt"],
        "chosen": {"role": "assistant", "content": pair.chosen},
        "rejected": {"role": "assistant", "content": pair.rejected},
    }


def to_llama_factory(pair: Pair) -> dict[str, JSON]:
    """LLaMA-Factory, `formatting: sharegpt` and `ranking: true` in its `dataset_info.json`.

    `conversations` end with the user's turn; `chosen` and `rejected` are one turn each. The entry
    names these columns: `messages: conversations`, `chosen: chosen`, `rejected: rejected`.
    """
    turns = to_sharegpt(pair.prompt.example(pair.chosen))["conversations"]
    assert isinstance(turns, list)
    return {
        "conversations": turns[:-1],
        "chosen": {"from": "gpt", "value": pair.chosen},
        "rejected": {"from": "gpt", "value": pair.rejected},
    }


def to_llama_factory_alpaca(pair: Pair) -> dict[str, JSON]:
    """LLaMA-Factory, `formatting: alpaca` and `ranking: true` in its `dataset_info.json`.

    The entry names these columns: `prompt: instruction`, `query: input`, `system: system`,
    `chosen: chosen`, `rejected: rejected`. The trainer joins instruction and input by one line
    break.
    """
    return {
        "instruction": pair.prompt.text,
        "input": pair.prompt.input,
        "system": pair.prompt.system,
        "chosen": pair.chosen,
        "rejected": pair.rejected,
    }
