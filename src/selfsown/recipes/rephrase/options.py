"""What is rephrased, into which styles, and how far the result may be from its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from selfsown.core.errors import ConfigError
from selfsown.judge.base import Judge
from selfsown.judge.registry import judge_named
from selfsown.recipes.prompt_files import read_replaced
from selfsown.recipes.rephrase.routing import Routing
from selfsown.recipes.rephrase.style import Style, styles_named

GENERATOR: Final = "generator"
JUDGE: Final = "judge"
PROMPTS: Final = ("chat", "completion")
AUDITED: Final = 0.05
"""Share of the rephrases that is audited where a judge is there and nothing else is said."""


class Options(BaseModel):
    """Options of `rephrase`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    styles: tuple[str, ...] = Field(
        ("medium", "qa"),  # encyclopedic prose and what its headline figures use (WRAP)
        min_length=1,
        description="Styles that every chunk is rephrased in: easy, medium, hard, qa (WRAP);"
        " wikipedia, diverse_qa, distil, extract_knowledge, knowledge_list (Nemotron-CC); faq,"
        " math, table, tutorial (FinePhrase). Not used with `routing`.",
    )
    change: dict[str, dict[str, JsonValue]] = Field(
        {},
        description="Fields of a style to be other than ours, by style: `templates` (wordings of"
        " the instruction), `opening`, `input_tokens`, `output_tokens`, `least_document`,"
        " `least_chunk`, `least_output`, `is_sampled`, `summary`, `source`, `faithful` (bounds of"
        " the gate: `ratio`, `most_copied`, `least_coverage`, `least_similarity`, `without`).",
    )
    prompts: dict[str, str] = Field(
        {},
        description="What stands around the instruction: `chat` (blocks `system` and `user`) or"
        " `completion` -> Jinja text, or path of a file that ends in `.j2`. Names in it:"
        " `instruction`, `opening`, `title`, `section`, `source`.",
    )
    routing: Routing | None = Field(
        None,
        description="Styles by the quality of a document: a mapping with `low` and `high`, and"
        " perhaps `field`, `low_styles`, `middle_styles`, `high_styles`, `missing`.",
    )
    chunk_tokens: int | None = Field(
        None,
        ge=1,
        description="Most tokens of a chunk. Empty: the smallest input cap of the document's"
        " styles (WRAP: 300).",
    )
    tokenizer: str = Field(
        "", description="Folder of the tokenizer that counts; empty: four bytes a token."
    )
    context_hint: bool = Field(
        True, description="Tell the model the document's title and the section, beside the chunk."
    )
    formal: Literal["pass", "leave_out"] = Field(
        "pass",
        description="Chunks of code and maths are never put into other words: they pass into the"
        " data unchanged, as human text, or are left out.",
    )
    append_questions: bool = Field(
        False,
        description="Questions and answers follow the original chunk in one text (Nemotron-CC).",
    )
    temperature: float | None = Field(0.7, ge=0, description="Empty: the server's default. Ours.")
    top_p: float | None = Field(0.9, gt=0, le=1, description="Empty: the server's default. Ours.")
    extra: dict[str, Any] = Field({}, description="Provider-specific body parameters.")
    encoder: str = Field(
        "",
        description="Folder of an encoder; a rephrase less like its source than"
        " `least_similarity` is rejected. Empty: similarity is not measured.",
    )
    least_similarity: float = Field(
        0.5,
        ge=-1,
        le=1,
        description="Least cosine of a rephrase and its source, with `encoder`; how much one"
        " means differs from encoder to encoder. Ours.",
    )
    source_filters: dict[str, dict[str, Any]] = Field(
        {},
        description="Filters that a chunk has to pass before it is asked, by name with their"
        " options, for example `benchmark_overlap`.",
    )
    filters: dict[str, dict[str, Any]] = Field(
        {},
        description="Filters that a rephrase has to pass, for example `benchmark_overlap`: a"
        " paraphrase can recreate a benchmark item.",
    )
    audit_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the rephrases, passed and rejected alike, that role `judge` reads,"
        f" too; no rephrase depends on it. Empty: {AUDITED} where that role has a model. A plan"
        " does not see these calls.",
    )
    audit: dict[str, dict[str, Any]] = Field(
        {"factuality": {"max_claims": 12}},
        min_length=1,
        max_length=1,
        description="The judge of the audit by name with its options; it is shown the chunk as"
        " source and reference.",
    )

    @field_validator("prompts")
    @classmethod
    def _read_prompts(cls, given: Mapping[str, str]) -> dict[str, str]:
        return read_replaced(given, PROMPTS)

    @property
    def style_names(self) -> tuple[str, ...]:
        """Every style that some document may get, each once, in order."""
        if self.routing is not None:
            return self.routing.all_styles
        return tuple(dict.fromkeys(self.styles))

    def registry(self) -> dict[str, Style]:
        """Its styles by name."""
        return styles_named(self.style_names, self.change)

    def auditor(self) -> Judge:
        """The judge of the audit."""
        ((name, options),) = self.audit.items()
        return judge_named(name, options)

    @model_validator(mode="after")
    def _check(self) -> Options:
        """Refuse what cannot give texts, before anything is asked."""
        registry = self.registry()
        if not registry:
            raise ConfigError(
                "`routing` names no style at all",
                why="then every document would be left as it is",
                fix="give `low_styles`, `middle_styles` or `high_styles`",
            )
        for style in registry.values():
            if self.chunk_tokens is not None and self.chunk_tokens > style.input_tokens:
                raise ConfigError(
                    f"chunks of {self.chunk_tokens} tokens are too long for style `{style.name}`",
                    why=f"it takes {style.input_tokens}: of longer ones, models leave parts out",
                    fix="lower `chunk_tokens`, or raise `change."
                    f"{style.name}.input_tokens` if you have seen that it goes well",
                )
            if self.chunk_tokens is not None and self.chunk_tokens < style.least_chunk:
                raise ConfigError(
                    f"chunks of {self.chunk_tokens} tokens are too short for style `{style.name}`",
                    why=f"it leaves out those below {style.least_chunk}, which all of them are",
                    fix=f"raise `chunk_tokens`, or lower `change.{style.name}.least_chunk`",
                )
            if style.faithful.least_similarity is not None and not self.encoder:
                raise ConfigError(
                    f"`change.{style.name}.faithful.least_similarity` is"
                    f" {style.faithful.least_similarity}, and there is no `encoder`",
                    why="nothing else measures how alike two texts are",
                    fix="give `encoder`, the folder of one, or leave the bound out",
                )
        self.auditor()
        return self
