"""What a mixture of `selfsown mix` is made of, counted from the provenance beside its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import sha256_of
from selfsown.export.export import provenance_path
from selfsown.export.run_files import integer, mapping, read_jsonl, sequence, string
from selfsown.guard.lineage import Mixture
from selfsown.mixing.record import read_mixture


def trained_mixture(folder: Path) -> Mixture:
    """Who wrote what a mixture holds, repetitions counted in the shares; memory stays flat.

    All its human texts count as fresh, since nothing is known of earlier trainings.

    Args:
        folder: that `selfsown mix -o` wrote.

    Raises:
        InputError: it holds no whole mixture, or one that was changed.
    """
    counts = {"human": _Counts(), "model": _Counts()}
    for part, origin in _parts(folder):
        counts[origin].add(part)
    human, model = counts["human"], counts["model"]
    return Mixture(
        human_rows=human.texts,
        human_tokens=human.tokens,
        fresh_rows=human.texts,
        synth_rows_by_depth=dict(sorted(model.depths.items())),
        synth_tokens=model.tokens,
        unknown_rows=0,
        unknown_tokens=0,
        human_token_share=_share(human.seen_tokens, model.seen_tokens),
        human_row_share=_share(human.seen_texts, model.seen_texts),
    )


@dataclass(slots=True)
class _Counts:
    """Texts of one origin; one that is cut into several rows counts once."""

    texts: int = 0
    tokens: int = 0
    seen_texts: int = 0
    """With repetitions, like the next."""
    seen_tokens: int = 0
    depths: Counter[int] = field(default_factory=Counter)

    def add(self, part: Mapping[str, JSON]) -> None:
        is_text, is_first = not integer(part.get("part")), not integer(part.get("copy"))
        self.seen_texts += is_text
        self.seen_tokens += integer(part.get("tokens"))
        if is_first:
            self.texts += is_text
            self.tokens += integer(part.get("tokens"))
            self.depths[integer(part.get("model_depth"))] += is_text


def _parts(folder: Path) -> Iterator[tuple[Mapping[str, JSON], str]]:
    """The texts of all rows that are trained on, each with its origin."""
    record = read_mixture(folder)
    facts = mapping(record.get("files"))
    for name in sequence(mapping(record.get("train")).get("files")):
        data = folder / string(name)
        told = provenance_path(data)
        size = mapping(facts.get(data.name)).get("bytes")
        if not data.is_file() or data.stat().st_size != size:
            raise _changed(data, folder)
        said = mapping(facts.get(told.name)).get("sha256")
        if not told.is_file() or sha256_of(told) != said:
            raise _changed(told, folder)
        for row in read_jsonl(told):
            origin = "human" if row.get("origin") == "human" else "model"
            yield from ((mapping(part), origin) for part in sequence(row.get("parts")))


def _changed(path: Path, folder: Path) -> InputError:
    return InputError(
        f"`{path}` is not the file that the mixture was written with",
        why="who wrote what is trained on is counted from the provenance beside it",
        fix=f"make the mixture again with `selfsown mix ... -o {folder} --force`",
    )


def _share(human: int, model: int) -> float:
    return human / (human + model) if human + model else 0.0
