"""The filter that drops what repeats an item of a benchmark, and the seeds that it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from selfsown.core.errors import CheckFailed
from selfsown.curate.decontaminate import REASON, DecontaminationIndex
from selfsown.curate.index_file import named_index
from selfsown.curate.steps import Check, filter_step, require


@filter_step(REASON)
def benchmark_overlap(*, indexes: Sequence[str]) -> Check:
    """Drop a text that repeats an item of these indexes; the score is the share of the item.

    Indexes are named as in `selfsown decontaminate check --index`; one that is not there is an
    error. The files are read where the run is started, so keep them for a replay.
    """
    require(
        not isinstance(indexes, str) and bool(indexes),
        f"`indexes` is {indexes!r}",
        "it is a list with at least one name",
    )
    return DecontaminationIndex(stores=[named_index(name) for name in indexes]).admit


def filtered_index(filters: Mapping[str, Mapping[str, object]]) -> DecontaminationIndex:
    """What the filter `benchmark_overlap` of a run keeps out; nothing where it has none.

    For texts beside those that it judges: passages that are shown to the model.

    Raises:
        MissingIndex: an index is not there.
    """
    names = filters.get(REASON, {}).get("indexes", ())
    assert isinstance(names, Sequence)
    return DecontaminationIndex(stores=[named_index(name) for name in names])


def refuse_repeating_seeds(
    seeds: Iterable[tuple[str, Sequence[str]]], filters: Mapping[str, Mapping[str, object]]
) -> None:
    """Make sure that no seed repeats what the filter `benchmark_overlap`, if any, keeps out.

    Seeds are shown to the model as demonstrations and are not filtered; what they repeat would be
    learnt from the seeds instead.

    Args:
        seeds: id and texts of each.
        filters: of the run: name → options.

    Raises:
        CheckFailed: some do.
    """
    if REASON not in filters:
        return
    check = benchmark_overlap(**filters[REASON])  # type: ignore[arg-type]
    found = [name for name, texts in seeds if any(not check(text).ok for text in texts)]
    if found:
        names = ", ".join(f"`{name}`" for name in found[:5])
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise CheckFailed(
            f"seeds repeat items of a benchmark: {names}{more}",
            why="the model is shown them, and its data are to be apart from that benchmark",
            fix="selfsown decontaminate clean SEEDS --index NAME -o CLEAN, and --seeds CLEAN",
        )
