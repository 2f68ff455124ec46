"""Islands of a growing pool: what all of them made in an epoch becomes the next epoch's seeds.

Islands never wait for each other within an epoch. At each epoch human seeds move on by one island,
and what the merge of all epochs so far accepted is dealt out anew, as tasks that a model wrote
(`depth` above 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, zip_longest
from pathlib import Path
from typing import Any

from selfsown.core.request import JSON
from selfsown.core.rundir import MANIFEST, read_lines, read_manifest
from selfsown.scale.data_set import Asked, filters_for
from selfsown.scale.merge import Plan, merge
from selfsown.scale.places import JobPlaces
from selfsown.scale.split import deal, part_rows
from selfsown.scale.streams import Source

Row = Mapping[str, JSON]


def forget_epochs(places: JobPlaces, epochs: Iterable[int]) -> None:
    """Have these epochs merged and their successors' seeds dealt out anew."""
    for epoch in epochs:
        (places.epoch(epoch) / MANIFEST).unlink(missing_ok=True)


def deal_epoch(places: JobPlaces, shards: int, epoch: int) -> str:
    """Give the islands of an epoch, which is not the first, their seeds, if they have none.

    Args:
        places: of the job.
        shards: islands per epoch.
        epoch: its number.

    Returns:
        A hash that changes when the seeds do.
    """
    first, out = epoch * shards, places.epoch(epoch - 1)
    if not (out / MANIFEST).exists() or not places.part(first + shards - 1).exists():
        places.part(first + shards - 1).unlink(missing_ok=True)  # the last that is dealt
        sources = [Source(places.shard(one), one // shards, one) for one in range(first)]
        merge(Plan(sources, filters_for(sources, Asked())), out)
        human = list(_human(places, shards))
        turn = epoch % len(human)
        deal(chain(human[turn:], human[:turn], machine_tasks(out)), shards, places.parts, first)
    data: Any = read_manifest(out)["data"]
    return str(data["files"]["accepted.jsonl"]["sha256"])


def machine_tasks(directory: Path) -> Iterator[Row]:
    """The accepted tasks of a run or a merge as seeds, each with all its instances, in order."""
    accepted = read_lines(directory / "accepted.jsonl")
    ended = (row for row in _rows(directory / "provenance.jsonl") if row["end"] == "accepted")
    pairs = zip(ended, accepted, strict=True)
    for task, instances in groupby(pairs, key=lambda pair: pair[0]["parents"][0]):
        records: list[Any] = []
        depth = 0
        for provenance, record in instances:
            records.append(record)
            depth = int(provenance["parent_depth"]) - 1
        yield {
            "id": task,
            "name": "",
            "instruction": records[0]["instruction"],
            "instances": [{"input": one["input"], "output": one["output"]} for one in records],
            "is_classification": records[0]["is_classification"],
            "depth": depth,
        }


def _human(places: JobPlaces, shards: int) -> Iterator[Row]:
    """The seeds that were given, in their order."""
    parts = [part_rows(places.part(shard)) for shard in range(shards)]
    for ranked in zip_longest(*parts):
        yield from (row for row in ranked if row is not None)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for row in read_lines(path):
        assert isinstance(row, dict)
        yield row
