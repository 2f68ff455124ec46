"""What recipe `grounded` is asked to do: which passages, which items, which checks."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from selfsown.recipes.grounded.items import Kind
from selfsown.recipes.grounded.reader import Cutting
from selfsown.recipes.grounded.split import HeldOut
from selfsown.recipes.prompt_files import read_replaced

VARIANTS: Final[dict[Kind, tuple[str, ...]]] = {
    "question": ("question_facts", "question_reasons", "question_reader"),
    "task": ("task_work", "task_forms", "task_user"),
}
"""Kind → templates in other words, one of which is drawn for each document."""
COMPLETION: Final[dict[Kind, str]] = {"question": "question_plain", "task": "task_plain"}
"""Kind → template for models that only complete."""
CHECKS: Final = ("answer", "closed_book", "same")
PROMPT_NAMES: Final = (*VARIANTS["question"], *VARIANTS["task"], *COMPLETION.values(), *CHECKS)


class Options(BaseModel):
    """Options of `grounded`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = Field(
        ("question", "task"),
        min_length=1,
        description="What is asked for: questions, or tasks that may have an input. Of several"
        " kinds one is drawn for each passage.",
    )
    items: int = Field(3, ge=1, le=20, description="Most items that are asked for of a passage.")
    retries: int = Field(
        1,
        ge=0,
        description="Times that items are asked for again where the answer misses its schema or no"
        " item can be read.",
    )
    passage: Literal["none", "input"] = Field(
        "none",
        description="`none`: training records are closed-book, the passage is evidence only."
        " `input`: the passage is their input.",
    )
    prompts: dict[str, str] = Field(
        {},
        description="Templates to use instead of ours: name → Jinja text, or path of a file that"
        f" ends in `.j2`. Names: {', '.join(PROMPT_NAMES)}.",
    )
    structured: Literal["auto", "never"] = Field(
        "auto",
        description="`auto`: chat models that enforce a JSON schema are given one; `never`: text.",
    )

    # -- passages
    passage_tokens: int = Field(
        300,
        ge=20,
        description="Most tokens of a passage, estimated. 300: longer texts lose information when"
        " they are rewritten (WRAP, arXiv:2401.16380, section 3).",
    )
    least_tokens: int = Field(
        30, ge=1, description="Fewest tokens of a passage. 30: Nemotron-CC, question-answer task."
    )
    most_passages: int | None = Field(
        None, ge=1, description="Most passages of one document, drawn at random; empty: all."
    )
    code: bool = Field(False, description="Ask about passages of code, too.")
    synthetic: bool = Field(
        False,
        description="Take documents that a model wrote (`origin: model`, `kind: synthetic`), too:"
        " what they say has no other proof.",
    )
    held_out: HeldOut = Field(HeldOut(), description="Documents for evaluation only.")

    # -- checks without a model
    least_evidence_words: int = Field(3, ge=1, description="Fewest words of a quotation.")
    least_grounded: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Least share of an answer's content words that stand in passage or question.",
    )
    duplicate_threshold: float = Field(
        0.9,
        ge=0,
        le=1,
        description="A ROUGE-L above it to an earlier question, over all but function words,"
        " rejects. 0.7 of Self-Instruct would reject questions that differ in one name.",
    )
    suites: tuple[str, ...] = Field(
        (),
        description="Evaluation suites, as `selfsown evaluate --suite` takes them, that no passage"
        " and no item may repeat.",
    )
    indexes: tuple[str, ...] = Field(
        (), description="The same for indexes of `selfsown decontaminate index`."
    )

    # -- checks by calls
    answerability: bool = Field(
        True,
        description="Whether each item is answered anew with the passage; both answers must agree.",
    )
    agreement: Literal["judge", "program"] = Field(
        "judge",
        description="Who says whether answers agree where a program cannot tell: a further call,"
        " or nobody, and the item is rejected.",
    )
    closed_book: Literal["never", "record", "drop_right"] = Field(
        "never",
        description="Whether each item is also answered without the passage: field `closed_book`"
        " of the record is then `right`, `wrong` or `unread`; `drop_right` rejects what the model"
        " knows anyway.",
    )

    # -- sampling
    max_tokens: int = Field(1024, ge=1, description="Most generated tokens of a list of items.")
    temperature: float | None = Field(0.7, ge=0, description="Of lists of items.")
    top_p: float | None = Field(0.9, gt=0, le=1, description="Of lists of items.")
    check_max_tokens: int = Field(512, ge=1, description="Most generated tokens of a check.")
    check_temperature: float | None = Field(0.0, ge=0, description="Of checks; 0 is greedy.")
    extra: dict[str, Any] = Field(
        {}, description="Provider-specific body parameters of lists of items."
    )

    @property
    def cutting(self) -> Cutting:
        """Which passages are taken."""
        return Cutting(
            held_out=self.held_out,
            passage_tokens=self.passage_tokens,
            least_tokens=self.least_tokens,
            most_passages=self.most_passages,
            code=self.code,
            synthetic=self.synthetic,
        )

    @field_validator("prompts")
    @classmethod
    def _read_prompts(cls, prompts: dict[str, str]) -> dict[str, str]:
        return read_replaced(prompts, PROMPT_NAMES)
