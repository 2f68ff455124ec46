"""From text to tokens: which tokens a row has, and from which one on they carry the loss.

The prompt's tokens are those of the prompt alone, since that is what the model will be given later.
Prompt and completion are tokenised together where that keeps them (so that a word after a line
break is the token it is in running text), and apart where it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from selfsown.core.errors import InputError
from selfsown.models.answer_tokens import AnswerTokens
from selfsown.models.local import largest_ordinary_id
from selfsown.train.encode import Pair
from selfsown.train.mixture import Row

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


class TokenisedPair(NamedTuple):
    """A text and its tokens."""

    text: Pair
    """With the special tokens at its begin and end, as text."""
    ids: list[int]
    prompt_tokens: int
    """The first so many tokens are the prompt."""


class Encoder:
    """The tokenizer of a base model, checked against the model."""

    def __init__(self, tokenizer_folder: Path, base_folder: Path) -> None:
        """Load the tokenizer and the model's config.

        Raises:
            InputError: one of them cannot be read, or they do not fit.
        """
        self.tokenizer = _load_tokenizer(tokenizer_folder)
        config = _load_config(base_folder)
        self.vocabulary: int = config.vocab_size
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self._folders = (tokenizer_folder, base_folder)
        if self.tokenizer.eos_token_id is None:
            raise _endless(tokenizer_folder)
        self._tokens = AnswerTokens(self.tokenizer)
        vocabulary = self.tokenizer.get_vocab()
        self._refuse_misfit(largest_ordinary_id(vocabulary, self._tokens.special))
        lead = self._tokens.lead
        self._start_text = str(self.tokenizer.decode(lead)) if lead else ""
        self._refuse_misfit(max([self._tokens.end, *lead]))

    def special_token_in(self, texts: Sequence[str]) -> str | None:
        """A special token that stands in a text as plain characters; None if there is none.

        The tokenizer would read it as the token itself: data could end a turn or start one.
        """
        return self._tokens.special_token_in(texts)

    def chat_template(self, turns: Sequence[Mapping[str, str]], ask: bool) -> str:
        """The turns in the base's chat template.

        Raises:
            InputError: the tokenizer has none, or it refuses the turns.
        """
        return self._tokens.chat_template(turns, ask)

    def row(self, pair: Pair, *, is_chat: bool, adds_end: bool = True) -> TokenisedPair:
        """Tokens of a text, begin and end included.

        A chat template writes begin and end itself; the end-of-text token is added to its answer
        only where that has no special token at all, and nowhere without `adds_end`.

        Raises:
            InputError: a token has no embedding.
        """
        ids, prompt_tokens, is_end_added = self._tokens.row(
            *pair, is_chat=is_chat, adds_end=adds_end
        )
        text = Pair(
            self._start_text * (not is_chat) + pair.prompt,
            pair.completion + str(self.tokenizer.eos_token) * is_end_added,
        )
        self._refuse_misfit(max(ids))
        return TokenisedPair(text, ids, prompt_tokens)

    def is_same_apart(self, row: Row) -> bool:
        """Whether prompt and completion give the row's tokens when they are tokenised apart."""
        apart = [*self._tokens.ids(row.text.prompt), *self._tokens.ids(row.text.completion)]
        return apart == list(row.input_ids)

    def _refuse_misfit(self, largest: int) -> None:
        if largest >= self.vocabulary:
            tokenizer, base = self._folders
            raise InputError(
                f"the tokenizer in `{tokenizer}` has ids up to {largest}, and the model in `{base}`"
                f" has {self.vocabulary} embeddings",
                why="a token without an embedding cannot be trained on: they do not belong"
                " together",
                fix="give the tokenizer that the base model was trained with",
            )


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # whatever the many tokenizer classes raise
        raise InputError(
            f"`{folder}` has no tokenizer that can be loaded: {str(error).partition(chr(10))[0]}",
            why="records become tokens with the tokenizer of the base model",
            fix="add its tokenizer files to the folder, or name a folder with `--tokenizer`",
        ) from error


def _load_config(folder: Path) -> PretrainedConfig:
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        return config.get_text_config()
    except Exception as error:  # unknown model types raise several kinds
        raise InputError(
            f"`{folder}` has no usable config.json: {str(error).partition(chr(10))[0]}",
            why="it says which architecture the base model is",
            fix="give the folder of a causal language model in Hugging Face form",
        ) from error


def _endless(folder: Path) -> InputError:
    return InputError(
        f"the tokenizer in `{folder}` has no end-of-text token",
        why="every completion ends with it, or the model would never learn to stop",
        fix="set `eos_token` in its tokenizer_config.json",
    )
