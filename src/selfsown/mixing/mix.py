"""From sources to a training mixture: read, divide, order, pack, write.

`mix` writes `train.jsonl` (or shards, or Parquet), `validation.jsonl` where asked for, a provenance
file beside each, the lists `holes.jsonl` and `left_out.jsonl` where there is something to list, and
last `mixture.json`. All are made in a scratch folder and moved to their places at the end, so a mix
that is killed leaves nothing that could be taken for a mixture.

Memory is that of sorting (`memory_bytes`), some open windows and one document.
"""

from __future__ import annotations

import shutil
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Final

from selfsown.core.errors import CheckFailed, ConfigError, InputError
from selfsown.core.journal import JOURNAL_NAME
from selfsown.core.request import JSON
from selfsown.core.rundir import locked, sync_directory, translated_os_errors
from selfsown.export.files import RowWriter, open_rows, refuse_overwrite
from selfsown.mixing.external_sort import ExternalSort
from selfsown.mixing.joining import Joiner
from selfsown.mixing.measures import measures
from selfsown.mixing.options import MixOptions
from selfsown.mixing.order import Drawn, Shelf, interleave
from selfsown.mixing.packing import packed
from selfsown.mixing.reading import OTHER, LeftOut, read_source
from selfsown.mixing.record import (
    HOLES,
    LEFT_OUT,
    Reading,
    file_facts,
    mixture_form,
    there,
    write_mixture,
)
from selfsown.mixing.shares import Plan, Stock, plan_shares
from selfsown.mixing.sources import MixSource
from selfsown.mixing.units import Passage, Unit
from selfsown.mixing.writing import Shards, Written, write_texts, write_windows

Tell = Callable[[str], None]

_SCRATCH: Final = ".mix"


@dataclass(frozen=True, slots=True)
class MixResult:
    """A mixture that was written."""

    out: Path
    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    """Empty if none was asked for."""
    plan: Plan
    human_share: float
    """Of the tokens of `train`, repetitions counted, in [0, 1]."""
    record: dict[str, JSON]
    """What `mixture.json` says."""


def mix(
    sources: Sequence[MixSource],
    out: Path | str,
    options: MixOptions | None = None,
    *,
    tell: Tell | None = None,
) -> MixResult:
    """Write a training mixture into a folder.

    Args:
        sources: with different names.
        out: folder; made if it is absent.
        options: the defaults of `MixOptions` if None.
        tell: receives a line for people when a source is read and when a side is written.

    Returns:
        What was written; `plan.shortfall` says how many tokens the sources could not give.

    Raises:
        ConfigError: sources or options cannot be used.
        InputError: a source cannot be read, or there is a mixture already.
        CheckFailed: people wrote nothing of it, and that was not allowed.
        MissingExtra: a format or the tokenizer needs a package that is not installed.
        EnvironmentFailure: the folder cannot be written, or another process writes there.
    """
    options, out = options or MixOptions(), Path(out)
    _refuse_sources(sources)
    _refuse_folder(out, options)
    for source in sources:
        _refuse_overlap(source, out)
    with locked(out):
        scratch = out / _SCRATCH
        shutil.rmtree(scratch, ignore_errors=True)  # of a mix that was killed
        try:
            with translated_os_errors(scratch):
                scratch.mkdir()
                return _Mixer(sources, out, options, scratch, tell or (lambda line: None)).run()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


class _Mixer:
    """One mix."""

    def __init__(
        self,
        sources: Sequence[MixSource],
        out: Path,
        options: MixOptions,
        scratch: Path,
        tell: Tell,
    ) -> None:
        self._tell = tell
        self._sources, self._out, self._options = sources, out, options
        self._scratch, self._files = scratch, scratch / "files"
        self._files.mkdir()
        self._count, self._ids_of, self._cut = measures(options)
        self._memory = max(1, options.memory_bytes // (2 * len(sources) + 1))
        self._shelves = [self._shelf(source, "train") for source in sources]
        self._held_out = [self._shelf(source, "validation") for source in sources]
        self._readings = [Reading() for _ in sources]

    def run(self) -> MixResult:
        """Read everything, then write everything."""
        self._read()
        options = self._options
        plan = plan_shares(
            [
                Stock(source.name, source.weight, source.max_epochs, shelf.tokens)
                for source, shelf in zip(self._sources, self._shelves, strict=True)
            ],
            tokens=options.tokens,
            pass_over=options.pass_over,
        )
        self._refuse_all_synthetic()
        train = self._write("train", interleave(self._shelves, plan.targets))
        held_out: Written | None = None
        if options.validation:
            once = chain.from_iterable(shelf.once() for shelf in self._held_out)
            held_out = self._write("validation", once)
        record = mixture_form(
            self._sources, options, plan, self._shelves, self._readings, train, held_out
        )
        record["files"] = file_facts(self._files)
        self._move(record)
        share = record["human_share"]
        assert isinstance(share, float)
        return MixResult(
            self._out,
            tuple(self._out / path.name for path in train.files),
            tuple(self._out / path.name for path in held_out.files) if held_out else (),
            plan,
            share,
            record,
        )

    def _shelf(self, source: MixSource, side: str) -> Shelf:
        folder = self._scratch / side / source.name
        return Shelf(source.name, self._options.seed, folder, self._memory)

    def _read(self) -> None:
        """Fill the shelves, and list what is left out and what joined texts lack."""
        paths = self._files / HOLES, self._files / LEFT_OUT
        with open_rows(paths[0]) as holes, open_rows(paths[1]) as left_out:
            for number, source in enumerate(self._sources):
                self._read_one(number, source, holes, left_out)
        for path in paths:
            if not path.stat().st_size:
                path.unlink()

    def _read_one(
        self, number: int, source: MixSource, holes: RowWriter, left_out: RowWriter
    ) -> None:
        reading = self._readings[number]
        joiner = Joiner(source.name, self._count, self._scratch / "joins", self._memory)
        for found in read_source(source, self._count):
            if isinstance(found, LeftOut):
                reading.left_out[found.reason] += 1
                if found.reason != OTHER:
                    left_out.write(found.row())
            elif isinstance(found, Passage):
                reading.passages += 1
                joiner.add(found)
            else:
                self._place(number, found)
        for unit, hole in joiner:
            if hole is not None:
                reading.holes += 1
                holes.write(hole.row())
            if hole is not None and self._options.whole_only:
                reading.left_out["hole"] += 1
            else:
                self._place(number, unit)
        shutil.rmtree(self._scratch / "joins", ignore_errors=True)
        shelf = self._shelves[number]
        self._tell(f"read `{source.name}`: {shelf.text_count:,} texts, {shelf.tokens:,} tokens")

    def _place(self, number: int, unit: Unit) -> None:
        """Put a text, or its tokens, on the side of its document."""
        options = self._options
        if self._ids_of is not None:
            unit = replace(unit, text="", ids=self._ids_of(unit.text))
        is_held_out = _is_below(options.validation, options.seed, unit.doc_id)
        (self._held_out if is_held_out else self._shelves)[number].add(unit)

    def _write(self, side: str, drawn: Iterable[Drawn]) -> Written:
        options = self._options
        shards = Shards(self._files, side, options.form, options.shard_bytes)
        if self._cut is None:
            written = write_texts(drawn, shards)
        else:
            sort = ExternalSort(self._scratch / f"{side}-windows", self._memory)
            shuffle = None if options.in_order else (options.seed, sort)
            written = write_windows(packed(drawn, self._cut, options.window), shards, shuffle)
        self._tell(f"written {side}: {written.rows:,} rows")
        return written

    def _refuse_all_synthetic(self) -> None:
        """Make sure that people wrote some of what is trained on.

        Raises:
            CheckFailed: they did not, and that was not allowed.
        """
        weighed = [
            shelf
            for source, shelf in zip(self._sources, self._shelves, strict=True)
            if source.weight
        ]
        if self._options.allow_all_synthetic or any(shelf.real_tokens for shelf in weighed):
            return
        raise CheckFailed(
            "people wrote nothing of this mixture",
            why="models trained on machine text alone lose what it lacks; a share of real text"
            " keeps them from it (arXiv:2404.01413)",
            fix="add a source with `--real NAME=PATH:WEIGHT`, or allow it with"
            " --allow-all-synthetic",
        )

    def _move(self, record: Mapping[str, JSON]) -> None:
        """Put the files in their places, `mixture.json` last."""
        with translated_os_errors(self._out):
            for path in there(self._out):  # of the mixture that this one replaces, its record first
                path.unlink()
            for path in sorted(self._files.iterdir()):
                path.replace(self._out / path.name)
            sync_directory(self._out)
        write_mixture(self._out, record)


def _is_below(share: float, seed: int, doc_id: str) -> bool:
    """Whether a document is held out: a function of seed and id, so all that say it go along."""
    if not share:
        return False
    digest = blake2b(f"{seed}\0validation\0{doc_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


def _refuse_sources(sources: Sequence[MixSource]) -> None:
    if not sources:
        raise ConfigError(
            "a mixture needs a source",
            why="there is nothing to mix",
            fix="give `--real NAME=PATH:WEIGHT`, `--synthetic ...` or `--source ...`",
        )
    names = Counts(source.name for source in sources)
    name, times = names.most_common(1)[0]
    if times > 1:
        raise ConfigError(
            f"{times} sources have the name `{name}`",
            why="names say in every row where a text comes from",
            fix="give each a name of its own",
        )


def _refuse_folder(out: Path, options: MixOptions) -> None:
    if (out / JOURNAL_NAME).exists():
        raise InputError(
            f"`{out}` is the directory of a run",
            why="the mixture would lie among the run's data files",
            fix="give another directory with `-o`",
        )
    if out.is_dir():
        refuse_overwrite(tuple(there(out)), force=options.force)


def _refuse_overlap(source: MixSource, out: Path) -> None:
    """Make sure that a mixture is no part of what it is made of, nor the other way round."""
    place, folder = source.path.resolve(), out.resolve()
    if place.is_relative_to(folder) or (place.is_dir() and folder.is_relative_to(place)):
        raise ConfigError(
            f"source `{source.name}` (`{source.path}`) and the mixture `{out}` lie in each other",
            why="a mixture would be read as its own source, or written over it",
            fix="give a folder beside the sources with `-o`",
        )
