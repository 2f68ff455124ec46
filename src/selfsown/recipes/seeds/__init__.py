"""Seed tasks: the record, the reader that refuses bad ones by line, and the built-in sets."""

from .fetch import PUBLISHED, FetchError, PublishedSeeds, get_seeds
from .reader import BUILT_IN, SeedSource, check_seeds, inspect_seeds, read_seeds
from .task import Instance, SeedFileError, SeedProblem, SeedReport, SeedTask

__all__ = [
    "BUILT_IN",
    "PUBLISHED",
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
