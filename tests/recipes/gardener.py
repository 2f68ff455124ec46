"""A scripted generator that answers all prompts of Self-Instruct, for tests of the whole recipe.

Its answers are a function of (prompt, call seed). Instructions are word salads, far apart from each
other, so that filters and counts can be steered by the parameters alone.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping

from selfsown.core.model import Capabilities
from selfsown.core.request import Request
from selfsown.models.scripted import ScriptedModel

_VERBS = "Name List Describe Sort Count Compare Explain Rewrite Translate Summarise"
VERBS = _VERBS.split()
_WORDS = """apple boat castle dragon engine forest garden harbour island jacket kettle lantern
mountain needle orchard pencil quarry river saddle teapot umbrella valley window yard zebra bridge
candle donkey eagle feather goose hammer iron jungle kitten ladder mirror nest otter piano rabbit
ship tunnel uncle violin whale barrel copper desert fabric glacier hotel lemon market novel ocean
palace queen rocket silver temple voyage winter anchor basket cotton dinner empire flower guitar
honey insect jewel"""
WORDS = _WORDS.split()

BASE = Capabilities(chat=False, completion=True, batch_invariant=True)
CHAT = Capabilities(chat=True, completion=False)
JSON_CHAT = Capabilities(chat=True, completion=False, schema=True)

SEEDS: list[Mapping[str, object]] = [
    {
        "id": f"s{k}",
        "name": "",
        "instruction": f"{VERBS[k % 10]} the {WORDS[k]} by the {WORDS[k + 20]} of {WORDS[k + 40]}.",
        "instances": [{"input": "" if k % 3 else f"text {k}", "output": f"answer {k}"}],
        "is_classification": k % 4 == 0,
    }
    for k in range(12)
]


def instruction(rng: random.Random) -> str:
    """Nine words, far from any other nine with near certainty."""
    words = rng.sample(WORDS, 6)
    return f"{rng.choice(VERBS)} the {' '.join(words)} again."


def gardener(
    *,
    fresh: float = 1.0,
    new: int = 7,
    yes: float = 0.3,
    sure: float = 1.0,
    capabilities: Capabilities = BASE,
) -> ScriptedModel:
    """A generator that answers as the prompts ask.

    Args:
        fresh: chance that a listed instruction is new; else it repeats one and the same.
        new: instructions per list.
        yes: share of instructions it calls classification.
        sure: chance that an answer to an instance repeats its output; else it says `perhaps`.
        capabilities: what it can do.
    """

    def answer(request: Request, seed: int) -> str:
        rng = random.Random(seed)
        prompt = request.prompt or "\n".join(turn.text for turn in request.messages)
        prompt = prompt.rstrip()
        if request.schema is not None:
            return json.dumps(_json_answer(request, rng))
        last = prompt.rsplit("Task:", 1)[-1]
        if prompt.endswith("Is it classification?"):
            return " Yes" if _is_yes(last) else " No"
        if is_vote(prompt):
            return f" {_output(last)}" if rng.random() < sure else " perhaps"
        if _is_list(prompt):
            return _list(prompt, rng)
        if "Class label:" in prompt:
            return f"Class label: red\nInput: {rng.choice(WORDS)}\nClass label: blue\nInput: sky"
        given = rng.choice(WORDS)
        return (
            f"Example 1\nInput: {given}\nOutput: {given.upper()}\nExample 2\nInput: two\nOutput: 2"
        )

    def _is_yes(asked: str) -> bool:
        return random.Random(asked).random() < yes

    def _output(asked: str) -> str:
        task, _, given = asked.removesuffix("\nOutput:").partition("\nInput: ")
        known = {"two": "2", "sky": "blue"}
        if given in known:
            return known[given]
        return "red" if _is_yes(f"{task}\nIs it classification?") else given.upper()

    def _list(prompt: str, rng: random.Random) -> str:
        items = [_item(rng) for _ in range(new)]
        open_mark = re.search(r"(?:^|\n)(Task )?(\d+)[.:]$", prompt)
        first = int(open_mark.group(2)) if open_mark else 9
        mark = "Task {}: " if open_mark and open_mark.group(1) else "{}. "
        lines = [mark.format(first + k) + item for k, item in enumerate(items)]
        text = "\n".join(lines)
        return " " + text.split(" ", 2 if "Task" in mark else 1)[-1] if open_mark else text

    def _item(rng: random.Random) -> str:
        return instruction(rng) if rng.random() < fresh else "Say the same old thing once more."

    def _json_answer(request: Request, rng: random.Random) -> object:
        names = list(request.schema["properties"])  # type: ignore[index,call-overload]
        if names == ["tasks"]:
            return {"tasks": [_item(rng) for _ in range(new)]}
        if names == ["is_classification"]:
            return {"is_classification": rng.random() < yes}
        if names == ["output"]:
            return {"output": "Done" if rng.random() < sure else "perhaps"}
        if names == ["examples"]:
            return {"examples": [{"label": "red", "input": rng.choice(WORDS)}]}
        return {"instances": [{"input": rng.choice(WORDS), "output": "done"}]}

    return ScriptedModel(answer, capabilities=capabilities, identity="gardener")


def is_vote(prompt: str) -> bool:
    """Whether a prompt, stripped at its end, asks for the output of one instance."""
    return prompt.endswith("\nOutput:") or "Answer with the output alone" in prompt


def _is_list(prompt: str) -> bool:
    return bool(re.search(r"\n(Task )?\d+[.:]$", prompt)) or "Write 7 more" in prompt
