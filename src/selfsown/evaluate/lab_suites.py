"""The lab's frozen suite as data: `lab-task`, `lab-plain`, and `lab-task-8` with demonstrations.

Categories are the parts of the suite (`seen`, `modifier`, `verb`, `family`) and the two splits:
`independent` instructions are distributed like the corpus, `compositional` ones combine what was
held out.

Training data are cleaned of whole questions only: one small grammar makes all tasks, so those of a
family share most of their characters. The published rule (more than half) takes 7 of the 100 human
seeds for repetitions, and none of them is one.
"""

from __future__ import annotations

import re
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.evaluate.suite import Instance, Suite, checked
from selfsown.lab.suites import (
    PromptFormat,
    SuiteItem,
    demonstrations_for,
    load_suite,
    prompt_for,
)

MAX_ANSWER_TOKENS: Final = 64

_NAME: Final = re.compile(r"lab-(task|plain)(?:-(\d{1,2}))?")


def is_lab_suite(name: str) -> bool:
    """Whether a name means a suite of the lab."""
    return _NAME.fullmatch(name) is not None


def lab_suite(name: str) -> Suite:
    """The suite of a name: layout, and number of demonstrations in the prompt (none for none).

    Raises:
        ConfigError: the name means none, or more demonstrations than there are.
    """
    found = _NAME.fullmatch(name)
    items = load_suite()
    pool = [item for item in items if item.part == "demonstration"]
    shots = int(found[2] or 0) if found else 0
    if found is None or shots > len(pool):
        raise ConfigError(
            f"the lab has no suite `{name}`",
            why=f"its suites are `lab-task`, `lab-plain`, and both with 1 to {len(pool)} "
            "demonstrations, for example `lab-task-8`",
            fix="correct the name",
        )
    layout: PromptFormat = "task" if found[1] == "task" else "plain"
    return checked(
        Suite(
            name=name,
            about=f"300 tasks of the micro-world, layout `{layout}`, {shots} demonstrations",
            instances=tuple(
                _instance(item, layout, demonstrations_for(item, pool, shots))
                for item in items
                if item.part != "demonstration"
            ),
            metrics=("rouge_l", "oracle"),
            max_tokens=MAX_ANSWER_TOKENS,
            stop=("\n",),
            answer="first_line",
            overlap="whole",
        )
    )


def _instance(item: SuiteItem, layout: PromptFormat, shown: list[SuiteItem]) -> Instance:
    split = "independent" if item.part == "seen" else "compositional"
    return Instance(
        id=item.id,
        instruction=item.instruction,
        input=item.input,
        references=(item.reference,),
        prompt=prompt_for(item, layout, shown),
        categories=(f"split: {split}", f"part: {item.part}"),
    )
