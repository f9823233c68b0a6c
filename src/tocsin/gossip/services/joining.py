"""Joining: its outcome, and how often it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import UserError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import ExchangeFinished


@dataclass(frozen=True, slots=True)
class JoinResult:
    """The outcome of joining one address; ``error`` is empty on success.

    ``conflict`` is the address that already has our name, as the one that was joined knows it. Then the
    states were exchanged, but we do not become a member under this name.
    """

    address: Address
    error: str
    conflict: Address | None = None

    @property
    def joined(self) -> bool:
        """Whether the states were exchanged."""
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and how far apart, addresses that could not be joined are tried again. Times are seconds."""

    attempts: int | None = None
    """With the first; None: until the deadline of the join."""
    first: float = 0.5
    """Before the second attempt."""
    factor: float = 2.0
    """Each pause is so many times the one before it."""
    maximum: float = 10.0
    """No pause is longer."""
    jitter: float = 0.2
    """Share of a pause by which chance may shorten it, so that nodes do not dial in step; 0 to 1."""
    enough: int | None = None
    """Stop once so many addresses are joined; None: all of them."""

    def __post_init__(self) -> None:
        if self.attempts is not None and self.attempts < 1:
            raise UserError(f"attempts is 1 or more, not {self.attempts}")
        if not self.first > 0 or self.maximum < self.first or self.factor < 1 or not 0 <= self.jitter <= 1:
            raise UserError("a policy wants 0 < first <= maximum, factor >= 1 and jitter from 0 to 1")
        if self.enough is not None and self.enough < 1:
            raise UserError(f"enough is 1 or more, not {self.enough}")

    def pauses(self, random: Random) -> Iterator[float]:
        """Seconds before each further attempt."""
        pause, attempt = self.first, 1
        while self.attempts is None or attempt < self.attempts:
            yield pause * (1 - self.jitter * random.random())
            pause, attempt = min(pause * self.factor, self.maximum), attempt + 1


ONCE: Final = RetryPolicy(attempts=1)


async def join_by_policy(
    addresses: Sequence[Address],
    join: Callable[[Address], asyncio.Future[ExchangeFinished]],
    *,
    policy: RetryPolicy,
    timeout: float | None,
    random: Random,
) -> list[JoinResult]:
    """Try as ``policy`` says, for ``timeout`` seconds at most; the last outcome of each address."""
    outcomes = {address: JoinResult(address, f"no outcome within {timeout} s") for address in addresses}

    async def note(address: Address, outcome: asyncio.Future[ExchangeFinished]) -> None:
        finished = await outcome
        outcomes[address] = JoinResult(address, finished.error, finished.conflict)

    enough = len(outcomes) if policy.enough is None else min(policy.enough, len(outcomes))
    try:
        async with asyncio.timeout(timeout):
            pauses = policy.pauses(random)
            while True:
                missing = [address for address, outcome in outcomes.items() if not outcome.joined]
                begun = [(address, join(address)) for address in missing]  # all of them, now
                await asyncio.gather(*(note(address, outcome) for address, outcome in begun))
                joined = sum(outcome.joined for outcome in outcomes.values())
                if joined >= enough or (pause := next(pauses, None)) is None:
                    break
                await asyncio.sleep(pause)
    except TimeoutError:
        pass
    return [outcomes[address] for address in addresses]
