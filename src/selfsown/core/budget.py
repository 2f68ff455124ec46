"""A hard cap on spending: every attempt reserves its worst case first, out of durable blocks.

A block is permission to spend that is committed to the journal (`grant`) before any of it is used.
What was granted and not handed back counts as spent when the process dies, so at every moment, and
at every point where a crash can happen,

    spent before this process + granted and not released  <=  cap

and everything that was or could have been billed is inside what was granted. All sums are integers:
nano-USD and tokens. The cap holds as long as the provider bills no more than was asked for (prompt
bytes bound prompt tokens, `max_tokens` bounds generated ones); a provider that bills more is
charged as billed and the next call is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from selfsown.core.cost import NANO, Amount, Tariff
from selfsown.core.errors import BudgetExhausted, ConfigError, SelfsownError

__all__ = ["NANO", "Budget", "Grant"]

_CALLS_PER_BLOCK: Final = 64
_SHARE_PER_BLOCK: Final = 64

Grant: TypeAlias = Callable[[float, int], Awaitable[None]]
"""`await grant(usd, tokens)` returns when the block is on disk; negative amounts hand back what was
not used."""

GrantBatch: TypeAlias = Callable[[int, Amount, Amount], Awaitable[None]]
"""`await commit(count, worst, grant)` returns when a batch of the first `count` calls is on disk as
intended, together with the new grant."""


class Budget:
    """What may still be spent. Without a cap it only counts.

    Reservations are served in the order they were asked for. A reservation that does not fit waits
    for outstanding ones to settle if that could make room, and is refused with `BudgetExhausted` if
    it could not.
    """

    def __init__(
        self,
        cap_usd: float | None = None,
        cap_tokens: int | None = None,
        *,
        spent_usd: float = 0.0,
        spent_tokens: int = 0,
        grant: Grant | None = None,
    ) -> None:
        """Open a budget.

        Args:
            cap_usd: most USD over the whole life of the run directory; None for no cap.
            cap_tokens: most tokens, prompt and generated together; None for no cap.
            spent_usd: sum of everything granted (and not handed back) by earlier processes.
            spent_tokens: the same in tokens.
            grant: commits a block to the journal; None where nothing needs to survive the process.

        Raises:
            ConfigError: a cap is negative.
        """
        for name, cap in (("--budget-usd", cap_usd), ("--budget-tokens", cap_tokens)):
            if cap is not None and cap < 0:
                raise ConfigError(
                    f"`{name}` is {cap}",
                    why="a budget cannot be negative",
                    fix=f"give `{name}` 0 or more",
                )
        self.capped: bool = cap_usd is not None or cap_tokens is not None
        self._cap_usd = None if cap_usd is None else int(cap_usd * NANO)
        self._cap_tokens = cap_tokens
        self._before = Amount(round(spent_usd * NANO), spent_tokens)
        self._grant = grant
        self._granted_usd = 0  # by this process, net of what was handed back
        self._granted_tokens = 0
        self._free_usd = 0  # granted, neither reserved nor spent
        self._free_tokens = 0
        self._reserved_usd = 0  # sent or about to be sent, not settled
        self._reserved_tokens = 0
        self._settled_usd = 0
        self._settled_tokens = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._head: asyncio.Future[None] | None = None
        self._ahead: asyncio.Task[None] | None = None
        """Commits a block before the one in use is used up."""

    @property
    def spent(self) -> Amount:
        """Earlier processes' share and what this one has settled."""
        return Amount(
            self._before.nano_usd + self._settled_usd, self._before.tokens + self._settled_tokens
        )

    @property
    def committed(self) -> Amount:
        """What would count as spent if the process died now. Never above the cap."""
        usd = self._settled_usd if self._cap_usd is None else self._granted_usd
        tokens = self._settled_tokens if self._cap_tokens is None else self._granted_tokens
        return Amount(self._before.nano_usd + usd, self._before.tokens + tokens)

    def require_price(self, uri: str, tariff: Tariff | None) -> None:
        """Refuse a model whose price is not known where money is capped.

        Raises:
            ConfigError: there is a cap in USD and `tariff` is None.
        """
        if tariff is None and self._cap_usd is not None:
            raise ConfigError(
                f"the price of `{uri}` is not known, but the budget is in USD",
                why="a cap in USD can only be held if the worst case of each call can be priced",
                fix="give the model's `price` (input_usd and output_usd per million tokens) in the "
                "config, or cap tokens with `--budget-tokens`",
            )

    def reserve_now(self, need: Amount) -> bool:
        """Reserve if that takes no waiting and no commit; nobody who waits is overtaken."""
        if self._queue or not self._take(need):
            return False
        if self._ahead is None and self._runs_low() and self._cap_is_far(need):
            self._ahead = asyncio.get_running_loop().create_task(self._block_ahead(need))
        return True

    async def reserve(self, need: Amount) -> None:
        """Reserve the worst case of one attempt; settle it exactly once afterwards.

        Raises:
            BudgetExhausted: it does not fit under the cap, and no outstanding reservation could
                make room.
        """
        await self._my_turn()
        try:
            while not self._take(need):
                await self._make_room(need)
        finally:
            self._next_turn()

    def settle(self, reserved: Amount, actual: Amount) -> None:
        """Replace a reservation by what the attempt really cost; the rest is free again.

        Without a cap nothing is reserved: settle `NOTHING` by the actual amount, so that it is
        counted.
        """
        self._settled_usd += actual.nano_usd
        self._settled_tokens += actual.tokens
        if not self.capped:
            return
        self._reserved_usd -= reserved.nano_usd
        self._reserved_tokens -= reserved.tokens
        self._free_usd += reserved.nano_usd - actual.nano_usd
        self._free_tokens += reserved.tokens - actual.tokens
        self._look_again()

    async def reserve_batch(self, needs: Sequence[Amount], commit: GrantBatch) -> int:
        """Reserve the worst case of as many calls as fit, from the first on, as one batch.

        Args:
            needs: worst case of each call, at least one.
            commit: commits the grant together with the batch that it is for, so that no kill can
                come between the two.

        Returns:
            How many calls fit, at least one; settle them with `settle_batch`.

        Raises:
            BudgetExhausted: not even the first fits, and nothing outstanding could make room.
        """
        await self._my_turn()
        try:
            while not (count := self._fitting(needs)):
                left = self._left()
                if not self._fits(
                    needs[0].nano_usd,
                    needs[0].tokens,
                    left.nano_usd + self._free_usd + self._reserved_usd,
                    left.tokens + self._free_tokens + self._reserved_tokens,
                ):
                    raise self._exhausted(needs[0], left)
                self._head = asyncio.get_running_loop().create_future()
                await self._head
            worst = _total(needs[:count])
            await commit(count, worst, self._set_aside(worst))
            return count
        finally:
            self._next_turn()

    def settle_batch(self, worst: Amount, actual: Amount) -> None:
        """Replace the reservation of a batch by its cost; the journal has handed back the rest."""
        self._settled_usd += actual.nano_usd
        self._settled_tokens += actual.tokens
        self._reserved_usd -= worst.nano_usd
        self._reserved_tokens -= worst.tokens
        self._granted_usd += actual.nano_usd - worst.nano_usd
        self._granted_tokens += actual.tokens - worst.tokens
        self._look_again()

    def adopt_batch(self, worst: Amount, granted: Amount) -> None:
        """Take over what an earlier process reserved for a batch that is still under way.

        Args:
            worst: what is reserved.
            granted: the part of it that `spent_usd` and `spent_tokens` hold.
        """
        before = self._before
        self._before = Amount(
            max(0, before.nano_usd - granted.nano_usd), max(0, before.tokens - granted.tokens)
        )
        self._set_aside_more(worst)

    async def close(self) -> None:
        """Hand back what was granted and is not used. Call it when no attempt is outstanding."""
        if self._ahead is not None:
            await self._ahead
        usd, tokens = max(0, self._free_usd), max(0, self._free_tokens)
        if not self.capped or (usd, tokens) == (0, 0):
            return
        self._free_usd -= usd
        self._free_tokens -= tokens
        if self._grant is not None:
            await self._grant(-usd / NANO, -tokens)
        self._granted_usd -= usd
        self._granted_tokens -= tokens

    def _take(self, need: Amount) -> bool:
        if not self._fits(need.nano_usd, need.tokens, self._free_usd, self._free_tokens):
            return False
        self._free_usd -= need.nano_usd
        self._free_tokens -= need.tokens
        self._reserved_usd += need.nano_usd
        self._reserved_tokens += need.tokens
        return True

    def _fits(self, usd: int, tokens: int, room_usd: int, room_tokens: int) -> bool:
        """Whether an amount fits into a room; an uncapped unit always does."""
        return (self._cap_usd is None or usd <= room_usd) and (
            self._cap_tokens is None or tokens <= room_tokens
        )

    async def _make_room(self, need: Amount) -> None:
        """Get another block, or wait for a settlement, or give up."""
        if self._ahead is not None:
            await asyncio.shield(self._ahead)
            return
        left = self._left()
        short_usd = 0 if self._cap_usd is None else max(0, need.nano_usd - self._free_usd)
        short_tokens = 0 if self._cap_tokens is None else max(0, need.tokens - self._free_tokens)
        if self._fits(short_usd, short_tokens, left.nano_usd, left.tokens):
            await self._new_block(self._block(need, Amount(short_usd, short_tokens)))
        elif self._fits(
            short_usd,
            short_tokens,
            left.nano_usd + self._reserved_usd,
            left.tokens + self._reserved_tokens,
        ):
            self._head = asyncio.get_running_loop().create_future()
            await self._head
        else:
            raise self._exhausted(need, left)

    def _look_again(self) -> None:
        """Something was settled: the first who waits may find room."""
        if self._head is not None and not self._head.done():
            self._head.set_result(None)

    def _fitting(self, needs: Sequence[Amount]) -> int:
        """How many of the first needs fit together under the cap."""
        left = self._left()
        usd = tokens = count = 0
        for need in needs:
            usd, tokens = usd + need.nano_usd, tokens + need.tokens
            if not self._fits(
                usd, tokens, left.nano_usd + self._free_usd, left.tokens + self._free_tokens
            ):
                break
            count += 1
        return count

    def _set_aside(self, worst: Amount) -> Amount:
        """Reserve for a batch; what of it must be granted anew, 0 in a unit without a cap."""
        usd = 0 if self._cap_usd is None else min(max(0, self._free_usd), worst.nano_usd)
        tokens = 0 if self._cap_tokens is None else min(max(0, self._free_tokens), worst.tokens)
        self._free_usd -= usd
        self._free_tokens -= tokens
        self._granted_usd -= usd
        self._granted_tokens -= tokens
        self._set_aside_more(worst)
        return Amount(
            0 if self._cap_usd is None else worst.nano_usd - usd,
            0 if self._cap_tokens is None else worst.tokens - tokens,
        )

    def _set_aside_more(self, worst: Amount) -> None:
        self._granted_usd += worst.nano_usd
        self._granted_tokens += worst.tokens
        self._reserved_usd += worst.nano_usd
        self._reserved_tokens += worst.tokens

    def capped_part(self, amount: Amount) -> Amount:
        """An amount with 0 in each unit that has no cap: what of it stands in grants."""
        return Amount(
            0 if self._cap_usd is None else amount.nano_usd,
            0 if self._cap_tokens is None else amount.tokens,
        )

    def _left(self) -> Amount:
        """What the cap still allows to grant; 0 for a unit without a cap."""
        committed = self.committed
        return Amount(
            0 if self._cap_usd is None else max(0, self._cap_usd - committed.nano_usd),
            0 if self._cap_tokens is None else max(0, self._cap_tokens - committed.tokens),
        )

    def _runs_low(self) -> bool:
        """Whether less is free, in a unit that is capped, than half of what is reserved."""
        return (self._cap_usd is not None and 2 * self._free_usd < self._reserved_usd) or (
            self._cap_tokens is not None and 2 * self._free_tokens < self._reserved_tokens
        )

    def _cap_is_far(self, need: Amount) -> bool:
        """Whether a block of the usual size is a small share of what the cap leaves."""
        share = _CALLS_PER_BLOCK * _SHARE_PER_BLOCK
        return self._fits(share * need.nano_usd, share * need.tokens, *self._left())

    def _block(self, need: Amount, short: Amount) -> Amount:
        """The next block; nothing in a unit in which nothing is short."""
        left, waiting = self._left(), len(self._queue)
        usd, tokens = short
        if usd:
            usd = _block(usd, need.nano_usd, left.nano_usd, self._reserved_usd, waiting)
        if tokens:
            tokens = _block(tokens, need.tokens, left.tokens, self._reserved_tokens, waiting)
        return Amount(usd, tokens)

    async def _block_ahead(self, need: Amount) -> None:
        """Commit a block before anybody waits for it."""
        try:
            with contextlib.suppress(SelfsownError):  # whoever needs it next meets the same
                await self._new_block(self._block(need, self.capped_part(Amount(1, 1))))
        finally:
            self._ahead = None

    async def _new_block(self, block: Amount) -> None:
        """Commit a block, then make it available; one whose commit failed counts as spent."""
        usd, tokens = block
        self._granted_usd += usd
        self._granted_tokens += tokens
        if self._grant is not None:
            await self._grant(usd / NANO, tokens)
        self._free_usd += usd
        self._free_tokens += tokens

    async def _my_turn(self) -> None:
        """Wait until all who asked earlier are served; nobody else is until `_next_turn`."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        if self._queue[0] is turn:
            return
        try:
            await turn
        except asyncio.CancelledError:
            if self._queue and self._queue[0] is turn:
                self._next_turn()
            else:
                self._queue.remove(turn)
            raise

    def _next_turn(self) -> None:
        self._head = None
        self._queue.popleft()
        if self._queue and not self._queue[0].done():
            self._queue[0].set_result(None)

    def _exhausted(self, need: Amount, left: Amount) -> BudgetExhausted:
        if self._fits(
            need.nano_usd, 0, self._free_usd + left.nano_usd, self._free_tokens + left.tokens
        ):
            flag, cap = "--budget-tokens", f"{self._cap_tokens:,} tokens"
            worst = f"{need.tokens:,} tokens"
            room = f"{max(0, self._free_tokens) + left.tokens:,} tokens"
        else:
            flag, cap = "--budget-usd", f"${(self._cap_usd or 0) / NANO:,.2f}"
            worst = f"${need.usd:,.6f}"
            room = f"${(max(0, self._free_usd) + left.nano_usd) / NANO:,.6f}"
        return BudgetExhausted(
            f"the budget of {cap} does not cover the next call",
            why=f"the call could cost up to {worst} and {room} are left; "
            "a call is sent only if its worst case fits",
            fix=f"run the same command with a higher `{flag}`; "
            "it resumes here, and nothing is paid twice",
        )


def _total(amounts: Sequence[Amount]) -> Amount:
    return Amount(sum(each.nano_usd for each in amounts), sum(each.tokens for each in amounts))


def _block(short: int, need: int, left: int, reserved: int, waiting: int) -> int:
    """Size of the next block in one unit: many calls' worth, but a small share of what is left.

    A crash loses at most the unused part of a block, so beyond what the calls that wait now could
    use, a block is never more than 1/64 of what the cap leaves, and in the order of what is
    outstanding, which a crash loses as well.
    """
    spare = min(max(need * _CALLS_PER_BLOCK, reserved), left // _SHARE_PER_BLOCK)
    return max(short, spare, min(short + need * (waiting - 1), left // 2))
