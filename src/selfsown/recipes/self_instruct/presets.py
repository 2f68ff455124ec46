"""The presets of the Self-Instruct recipe, and which switch holds which published quirk.

The options' own defaults are the preset `default`: the published method with its defects mended.
Preset `self-rewarding` writes prompts for a model that answers and judges itself. Preset `paper`
sets what the released code does, quirks included, each with its switch (numbered as in our list of
the original's defects; "not kept": the engine has no such mode):

| # | the released code | switch in `paper` |
|---|---|---|
| 1, 2, 10, 13, 22 | slow scoring, lost state, failed batches, scripts' arguments | not kept |
| 3 | a cut-off answer is discarded whole | `cut_off: drop_completion` |
| 4 | everything after the first character becomes lower case | `case: capitalize` |
| 5 | stop strings fire inside "2016." | `lists.stop` |
| 6 | items are split only at "newline, number, dot, space" | `list_parser: published` |
| 7 | keyword blacklist | `rules: paper` |
| 8 | comparison key sees only a-z and 0-9 | `tokenizer: paper` |
| 9 | demonstrations drawn uniformly, popular ones feed themselves | `demonstrations_from` |
| - | blocks of 5 list prompts from one pool state | `block: 5` |
| 11 | a failed classification call means "no" | `failed_classification` |
| 12 | only exactly Yes, yes or YES means yes | `yes_reading`, `classification_retries` |
| 14 | one greedy call per task | `input_first`, `instance_retries` |
| 15, 16 | unanchored splitting, preambles become instances | `instance_parser: published` |
| 17, 18 | a conflict deletes the task, ends-with-colon rule | `instance_rules: paper` |
| 19 | random sample of an unordered set | `choose_instances: random` (from the ordered list) |
| 20, 21, 23, 25 | encoding for fine-tuning, plots, evaluation, cost | not part of the recipe |
| - | a run without new instructions never ends | not kept |
| 24 | text and code differ | the code is followed |
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from selfsown.core.request import JSON

PAPER: Final[Mapping[str, JSON]] = {
    "list_style": "numbered",
    "classification_header": "Decide for each task below whether it is a classification task,"
    " one whose output is picked from a small fixed set of labels.",
    "input_first_header": "Write examples for each of these tasks, more than one where that makes"
    " sense. A task that needs no input gets its output at once.",
    "output_first_header": "For each classification task below, write one input for every possible"
    " class label. A task that needs no input gets only its correct label.",
    "demonstrations_from": "uniform",
    "list_parser": "published",
    "cut_off": "drop_completion",
    "case": "capitalize",
    "rules": "paper",
    "tokenizer": "paper",
    "block": 5,
    "classification_yes": 12,
    "classification_no": 19,
    "yes_reading": "published",
    "classification_retries": 0,
    "unread_classification": "no",
    "failed_classification": "no",
    "input_first_demonstrations": 11,
    "output_first_demonstrations": 16,
    "instance_parser": "published",
    "instance_retries": 0,
    "choose_instances": "random",
    "instance_rules": "paper",
    "lists": {
        "max_tokens": 1024,
        "temperature": 0.7,
        "top_p": 0.5,
        "presence_penalty": 2.0,
        "stop": ["\n\n", "\n16", "16.", "16 ."],
    },
    # The released code also sends top_p 0, which greedy sampling makes meaningless.
    "classification": {"max_tokens": 3, "temperature": 0.0, "stop": ["\n", "Task"]},
    "input_first": {
        "max_tokens": 350,
        "temperature": 0.0,
        "top_p": None,
        "presence_penalty": 1.5,
        "stop": ["Example 6", "Task:"],
    },
    "output_first": {
        "max_tokens": 300,
        "temperature": 0.0,
        "top_p": None,
        "presence_penalty": 1.5,
        "stop": ["Example 6", "Task:"],
    },
    "target_counts": "instructions",
}
"""The behaviour of the released code (sections 2.2 and A of the paper where it is silent)."""

SELF_REWARDING: Final[Mapping[str, JSON]] = {
    "demonstrations": 8,
    "machine_demonstrations": 2,
    "demonstrations_from": "uniform",
    "ahead_least": 1,  # the second prompt waits for the first answer, which it shows two tasks of
    "novelty_threshold": 0.7,
    "rules": "paper",
    "ask_classification": False,
    "max_instances": 1,
    "lists": {"temperature": 0.6, "top_p": 0.9},
    "input_first": {"temperature": 0.6, "top_p": 0.9},
}
"""New prompts for a self-rewarding model (arXiv:2401.10020, section 2.2): 6 seeds and 2 tasks that
were written before, the template for tasks that are no classification, the published filters.
Its sampling was for a large chat model; a small base model may want `lists.temperature=0.9`."""

PRESETS: Final[Mapping[str, Mapping[str, JSON]]] = MappingProxyType(
    {
        "default": MappingProxyType({}),
        "paper": MappingProxyType(PAPER),
        "self-rewarding": MappingProxyType(SELF_REWARDING),
    }
)
"""Preset → what it changes."""
