"""Brings this node's state and its peers' together: by digests with our own, by push/pull with Alertmanagers.

Also says when that has been done with every peer that answers, which is when the node has settled.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from tocsin.aio import LoopClock, MachineShell, Tasks
from tocsin.alerting.digest.replica import Replica
from tocsin.alerting.protocol.parts import Slices
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import StateRequest
from tocsin.gossip.core.member import Member
from tocsin.gossip.gossip import Gossip
from tocsin.gossip.wire.messages import Pieces
from tocsin.node.clock import Clock
from tocsin.node.cluster.antientropy import AntiEntropy
from tocsin.node.cluster.capability import speaks_tocsin
from tocsin.node.cluster.inbox import Inbox, Mergeable
from tocsin.node.cluster.pushpull import PushPullState
from tocsin.node.cluster.resyncs import MAXIMUM_PAUSE, MINIMUM_PAUSE
from tocsin.node.cluster.settle import Settle, Settled
from tocsin.node.log import Logger

COMING_INTERVAL: Final = 0.1
"""Seconds after which it is asked again whether a large state is still on its way."""


class Replicated(Mergeable, Protocol):
    """One kind of replicated state."""

    @property
    def replicated(self) -> Replica: ...
    def encode_slices(self) -> Slices: ...
    @property
    def total_bytes(self) -> int: ...


class Convergence:
    """One for each cluster. Call :meth:`start` once gossip runs."""

    def __init__(
        self,
        name: str,
        states: Mapping[str, Replicated],
        gossip: Gossip,
        inbox: Inbox,
        *,
        clock: Clock,
        log: Logger,
        on_full_state: Callable[[int], None],
        static_membership: bool = False,
    ) -> None:
        self._name = name
        self._gossip = gossip
        self._inbox = inbox
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks(lambda error: log.error("a task of convergence failed", error=repr(error)))
        self._shell: MachineShell[list[Settled], float] | None = None
        self.settle: Settle | None = None
        self._whole_states: dict[str, float] = {}
        self._merging: Counter[str] = Counter()
        """Whole states of each member that are being merged, or wait for it."""
        self.push_pull = PushPullState(
            name, states, lambda: gossip.members, on_full_state, static_membership=static_membership
        )
        self.anti_entropy = AntiEntropy(
            name,
            {key: state.replicated for key, state in states.items()},
            gossip,
            inbox,
            clock=clock,
            log=log,
            on_heard=self._heard,
        )

    def start(self, settle_timeout: float, on_settled: Callable[[], None]) -> Settle:
        """Begin to settle; add the peers to be waited for, then start it."""
        self.settle = Settle(deadline=self._loop.time() + settle_timeout)
        if self._shell is not None:
            self._shell.stop()
        settled = partial(self._has_settled, self._loop.time(), on_settled)
        self._shell = MachineShell(self.settle, LoopClock(), settled)
        self.notify()
        return self.settle

    def start_again(self, settle_timeout: float, on_settled: Callable[[], None]) -> Settle:
        """Settle with those who are members now."""
        settle = self.start(settle_timeout, on_settled)
        for member in self._gossip.members:
            if member.name != self._name:
                settle.wait_for(member.name, self._loop.time())
                self._tasks.spawn(self._meet_again(member))
        settle.start()
        return settle

    async def close(self) -> None:
        """Stop."""
        if self._shell is not None:
            self._shell.stop()
        self.settle = None
        await self._tasks.cancel()
        await self.anti_entropy.close()

    async def resync(self, member_name: str) -> bool:
        """Exchange states with a member until both are equal; whether that succeeded. Rate-limited for each
        member."""
        member = self._gossip.endpoint.member(member_name)
        if member is None or not member.live:
            return False
        if speaks_tocsin(member.meta):
            outcome = await self.anti_entropy.resync(member_name)
            return outcome is not None and outcome.agreed
        [result] = await self._gossip.join([member.address])
        await self._inbox.merged(member.address.host)
        member = self._gossip.endpoint.member(member_name)
        if result.joined and member is not None and member.live:  # It may have gone meanwhile.
            self._whole_states.setdefault(member_name, self._loop.time())  # It may have brought none.
        return result.joined

    # -- called by the cluster

    def last(self, member: str) -> tuple[float, bool | None] | None:
        """When the states of a member and ours were last compared, by the event loop's time, and whether they
        were the same, which a push/pull does not show; None: not yet."""
        whole = self._whole_states.get(member)
        return (whole, None) if whole is not None else self.anti_entropy.last(member)

    def state_for(self, request: StateRequest) -> bytes | Pieces:
        """The user state of a push/pull."""
        state = self.push_pull.state_for(request)
        if self.push_pull.to_resync:
            self._loop.call_soon(self._begin_resyncs)
        return state

    def remote_state(self, payload: bytes, source: Address) -> None:
        """A push/pull brought a state, which is in the inbox by now."""
        if self.push_pull.received(payload, source):
            self._tasks.spawn(self._send_whole_state(source))
        self._begin_resyncs()
        for member in self._gossip.members:
            if member.address == source and not speaks_tocsin(member.meta):
                self._whole_states[member.name] = self._loop.time()
                self._merging[member.name] += 1
                self._tasks.spawn(self._merged_from(member.name, source.host))

    def member_joined(self, member: Member) -> None:
        """There is a new live member."""
        self.anti_entropy.member_seen(member.name)
        if self.settle is not None and not self.settle.settled:
            self.settle.wait_for(member.name, self._loop.time())
            if not speaks_tocsin(member.meta):
                self.settle.heard(member.name)  # The member is live, and sends nothing else before its state.
            self._tasks.spawn(self._meet(member.name))

    def member_left(self, member: Member) -> None:
        """A member is gone."""
        self.anti_entropy.forget(member.name)
        self._whole_states.pop(member.name, None)
        if self.settle is not None:
            self.settle.gone(member.name)
        self.notify()

    def notify(self) -> None:
        """Something about settling changed."""
        # In the next iteration of the loop: no peer sees half of what changes together.
        self._loop.call_soon(self._check)

    # -- within

    def _heard(self, peer: str) -> None:
        if self.settle is not None:
            self.settle.heard(peer)

    def _begin_resyncs(self) -> None:
        names, self.push_pull.to_resync = self.push_pull.to_resync, []
        for name in dict.fromkeys(names):
            self._tasks.spawn(self._resync(name))

    async def _resync(self, name: str) -> None:
        await self.resync(name)

    async def _send_whole_state(self, address: Address) -> None:
        await self._gossip.join([address])

    async def _merged_from(self, name: str, host: str) -> None:
        try:
            await self._inbox.merged(host)
        finally:
            self._merging[name] -= 1
            if not self._merging[name]:
                del self._merging[name]
        if self.settle is not None:
            self.settle.done(name)
            self.notify()

    async def _meet(self, name: str) -> None:
        """Exchange states with a member while settling."""
        settle = self.settle
        await asyncio.sleep(0)  # the push/pull that announced it may be the one we want
        while settle is not None and settle.waits_for(name, self._loop.time()) and not settle.settled:
            if self._is_coming(name):
                await asyncio.sleep(COMING_INTERVAL)
            elif await self.resync(name):  # What was to come has not, or it would be done with; or is empty.
                settle.done(name)
            else:
                settle.failed(name)
            self.notify()
        await self._ask_for_state(name)

    def _is_coming(self, name: str) -> bool:
        """Whether the whole state of an Alertmanager is on its way, or is being merged: it may have
        megabytes, and to ask for it once more would have it pass twice."""
        member = self._gossip.endpoint.member(name)
        if member is None or speaks_tocsin(member.meta):
            return False
        return name in self._merging or self._gossip.endpoint.is_exchanging(member.address)

    async def _ask_for_state(self, name: str) -> None:
        """Ask for the state until it has come; only a live Alertmanager, which compares no digests."""
        pause = MINIMUM_PAUSE
        while name not in self._whole_states:
            member = self._gossip.endpoint.member(name)
            if member is None or not member.live or speaks_tocsin(member.meta):
                return
            await asyncio.sleep(pause)
            if self._is_coming(name):
                continue
            pause = min(2 * pause, MAXIMUM_PAUSE)
            await self.resync(name)

    async def _meet_again(self, member: Member) -> None:
        """The member may think that we are dead, and answers nothing until a push/pull shows otherwise."""
        [result] = await self._gossip.join([member.address])
        if result.joined:
            self._heard(member.name)
        await self._meet(member.name)

    def _check(self) -> None:
        if self.settle is not None and self._shell is not None:
            self.settle.handle_timeout(self._loop.time())
            self._shell.run()

    def _has_settled(
        self, started: float, on_settled: Callable[[], None], effects: Sequence[Settled]
    ) -> None:
        for effect in effects:
            elapsed = round(self._loop.time() - started, 3)
            if effect.timed_out:
                self._log.warn("gossip not settled but continuing anyway", elapsed=elapsed)
            else:
                self._log.info("gossip settled; proceeding", elapsed=elapsed)
            on_settled()
