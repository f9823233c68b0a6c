"""One member of a cluster, as an application uses it: join, leave, broadcast, send, ask, and read members."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final, Self

from tocsin.errors import ClosedError, TransportError, UserError
from tocsin.gossip.address import Address
from tocsin.gossip.answering import Request
from tocsin.gossip.application import check_bytes, checked_state
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import (
    Event,
    StateRequest,
    UserMessage,
)
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.parts import MembershipKind
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.core.steps import Outcome, Steps
from tocsin.gossip.driver import Driver
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.services.counters import Counter, counters_of
from tocsin.gossip.services.events import MAX_EVENTS, EventStream
from tocsin.gossip.services.joining import ONCE, JoinResult, RetryPolicy, join_by_policy
from tocsin.gossip.services.replicas import ReplicatedState
from tocsin.gossip.services.requests import Answer
from tocsin.gossip.services.services import Services
from tocsin.gossip.services.waiting import Wanted
from tocsin.gossip.transport.base import Transport
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.messages import Pieces
from tocsin.gossip.wire.packet import PacketCodec
from tocsin.gossip.wire.stream import StreamCodec
from tocsin.gossip.wire.tags import encode_tags

_log = logging.getLogger(__name__)

LEAVE_TIMEOUT: Final = 5.0
"""Seconds that the end of ``async with`` may spend on sending the leave message."""


def _no_state(join: bool) -> bytes:  # noqa: ARG001
    return b""


def _ignore(event: Event) -> None:
    """The default ``on_event``."""


class Gossip:
    """One member of a cluster on the running event loop.

    ``async with`` starts it, and leaves and closes it in the end.
    ``local_state(join)`` (or ``state_for``, which gets more) gives the application's part of a push/pull;
    ``on_event`` gets every core event, on the loop, in order; it must not block, and may call back into this
    object. ``address`` is what others are given to reach us at; without it (or with port 0) the transport's
    bound address is taken. ``keyring`` seals packets and streams; its keys may change at any time.
    ``on_request(payload, source)`` is asked first about each reliable message that a key of ours has sealed:
    bytes are sent back on the same stream, sealed with that key; None leaves it an ordinary message.
    ``states`` are replicated among all members that have one of that name; ``answer(who, question)`` answers
    :meth:`ask`. With ``static_membership`` the members are those of :meth:`set_listed` that can be reached
    (:mod:`tocsin.gossip.core.static.membership`), without it SWIM finds them.
    """

    def __init__(
        self,
        config: GossipConfig,
        transport: Transport,
        *,
        name: str,
        address: Address | None = None,
        meta: bytes = b"",
        incarnation: int = 1,
        local_state: Callable[[bool], bytes] = _no_state,
        state_for: Callable[[StateRequest], bytes | Pieces] | None = None,
        on_event: Callable[[Event], None] = _ignore,
        keyring: Keyring | None = None,
        on_request: Request | None = None,
        random_source: random.Random | None = None,
        static_membership: bool = False,
        states: Mapping[str, ReplicatedState] | None = None,
        answer: Answer | None = None,
    ) -> None:
        chance = random_source or random.Random()
        if states and (state_for is not None or local_state is not _no_state):
            raise UserError("a member has either replicated states or a local_state of its own")
        self.config = config
        self.keyring = keyring
        self.name = name
        self.transport = transport
        self.driver_statistics: DriverStatistics = DriverStatistics()
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        stream_codec = StreamCodec(config.label, keyring, config.compression)
        self._endpoint = Endpoint(
            config,
            name=name,
            address=address or Address("127.0.0.1", 0),
            now=self._loop.time(),
            random=chance,
            state_for=checked_state(
                self._snapshot if states else local_state, state_for, self.driver_statistics
            ),
            meta=meta,
            packet_codec=PacketCodec(config.label, keyring, config.compression),
            stream_codec=stream_codec,
            connections=transport,
            incarnation=incarnation,
            kind=MembershipKind.STATIC if static_membership else MembershipKind.SWIM,
        )
        self._driver = Driver(
            self._endpoint,
            transport,
            stream_codec,
            self.driver_statistics,
            stream_timeout=config.stream_timeout,
            on_request=on_request,
            on_event=self._emit,
        )
        self._services = Services(
            self._endpoint,
            chance,
            self._driver.tasks,
            states=states or {},
            answer=answer,
            send=self.send_reliable,
            broadcast=self.broadcast,
            emit=self._driver.emit,
        )
        self._random = chance
        self._starting = False

    # -- the application's side

    @property
    def members(self) -> list[Member]:
        """The live members, ourselves included; nobody once closed."""
        return [] if self._driver.closed else self._endpoint.members()

    @property
    def local(self) -> Member:
        """Ourselves."""
        return self._endpoint.local

    def members_with(self, **tags: str) -> list[Member]:
        """The live members that have all these tags with these values."""
        return [one for one in self.members if tags.items() <= one.tags.items()]

    @property
    def statistics(self) -> Statistics:
        """The core's counters; see also :meth:`counters`, which gives all there are."""
        return self._endpoint.statistics

    def counters(self) -> Iterator[Counter]:
        """All that this member counts: core, driver, services and transport."""
        transport, services = self.transport.statistics, self._services.statistics
        return counters_of(self.statistics, self.driver_statistics, services, transport=transport)

    @property
    def endpoint(self) -> Endpoint:
        """The core, for gauges such as ``health_score``; its commands are this object's business."""
        return self._endpoint

    async def start(self) -> None:
        """Listen, and begin to probe, gossip and push/pull. Once only.

        :class:`~tocsin.errors.ConfigError` if we cannot bind, :class:`~tocsin.errors.UserError` when it was
        started before.
        """
        self._check_open()
        if self._starting:
            raise UserError("this member was started already")
        self._starting = True
        await self._driver.start(self._address)

    async def join(
        self, addresses: Iterable[Address], *, timeout: float | None = None, retry: RetryPolicy = ONCE
    ) -> list[JoinResult]:
        """Exchange states with each address, all at once; one that cannot be joined raises nothing.

        What failed is tried again as ``retry`` says, for ``timeout`` seconds in all if that is given. The
        last outcome of each, in order. :class:`~tocsin.errors.UserError` for what is not an :class:`Address`.
        """
        self._check_started()
        wanted = list(addresses)
        for address in wanted:
            if not isinstance(address, Address):
                raise UserError(f"join takes values of Address, not {address!r}")
        return await join_by_policy(
            wanted, self._driver.join, policy=retry, timeout=timeout, random=self._random
        )

    async def wait_for_members(self, wanted: Wanted, *, timeout: float | None = None) -> list[Member]:
        """Wait until so many members are alive (ourselves included), or those names, or as a function says.
        :class:`TimeoutError` after ``timeout`` seconds, :class:`~tocsin.errors.ClosedError` once closed.
        """
        self._check_started()
        return await self._services.waits.wait(wanted, timeout)

    def events(self, maximum: int = MAX_EVENTS) -> EventStream:
        """All events from now on. ``maximum`` may wait; ``EventsDropped`` says how many are missing."""
        self._check_open()
        return self._services.streams.open(maximum)

    async def ask(self, member: str, question: bytes, *, timeout: float = 10.0) -> bytes:
        """What the ``answer`` of that member returns.

        :class:`~tocsin.errors.NotFoundError` if it is unknown, :class:`TransportError` if the question did
        not arrive, :class:`AnswerError` if it has no answer, :class:`TimeoutError` after ``timeout`` seconds.
        """
        check_bytes(question, "a question")
        self._check_started()
        return await self._services.requests.ask(member, question, timeout)

    def share(self, state: str, change: bytes) -> None:
        """Broadcast a change of a replicated state, which is applied here already.

        What is lost comes by push/pull. :class:`~tocsin.errors.NotFoundError` for an unknown state.
        """
        check_bytes(change, "a change")
        self._check_started()
        self._services.replicas.share(state, change)

    def set_listed(self, addresses: Iterable[Address]) -> None:
        """Who may be a member, with static membership; says nothing to SWIM."""
        if not self._driver.closed and not self._endpoint.leaving:
            self._endpoint.set_listed(addresses, self._loop.time())
            self._driver.drain()

    async def leave(self, timeout: float) -> bool:
        """Leave the cluster on purpose. Whether the leave message was sent within ``timeout`` seconds."""
        self._check_started()
        self._endpoint.leave(self._loop.time())
        self._driver.drain()
        if self._endpoint.left:
            return True  # There was no other member.
        try:
            async with asyncio.timeout(timeout):
                await self._driver.left.wait()
        except TimeoutError:
            return False
        return True

    def broadcast(self, payload: bytes, name: str | None = None) -> None:
        """Gossip a message to all members; a newer one of the same ``name`` replaces it in the queue.

        It may reach a member more than once, or (with bad luck) never: push/pull repairs that.

        :class:`~tocsin.errors.UserError` if it does not fit a packet, :class:`TypeError` if it is not bytes.
        """
        check_bytes(payload, "a message")
        self._check_started()
        self._endpoint.broadcast(payload, self._loop.time(), name=name)
        self._driver.broadcast_soon()
        self._driver.drain()

    async def send_reliable(self, member: str, payload: bytes) -> None:
        """Send a message of any size to one member, by stream.

        :class:`~tocsin.errors.NotFoundError` if it is unknown, :class:`TransportError` if it did not arrive.
        """
        check_bytes(payload, "a message")
        self._check_started()
        outcome = self._driver.outcome_of(self._endpoint.send_reliable(member, payload, self._loop.time()))
        self._driver.drain()
        finished = await outcome
        if finished.error:
            raise TransportError(f"sending to {member}: {finished.error}")

    def send_best_effort(self, member: str, payload: bytes) -> None:
        """Send a message to one member in a packet; :class:`~tocsin.errors.NotFoundError`."""
        check_bytes(payload, "a message")
        self._check_started()
        self._endpoint.send_best_effort(member, payload, self._loop.time())
        self._driver.drain()

    @property
    def packet_room(self) -> int | None:
        """Bytes of a message that fit a packet; None: a packet is as long as one likes (``gossip_bytes``)."""
        return None if self.config.gossip_bytes is not None else self._endpoint.packet_room

    def backlog(self, member: str) -> int:
        """Bytes that wait in the transport for a member, which takes them more slowly than they come."""
        known = self._endpoint.member(member)
        return self.transport.backlog(known.address) if known is not None else 0

    def round_trip(self, member: str) -> float | None:
        """Seconds that a member's answers to pings take, smoothed (RFC 6298); None before the first."""
        return self._endpoint.of_peers.round_trip(member)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Change our tags, which are our meta; :class:`~tocsin.errors.UserError` if too long."""
        self.update_meta(encode_tags(tags))

    def update_meta(self, meta: bytes) -> None:
        """Change what others see as our meta."""
        check_bytes(meta, "meta")
        self._check_started()
        self._endpoint.update_meta(meta, self._loop.time())
        self._driver.drain()

    async def close(self) -> None:
        """Stop everything at once; :meth:`leave` first to be taken for left and not for dead. Idempotent."""
        if self._driver.closed:
            return
        await self._driver.close()
        self._services.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._driver.closed:
                await self.leave(LEAVE_TIMEOUT)
        finally:
            await self.close()

    async def run_steps(self, event: UserMessage, work: Steps[Outcome]) -> Outcome:
        """Run the work that a peer has caused by its message, in steps between which other work runs.

        The peer is charged for it, and waits once it has used up its share, if the transport knows its peers.
        """
        return await self._driver.run_steps(event, work)

    def _emit(self, event: Event) -> None:
        if self._services.take(event):
            return
        try:
            self._on_event(event)
        except Exception:
            self.driver_statistics.callback_errors += 1
            _log.exception("the application failed on %s", type(event).__name__)

    def _snapshot(self, join: bool) -> bytes:  # noqa: ARG002
        return self._services.replicas.snapshot()

    def _check_open(self) -> None:
        if self._driver.closed:
            raise ClosedError("this member was closed")

    def _check_started(self) -> None:
        self._check_open()
        if not self._driver.started:
            raise ClosedError("this member was not started")
