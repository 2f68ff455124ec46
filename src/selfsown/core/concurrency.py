"""How many calls an endpoint takes at the same time, found from its refusals.

An endpoint refuses for one of two reasons. Either more is in flight than it takes: then fewer calls
in flight lose nothing, and fewer are refused. Or it refuses whatever is in flight (an outage, a
storm, a share of all calls at random): then fewer calls in flight lose throughput and are refused
just as often. Which it is shows when the limit moves, so every move is an experiment:

- **Up.** While all places are in use, their number grows by 1, 2, 4, ... A step whose calls are
  refused is taken back and halved; once the least step is refused, nothing is tried for as many
  replies as make those refusals few. A step stands once its refusals would have come back, which
  is often much sooner than its answers.
- **A wall.** Where nearly every call is refused all of a sudden, the limit falls at once, by no
  more than half, and refused calls are not replaced: what stays in flight is what the endpoint
  takes. The first answer to a call sent since then ends that. If nothing stays in flight, or what
  stayed is refused as well, then depth was not the reason.
- **A storm.** Nothing stayed in flight, and calls that were sent alone were refused too: all places
  are there again. The first answer ends it, and what was good before holds again. After some round
  trips without any answer the places become fewer, by half from one to the next.
- **Down.** Where more is refused than is tolerated, two round trips in a row, the limit falls by
  the refused share. If that lessens the refused share by less than half of what it must if depth
  was the reason, the limit goes back, and this share is tolerated (`tolerance`). Else it stays.

Beyond what is tolerated, the place of a refused call rests for the time of an answer, so that
refusals that come soon are not asked for in a loop. After a lowering only calls count that were
sent when the calls of before had made room, so that the limit falls at most once per round trip.
Nothing here knows the time: round trips are counted in calls.

The ideas are those of congestion control: slow start (Jacobson, SIGCOMM 1988), what comes through
matters and not what is lost (BBR, ACM Queue 14(5), 2016), moves as experiments (PCC, NSDI 2015).
"""

from __future__ import annotations

import math
import sys
from typing import Final

from selfsown.core.tolerance import Tolerance

_FEWEST: Final = 4
"""Fewer refusals than these prove nothing."""
_SHORT_ROUND: Final = 12
_LONG_ROUND: Final = 50
"""Fewest replies in a round trip: without noteworthy refusals, and to judge those there are."""
_PAUSE: Final = 8
_LONGEST_PAUSE: Final = 40
"""Replies without a step up after one was refused, per refused place: the first time, and at most
after more and more of them. It is never less than a round trip."""
_SOON: Final = 0.5
"""Share of the time of an answer below which refusals come soon."""
_SIGMAS: Final = 3.0
_STRAY_SIGMAS: Final = 0.75
"""Standard deviations above the expected: for a wall or a change of weather, and for a step up,
which is cheap to take back."""
_LONE_PROBES: Final = 3
"""Refused calls, one after the other, that show that what is in flight beside them is stuck."""
_STORM_ROUNDS: Final = 10
"""Round trips without an answer after which the places become fewer."""
_NEVER: Final = sys.maxsize


class AdaptiveLimit:
    """The limit of one endpoint.

    The depth of a call is the number of calls in flight when it was sent, itself included.
    """

    __slots__ = (
        "_answers", "_base", "_before", "_ceiling", "_deepest", "_depths", "_doubling", "_drained",
        "_fed", "_full_at", "_goal", "_grown_at", "_held", "_lag", "_loaded", "_mark", "_need",
        "_patient", "_pause", "_places", "_prior", "_probes", "_put_at", "_row", "_row_from",
        "_seen", "_since", "_start", "_step", "_storm", "_stray_from", "_strays", "_suspects",
        "_tolerance", "_trial", "_walled", "_window", "limit", "room", "serial",
    )  # fmt: skip

    def __init__(self, start: int, ceiling: int) -> None:
        """Start at `start` (>= 1) and never go above `ceiling`."""
        self.limit = start
        """Calls that may be in flight, >= 1, as far as is known."""
        self.room = start
        """Calls that may be in flight now: the limit without places that are empty for a while."""
        self.serial = 0
        """Number of calls sent so far."""
        self._ceiling = max(start, ceiling)
        self._places = start  # at most the limit; fewer behind a wall
        self._held = 0  # of these, places that rest
        self._lag = 1.0  # how soon refusals come: their share of the time of an answer
        self._tolerance = Tolerance()
        # steps up
        self._step, self._doubling = 1, True
        self._pause = _PAUSE
        self._goal = 0  # the limit before the last wall
        self._base = self._prior = 0  # places before the last step on trial, and the one before
        self._grown_at = self._stray_from = 0  # first call of that step, of one taken back
        self._strays = 0  # refusals since the step
        self._fed, self._need = 0, _NEVER  # replies since then, and until the next step
        self._full_at, self._put_at, self._deepest = start, 0, 0
        # the round trip
        self._mark = 0  # calls with a smaller serial do not count
        self._start = 0
        self._seen, self._window = 0, 0
        self._depths: list[int] = []  # of refused calls
        self._loaded = 0
        self._row = self._row_from = 0  # refusals nearly in a row, and since when
        # lowering
        self._before = 0  # the limit before it began to fall; 0: no experiment is under way
        self._since = _NEVER  # an answer to a call from here on ends a wall or a storm
        self._walled = self._drained = False
        self._answers = False  # whether there has been any answer
        self._probes = 0
        self._storm = 0  # refusals in this storm; 0: none
        self._suspects = False  # the last round trip had too many refusals
        self._patient = False  # no walls: the refused share is being measured
        self._trial: tuple[int, float] | None = None  # limit and refused share before it fell
        self._new_round(_SHORT_ROUND)
        self._put(start)

    def replied(self, serial: int, depth: int) -> None:
        """Count a reply that was no refusal."""
        if serial >= self._since:
            self._come_through()
        if depth > self._deepest:
            self._deepest = depth
        self._fed += 1
        if self._fed >= self._need:
            self._step_up()
        if serial < self._mark:
            return
        self._seen += 1
        if self._seen >= self._window:
            self._judge()

    def refused(
        self, serial: int, depth: int, *, in_flight: int, nothing_left: bool, lag: float = 1.0
    ) -> bool:
        """Count a refusal.

        Args:
            serial: number of the refused call.
            depth: its depth.
            in_flight: calls still in flight.
            nothing_left: the endpoint said that it is close to its own limit.
            lag: how long the refusal took, as a share of the time of an answer, in [0, 1].

        Returns:
            Whether the place of the call rests until `rested` is called.
        """
        self._lag += (lag - self._lag) / 4
        if self._walled:
            return self._refused_at_wall(serial, in_flight)
        if self._storm:
            return self._refused_in_storm()
        soon = self._lag < _SOON  # else a step lasts as long as a round trip, and counts
        if soon and self._stray_from <= serial < self._grown_at:
            return False  # of a step that was taken back
        if self._base and serial >= self._grown_at:
            self._count_stray()
            if soon:
                return False
        if serial < self._mark:
            return False
        self._seen += 1
        self._depths.append(depth)
        self._loaded += nothing_left
        if self._loaded >= _FEWEST or (self._is_wall(serial) and not self._patient):
            self._meet_wall(in_flight)
            return False
        usual = self._tolerance.share * self._seen
        rests = len(self._depths) > 1 + usual + 2 * math.sqrt(usual)
        if self._seen >= self._window:
            self._judge()
        return rests and self._rest()

    def rested(self) -> None:
        """A place has rested."""
        if self._held:
            self._held -= 1
            self.room = max(0, self._places - self._held)

    # --- up --------------------------------------------------------------------------------------

    def _step_up(self) -> None:
        """Let the last step stand and take the next, if all places are in use."""
        places = self._places
        taken = self.serial - self._put_at >= self._fed - 1 + places - self._full_at
        if self._deepest < self._full_at or not (taken or self._deepest >= places):
            self._need = self._fed + 1 + places // 8
            return
        if places >= self._ceiling:
            self._base = self._prior = 0
            self._need = _NEVER
            return
        self._put(min(self._ceiling, places + self._step))
        if self._prior:
            self._pause = _PAUSE
        self._prior, self._base = self._base, places
        self._stray_from = self._grown_at = self.serial + 1
        self._strays = 0
        if self._doubling:
            goal = min(self._goal - self._places, self._places) // 2
            self._step = max(2 * self._step, goal)
        elif self._step > self._least_step():
            self._step //= 2
        else:
            self._doubling = True

    def _count_stray(self) -> None:
        self._strays += 1
        expected = self._tolerance.share * (self.serial - self._grown_at + 1)
        if self._strays > expected + _STRAY_SIGMAS * math.sqrt(expected):
            self._take_back()

    def _take_back(self) -> None:
        """The last step is refused."""
        step = self._places - self._base
        self._put(self._base)
        self.limit = max(self._places, self.limit // 2)
        self._base, self._prior = self._prior, 0  # which may have stood too soon
        self._stray_from, self._grown_at = self._grown_at, self.serial + 1
        self._strays = 0
        least = self._least_step()
        if step > least:
            self._step, self._doubling = max(least, step // 2), False
        else:
            self._step, self._doubling = least, True
            self._goal -= (self._goal - self._places) // 8
            self._need = max(self._pause * step, self._places)
            self._pause = min(_LONGEST_PAUSE, self._pause + 1)

    def _least_step(self) -> int:
        """One place; more where a step takes long because refusals come as late as answers."""
        return max(1, int(self._lag * self._places / 8))

    def _put(self, places: int) -> None:
        """Change the number of places; the next step up comes after refusals had time to come."""
        self._full_at = min(self._places, places)
        self._places = places
        self.limit = max(self.limit, places)
        self.room = max(0, places - self._held)
        self._put_at = self.serial
        self._deepest = self._fed = 0
        soon = self._lag * places
        self._need = 1 + math.ceil(1.1 * soon + 2 * math.sqrt(soon))

    def _stay(self, places: int) -> None:
        """Change the number of places, and take no steps up."""
        self._put(places)
        self._base = self._prior = 0
        self._need = _NEVER

    # --- walls and storms ------------------------------------------------------------------------

    def _is_wall(self, serial: int) -> bool:
        """Whether three in four of the latest calls were refused, and enough of them."""
        self._row += 1
        # refusals come back in about the order of sending, and not later than answers
        calls = max(self._row, serial - self._row_from + 1)
        if self._row == 1 or 2 * self._row < calls:
            self._row, self._row_from = 1, serial
            return False
        enough = max(_FEWEST, min(_SHORT_ROUND, self.limit // 4))
        usual = self._tolerance.usual * calls
        return (
            self._row >= enough
            and 4 * self._row >= 3 * calls
            and self._row > usual + _SIGMAS * math.sqrt(usual)
        )

    def _meet_wall(self, in_flight: int) -> None:
        if self._before and self._lag < _SOON:
            # what stayed in flight at the last wall is refused too: measure at the limit of before
            self._patient = self._suspects = True
            self.limit = self._before
            self._put(self._before)
            self._new_round(_LONG_ROUND)
            self._mark = self.serial + 1
            return
        # not the very least depth: a few refusals may have other causes
        shallow = sorted(self._depths)[len(self._depths) // 5]
        answered = self.limit * (self._seen - len(self._depths)) // self._seen
        self._before = self._goal = self._before or self.limit
        self.limit = max(1, min(self.limit - 1, max(shallow - 1, answered, self.limit // 2)))
        self._walled, self._drained, self._probes = True, False, 0
        self._answers = self._answers or self._seen > len(self._depths)
        self._since = self.serial + 1
        self._trial = None
        self._held = 0
        self._stay(max(1, min(self.limit, in_flight)))

    def _refused_at_wall(self, serial: int, in_flight: int) -> bool:
        if serial >= self._since:
            if self._drained:
                self._walled = False
                self._storm = 1
                self.limit = self._before
                self._since = self.serial + 1
                self._stay(self.limit)
                return self._refused_in_storm()
            self._probes += in_flight <= self.limit // 8
        if in_flight == 0 or self._probes >= _LONE_PROBES:
            self._drained = True
            self._stay(self.limit)
        elif self._answers and in_flight <= self.limit // 8:  # they may be stuck: one place looks
            self._stay(in_flight + 1)
            return self._rest()
        else:
            self._stay(max(1, min(self._places, in_flight)))
        return False

    def _refused_in_storm(self) -> bool:
        self._storm += 1
        if self._storm > _STORM_ROUNDS * self._before:
            self._storm -= self._places
            self._stay(max(1, self._places // 2))
            self.limit = max(self._places, self.limit // 2)
        return self._rest()

    def _rest(self) -> bool:
        if self._held >= self._places:
            return False
        self._held += 1
        self.room = self._places - self._held
        return True

    def _come_through(self) -> None:
        """A call was answered that was sent after the wall was met, or in the storm."""
        depth_matters = not (self._storm or self._drained)
        places = self._places if depth_matters else self._before
        self._answers = True
        self._walled = self._drained = self._patient = self._suspects = False
        self._storm = self._held = 0
        self._since = _NEVER
        if not depth_matters:
            self.limit = places
        # how far it fell is known the less exactly, the later refusals come
        self._step = max(1, int(self._lag * (self._before - places) / 2))
        self._doubling = self._step == 1
        if not depth_matters:
            self._before = 0
        self._put(places)
        self._new_round(_SHORT_ROUND)
        self._mark = self.serial + 1

    # --- down ------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """A round trip is over."""
        count, seen = len(self._depths), self._seen
        if self._walled or self._storm:
            self._new_round(_SHORT_ROUND)
            return
        self.limit = max(self._places, self.limit // 2)
        self._answers = self._answers or seen > count
        # refusals come sooner than answers: calls that were sent and are not back count as well
        under_way = (1 - self._lag) * max(0, self.serial - self._start - seen)
        if self._trial is not None:
            self._end_trial(count, seen)
        elif seen < _LONG_ROUND and count > self._tolerance.share * seen:
            self._window = _LONG_ROUND
        elif not self._tolerance.exceeded(count, seen + under_way):
            self._before = 0
            self._patient = self._suspects = False
            self._tolerance.round_ended(count, seen)
            self._new_round(_SHORT_ROUND)
        elif self._suspects:
            self._try_lower(count / seen)
        else:  # once more: the weather may have changed in the middle of the round trip
            self._suspects = True
            self._new_round(_LONG_ROUND)

    def _try_lower(self, share: float) -> None:
        self._before = self._before or self._places
        self._trial = (self._places, share)
        self._patient, self._suspects = True, False
        self._stay(max(1, self._places // 2, int(self._places * (1 - share))))
        self.limit = max(self._places, self.limit // 2)
        self._new_round(_LONG_ROUND)
        self._mark = self.serial + self._places

    def _end_trial(self, count: int, seen: int) -> None:
        """Has the lower limit lessened the refused share, as it must if depth is the reason?"""
        assert self._trial is not None
        limit, before = self._trial
        self._trial = None
        share = count / seen
        cured = max(0.0, 1 - (1 - before) * limit / self._places)
        if count > before * seen + _SIGMAS * math.sqrt(before * (1 - before) * seen):
            self._try_lower(share)  # the weather became worse meanwhile
        elif share <= (before + cured) / 2:
            self._tolerance.depends()
            self._step, self._doubling = max(1, (limit - self._places) // 2), False
            self._before = 0
            self._patient = False
            self._put(self._places)
            self._new_round(_SHORT_ROUND)
        else:
            self._tolerance.learn(share)
            self.limit = max(self._before, self._places)
            self._before = 0
            self._patient = False
            self._put(self.limit)
            self._new_round(_SHORT_ROUND)
            self._mark = self.serial + 1

    def _new_round(self, least: int) -> None:
        self._start = self.serial
        self._seen = self._loaded = self._row = 0
        self._window = max(self._places, least)
        self._depths.clear()
