"""A reward model in this process: from questions and answers to scores, the better one the higher.

Any folder that transformers opens for sequence classification with one label, among them those that
`selfsown train --objective reward` makes. Scores are computed in float32 and read at the last real
token. With one text per forward pass, the default, a score is the same bits whatever else is
scored; with more it is the same up to rounding (about 1e-6). A text that does not fit is not cut:
it has no score, and says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import orjson

from selfsown.core.errors import InputError
from selfsown.models.answer_tokens import (
    AnswerEncoding,
    Missing,
    Question,
    checked_tokens,
)
from selfsown.models.fingerprint import decisive_files, model_hash
from selfsown.models.hf import has_chat_template
from selfsown.models.local import require_packages
from selfsown.models.reward_head import MARK, score_last_token
from selfsown.models.torch_threads import threads_for, torch_threads


class Answered(NamedTuple):
    """What is scored."""

    question: Question
    answer: str


@dataclass(frozen=True, slots=True)
class Score:
    """What a reward model gives an answer."""

    value: float | None
    """Any finite number, comparable between answers to one question; None: it has no score."""
    tokens: int
    """Of question and answer; 0 where they could not be written."""
    missing: Missing
    """Why there is no score; empty where there is one."""


class RewardModel:
    """A loaded reward model."""

    def __init__(self, folder: Path, *, rows: int = 1) -> None:
        """Load it; nothing is downloaded.

        Args:
            folder: of the model.
            rows: texts per forward pass; see the module for what more than one costs.

        Raises:
            InputError: the folder is absent, no reward model, or its tokenizer is another's.
            MissingExtra: torch or transformers is not installed.
        """
        config = _reward_config(folder)
        require_packages(str(folder), "torch", "transformers")
        self._rows = rows
        self._encoding = _encoding_of(folder, config)
        self._adds_end = MARK not in config  # ours are scored where the answer ends
        self._model, tokenizer = _load(folder)
        text_config = self._model.config.get_text_config()
        self._context: int | None = getattr(text_config, "max_position_embeddings", None)
        self._tokens = checked_tokens(folder, tokenizer, text_config.vocab_size)
        self.identity = model_hash(folder)
        """Hash of its files."""

    def score(self, answers: Sequence[Answered]) -> list[Score]:
        """The score of each answer, in the given order.

        Raises:
            InputError: the chat template refuses the turns.
        """
        import torch

        texts = [self._text(one) for one in answers]
        ready = [place for place, (_, missing) in enumerate(texts) if not missing]
        ready.sort(key=lambda place: (len(texts[place][0]), place))
        values: dict[int, float] = {}
        with torch.inference_mode(), torch_threads(threads_for(self._model)):
            for start in range(0, len(ready), self._rows):
                part = ready[start : start + self._rows]
                found = self._scored([texts[place][0] for place in part])
                values.update(zip(part, found, strict=True))
        values = {place: value for place, value in values.items() if math.isfinite(value)}
        return [
            Score(values.get(place), len(ids), missing or ("" if place in values else "no_number"))
            for place, (ids, missing) in enumerate(texts)
        ]

    def _text(self, one: Answered) -> tuple[list[int], Missing]:
        row, missing = self._tokens.answered(
            *one, self._encoding, longest=self._context, adds_end=self._adds_end
        )
        return row.ids, missing

    def _scored(self, texts: Sequence[list[int]]) -> list[float]:
        import torch

        width = max(map(len, texts))
        ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])  # (B, T)
        real = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
        device = self._model.device
        logits = self._model(input_ids=ids.to(device), attention_mask=real.to(device)).logits
        return [float(value) for value in logits[:, 0]]


def _reward_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a reward model.

    Raises:
        InputError: the folder has none, or is another kind of model.
    """
    try:
        config: dict[str, Any] = orjson.loads((folder / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise _no_reward_model(folder, "it has no config.json that can be read") from error
    names = config.get("architectures") or [""]
    if not names[0].endswith("ForSequenceClassification"):
        raise _no_reward_model(folder, f"its architecture is `{names[0]}`")
    labels = len(config.get("id2label") or range(config.get("num_labels", 2)))
    if labels != 1:
        raise _no_reward_model(folder, f"it has {labels} scores, not one")
    if not any(path.suffix in (".safetensors", ".bin") for path in decisive_files(folder)):
        raise _no_reward_model(folder, "it has no weights")
    return config


def _encoding_of(folder: Path, config: dict[str, Any]) -> AnswerEncoding:
    mark = config.get(MARK)
    if mark is None:
        return "chat" if has_chat_template(folder) else "verbatim"
    encoding = mark.get("encoding")
    if mark.get("version") != 1 or encoding not in get_args(AnswerEncoding):
        raise _no_reward_model(folder, f"`{MARK}` in its config.json is of another version")
    return cast("AnswerEncoding", encoding)


def _load(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging

    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model, told = AutoModelForSequenceClassification.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # whatever transformers and safetensors raise for a broken folder
        raise _no_reward_model(folder, str(error).partition("\n")[0]) from error
    if told["missing_keys"]:  # transformers would go on with random numbers in their place
        raise _no_reward_model(folder, f"its weights lack `{min(told['missing_keys'])}`")
    if not hasattr(model, "score"):
        raise _no_reward_model(folder, "its head does not stand on the last token")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return score_last_token(model.to(device).eval()), tokenizer


def _no_reward_model(folder: Path, what: str) -> InputError:
    return InputError(
        f"`{folder}` is no reward model that can be used: {what}",
        why="answers are scored by a sequence classification model with one score",
        fix="train one with `selfsown train PAIRS --objective reward --base MODEL -o FOLDER`",
    )
