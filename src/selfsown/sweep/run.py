"""All students of a sweep, one after another, each of which is kept once it is trained.

A directory holds `sweep.json` (what was asked), `sources/seed-N/` and `tokenizer/` (where the
material is made here), `students/ARM/seed-N/student.json` and, at the end, `comparison.json`. The
same call goes on where a sweep was broken off: trained students are read, one that was under way
goes on from its checkpoint. A student's mixture is made by `mixing.mix` as for any other training,
and removed when it was read.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import locked, read_lines, write_text
from selfsown.lab.tokenizer import END_OF_TEXT_ID
from selfsown.mixing.mix import MixResult, mix
from selfsown.mixing.options import MixOptions
from selfsown.mixing.sources import MAX_EPOCHS, MixSource
from selfsown.models.local import require_packages
from selfsown.sweep.arms import Arm, Student
from selfsown.sweep.compare import Comparison, compare
from selfsown.sweep.material import Design, SourceFile
from selfsown.sweep.measure import Cloze, HeldOut, answer, mean_by_set
from selfsown.sweep.student import NO_TOKEN, Shape, train_student

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import LlamaForCausalLM

ASKED: Final = "sweep.json"
COMPARED: Final = "comparison.json"
_STUDENT: Final = "student.json"
_MIXTURE: Final = "mixture"


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """How large a sweep is."""

    tokens: int
    """That every student reads, by its tokenizer, ends of documents included."""
    seeds: tuple[int, ...] = (0, 1)
    """Each decides a student's first weights, the order of its mixture and, in the lab, its texts;
    at least two."""
    shape: Shape = field(default_factory=Shape)
    max_epochs: float = MAX_EPOCHS
    """How often a text may come, where its source does not say."""
    allow_all_synthetic: bool = False
    """Choose also among arms without human text."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: there are no tokens, or seeds repeat.
        """
        if self.tokens < 1:
            raise ConfigError(
                f"`tokens` is {self.tokens}", why="a student has to read", fix="give at least 1"
            )
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError(
                f"the seeds are {list(self.seeds)}",
                why="each gives one student of every arm",
                fix="give different seeds, two or more",
            )


def run_sweep(
    design: Design,
    options: SweepOptions,
    out: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Train what is left of the students of a sweep, compare them, write `comparison.json`.

    Args:
        design: material and arms.
        options: tokens, seeds, student.
        out: directory of the sweep; made if it is absent.
        tell: receives a line per student and point of its curve.

    Raises:
        ConfigError: the directory is that of another sweep, or an arm has an unknown source.
        InputError: a source has too few tokens.
        MissingExtra: torch, transformers or tokenizers is not installed.
        EnvironmentFailure: the directory cannot be written, or another process does.
    """
    require_packages("a sweep", "tokenizers", "torch", "transformers")
    with locked(out):
        _refuse_another(design, options, out)
        return _Sweep(design, options, out, tell).run()


def asked_of(design: Design, options: SweepOptions) -> dict[str, JSON]:
    """What decides the students of a sweep, as `sweep.json` says it."""
    return cast(
        "dict[str, JSON]",
        {
            "material": dict(design.material.identity()),
            "arms": {arm.name: dict(arm.shares) for arm in design.arms},
            "tokens": options.tokens,
            "seeds": list(options.seeds),
            "student": asdict(options.shape),
            "max_epochs": options.max_epochs,
        },
    )


def _refuse_another(design: Design, options: SweepOptions, out: Path) -> None:
    path, asked = out / ASKED, orjson.dumps(asked_of(design, options), option=_FORM)
    if not path.exists():
        write_text(path, asked.decode())
        return
    there, own = orjson.loads(path.read_bytes()), orjson.loads(asked)
    there["seeds"] = own["seeds"]  # more seeds go on with what is there
    if there != own:
        unlike = sorted(key for key in own if there.get(key) != own[key])
        raise ConfigError(
            f"`{out}` holds a sweep with other {' and '.join(f'`{key}`' for key in unlike)}",
            why="students of different sweeps must not stand in one table",
            fix="give another directory, or the settings in its `sweep.json`",
        )
    write_text(path, asked.decode())


_FORM: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


class _Sweep:
    """One sweep, with what all its students share."""

    def __init__(
        self, design: Design, options: SweepOptions, out: Path, tell: Callable[[str], None]
    ) -> None:
        self._design, self._options, self._out, self._tell = design, options, out, tell
        self._sources: dict[int, Mapping[str, SourceFile]] = {}

    def run(self) -> Comparison:
        """Train seed by seed, so that a sweep that is broken off has whole seeds."""
        done = {
            (arm.name, seed): self._student(arm, seed)
            for seed in self._options.seeds
            for arm in self._design.arms
        }
        comparison = compare(
            [done[arm.name, seed] for arm in self._design.arms for seed in self._options.seeds],
            reference=self._design.reference,
            decided_by=self._design.decided_by,
            allow_all_synthetic=self._options.allow_all_synthetic,
        )
        form = orjson.dumps(comparison.to_json(), option=_FORM)
        write_text(self._out / COMPARED, form.decode())
        return comparison

    @cached_property
    def _tokenizer_folder(self) -> Path:
        return self._design.material.tokenizer(self._out / "tokenizer")

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self._tokenizer_folder / "tokenizer.json"))

    @cached_property
    def _held_out(self) -> dict[str, HeldOut]:
        longest = self._options.shape.row_tokens
        found = self._design.material.held_out().items()
        return {name: HeldOut(self._tokenizer, texts, longest) for name, texts in found}

    @cached_property
    def _tasks(self) -> dict[str, list[Cloze]]:
        found: dict[str, list[Cloze]] = {}
        for task in self._design.material.tasks():
            found.setdefault(task.kind, []).append(task)
        return found

    def _student(self, arm: Arm, seed: int) -> Student:
        folder = self._out / "students" / arm.folder / f"seed-{seed}"
        path = folder / _STUDENT
        if path.exists():
            return Student.of_json(orjson.loads(path.read_bytes()))
        self._tell(f"{arm.name}, seed {seed}")
        mixture = self._mixture(arm, seed, folder / _MIXTURE)
        student = self._trained(arm, seed, mixture, folder)
        write_text(path, orjson.dumps(student.to_json()).decode() + "\n")
        shutil.rmtree(folder / _MIXTURE)
        for left in folder.glob("checkpoint.*"):
            left.unlink()
        return student

    def _mixture(self, arm: Arm, seed: int, folder: Path) -> MixResult:
        files = self._files(seed)
        if unknown := sorted(set(arm.shares) - set(files)):
            raise ConfigError(
                f"arm `{arm.name}` has the unknown source `{unknown[0]}`",
                why="an arm says the shares of sources",
                fix=f"sources are {', '.join(f'`{name}`' for name in files)}",
            )
        sources = [self._weighted(name, files[name], share) for name, share in arm.shares.items()]
        options = MixOptions(
            tokens=self._options.tokens + 2 * self._options.shape.row_tokens,  # cut by read_rows
            window=self._options.shape.row_tokens,
            tokenizer=self._tokenizer_folder,
            seed=seed,
            in_order=True,  # the beginning that is read has the shares of the whole
            allow_all_synthetic=True,
            force=True,
        )
        result = mix(sources, folder, options)
        if result.plan.shortfall:
            raise InputError(
                f"source `{result.plan.limited_by}` is too small for {self._options.tokens} tokens",
                why=f"arm `{arm.name}` would read {result.plan.shortfall} tokens less than others",
                fix="give more text, fewer --tokens, or a higher --max-epochs",
            )
        return result

    def _weighted(self, name: str, file: SourceFile, share: float) -> MixSource:
        most = self._options.max_epochs if file.max_epochs is None else file.max_epochs
        return MixSource(name, file.path, share, file.kind, most, file.only)

    def _files(self, seed: int) -> Mapping[str, SourceFile]:
        if seed not in self._sources:
            folder = self._out / "sources" / f"seed-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            self._sources[seed] = self._design.material.sources(folder, seed)
        return self._sources[seed]

    def _trained(self, arm: Arm, seed: int, mixture: MixResult, folder: Path) -> Student:
        shape = self._options.shape
        rows = read_rows(mixture, self._options.tokens, shape.row_tokens)
        trained = train_student(
            rows, seed, shape, lambda model: mean_by_set(self._losses(model)), folder,
            tell=lambda line: self._tell(f"  {line}"),
        )  # fmt: skip
        answers = {
            kind: tuple(answer(trained.model, self._tokenizer, tasks))
            for kind, tasks in self._tasks.items()
        }
        return Student(
            arm.name,
            seed,
            trained.curve[-1].tokens,
            mixture.human_share,
            epochs_of(mixture),
            trained.curve,
            self._losses(trained.model),
            answers,
            trained.seconds,
        )

    def _losses(self, model: LlamaForCausalLM) -> dict[str, tuple[float, ...]]:
        return {name: tuple(texts.losses(model)) for name, texts in self._held_out.items()}


def epochs_of(mixture: MixResult) -> dict[str, float]:
    """Source → how often each of its texts came in a mixture, on average."""
    sources = cast("list[dict[str, Any]]", mixture.record["sources"])
    return {source["name"]: source["mixed"]["epochs"] for source in sources}


def read_rows(mixture: MixResult, tokens: int, length: int) -> Tensor:
    """Rows of a mixture as a student reads them: (N, length + 1) in int16.

    A row begins with the end-of-text token. Rows are taken until they have as many tokens to
    predict as asked for; the last is cut to it.
    """
    import torch

    lines: list[list[int]] = []
    left = tokens
    for path in mixture.train:
        for row in read_lines(path):
            ids = cast("dict[str, list[int]]", row)["input_ids"][:left]
            lines.append(ids)
            left -= len(ids)
            if not left:
                break
    rows = torch.full((len(lines), length + 1), NO_TOKEN, dtype=torch.int16)
    for at, ids in enumerate(lines):
        rows[at, 0] = END_OF_TEXT_ID
        rows[at, 1 : 1 + len(ids)] = torch.tensor(ids, dtype=torch.int16)
    return rows
