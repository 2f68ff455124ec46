"""How deep the data stands on machine data, and how much of it people wrote: from provenance.

`model_depth` of a row is 0 if a person wrote it or a model that was not trained on machine data of
this engine, else 1 + the deepest row that its model was trained on. `parent_depth` is the length of
the chain of demonstrations; it is only reported, since Self-Instruct reaches 5-13 by design. A row
of a training set that no provenance knows counts as machine-made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.stages import writers

Origin = Literal["human", "model", "unknown"]

SEED_PREFIX: Final = "seed:"


@dataclass(frozen=True, slots=True)
class TrainedRow:
    """One row of a training mixture."""

    id: str
    """Record id, or id of a seed task with or without `seed:`."""
    tokens: int
    epochs: float = 1.0
    """How often training saw it."""


@dataclass(frozen=True, slots=True)
class Training:
    """One training: which model came out, and what went in."""

    model: str
    """Identity of the trained model, as provenance names it."""
    rows: Sequence[TrainedRow]


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a training set was made of."""

    human_rows: int
    human_tokens: int
    fresh_rows: int
    """Human rows that no earlier training used."""
    synth_rows_by_depth: Mapping[int, int]
    """`model_depth` → rows."""
    synth_tokens: int
    unknown_rows: int
    """Rows without provenance; they count as machine-made."""
    unknown_tokens: int
    human_token_share: float
    """Human tokens x epochs / all tokens x epochs, in [0, 1]; 0.0 of an empty mixture."""
    human_row_share: float

    @property
    def synth_rows(self) -> int:
        """Rows that a model wrote, unknown ones included."""
        return sum(self.synth_rows_by_depth.values()) + self.unknown_rows


@dataclass(frozen=True, slots=True)
class Depths:
    """Depths of a set of rows."""

    model_depth_max: int
    model_depth_mean: float
    parent_depth_max: int
    parent_depth_mean: float


@dataclass(frozen=True, slots=True)
class _Row:
    origin: Origin
    models: tuple[str, ...]
    parents: tuple[str, ...]
    stamped_depth: int


class Lineage:
    """The rows of all rounds, who wrote them, and what their models were trained on."""

    def __init__(
        self,
        provenance: Iterable[Mapping[str, JSON]],
        human_ids: Iterable[str] = (),
        trainings: Iterable[Training] = (),
    ) -> None:
        """Read rows in the format of `provenance.jsonl`.

        Args:
            provenance: rows of one or more runs.
            human_ids: seed tasks and other rows that people wrote.
            trainings: every training of this engine whose model wrote some row. The depth of a
                model that is not among them is the one stamped on its rows, 0 as a rule.
        """
        self._rows = {str(row["id"]): _read(row) for row in provenance}
        human = _Row("human", (), (), 0)
        self._rows.update((_plain(name), human) for name in human_ids)
        self._trainings = {training.model: training for training in trainings}
        self._model_depths: dict[str, int] = {}
        self._parent_depths: dict[str, int] = {}

    def origin(self, row_id: str) -> Origin:
        """Who wrote a row; `unknown` if no provenance has it."""
        row = self._rows.get(_plain(row_id))
        return row.origin if row else "unknown"

    def model_depth(self, row_id: str) -> int:
        """Trainings on machine data behind the model that wrote a row.

        0 for a human row, and for one without provenance.

        Raises:
            InputError: the trainings go round in a circle.
        """
        row = self._rows.get(_plain(row_id))
        if row is None or row.origin == "human":
            return 0
        return max((self._of_model(model, row) for model in row.models), default=row.stamped_depth)

    def parent_depth(self, row_id: str) -> int:
        """Longest chain of parents: 0 for a human row, and for one without parents.

        Raises:
            InputError: the parents go round in a circle.
        """
        start = _plain(row_id)
        path = [start]
        while path:
            current = path[-1]
            parents = [_plain(parent) for parent in self._parents(current)]
            open_ = [parent for parent in parents if parent not in self._parent_depths]
            if open_:
                if open_[0] in path:
                    raise _circle(f"record `{open_[0]}` is among its own ancestors")
                path.append(open_[0])
                continue
            depths = (self._parent_depths[parent] for parent in parents)
            self._parent_depths[current] = max((1 + depth for depth in depths), default=0)
            path.pop()
        return self._parent_depths[start]

    def depths(self, row_ids: Sequence[str]) -> Depths:
        """Largest and mean depths of rows; zeros without rows."""
        model = [self.model_depth(name) for name in row_ids] or [0]
        parent = [self.parent_depth(name) for name in row_ids] or [0]
        return Depths(max(model), sum(model) / len(model), max(parent), sum(parent) / len(parent))

    def mixture(self, rows: Sequence[TrainedRow], earlier: Iterable[TrainedRow] = ()) -> Mixture:
        """What a training set was made of.

        Args:
            rows: the mixture that was trained on, epochs counted.
            earlier: rows of earlier trainings, to tell which human rows are fresh.
        """
        used = {_plain(row.id) for row in earlier}
        tokens, seen = Counter[Origin](), Counter[Origin]()
        weighed: dict[Origin, float] = {}
        weighed_rows: dict[Origin, float] = {}
        fresh, by_depth = 0, Counter[int]()
        for row in rows:
            origin = self.origin(row.id)
            seen[origin] += 1
            tokens[origin] += row.tokens
            weighed[origin] = weighed.get(origin, 0.0) + row.tokens * row.epochs
            weighed_rows[origin] = weighed_rows.get(origin, 0.0) + row.epochs
            if origin == "model":
                by_depth[self.model_depth(row.id)] += 1
            fresh += origin == "human" and _plain(row.id) not in used
        return Mixture(
            human_rows=seen["human"],
            human_tokens=tokens["human"],
            fresh_rows=fresh,
            synth_rows_by_depth=dict(sorted(by_depth.items())),
            synth_tokens=tokens["model"],
            unknown_rows=seen["unknown"],
            unknown_tokens=tokens["unknown"],
            human_token_share=_share(weighed),
            human_row_share=_share(weighed_rows),
        )

    def _parents(self, row_id: str) -> tuple[str, ...]:
        row = self._rows.get(row_id)
        return row.parents if row else ()

    def _of_model(self, model: str, row: _Row) -> int:
        training = self._trainings.get(model)
        if training is None:
            return row.stamped_depth
        known = self._model_depths.get(model)
        if known == _OPEN:
            raise _circle(f"model `{model}` was trained on rows that it wrote itself")
        if known is None:
            self._model_depths[model] = _OPEN
            machine = [used.id for used in training.rows if self.origin(used.id) != "human"]
            known = max((1 + self.model_depth(name) for name in machine), default=0)
            self._model_depths[model] = known
        return known


_OPEN: Final = -1
"""A model whose depth is being worked out."""


def _read(row: Mapping[str, JSON]) -> _Row:
    origin = row.get("origin")
    models = row.get("models")
    written_by: tuple[str, ...] = ()
    if isinstance(models, Mapping):
        roles = {role: name for role, name in models.items() if isinstance(name, str)}
        written_by = tuple(writers(roles))
    parents, depth = row.get("parents"), row.get("model_depth")
    return _Row(
        origin if origin in ("human", "model") else "unknown",
        written_by,
        tuple(str(parent) for parent in parents) if isinstance(parents, (list, tuple)) else (),
        depth if isinstance(depth, int) else 0,
    )


def _plain(row_id: str) -> str:
    return row_id.removeprefix(SEED_PREFIX)


def _share(amounts: Mapping[Origin, float]) -> float:
    total = sum(amounts.values())
    return amounts.get("human", 0.0) / total if total else 0.0


def _circle(what: str) -> InputError:
    return InputError(
        what,
        why="depth is counted from rows that no machine wrote, so lineage must have a beginning",
        fix="check the training sets and provenance given to the guard",
    )
