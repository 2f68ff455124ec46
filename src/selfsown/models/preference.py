"""A preference model in this process: which of two answers is better, asked in both orders.

It is a causal language model that was trained to go on with one letter (`selfsown train
--objective pairwise`). Of two answers in one order P(A) = p_A / (p_A + p_B), from the letters'
logits; both orders are asked and averaged, so that a model which always prefers the first place
says one half. One comparison per forward pass, in float32: a value is the same bits whatever else
is asked.

Source: RLHF Workflow (arXiv:2405.07863, section 2.2) and its released code. Differs from them: the
wording is ours; a comparison that does not fit has no value, where theirs is cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import orjson

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.models.answer_tokens import (
    AnswerEncoding,
    AnswerTokens,
    Missing,
    Question,
    TemplateMismatch,
    answer_texts,
    checked_tokens,
    request_of,
)
from selfsown.models.fingerprint import model_hash
from selfsown.models.local import require_packages
from selfsown.models.torch_threads import threads_for, torch_threads

MARK: Final = "selfsown_preference"
"""Key of `config.json` in the folder of a preference model."""
LETTERS: Final = ("A", "B")
"""The answer in the first place is better, or that in the second."""


@dataclass(frozen=True, slots=True)
class Preference:
    """What a preference model says of two answers."""

    value: float | None
    """Probability, in [0, 1], that the first is better: the mean of both orders; None: none."""
    in_order: float | None
    """The same with the first answer in the first place."""
    swapped: float | None
    """The same with the first answer in the second place."""
    missing: Missing
    """Why there is no value; empty where there is one."""


def comparison(question: Question, first: str, second: str) -> Question:
    """The question which of two answers is better."""
    asked = "\n\n".join(part for part in (question.system, request_of(question)) if part)
    return Question(
        f"Question:\n{asked}\n\nAnswer A:\n{first}\n\nAnswer B:\n{second}\n\n"
        "Letter of the better answer:\n"
    )


def marked(encoding: str) -> dict[str, JSON]:
    """What `config.json` says of a preference model: how a comparison becomes its text."""
    return {"version": 1, "encoding": encoding}


class PreferenceModel:
    """A loaded preference model."""

    def __init__(self, folder: Path) -> None:
        """Load it; nothing is downloaded.

        Raises:
            InputError: the folder is absent, no preference model, or its tokenizer is another's.
            MissingExtra: torch or transformers is not installed.
        """
        self._encoding = _encoding_of(folder)
        require_packages(str(folder), "torch", "transformers")
        self._model, tokenizer = _load(folder)
        config = self._model.config.get_text_config()
        self._context: int | None = getattr(config, "max_position_embeddings", None)
        self._tokens = checked_tokens(folder, tokenizer, config.vocab_size)
        self.identity = model_hash(folder)
        """Hash of its files."""

    def prefer(self, question: Question, first: str, second: str) -> Preference:
        """How probably the first answer is better than the second.

        Raises:
            InputError: the chat template refuses the turns, or a letter is no single token.
        """
        if self._tokens.special_token_in([*question, first, second]) is not None:
            return Preference(None, None, None, "special_token")
        try:
            prompts = [
                letter_tokens(self._tokens, comparison(question, *answers), self._encoding)
                for answers in ((first, second), (second, first))
            ]
        except TemplateMismatch:
            return Preference(None, None, None, "template_mismatch")
        if self._context is not None and max(len(ids) for ids, _ in prompts) > self._context:
            return Preference(None, None, None, "too_long")
        in_order, other = (self._share_of_a(ids, letters) for ids, letters in prompts)
        if not math.isfinite(in_order + other):
            return Preference(None, None, None, "no_number")
        return Preference((in_order + (1 - other)) / 2, in_order, 1 - other, "")

    def _share_of_a(self, ids: list[int], letters: tuple[int, int]) -> float:
        import torch

        given = torch.tensor([ids], device=self._model.device)  # (1, T)
        with torch.inference_mode(), torch_threads(threads_for(self._model)):
            logits = self._model(input_ids=given, use_cache=False).logits[0, -1]  # (V,)
        pair: Any = logits[list(letters)].double().softmax(-1)
        return float(pair[0])


def letter_tokens(
    tokens: AnswerTokens, asked: Question, encoding: AnswerEncoding
) -> tuple[list[int], tuple[int, int]]:
    """Tokens of a comparison up to the letter, and the token of each letter.

    Raises:
        InputError: a letter is several tokens, or the chat template refuses the turns.
        TemplateMismatch: see there.
    """
    rows = [
        tokens.row(
            *answer_texts(asked, letter, encoding, tokens.chat_template),
            is_chat=encoding == "chat",
        )
        for letter in LETTERS
    ]
    border = rows[0].prompt_tokens
    first, second = (row.ids[border:] for row in rows)
    if first[0] == second[0] or first[1:] != second[1:]:
        raise InputError(
            f"the letters {' and '.join(LETTERS)} are not one token each behind a comparison",
            why="a preference is read from the logits of two single tokens",
            fix="train the preference model from a base with another tokenizer",
        )
    return rows[0].ids[:border], (first[0], second[0])


def _encoding_of(folder: Path) -> AnswerEncoding:
    try:
        config: dict[str, Any] = orjson.loads((folder / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise _no_preference_model(folder, "it has no config.json that can be read") from error
    mark = config.get(MARK)
    if not isinstance(mark, dict) or mark.get("version") != 1:
        raise _no_preference_model(folder, f"its config.json has no `{MARK}` of this version")
    return cast("AnswerEncoding", mark["encoding"])


def _load(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True
        )
    except Exception as error:  # whatever transformers and safetensors raise for a broken folder
        raise _no_preference_model(folder, str(error).partition("\n")[0]) from error
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def _no_preference_model(folder: Path, what: str) -> InputError:
    return InputError(
        f"`{folder}` is no preference model that can be used: {what}",
        why="two answers are compared by a model that was trained to name the better one",
        fix="train one with `selfsown train PAIRS --objective pairwise --base MODEL -o FOLDER`",
    )
