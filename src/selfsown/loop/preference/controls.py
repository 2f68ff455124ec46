"""What the rounds are compared with, probed like them.

- `offline`: DPO from the initial policy on given labelled pairs, as many as the rounds had.
- `equal_data`: one round, of the prompts of all rounds, answered by the initial policy: what is
  gained by asking the policy anew is apart from what is gained by more prompts.
- `other_reference`: the rounds with the fixed reference where they have a moving one, and the other
  way round.
- `sft_chosen`: tuning on the chosen answers alone, by the values of `sft`; the rate is another one
  unless both are given.

All but `other_reference` are made of all rounds, and so are made anew when more rounds were turned.

Source: the last one is an ablation of Self-Rewarding Language Models (arXiv:2401.10020, section
3.2); RLHF Workflow (arXiv:2405.07863) has an offline baseline on other prompts, and no equal data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import CheckFailed, SelfsownError, TooFewRecords
from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.core.rundir import read_lines, sha256_of, write_lines, write_text
from selfsown.export.export import provenance_path
from selfsown.loop.generate import generate
from selfsown.loop.preference.chain import Chain, Desk, answering
from selfsown.loop.preference.config import Control
from selfsown.loop.preference.pairs import pair_up
from selfsown.loop.preference.places import PolicyPlaces, RoundPlaces
from selfsown.preference.recorded import rows_of_file
from selfsown.train.settings import TrainConfig
from selfsown.train.sft import train

MADE_OF: Final = "made_of.json"
"""Checksums of the rounds' pairs, and of what else a control was made of."""


def turn_controls(desk: Desk, chain: Chain) -> None:
    """Make the controls of a loop whose rounds are turned, each once.

    One that cannot be made does not keep the others from being made; its error comes last.

    Raises:
        TooFewRecords: there are fewer offline pairs than the rounds had.
        CheckFailed: a gate refuses pairs, or a training diverged.
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    made = {
        "offline": _offline,
        "equal_data": _equal_data,
        "other_reference": _other_reference,
        "sft_chosen": _sft_chosen,
    }
    refused: SelfsownError | None = None
    for name in desk.setup.config.controls:
        try:
            made[name](desk, chain)
        except (CheckFailed, TooFewRecords) as error:
            desk.tell(f"control {name}: refused: {error.what}")
            refused = refused or error
    if refused is not None:
        raise refused


def _offline(desk: Desk, chain: Chain) -> None:
    config = desk.setup.config
    assert config.offline_pairs is not None
    source = Path(config.offline_pairs)
    places = _places(desk, "offline", chain, [source])
    path = places.home / "pairs.jsonl"
    if not path.is_file():
        _write_sample(source, path, _pair_count(chain), config.seed)
    _preferred(desk, places, path, "offline", len(chain.endings))


def _equal_data(desk: Desk, chain: Chain) -> None:
    setup = desk.setup
    places = RoundPlaces(_places(desk, "equal_data", chain).home)
    rows = [row for one in chain.endings for row in setup.prompts.rows(one.round)]
    generate(answering(setup.config, places.run, desk.initial.policy.uri, 0), rows)
    pair_up(places.run, places, setup.options, setup.config.floors.floors())
    _preferred(desk, places, places.pairs, "equal_data", len(chain.endings))


def _other_reference(desk: Desk, chain: Chain) -> None:
    config = desk.setup.config
    other = config.other_reference
    home = desk.setup.places.control("other_reference")
    own = Chain(desk, home, other, f"reference {other}", chain.round(0).run)
    for ending in chain.endings:
        own.turn(ending.round)


def _sft_chosen(desk: Desk, chain: Chain) -> None:
    setup, places = desk.setup, _places(desk, "sft_chosen", chain)
    path = places.home / "data.jsonl"
    if not path.is_file():
        _write_chosen([chain.round(one.round).pairs for one in chain.endings], path)
    initial = desk.initial.policy.folder
    _trained(
        desk,
        places,
        setup.config.tuning(
            [{"path": str(path)}], str(places.model), base=str(initial), encoding=setup.encoding
        ),
        "sft_chosen",
    )


def _preferred(desk: Desk, places: PolicyPlaces, pairs: Path, name: Control, rounds: int) -> None:
    """One DPO training of the initial policy on what so many rounds had, and its probe."""
    config, initial = desk.setup.config, desk.initial.policy.folder
    data: list[Mapping[str, JSON]] = [{"path": str(pairs)}]
    training = config.preferring(
        data,
        str(initial),
        str(places.model),
        encoding=desk.setup.encoding,
        rounds=rounds,
    )
    _trained(desk, places, training, name)


def _trained(desk: Desk, places: PolicyPlaces, training: TrainConfig, name: Control) -> None:
    result = train(training)
    result.raise_for_failure()
    if result.is_new:
        desk.tell(f"control {name}: trained: `{places.model}`")
    desk.measured(desk.held(places), f"control {name}")


def _places(desk: Desk, name: Control, chain: Chain, more: Sequence[Path] = ()) -> PolicyPlaces:
    """Where a control lies; one that was made of other pairs, or fewer rounds, is set aside.

    Args:
        desk: of the loop.
        name: of the control.
        chain: the rounds that it is compared with.
        more: other files that it is made of.
    """
    home = desk.setup.places.control(name).home
    files = [*(chain.round(one.round).pairs for one in chain.endings), *more]
    made_of = [sha256_of(path) for path in files]
    path = home / MADE_OF
    before = orjson.loads(path.read_bytes()) if path.is_file() else made_of
    if before != made_of:
        aside = next(one for one in _asides(home) if not one.exists())
        home.rename(aside)
        desk.tell(f"control {name}: made anew, as the rounds are others; before: `{aside}`")
    home.mkdir(parents=True, exist_ok=True)
    write_text(path, orjson.dumps(made_of).decode() + "\n")
    return PolicyPlaces(home)


def _asides(home: Path) -> Iterator[Path]:
    return (home.with_name(f"{home.name}-{number}") for number in itertools.count(1))


def _pair_count(chain: Chain) -> int:
    """Pairs of all rounds."""
    return sum(one.pairs for one in chain.endings)


def _write_sample(source: Path, out: Path, count: int, seed: int) -> None:
    """So many of the given pairs, drawn by chance, with their provenance.

    Raises:
        TooFewRecords: there are fewer.
    """
    rows = list(rows_of_file(source))
    if len(rows) < count:
        raise TooFewRecords(
            f"`{source}` has {len(rows)} pairs, and the rounds made {count}",
            why="with fewer pairs the control would lose by its numbers",
            fix="label more pairs, or leave the control `offline` out",
        )
    drawn = rng_for(seed, "loop-offline").sample(rows, count)
    lines = [{**told, "line": number} for number, (_, told) in enumerate(drawn, start=1)]
    if all(told for _, told in drawn):
        write_lines(provenance_path(out), map(orjson.dumps, lines))
    write_lines(out, (orjson.dumps(dict(row)) for row, _ in drawn))


def _write_chosen(pairs: list[Path], out: Path) -> None:
    """The chosen answers of some files of pairs as records to tune on, with their provenance."""
    rows: list[dict[str, JSON]] = []
    sources: list[dict[str, JSON]] = []
    for path in pairs:
        told = read_lines(provenance_path(path))
        for pair, source in zip(read_lines(path), told, strict=True):
            assert isinstance(pair, dict) and isinstance(source, dict)
            asked = {"instruction": pair["prompt"], "input": pair["input"]}
            rows.append({**asked, "system": pair["system"], "output": pair["chosen"]})
            sources.append({**source, "line": len(rows)})
    write_lines(provenance_path(out), map(orjson.dumps, sources))
    write_lines(out, map(orjson.dumps, rows))
