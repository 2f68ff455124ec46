"""Seed tasks: the record, the reader that refuses bad ones by line, and the built-in sets."""

from selfsown.recipes.seeds.fetch import PUBLISHED, FetchError, PublishedSeeds, get_seeds
from selfsown.recipes.seeds.opening import BUILT_IN, BuiltInSeeds
from selfsown.recipes.seeds.reader import SeedSource, check_seeds, inspect_seeds, read_seeds
from selfsown.recipes.seeds.task import Instance, SeedFileError, SeedProblem, SeedReport, SeedTask

__all__ = [
    "BUILT_IN",
    "PUBLISHED",
    "BuiltInSeeds",
    "FetchError",
    "Instance",
    "PublishedSeeds",
    "SeedFileError",
    "SeedProblem",
    "SeedReport",
    "SeedSource",
    "SeedTask",
    "check_seeds",
    "get_seeds",
    "inspect_seeds",
    "read_seeds",
]
