"""What a training can be for, and the values that only preference pairs need.

`sft` learns completions; `dpo` learns to give the better of two answers, close to a reference
policy; `reward` makes a model that scores one answer, `pairwise` one that compares two. Every value
names the place that it comes from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON

Objective = Literal["sft", "dpo", "reward", "pairwise"]
Loss = Literal[
    "sigmoid",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sigmoid_norm",
]
"""Of preference pairs, as TRL names them; all but the first are variants of DPO."""

_ONLINE: Final = "RLHF Workflow, arXiv:2405.07863, section 3"
_REWARD: Final = "RLHF Workflow, arXiv:2405.07863, section 2"
_DPO: Final = "DPO, arXiv:2305.18290, appendix B"
_LAB: Final = "training of the lab model on pairs, measured"

_Chosen = tuple[JSON, str]
_VERBATIM: Final = ("verbatim", "ours: a pair holds the prompt that was asked")
_MEASURED: Final = (0.1, "ours: how often it is right is part of it")
VALUES: Final[Mapping[Objective, Mapping[str, _Chosen]]] = {
    "sft": {},
    "dpo": {
        "encoding": _VERBATIM,
        "epochs": (2.0, _ONLINE),
        "learning_rate": (5e-7, _ONLINE),
        "loss": ("sigmoid", _DPO),
        "beta": (0.1, _DPO),
        "sft_weight": (0.0, _DPO),
        "label_smoothing": (0.0, _DPO),
        "ema_decay": (0.99, "ours"),
        "max_chosen_fall": (1.0, "ours: chosen tokens e times less likely"),
        "held_out": (0.0, "ours: all pairs are trained on"),
    },
    "reward": {
        "encoding": _VERBATIM,
        "epochs": (1.0, _REWARD),
        "learning_rate": (2e-6, _REWARD),
        "weight_decay": (0.001, _REWARD),
        "held_out": _MEASURED,
    },
    "pairwise": {
        "encoding": _VERBATIM,
        "epochs": (1.0, _REWARD),
        "learning_rate": (5e-6, _REWARD),
        "held_out": _MEASURED,
    },
}
"""Objective → value → what it is there and where it comes from."""
LORA_VALUES: Final[Mapping[Objective, Mapping[str, _Chosen]]] = {
    "sft": {},
    "dpo": {"learning_rate": (5e-6, "ours: ten times the rate of all weights")},
    "reward": {"learning_rate": (2e-5, "ours: ten times the rate of all weights")},
    "pairwise": {"learning_rate": (5e-5, "ours: ten times the rate of all weights")},
}
"""The same, where only adapters are trained."""
LAB_VALUES: Final[Mapping[Objective, Mapping[str, _Chosen]]] = {
    "sft": {},
    "dpo": {
        "encoding": _VERBATIM,
        "epochs": (2.0, _LAB),
        "learning_rate": (1e-4, _LAB),
        "warmup_steps": (0, _LAB),
    },
    "reward": {
        "encoding": _VERBATIM,
        "epochs": (2.0, _LAB),
        "learning_rate": (1e-3, _LAB),
        "warmup_steps": (0, _LAB),
    },
    "pairwise": {
        "encoding": _VERBATIM,
        "epochs": (3.0, _LAB),
        "learning_rate": (1e-3, _LAB),
        "warmup_steps": (0, _LAB),
    },
}
"""The same in preset `lab`."""

_DPO_ONLY: Final = (
    *("loss", "beta", "sft_weight", "label_smoothing", "ema_decay", "max_chosen_fall"),
)
NOT_OF: Final[Mapping[Objective, tuple[str, ...]]] = {
    "sft": ("objective", *_DPO_ONLY, "held_out"),
    "dpo": (),
    "reward": _DPO_ONLY,
    "pairwise": _DPO_ONLY,
}
"""Objective → values that it does not have."""
_OF_PAIRS: Final = ("verbatim", "task", "plain", "chat")
_OF_COMPARISONS: Final = ("verbatim", "chat")


def refuse_misfit(objective: Objective, given: Collection[str], values: Mapping[str, JSON]) -> None:
    """Stop if something was given that the objective has no use for, or cannot do.

    Args:
        objective: of the training.
        given: names of the config's keys that are not empty.
        values: all values of the training.

    Raises:
        ConfigError: see above.
    """
    unused = [name for name in NOT_OF[objective] if name in given and name != "objective"]
    unused += ["reference"] if objective != "dpo" and "reference" in given else []
    unused += ["human_share"] if objective != "sft" and "human_share" in given else []
    if unused:
        fitting = "reward" if "held_out" in unused[:1] else "dpo"
        raise ConfigError(
            f"`{unused[0]}` is given, and the objective is `{objective}`",
            why="a training of that kind has no use for it",
            fix=f"leave it out, or set `objective: {'sft' if objective != 'sft' else fitting}`",
        )
    if objective == "sft":
        return
    if values["strip_field_names"]:
        raise ConfigError(
            f"preset `paper` goes with objective `sft`, and the objective is `{objective}`",
            why="it is Self-Instruct's recipe for tuning on completions",
            fix="use preset `default` or `lab`",
        )
    encodings = _OF_COMPARISONS if objective == "pairwise" else _OF_PAIRS
    if values["encoding"] not in encodings:
        raise ConfigError(
            f"encoding `{values['encoding']}` does not go with objective `{objective}`",
            why="both answers of a pair stand behind, or in, the very same prompt",
            fix=f"choose one of {', '.join(f'`{name}`' for name in encodings)}",
        )
    if values.get("loss") == "exo_pair" and not values["label_smoothing"]:
        raise ConfigError(
            "loss `exo_pair` needs a `label_smoothing` above 0",
            why="it compares with a distribution over both answers, and 0 has no logarithm",
            fix="set `label_smoothing: 0.001`, the value of its paper",
        )
