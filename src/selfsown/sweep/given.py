"""A sweep over texts of one's own: sources as `selfsown mix` takes them, held-out files, tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.request import JSON
from selfsown.core.token_counts import estimate_tokens
from selfsown.lab.tokenizer import save_tokenizer, tokenizer_of
from selfsown.mixing.reading import LeftOut, read_source
from selfsown.mixing.record import digest
from selfsown.mixing.sources import MixSource
from selfsown.mixing.units import Passage, Unit
from selfsown.sweep.arms import RATIOS, ratio_arms
from selfsown.sweep.material import Design, SourceFile
from selfsown.sweep.measure import Cloze, read_tasks

TOKENIZER_BYTES: Final = 8_000_000
"""Of each source, what the students' tokenizer is trained on."""


@dataclass(frozen=True, slots=True)
class GivenMaterial:
    """Files of the user; the same for every seed."""

    given: tuple[MixSource, ...]
    held_out_files: Mapping[str, Path]
    """Set → file or folder of real text; one at least."""
    task_file: Path | None = None

    def identity(self) -> Mapping[str, JSON]:
        """Hashes of all files."""
        tasks = None if self.task_file is None else digest(self.task_file)
        return {
            "sources": {
                one.name: {
                    "epochs": one.max_epochs,
                    **(
                        {"only": {name: list(of) for name, of in one.only.items()}}
                        if one.only
                        else {}
                    ),
                    **digest(one.path),
                }
                for one in self.given
            },
            "held_out": {name: digest(path) for name, path in self.held_out_files.items()},
            "tasks": tasks,
        }

    def tokenizer(self, folder: Path) -> Path:
        """Trained on the sources, once for all students of a sweep: 2,048 byte pairs."""
        if not (folder / "tokenizer.json").exists():
            texts = chain.from_iterable(map(_beginning, self.given))
            save_tokenizer(tokenizer_of(texts), folder)
        return folder

    def sources(self, folder: Path, seed: int) -> Mapping[str, SourceFile]:
        """The files as they are."""
        return {
            one.name: SourceFile(one.path, one.kind, one.max_epochs, one.only) for one in self.given
        }

    def held_out(self) -> Mapping[str, Sequence[str]]:
        """The held-out documents.

        Raises:
            InputError: a set is empty, or a source has one of its documents, by id or to the
                letter. Paraphrases are not seen.
        """
        sets = {
            name: list(_units(MixSource(name, path, kind="real")))
            for name, path in self.held_out_files.items()
        }
        for name, units in sets.items():
            if not units:
                raise InputError(
                    f"held-out set `{name}` has no document",
                    why="students are compared on it",
                    fix="give a file or folder with real text that no source has",
                )
        texts = {" ".join(unit.text.split()) for units in sets.values() for unit in units}
        ids = {unit.doc_id for units in sets.values() for unit in units}
        for source in self.given:
            for unit in _units(source):
                if unit.doc_id in ids or " ".join(unit.text.split()) in texts:
                    raise InputError(
                        f"source `{source.name}` has `{unit.id}`, which is held out",
                        why="a loss on text that was trained on says nothing about other text",
                        fix="take it out of the source, and with it what was made of it",
                    )
        return {name: [unit.text for unit in units] for name, units in sets.items()}

    def tasks(self) -> Sequence[Cloze]:
        """Those of the file, if there is one."""
        return [] if self.task_file is None else read_tasks(self.task_file)


def given_design(
    sources: Sequence[MixSource],
    held_out: Mapping[str, Path],
    tasks: Path | None = None,
    ratios: Sequence[float] = RATIOS,
) -> Design:
    """A sweep of every ratio with every source that is not declared to be real.

    Args:
        sources: at least one that is declared to be real, and one that is not; the weights of the
            real ones say how they share what is not synthetic, those of others say nothing.
        held_out: set → file or folder of real text; all of them decide.
        tasks: file of tasks, see `measure.read_tasks`.
        ratios: shares of synthetic tokens in [0, 1]; 0 among them, which others are compared with.

    Raises:
        ConfigError: one of these is not so, or students could not be told apart by their names.
    """
    real = {one.name: one.weight for one in sources if one.kind == "real" and one.weight}
    swept = [one.name for one in sources if one.kind != "real"]
    _require(bool(real), "no source is declared to be real", "give --real NAME=PATH")
    _require(
        bool(swept), "there is nothing to mix into the real text", "give --synthetic NAME=PATH"
    )
    _require(bool(held_out), "no text is held out", "give --held-out NAME=PATH")
    _require(
        0 in ratios and all(0 <= ratio <= 1 for ratio in ratios),
        f"the ratios are {', '.join(f'{ratio:g}' for ratio in ratios)}",
        "give shares from 0 to 1, 0 among them",
    )
    total = sum(real.values())
    shares = {name: weight / total for name, weight in real.items()}
    arms = tuple(ratio_arms(shares, swept, ratios))
    _require(
        len({one.name for one in sources}) == len(sources)
        and len({arm.folder for arm in arms}) == len(arms),
        "two sources, or mixtures of them, have the same name but for case and signs",
        "name sources otherwise; none that is swept is called `real`",
    )
    material = GivenMaterial(tuple(sources), dict(held_out), tasks)
    return Design(material, arms, arms[0].name, tuple(held_out))


def _require(holds: bool, what: str, fix: str) -> None:
    if not holds:
        raise ConfigError(
            what, why="a sweep compares shares of synthetic text by real held-out text", fix=fix
        )


def _units(source: MixSource) -> Iterator[Unit]:
    for found in read_source(source, estimate_tokens):
        if isinstance(found, Passage):
            yield found.unit
        elif not isinstance(found, LeftOut):
            yield found


def _beginning(source: MixSource) -> Iterator[str]:
    left = TOKENIZER_BYTES
    for unit in _units(source):
        yield unit.text
        left -= len(unit.text)
        if left <= 0:
            return
