"""From a prompt and an answer to tokens, the same way wherever answers are learned or scored.

The prompt's tokens are those of the prompt alone, since that is what a model is given. Prompt and
answer are tokenised together where that keeps them (so that a word after a line break is the token
it is in running text), and apart where it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from selfsown.core.errors import InputError
from selfsown.models.hf import special_tokens
from selfsown.models.local import largest_ordinary_id

AnswerEncoding = Literal["verbatim", "task", "plain", "chat"]
"""How a question is written: as it is, in one of the lab's layouts, or as turns of a chat."""

Missing = Literal["", "too_long", "special_token", "template_mismatch", "no_number"]
"""Why an answer cannot be scored as it is; empty if it can."""

_LAYOUTS: Final = {
    "task": ("Task: {i}\nInput: {x}\nOutput:", "Task: {i}\nOutput:"),
    "plain": ("{i}\n{x}\n\n", "{i}\n\n"),
}
"""With and without an input."""

ChatTemplate = Callable[[Sequence[Mapping[str, str]], bool], str]
"""Turns of `role` and `content`, and whether an answer is to follow, -> text."""


class Question(NamedTuple):
    """What is answered."""

    text: str
    """The instruction, or the whole prompt."""
    input: str = ""
    """What an instruction is applied to."""
    system: str = ""


class TemplateMismatch(ValueError):
    """A chat template writes the conversation with its answer otherwise than up to the answer."""


class PromptAnswer(NamedTuple):
    """Two texts that follow each other."""

    prompt: str
    answer: str


def answer_texts(
    question: Question,
    answer: str,
    encoding: AnswerEncoding,
    chat_template: ChatTemplate | None = None,
) -> PromptAnswer:
    """Prompt and answer as they become tokens.

    Args:
        question: what is answered.
        answer: to it.
        encoding: `verbatim` changes nothing of them, and puts them behind each other.
        chat_template: needed for `chat`.

    Raises:
        TemplateMismatch: see there.
    """
    if encoding == "chat":
        assert chat_template is not None
        return _conversation(question, answer, chat_template)
    if encoding == "verbatim":
        return PromptAnswer(
            "\n\n".join(filter(None, (question.system, request_of(question)))), answer
        )
    text = question.text.strip()
    if question.system:  # these layouts have no place for it: it comes first
        text = f"{question.system}\n\n{text}".strip()
    with_input, without = _LAYOUTS[encoding]
    given = question.input.strip()
    prompt = (with_input if given else without).format(i=text, x=given)
    lead = " " if prompt.endswith("Output:") else ""
    return PromptAnswer(prompt, lead + answer.strip())


def checked_tokens(folder: Path, tokenizer: Any, embeddings: int) -> AnswerTokens:
    """The tokenizer of a model that scores answers.

    Args:
        folder: of the model.
        tokenizer: of transformers.
        embeddings: of the model.

    Raises:
        InputError: it has no end-of-text token, or is the tokenizer of another model.
    """
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer in `{folder}` has no end-of-text token",
            why="a model that scores answers has learned where they end by it",
            fix="restore the tokenizer files that the model was trained with",
        )
    tokens = AnswerTokens(tokenizer)
    largest = largest_ordinary_id(tokenizer.get_vocab(), tokens.special)
    if max(largest, tokens.end, *tokens.lead) >= embeddings:
        raise InputError(
            f"the tokenizer in `{folder}` has ids up to {largest}, and the model"
            f" {embeddings} embeddings",
            why="it is the tokenizer of another model: every score would be of other words",
            fix="restore the tokenizer files that the model was trained with",
        )
    return tokens


def request_of(question: Question) -> str:
    """Text and input as one user turn."""
    return f"{question.text}\n\n{question.input}" if question.input else question.text


def _conversation(question: Question, answer: str, template: ChatTemplate) -> PromptAnswer:
    turns = [{"role": "system", "content": question.system}] if question.system else []
    turns.append({"role": "user", "content": request_of(question)})
    asked = template(turns, True)
    whole = template([*turns, {"role": "assistant", "content": answer}], False)
    if not whole.startswith(asked) or len(whole) == len(asked):
        raise TemplateMismatch
    return PromptAnswer(asked, whole[len(asked) :])


def _without_end(written: str, answer: str) -> str:
    """What a chat template wrote up to the last character of the answer.

    Raises:
        TemplateMismatch: it wrote the answer otherwise than it is.
    """
    place = written.rfind(answer.strip())
    if place < 0:
        raise TemplateMismatch
    return written[: place + len(answer.strip())]


class AnswerRow(NamedTuple):
    """Tokens of a prompt and an answer, begin and end included."""

    ids: list[int]
    prompt_tokens: int
    """The first so many are the prompt."""
    is_end_added: bool
    """The answer had no end, and the end-of-text token was put behind it."""


_NO_ROW: Final = AnswerRow([], 0, False)


class AnswerTokens:
    """A tokenizer that has an end-of-text token."""

    def __init__(self, tokenizer: Any) -> None:
        """Wrap a transformers tokenizer."""
        self.tokenizer = tokenizer
        self.special = special_tokens(tokenizer)
        """Id → text of the special tokens."""
        self.end: int = tokenizer.eos_token_id
        self.lead = self._leading_ids()
        """Special tokens that the tokenizer puts before a text."""

    def ids(self, text: str) -> list[int]:
        """Tokens of a text, none added."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def special_token_in(self, texts: Sequence[str]) -> str | None:
        """A special token that stands in a text as plain characters; None if there is none.

        The tokenizer would read it as the token itself: data could end a turn or start one.
        """
        found = (token for token in self.special.values() if any(token in t for t in texts))
        return min(found, default=None)

    def chat_template(self, turns: Sequence[Mapping[str, str]], ask: bool) -> str:
        """The turns in the tokenizer's chat template.

        Raises:
            InputError: the tokenizer has none, or it refuses the turns.
        """
        try:
            text = self.tokenizer.apply_chat_template(
                [dict(turn) for turn in turns], add_generation_prompt=ask, tokenize=False
            )
        except Exception as error:  # templates raise errors of their own, and jinja2's
            roles = ", ".join(turn["role"] for turn in turns)
            raise InputError(
                f"the chat template cannot write the turns {roles}: {error}",
                why="encoding `chat` writes everything with the template of the tokenizer",
                fix="choose another encoding, for example `published` (records) or `task` (pairs)",
            ) from error
        return str(text)

    def row(self, prompt: str, answer: str, *, is_chat: bool, adds_end: bool = True) -> AnswerRow:
        """Tokens of prompt and answer, begin and end included.

        A chat template writes begin and end itself; the end-of-text token is added to its answer
        only where that has no special token at all.

        Args:
            prompt: up to the answer.
            answer: behind it.
            is_chat: both were written by the chat template.
            adds_end: whether an answer that has no end gets one.
        """
        lead = [] if is_chat else self.lead
        head, whole = self.ids(prompt), self.ids(prompt + answer)
        tail = whole[len(head) :] if whole[: len(head)] == head else self.ids(answer)
        ends = not self.special.keys().isdisjoint(tail) if is_chat else tail[-1:] == [self.end]
        is_added = adds_end and not ends
        ids = [*lead, *head, *tail, *([self.end] if is_added else [])]
        return AnswerRow(ids, len(lead) + len(head), is_added)

    def answered(
        self,
        question: Question,
        answer: str,
        encoding: AnswerEncoding,
        *,
        longest: int | None = None,
        adds_end: bool = True,
        is_cut_off: bool = False,
    ) -> tuple[AnswerRow, Missing]:
        """Tokens of a question with an answer, and why they cannot be used; empty if they can.

        Args:
            question: what is answered.
            answer: to it.
            encoding: how both are written.
            longest: tokens that a model takes; None: any number.
            adds_end: see `row`.
            is_cut_off: the answer stops amid what it says, so that no end stands behind it.

        Raises:
            InputError: the tokenizer has no chat template, or it refuses the turns.
        """
        if self.special_token_in([*question, answer]) is not None:
            return _NO_ROW, "special_token"
        is_chat = encoding == "chat"
        try:
            prompt, text = answer_texts(question, answer, encoding, self.chat_template)
            if is_cut_off and is_chat:
                text = _without_end(text, answer)
        except TemplateMismatch:
            return _NO_ROW, "template_mismatch"
        row = self.row(prompt, text, is_chat=is_chat, adds_end=adds_end and not is_cut_off)
        return row, "too_long" if longest is not None and len(row.ids) > longest else ""

    def _leading_ids(self) -> list[int]:
        bare = self.ids("a")
        whole: list[int] = self.tokenizer("a")["input_ids"]
        return whole[: next(k for k in range(len(whole)) if whole[k : k + len(bare)] == bare)]
