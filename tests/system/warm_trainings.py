"""Imported by a nursery: the trainings of its commands, on one thread, begin warm."""

from __future__ import annotations

from tests.train.warm import stay_warm

stay_warm(threads=1)
