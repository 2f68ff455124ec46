"""Without asking any model: rebuild a run from its journal, or say what a run would ask."""

from selfsown.offline.planning import Plan, plan
from selfsown.offline.replaying import Replay, replay

__all__ = ["Plan", "Replay", "plan", "replay"]
