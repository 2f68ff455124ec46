"""What a sweep is made of: sources to mix, held-out text, tasks, and the student's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson

from selfsown.core.request import JSON
from selfsown.core.rundir import write_lines
from selfsown.lab.weights import weights_folder
from selfsown.mixing.units import Kind
from selfsown.sweep.arms import Arm
from selfsown.sweep.measure import Cloze


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Texts that may be mixed."""

    path: Path
    """File, folder or run directory."""
    kind: Kind | None
    """Who wrote them; None: the rows say so."""
    max_epochs: float | None = None
    """How often each may come; None: as often as those of other sources."""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field → values: rows with others stay out."""


class Material(Protocol):
    """Makes, or finds, what the students of a sweep read and are measured on."""

    def identity(self) -> Mapping[str, JSON]:
        """What decides all of it; a directory of another identity is refused."""
        ...

    def tokenizer(self, folder: Path) -> Path:
        """Folder of the tokenizer, which may be written into `folder`; one for all students."""
        ...

    def sources(self, folder: Path, seed: int) -> Mapping[str, SourceFile]:
        """The sources of a seed by name, which may be written into `folder`."""
        ...

    def held_out(self) -> Mapping[str, Sequence[str]]:
        """Set → documents that no source has."""
        ...

    def tasks(self) -> Sequence[Cloze]:
        """Tasks; may be empty."""
        ...


@dataclass(frozen=True, slots=True)
class Design:
    """A sweep: its material, its arms, and what decides."""

    material: Material
    arms: tuple[Arm, ...]
    """Their names and folders differ."""
    reference: str
    """The arm that others are compared with."""
    decided_by: tuple[str, ...]
    """Held-out sets of real text whose mean loss decides."""


def lab_tokenizer() -> Path:
    """Folder of the tokenizer of the lab's model."""
    return weights_folder()


def write_texts(
    path: Path, texts: Iterable[tuple[str, str]], *, prefix: str, is_real: bool
) -> SourceFile:
    """Write texts as a source.

    Args:
        path: JSONL file.
        texts: pairs of a document's id and a text that has its content.
        prefix: stands before ids, so that texts of one document in several sources differ.
        is_real: whether people wrote them; in the lab, whether the world's grammar did.
    """
    kind: Kind = "real" if is_real else "synthetic"
    rows = (
        {"id": f"{prefix}-{name}", "doc_id": name, "kind": kind, "text": text}
        for name, text in texts
    )
    write_lines(path, map(orjson.dumps, rows))
    return SourceFile(path, kind)
