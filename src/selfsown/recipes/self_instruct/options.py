"""Every knob of the Self-Instruct recipe: what it does, and where its default comes from."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from selfsown.recipes.grounded.library import Grounding
from selfsown.recipes.grounded.split import HeldOut
from selfsown.recipes.prompt_files import read_replaced
from selfsown.recipes.self_instruct.sampling import (
    AnswerSampling,
    ClassificationSampling,
    InstanceSampling,
    ListSampling,
)

PROMPT_NAMES: Final = (
    "list",
    "classification",
    "input_first",
    "output_first",
    "answer",
    "chat_list",
    "chat_classification",
    "chat_input_first",
    "chat_output_first",
    "chat_answer",
)


class Options(BaseModel):
    """Options of `self-instruct`. "Section" is a section of Self-Instruct (arXiv:2212.10560)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # -- layout
    layout: Literal["auto", "completion", "chat"] = Field(
        default="auto",
        description="How prompts are laid out. `auto`: chat messages for a model that chats, text"
        " to continue for a base model. The published method used a base model.",
    )
    structured: Literal["auto", "never"] = Field(
        default="auto",
        description="`auto`: chat layouts ask for JSON by a schema where the model enforces one;"
        " `never`: plain text always. Ours; the paper predates schemas.",
    )
    list_style: Literal["numbered", "task"] = Field(
        default="task",
        description="How listed instructions are marked: `1. ...` (released code) or"
        " `Task 1: ...` (the paper's text; what the lab model was pretrained on).",
    )
    list_header: str = Field(
        default="Come up with a series of tasks:",
        description="First line of a list prompt. Section 2.2 asks for a series of tasks.",
    )
    classification_list_header: str = Field(
        default="Come up with a series of classification tasks that name their possible labels:",
        description="First line of a list prompt with `classification_only`, in our words.",
    )
    classification_header: str = Field(
        default="", description="First line of the yes-no prompt. Empty: the examples say enough."
    )
    input_first_header: str = Field(
        default="",
        description="First line of the input-first prompt. Empty: the examples say enough.",
    )
    output_first_header: str = Field(
        default="",
        description="First line of the output-first prompt. Empty: the examples say enough.",
    )
    prompts: dict[str, str] = Field(
        default_factory=dict,
        description="Templates to use instead of ours: name → Jinja text, or path of a file that"
        f" ends in `.j2`. Names: {', '.join(PROMPT_NAMES)}.",
    )
    max_prompt_bytes: int | None = Field(
        default=None,
        ge=200,
        description="Longest prompt in UTF-8 bytes; demonstrations are left out to stay below."
        " Empty: two bytes per token of the context that the answer leaves free, where the"
        " context is known (short of what tokenizers reach on English), else no limit.",
    )

    max_shot_bytes: int = Field(
        default=1000,
        ge=1,
        description="Longest seed task to stand as a worked example, in UTF-8 bytes with its"
        " instances; ours, since some published seeds are pages long. If all are, all count.",
    )

    # -- instructions
    demonstrations: int = Field(
        default=8, ge=1, description="Instructions in a list prompt (section 2.2)."
    )
    machine_demonstrations: int = Field(
        default=2,
        ge=0,
        description="How many of them are machine-made, once there are (section 2.2).",
    )
    demonstrations_from: Literal["uniform", "spread"] = Field(
        default="spread",
        description="`uniform`: every pool instruction alike (as published; popular openings feed"
        " themselves). `spread`: weight inverse to the density of its neighbourhood, with caps.",
    )
    max_per_opening: int = Field(
        default=2,
        ge=1,
        description="`spread`: most demonstrations that share their first two words. Ours.",
    )
    max_per_verb_noun: int = Field(
        default=1,
        ge=1,
        description="`spread`: most demonstrations with one root verb and object. Ours.",
    )
    spread_strength: float = Field(
        default=2.0,
        ge=0,
        description="`spread`: power of the inverse density that weights are made with; 0 keeps the"
        " caps alone. 2 measured on a model that imitates its demonstrations: entropy of openings"
        " 4.2 bits at 300 tasks, 3.9 with 1, 3.7 with `uniform`.",
    )
    new_per_request: int = Field(
        default=7,
        ge=1,
        description="New instructions asked for at once; 7: the published stop allows 9 to 15.",
    )
    classification_only: bool = Field(
        default=False,
        description="Only classification seeds, and a header that asks for classification tasks"
        " (released code; raises their share).",
    )
    list_parser: Literal["tolerant", "published"] = Field(
        default="tolerant",
        description="`published`: split at newline, number, dot, space. `tolerant`: anchored"
        " marks in several styles; stray text is named and rejected. Chat is always tolerant.",
    )
    cut_off: Literal["drop_last", "drop_completion"] = Field(
        default="drop_last",
        description="What a length limit costs: the last item (ours), or all (released code).",
    )
    case: Literal["keep", "capitalize"] = Field(
        default="keep",
        description="`capitalize` lower-cases all but the first character (released code).",
    )
    rules: Literal["default", "paper"] = Field(
        default="default",
        description="Rule filters on instructions (section 2.2, `paper`), or ours.",
    )
    filters: dict[str, dict[str, JsonValue]] = Field(
        default_factory=dict,
        description="Further filters on instructions after the rules: name → its options, for"
        " example `language: {allowed: [en]}`. None by default.",
    )
    novelty_threshold: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="A ROUGE-L above it to any pool text rejects (section 2.2).",
    )
    keep_equal: bool = Field(
        default=True,
        description="Whether a score of exactly the threshold is kept (released code: yes; the"
        " paper's text: no).",
    )
    tokenizer: Literal["unicode", "paper"] = Field(
        default="unicode",
        description="Words that novelty compares. `paper` sees only a-z and 0-9, so all text in"
        " another script is new to it.",
    )
    block: int | None = Field(
        default=None,
        ge=1,
        description="List prompts drawn from one pool state, all answered before the next; 5 in"
        " the released code. Empty: a window that grows with the pool, and no waiting.",
    )
    ahead_least: int = Field(
        default=4,
        ge=1,
        description="Fewest list requests in flight at once, without `block`. Ours.",
    )
    ahead_divisor: int = Field(
        default=8,
        ge=1,
        description="List requests in flight: accepted instructions divided by this. A fixed large"
        " window would draw a small run from the seeds alone.",
    )
    ahead_cap: int = Field(
        default=64, ge=1, description="Most list requests in flight, without `block`. Ours."
    )

    # -- classification
    ask_classification: bool = Field(
        default=True,
        description="Whether to ask which instructions are classification tasks. Without, none is:"
        " all get their instances input first, one call less each.",
    )
    classification_yes: int = Field(
        default=4,
        ge=0,
        description="Yes examples in the prompt; 12 as published. Fewer if seeds lack. 4 and 8"
        " measured alike on the lab model, at 76 % of the prompt tokens of a record.",
    )
    classification_no: int = Field(
        default=4,
        ge=0,
        description="No examples in the prompt; 19 as published. Fewer if seeds lack. As above.",
    )
    yes_reading: Literal["tolerant", "published"] = Field(
        default="tolerant",
        description="`published`: classification only if the answer is exactly Yes, yes or YES."
        " `tolerant`: the first word decides, what follows is ignored.",
    )
    classification_retries: int = Field(
        default=2,
        ge=0,
        description="Times the question is asked again if no yes or no can be read. Ours.",
    )
    unread_classification: Literal["no", "reject"] = Field(
        default="no", description="What an unreadable answer means after that; `no` as published."
    )
    failed_classification: Literal["fail", "no"] = Field(
        default="fail",
        description="What a failed call means: the task fails and can be asked again (ours), or"
        " `no` (released code).",
    )

    # -- instances
    input_first_demonstrations: int = Field(
        default=8, ge=1, description="Worked tasks in the input-first prompt; 11 as published."
    )
    without_input_rate: float = Field(
        default=0.36,
        ge=0,
        le=1,
        description="Share of them that have no input: 4 of 11 as published.",
    )
    output_first_demonstrations: int = Field(
        default=8, ge=1, description="Worked tasks in the output-first prompt; 16 as published."
    )
    instance_parser: Literal["tolerant", "published"] = Field(
        default="tolerant",
        description="`published`: `Example` and `Output:` split anywhere. `tolerant`: at line"
        " starts only, several turns, text without an output rejected. Chat is always tolerant.",
    )
    instance_retries: int = Field(
        default=1,
        ge=0,
        description="Times instances are asked for again if none can be read. Ours.",
    )
    max_instances: int = Field(
        default=5, ge=1, description="Most instances of a task (section 2.2)."
    )
    choose_instances: Literal["first", "random"] = Field(
        default="first",
        description="Which, if there are more: the first, or a random sample (released code).",
    )
    instance_rules: Literal["default", "paper"] = Field(
        default="default", description="Filters on instances (section 2.2, `paper`), or ours."
    )

    # -- documents
    grounding: Grounding = Field(
        default=Grounding(),
        description="With `--documents`: each list prompt shows a passage of a training document,"
        " and its instances are written from it. Without documents none of it matters.",
    )
    held_out: HeldOut = Field(
        default=HeldOut(),
        description="With `--documents`: those that nothing is made of, the same as in recipe"
        " `grounded`.",
    )

    # -- self-consistency
    answer_votes: int = Field(
        default=0,
        ge=0,
        description="Times at most that the model answers an instance anew after the filters; each"
        " equal answer is a vote for its output (self-consistency, arXiv:2203.11171). 0: no vote;"
        " the published method has none. 1, 3 and 5 measured alike on the lab model: 77 to 79 % of"
        " instances stay, 0.89 of them right instead of 0.77. For tasks with one right output:"
        " those with many lose most of their instances.",
    )
    answer_votes_agree: int | None = Field(
        default=None,
        ge=1,
        description="Votes that keep an instance; asking stops once that is decided. Empty: more"
        " than half of `answer_votes`. All of them keep fewer instances, right more often.",
    )
    answer_demonstrations: int = Field(
        default=5,
        ge=0,
        description="Worked seed tasks before each answer, others for each vote. Ours: 2, 5 and 8"
        " measured alike on the lab model.",
    )

    # -- sampling
    lists: ListSampling = Field(default=ListSampling(), description="Sampling of list requests.")
    classification: ClassificationSampling = Field(
        default=ClassificationSampling(), description="Sampling of the yes-no question."
    )
    input_first: InstanceSampling = Field(
        default=InstanceSampling(), description="Sampling of instances, input first."
    )
    output_first: InstanceSampling = Field(
        default=InstanceSampling(),
        description="Sampling of instances, output first (classification).",
    )
    answer: AnswerSampling = Field(
        default=AnswerSampling(), description="Sampling of the answers that vote on an instance."
    )

    # -- when to stop
    target_counts: Literal["tasks", "instructions"] = Field(
        default="tasks",
        description="What the target counts: tasks with at least one accepted instance, or"
        " accepted instructions (released code).",
    )
    max_requests: int | None = Field(
        default=None,
        ge=1,
        description="Most list requests of a run; empty: no limit but saturation.",
    )
    saturation_window: int = Field(
        default=64,
        ge=1,
        description="Answers over which yields are watched. Published re-runs fell from 3.3 to"
        " 0.35 accepted per request within 4,000 instructions.",
    )
    least_yield: float = Field(
        default=0.1,
        ge=0,
        description="The run is saturated when fewer new instructions per list request than this"
        " were accepted over the window. 0 never stops.",
    )
    least_task_yield: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="The run also stops when a smaller share of the window's tasks than this kept"
        " an instance (a published re-run with a small model kept 0.21). 0 never stops.",
    )

    @property
    def votes_needed(self) -> int:
        """Votes that keep an instance."""
        return self.answer_votes_agree or self.answer_votes // 2 + 1

    @model_validator(mode="after")
    def _votes_can_agree(self) -> Self:
        if self.answer_votes and self.votes_needed > self.answer_votes:
            raise ValueError(
                f"`answer_votes_agree` is {self.votes_needed}, more than the"
                f" {self.answer_votes} of `answer_votes`"
            )
        return self

    @field_validator("prompts")
    @classmethod
    def _read_prompts(cls, prompts: dict[str, str]) -> dict[str, str]:
        return read_replaced(prompts, PROMPT_NAMES)
