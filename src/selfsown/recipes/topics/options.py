"""Options of `topics`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from selfsown.recipes.prompt_files import read_replaced

PROMPT_NAMES: Final = ("chat_label", "label")
PER_QUERY: Final = 1_000
"""Documents kept per query; Cosmopedia v2."""


class Options(BaseModel):
    """Options of `topics`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queries: dict[str, str] = Field(
        {},
        description="Topics to look for: name -> further words that count half as much as those of"
        " the name. A list of names, or a file with a topic a line (further words behind a tab),"
        " is taken, too. Empty: topics are discovered by clustering.",
    )
    clusters: int | None = Field(
        None, ge=2, description="So many, by k-means. Empty: as many as there are, by HDBSCAN."
    )
    min_cluster: int = Field(15, ge=2, description="Fewest documents of the sample in a cluster.")
    sample: int = Field(
        10_000, ge=10, description="Documents that are clustered; the others join the nearest."
    )
    encoder: str | None = Field(
        None, description="Folder of a local encoder that places texts. Empty: TF-IDF and SVD."
    )
    max_distance: float | None = Field(
        None,
        gt=0,
        le=2,
        description="Farthest neighbour, as a distance of unit vectors, whose cluster a document"
        " joins. Empty: what 99 % of the clustered sample keep, and a tenth more.",
    )
    per_topic: int | None = Field(
        None,
        ge=1,
        description="Most documents of a topic. Empty: 1,000 for each query, all of a cluster.",
    )
    exclude: tuple[str, ...] = Field(
        (), description="Topics whose documents are left out. A name that fits none is an error."
    )
    min_quality: float | None = Field(
        None,
        ge=1,
        le=10,
        description="Leave out topics of less educational value. One without a value stays.",
    )
    examples: int = Field(10, ge=1, description="Documents of a topic that the model is shown.")
    example_characters: int = Field(420, ge=20, description="Characters shown of each of them.")
    max_tokens: int = Field(60, ge=8, description="Most generated tokens per topic.")
    temperature: float = Field(0.0, ge=0, description="Of the answers.")
    prompts: dict[str, str] = Field(
        {},
        description="Templates to use instead of ours: name -> Jinja text, or path of a file that"
        f" ends in `.j2`. Names: {', '.join(PROMPT_NAMES)}.",
    )

    @field_validator("queries", mode="before")
    @classmethod
    def _read_queries(cls, given: object) -> object:
        if isinstance(given, str):
            given = _lines(given)
        if isinstance(given, (list, tuple)):
            pairs = [str(line).partition("\t") for line in given]
            return {name.strip(): words.strip() for name, _, words in pairs if name.strip()}
        return given

    @field_validator("prompts")
    @classmethod
    def _read_prompts(cls, prompts: dict[str, str]) -> dict[str, str]:
        return read_replaced(prompts, PROMPT_NAMES)

    @model_validator(mode="after")
    def _one_way(self) -> Options:
        if self.queries and (self.clusters or self.encoder or self.max_distance):
            raise ValueError(
                "`queries` looks for topics, `clusters`, `encoder` and `max_distance` discover"
                " them: give one or the other"
            )
        if any(not name.strip() for name in self.queries):
            raise ValueError("a topic of `queries` has no name")
        return self

    @property
    def limit(self) -> int | None:
        """Most documents of a topic."""
        return self.per_topic or (PER_QUERY if self.queries else None)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file of topics `{path}` cannot be read: {error}") from error
