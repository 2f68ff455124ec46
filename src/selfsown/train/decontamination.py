"""Which suites a training is cleaned of, and what its record says about it.

A training names its suites; if it does not, those are taken that are there by name without a
download: `suites/NAME.jsonl` of the published ones, and the lab's where the tokenizer is the lab's.
An empty list turns it off. The record keeps name and hash of each suite, every record that was left
out, and place and hash of the data, so that an evaluation can look later (`exposure`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from selfsown.core.request import JSON
from selfsown.core.rundir import sha256_of
from selfsown.curate.decontaminate import REASON
from selfsown.evaluate.open_suite import open_suites, suites_at_hand
from selfsown.evaluate.overlap import suite_index
from selfsown.lab.weights import weights_folder
from selfsown.train.settings import TrainConfig

if TYPE_CHECKING:
    from selfsown.curate.decontaminate import DecontaminationIndex
    from selfsown.train.prepare import LeftOut

Chosen = Literal["given", "at hand", "off"]

TRAINED_ON: Final = "trained_on"
"""Key of `training.json`: data and suites of this training."""
EARLIER: Final = "earlier_trainings"
"""Key of `training.json`: the same of every training behind its base, latest first."""


@dataclass(frozen=True, slots=True)
class UsedSuite:
    """A suite that training data are cleaned of."""

    given: str
    """As it is opened."""
    name: str
    sha256: str
    """`Suite.questions_sha256`: of instructions, inputs and references."""


@dataclass(frozen=True, slots=True)
class Decontamination:
    """What one training is cleaned of."""

    chosen: Chosen
    suites: tuple[UsedSuite, ...]

    def index(self) -> DecontaminationIndex | None:
        """The index of all suites; None if there is none."""
        return suite_index(open_suites(one.given for one in self.suites)) if self.suites else None

    def identity(self) -> dict[str, JSON]:
        """Name → hash: it decides which records are trained on."""
        return {one.name: one.sha256 for one in self.suites}


def decontamination_of(config: TrainConfig, tokenizer: Path) -> Decontamination:
    """What a training is cleaned of; reads the suites.

    Args:
        config: says which, or leaves it open.
        tokenizer: folder of the model's tokenizer.

    Raises:
        ConfigError: an unknown suite, or two of one name.
        InputError: a suite cannot be used.
    """
    given = config.suites
    chosen: Chosen = "at hand" if given is None else "given" if given else "off"
    names = suites_at_hand(lab=has_lab_tokenizer(tokenizer)) if given is None else given
    suites = zip(names, open_suites(names), strict=True)
    used = (UsedSuite(name, suite.name, suite.questions_sha256) for name, suite in suites)
    return Decontamination(chosen, tuple(used))


def trained_on(
    config: TrainConfig, cleaned_of: Decontamination, files: JSON, left_out: Sequence[LeftOut]
) -> dict[str, JSON]:
    """The record of a training's data: where they lie, hashes (`files`), suites, what went."""
    return {
        "data": [
            one.model_dump(mode="json") | {"path": str(Path(one.path).resolve())}
            for one in config.data
        ],
        "seeds": config.seeds,
        "objective": config.objective,
        "files": files,
        "chosen": cleaned_of.chosen,
        "suites": [asdict(one) for one in cleaned_of.suites],
        "removed": [
            {"id": one.id, "source": one.source, "detail": one.detail}
            for one in left_out
            if one.reason == REASON
        ],
    }


def suite_words(cleaned_of: Decontamination) -> str:
    """What a training is cleaned of and who chose it, for people."""
    if cleaned_of.chosen == "off":
        return "no suite (--no-decontaminate): the data may hold evaluation items"
    names = ", ".join(f"`{one.given}`" for one in cleaned_of.suites)
    if cleaned_of.chosen == "given":
        return names
    if names:
        return f"{names} (at hand; others: --suite SUITE, none: --no-decontaminate)"
    return "no suite: none is at hand; name those you will evaluate on with --suite"


def trainings_in(record: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    """Of the record of a training: its own data first, then those of the trainings behind it."""
    own, earlier = record.get(TRAINED_ON), record.get(EARLIER)
    found = [own, *(earlier if isinstance(earlier, Sequence) else ())]
    return [one for one in found if isinstance(one, Mapping)]


def has_lab_tokenizer(folder: Path) -> bool:
    """Whether a folder's tokenizer is the lab's: its model is one to ask the lab's suites."""
    own, lab = folder / "tokenizer.json", weights_folder() / "tokenizer.json"
    return own.is_file() and sha256_of(own) == sha256_of(lab)
