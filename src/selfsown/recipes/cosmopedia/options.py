"""The options of `cosmopedia`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.curate.decontaminate import REASON
from selfsown.curate.monitors import Gates
from selfsown.curate.steps import InstructionFilter, filter_named
from selfsown.judge.base import Judge
from selfsown.judge.registry import judge_named
from selfsown.recipes.cosmopedia.findings import Flag
from selfsown.recipes.cosmopedia.prompts import EXTRACT
from selfsown.recipes.cosmopedia.registry import Audience, Cell, Registry, Style, Wording, registry
from selfsown.recipes.cosmopedia.topics import Topics

Act = Literal["note", "reweight", "reject", "stop"]


class Monitoring(BaseModel):
    """What is done when texts repeat each other, and from which share on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: Act = Field(
        "reweight",
        description="`note`: alarms are noted. `reweight`: wordings that raise alarms are drawn"
        " less often, and later prompts forbid openings that are used too often. `reject`: that,"
        " and texts beyond the gate are rejected. `stop`: the run stops at the first alarm.",
    )
    opening: float | None = Field(0.01, description="Share of texts with the same 5 first words.")
    closing: float | None = Field(0.01, description="Share of texts with the same 5 last words.")
    frame: float | None = Field(0.1, description="Share with a sentence of the same 4 first words.")
    cliche: float | None = Field(0.005, description="Share of texts with the same known cliche.")
    refusal: float | None = Field(0.01, description="Share of texts that begin with a refusal.")
    length: float | None = Field(0.25, description="Share of unusually short, or long, texts.")
    alpha: float = Field(0.01, description="Probability of any false alarm in a whole run.")
    capacity: int = Field(256, ge=1, description="Phrases of a kind and group that are counted.")

    def gates(self, groups: int) -> Gates:
        """The gates for so many groups; compression is not one, since builds of zlib differ."""
        return Gates(**self.model_dump(exclude={"act"}), redundant=None, max_groups=groups)


class Audit(BaseModel):
    """A judge that looks at a sample of the texts; nothing is rejected for what it says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(0.0, ge=0, le=1, description="Share of texts that are judged.")
    judge: str = Field("rubric", description="Name of a judge; see the guide on judges.")
    options: dict[str, Any] = Field({}, description="Its options.")

    def judging(self) -> Judge | None:
        """The judge; None if no text is judged."""
        return judge_named(self.judge, self.options) if self.share else None


class Options(BaseModel):
    """Options of `cosmopedia`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    styles: dict[str, float] = Field(
        {},
        description="Style → weight, or a list of styles; empty: all alike. Ours:"
        " textbook_narrative, textbook_academic, blog_post, how_to, childrens_story,"
        " problem_story, forum_post, faq, table, worked_problem, tutorial.",
    )
    audiences: dict[str, float] = Field(
        {},
        description="Audience → weight, or a list of audiences; empty: all alike. Ours:"
        " young_children, middle_school, college, researchers, general.",
    )
    own_styles: dict[str, Style] = Field({}, description="Styles of yours, or in place of ours.")
    own_audiences: dict[str, Audience] = Field(
        {}, description="Audiences of yours, or in place of ours."
    )
    wording: Wording | None = Field(None, description="What all prompts share, in place of ours.")
    per_document: int = Field(1, ge=1, le=64, description="Texts that grow from each document.")
    extract_characters: int = Field(EXTRACT, ge=50, description="Most characters of an extract.")
    topics: tuple[str, ...] = Field(
        (), description="All topics that rows may have; another one is an error. Empty: any."
    )
    exclude_topics: tuple[str, ...] = Field(
        (),
        description="Topics whose documents are left out; one that is not declared, or that no row"
        " has, is an error.",
    )
    default_topic: str | None = Field(
        None, description="Stands for topics that are not declared, and for none."
    )
    topic_share: float = Field(
        0.5, ge=0, le=1, description="Probability with which a prompt names the topic."
    )
    least_quality: float | None = Field(
        None, description="Least `quality` of a document; one without it is rejected, too."
    )
    synthetic_seeds: bool = Field(
        False,
        description="Take documents that a model wrote (`origin: model`, `kind: synthetic`), too.",
    )
    quota: int | None = Field(
        None, ge=1, description="Most texts per topic, style and audience; empty: no limit."
    )
    ahead: int | None = Field(
        None,
        ge=1,
        description="Documents in work at once; what is asked depends on those before. Empty: 64"
        " at first, then a quarter of those that are done, at most 1,024.",
    )
    attempts: int = Field(
        6, ge=1, description="Times a text is asked for while answers are empty or refuse."
    )
    max_tokens: int = Field(2500, ge=1, description="Most generated tokens per text.")
    temperature: float | None = Field(0.6, ge=0, description="Empty: the server's default.")
    top_p: float | None = Field(0.95, gt=0, le=1, description="Empty: the server's default.")
    stop: tuple[str, ...] = Field((), description="Strings that end a text.")
    extra: dict[str, Any] = Field({}, description="Provider-specific body parameters.")
    min_tokens: int = Field(150, ge=0, description="Fewest tokens of a text.")
    tokenizer: str | None = Field(
        None, description="Folder of a tokenizer that counts them; empty: an estimate."
    )
    keep_cut_off: bool = Field(False, description="Accept texts cut off at `max_tokens`.")
    gates: tuple[Flag, ...] = Field(
        ("image", "wrong_arithmetic"), description="Findings that reject a text."
    )
    benchmarks: tuple[str, ...] = Field(
        (), description="Indexes of benchmarks that extracts, prompts and texts must not repeat."
    )
    seed_filters: dict[str, dict[str, Any]] = Field(
        {}, description="Filters of extracts, by name with their options."
    )
    filters: dict[str, dict[str, Any]] = Field(
        {}, description="Filters of texts, for example `near_duplicate`; it remembers every text."
    )
    monitors: Monitoring = Field(Monitoring(), description="What is done about repetition.")
    audit: Audit = Field(Audit(), description="A judge that looks at a sample.")

    @field_validator("styles", "audiences", mode="before")
    @classmethod
    def _weights(cls, given: object) -> object:
        """A list of names as names of equal weight."""
        if isinstance(given, list | tuple):
            return dict.fromkeys(given, 1.0)
        return given

    @field_validator("styles", "audiences")
    @classmethod
    def _positive(cls, given: dict[str, float]) -> dict[str, float]:
        for name, weight in given.items():
            if not 0 < weight < float("inf"):
                raise ValueError(f"the weight of `{name}` is {weight}; leave it out, or give > 0")
        return given

    @model_validator(mode="after")
    def _check(self) -> Options:
        """Refuse what is not registered, before anything is asked."""
        self.cells()
        self.topic_rules()
        self.monitors.gates(1)
        self.audit.judging()
        if REASON in self.filters or REASON in self.seed_filters:
            raise ConfigError(
                f"filter `{REASON}` looks at extracts or texts alone",
                why="`benchmarks` is that filter on extracts, prompts and texts",
                fix="name the indexes in `benchmarks`",
            )
        return self

    def registry(self) -> Registry:
        """All styles, audiences and wordings."""
        return registry(self.own_styles, self.own_audiences, self.wording)

    def cells(self) -> tuple[Cell, ...]:
        """What may be asked for."""
        return self.registry().cells(self.styles, self.audiences)

    def topic_rules(self) -> Topics:
        """What holds for topics."""
        return Topics(self.topics, self.exclude_topics, self.default_topic)

    def benchmark_filters(self) -> list[InstructionFilter]:
        """The filter of benchmarks, if any is named; opens their indexes."""
        return [filter_named(REASON, indexes=list(self.benchmarks))] if self.benchmarks else []

    def sampling(self) -> dict[str, Any]:
        """How texts are sampled, as requests take it."""
        names = {"max_tokens", "temperature", "top_p", "stop", "extra"}
        return self.model_dump(include=names)


def made(filters: Mapping[str, Mapping[str, Any]]) -> list[InstructionFilter]:
    """The filters of a config, in its order."""
    return [filter_named(name, **given) for name, given in filters.items()]


PAPER: Final = cast(
    "Mapping[str, JSON]",
    {
        "styles": ["textbook_narrative", "textbook_academic", "blog_post", "how_to"],
        "extra": {"top_k": 50, "repetition_penalty": 1.2},
        "keep_cut_off": True,
        "gates": [],
        "monitors": {"act": "note"},
    },
)
"""The published settings for web extracts, as far as they are known, without any of our gates."""
