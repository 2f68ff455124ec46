"""The prompts of a preference loop: sets of rounds and of validation that never share one.

Declared prompts are split once, by the loop's seed alone, so that more rounds take further ones. A
writer writes them in one run of Self-Instruct for all rounds, which grows by one set per round:
what it writes is compared with everything that it wrote before (arXiv:2401.10020, section 2.4; the
writer is not the model that is trained).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from selfsown.core.config import RunConfig, make_config
from selfsown.core.effective import read_effective
from selfsown.core.errors import ConfigChanged, ConfigError, InputError, TooFewRecords
from selfsown.core.inputs import read_rows
from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.core.rundir import CONFIG, MANIFEST, read_lines, write_lines
from selfsown.loop.generate import is_finished, machine_tasks, round_seed, run_on
from selfsown.loop.preference.config import PreferenceLoopConfig
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.preference.gates import check_disjoint
from selfsown.preference.records import Prompt, plain_text
from selfsown.recipes.base import get_recipe
from selfsown.recipes.preference.prompts import prompts_of
from selfsown.recipes.seeds import read_seeds

Row = Mapping[str, JSON]

VALIDATION = "validation"


class PromptSets:
    """The prompts of one loop."""

    def __init__(
        self,
        config: PreferenceLoopConfig,
        places: PreferencePlaces,
        *,
        need_human: bool = False,
        apart: Collection[str] = (),
    ) -> None:
        """Read what is declared and check it; nothing is written or asked.

        Args:
            config: of the loop.
            places: of the loop.
            need_human: rows of rounds have answers of people, for the recipe's option `human`.
            apart: requests that no written prompt may repeat, beside those of validation.

        Raises:
            InputError: a file cannot be read, a row has no prompt, or there are too few for all
                rounds.
            CheckFailed: two sets share a prompt, or one has it twice.
            ConfigChanged: the files hold other prompts than those that earlier rounds used.
        """
        self._config, self._places = config, places
        given = config.prompts
        self._apart = frozenset(map(plain_text, apart))
        self._validation = spread(_rows(Path(config.probe.prompts)), config.probe.limit)
        self._sets: list[list[Row]] = []
        declared = None
        if given.file is not None:
            rows = _rows(Path(given.file), need_human=need_human)
            declared = asked_by(rows)
            self._sets = self._split(rows, given.file)
        else:
            self._sets = [_rows(Path(name), need_human=need_human) for name in given.files]
        if given.writer is not None:
            self._check_writing(need_human=need_human)
        named = {f"round {number}": rows for number, rows in enumerate(self._sets)}
        sets = {name: asked_by(rows) for name, rows in named.items()}
        check_disjoint(sets, declared)
        check_disjoint({VALIDATION: asked_by(self._validation), **sets})
        self._refuse_changed()

    @property
    def declared(self) -> list[str]:
        """What the prompts of the rounds say, as far as they are declared."""
        return [one.request for rows in self._sets for one in asked_by(rows)]

    @property
    def measured(self) -> list[str]:
        """What the validation prompts say."""
        return [one.request for one in asked_by(self._validation)]

    @property
    def validation(self) -> Path:
        """The file of the validation prompts."""
        path = self._places.validation
        if not path.is_file():
            _write(path, self._validation)
        return path

    def rows(self, number: int) -> list[Row]:
        """The prompts of one round; the writer is asked for more of them if there is one.

        Raises:
            TooFewRecords: the writer has no more to say.
            Suspended: environment or a signal stopped it; the same call resumes.
        """
        path = self._places.prompts_of(number)
        if not path.is_file():
            _write(path, self._sets[number] if self._sets else self._written(number))
        return [dict(row) for row in read_lines(path) if isinstance(row, dict)]

    def _check_writing(self, *, need_human: bool) -> None:
        """Refuse seeds and options that the writer could not use."""
        if need_human:
            raise ConfigError(
                "loop config: `options.human` takes answers of people, and prompts are written",
                why="a written prompt has nobody's answer",
                fix="give a `prompts.file` whose rows have an `output`, or remove `options.human`",
            )
        config = self._writing(1)
        get_recipe(config.recipe).resolve(config.preset, config.options)
        read_seeds(str(config.seeds))

    def _split(self, rows: Sequence[Row], name: str) -> list[list[Row]]:
        count, rounds = self._config.prompts.per_round, self._config.rounds
        if len(rows) < count * rounds:
            raise InputError(
                f"`{name}` has {len(rows)} prompts, and {rounds} rounds of {count} need"
                f" {count * rounds}",
                why="a prompt that was trained on in one round is no fresh one in the next",
                fix="add prompts, turn fewer `rounds`, or set a smaller `prompts.per_round`",
            )
        order = rng_for(self._config.seed, "loop-prompts").sample(rows, len(rows))
        return [order[count * t : count * (t + 1)] for t in range(rounds)]

    def _refuse_changed(self) -> None:
        """Stop if an earlier start took other prompts from files of the same names."""
        sets = {self._places.prompts_of(number): rows for number, rows in enumerate(self._sets)}
        for path, rows in {**sets, self._places.validation: self._validation}.items():
            if path.is_file() and list(read_lines(path)) != [dict(row) for row in rows]:
                raise ConfigChanged(
                    f"`{path}` holds other prompts than the declared ones give now",
                    why="a file was changed after the loop began, so that sets would overlap",
                    fix="restore the file, or give another directory with `-o`",
                )

    def _written(self, number: int) -> list[Row]:
        """The next set of the writer, without what repeats a prompt that only measures."""
        count = self._config.prompts.per_round
        home, needed = self._places.written, count * (number + 1)
        target = max(needed, _target(home))  # a smaller one than before would be another run
        while True:
            before = _task_count(home)
            if not is_finished(home) or _target(home) < target:
                run_on(self._writing(target))
            fresh = list(self._fresh())
            if len(fresh) >= needed:
                return fresh[needed - count : needed]
            if _task_count(home) == before:
                raise TooFewRecords(
                    f"the writer wrote {len(fresh)} fresh prompts, and {number + 1} rounds of"
                    f" {count} need {needed}",
                    why="what it writes repeats itself, or prompts that only measure",
                    fix="give more seed tasks, a warmer writer, or a smaller `prompts.per_round`",
                )
            target += needed - len(fresh)

    def _writing(self, target: int) -> RunConfig:
        given = self._config.prompts
        return make_config(
            {
                "recipe": "self-instruct",
                "preset": given.preset,
                "models": {"generator": given.writer},
                "seeds": given.seeds,
                "target": target,
                "seed": round_seed(self._config.seed, 0),
                "order": "strict",
                "options": given.options,
                "limits": self._config.limits.model_dump(),
                "out": str(self._places.written),
            },
            source="loop config: prompts",
        )

    def _fresh(self) -> Iterator[Row]:
        """Every task that was written, with its first input, unless it is kept apart."""
        known = self._apart | set(map(plain_text, self.measured))
        for task in machine_tasks(self._places.written):
            instances = task["instances"]
            assert isinstance(instances, list) and isinstance(instances[0], dict)
            row: Row = {
                "id": task["id"],
                "instruction": task["instruction"],
                "input": instances[0]["input"],
            }
            if plain_text(asked_by([row])[0].request) not in known:
                yield row


def asked_by(rows: Iterable[Row], *, need_human: bool = False) -> list[Prompt]:
    """What rows of the recipe ask.

    Args:
        rows: as the recipe takes them.
        need_human: each has an answer of a person.

    Raises:
        InputError: a row is no prompt, or two prompts have one id.
    """
    return [one.prompt for one in prompts_of(rows, need_human=need_human)]


def _rows(path: Path, *, need_human: bool = False) -> list[Row]:
    """The prompts of a file.

    Raises:
        InputError: the file cannot be read, or a row is no prompt; names the file.
    """
    rows = list(read_rows(path))
    try:
        asked_by(rows, need_human=need_human)
    except InputError as error:
        raise InputError(f"`{path}`: {error.what}", why=error.why, fix=error.fix) from None
    return rows


def spread(rows: Sequence[Row], limit: int | None) -> list[Row]:
    """So many rows, at even distances."""
    if limit is None or limit >= len(rows):
        return list(rows)
    return [rows[len(rows) * place // limit] for place in range(limit)]


def _task_count(home: Path) -> int:
    """Tasks that the writer has written."""
    return sum(1 for _ in machine_tasks(home)) if (home / MANIFEST).is_file() else 0


def _target(home: Path) -> int:
    """The target that its run was started with; 0 if there is none."""
    if not (home / CONFIG).is_file():
        return 0
    config, _ = read_effective(home)
    return config.target or 0


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_lines(path, map(orjson.dumps, rows))
