"""The asyncio shell around the core: joins an :class:`Endpoint` to a :class:`Transport` and to the clock.

It holds no protocol of its own: bytes and time go into the endpoint, actions are executed, events told.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tocsin.aio import LoopClock, MachineShell, Tasks
from tocsin.errors import ClosedError, TocsinError, TransportError, UserError
from tocsin.gossip.address import Address
from tocsin.gossip.answering import Request, StreamAnswers
from tocsin.gossip.application import checked_state
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import (
    Action,
    Event,
    ExchangeFinished,
    ExchangeKind,
    OpenStream,
    SendPacket,
    StateRequest,
    StreamOpened,
    UserMessage,
)
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.parts import MembershipKind
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.core.steps import Outcome, Steps
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.eager import EagerGossip
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.stream_reader import StreamReader, accounted_peer, write_all
from tocsin.gossip.transport.base import Stream, Transport
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.messages import Message, Pieces
from tocsin.gossip.wire.packet import PacketCodec
from tocsin.gossip.wire.stream import StreamCodec

_log = logging.getLogger(__name__)

MAX_OUTBOUND_STREAMS: Final = 128
"""Open at the same time; more wait, each within its deadline."""
NO_ANSWER: Final = (
    "the peer closed the stream without an answer: it may have another label or keyring, or be at a bound"
)


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


_NOWHERE: Final = Address("0.0.0.0", 0)


def _no_state(join: bool) -> bytes:  # noqa: ARG001
    return b""


def _ignore(event: Event) -> None:
    """The default ``on_event``."""


class Gossip:
    """One member of a cluster on the running event loop.

    ``local_state(join)`` (or ``state_for``, which is told more) gives the application's part of a push/pull;
    ``on_event`` gets every core event, on the loop, in order; it must not block, and may call back into this
    object. ``address`` is what others are told to reach us at; without it (or with port 0) the transport's
    bound address is taken. ``keyring`` seals packets and streams; its keys may change at any time.
    ``on_request(payload, source)`` is asked first about each reliable message that a key of ours has sealed:
    bytes are sent back on the same stream, sealed with that key; None leaves it an ordinary message.
    With ``static_membership`` the members are those of :meth:`set_listed` that can be reached
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
    ) -> None:
        self.config = config
        self.keyring = keyring
        self.name = name
        self.transport = transport
        self.driver_statistics = DriverStatistics()
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._stream_codec = StreamCodec(config.label, keyring, config.compression)
        self._reader = StreamReader(transport, self.driver_statistics)
        self._on_event = on_event
        self._endpoint = Endpoint(
            config,
            name=name,
            address=address or Address("127.0.0.1", 0),
            now=self._loop.time(),
            random=random_source or random.Random(),
            state_for=checked_state(local_state, state_for, self.driver_statistics),
            meta=meta,
            packet_codec=PacketCodec(config.label, keyring, config.compression),
            stream_codec=self._stream_codec,
            connections=transport,
            incarnation=incarnation,
            kind=MembershipKind.STATIC if static_membership else MembershipKind.SWIM,
        )
        self._shell = MachineShell(self._endpoint, LoopClock(), self._perform)
        self._eager = EagerGossip(self._endpoint, self._drain)
        self._tasks = Tasks(lambda error: _log.error("a stream's task failed", exc_info=error))
        self._answers = StreamAnswers(
            self._endpoint,
            self._stream_codec,
            self._reader,
            self.driver_statistics,
            timeout=config.stream_timeout,
            on_request=on_request,
            drain=self._drain,
            tell=self._tell,
        )
        self._outbound_streams = asyncio.Semaphore(MAX_OUTBOUND_STREAMS)
        self._waiting: dict[int, asyncio.Future[ExchangeFinished]] = {}
        self._left = asyncio.Event()
        self._starting = self._started = False
        self._closed = False

    # -- the application's side

    @property
    def members(self) -> list[Member]:
        """The live members, ourselves included; nobody once closed."""
        return [] if self._closed else self._endpoint.members()

    @property
    def local(self) -> Member:
        """Ourselves."""
        return self._endpoint.local

    @property
    def statistics(self) -> Statistics:
        """The core's counters; see also :attr:`driver_statistics` and the transport's own."""
        return self._endpoint.statistics

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
        await self.transport.start(self)
        bound = self.transport.advertise_address
        if self._address is None:
            self._endpoint.set_address(bound)
        elif not self._address.port:
            self._endpoint.set_address(Address(self._address.host, bound.port))
        self._started = True
        self._endpoint.start(self._loop.time())
        self._drain()

    async def join(self, addresses: Iterable[Address]) -> list[JoinResult]:
        """Exchange states with each address, all at once; one that cannot be joined raises nothing.

        :class:`~tocsin.errors.UserError` for what is not an :class:`Address`.
        """
        self._check_started()
        wanted = list(addresses)
        for address in wanted:
            if not isinstance(address, Address):
                raise UserError(f"join takes values of Address, not {address!r}")
        now = self._loop.time()
        pending = [(address, self._wait_for(self._endpoint.join(address, now))) for address in wanted]
        self._drain()
        outcomes = [(address, await outcome) for address, outcome in pending]
        return [JoinResult(address, finished.error, finished.conflict) for address, finished in outcomes]

    def set_listed(self, addresses: Iterable[Address]) -> None:
        """Who may be a member, with static membership; says nothing to SWIM."""
        if not self._closed and not self._endpoint.leaving:
            self._endpoint.set_listed(addresses, self._loop.time())
            self._drain()

    async def leave(self, timeout: float) -> bool:
        """Tell the cluster that we go on purpose. Whether the news was sent within ``timeout`` seconds."""
        self._check_started()
        self._endpoint.leave(self._loop.time())
        self._drain()
        if self._endpoint.left:
            return True  # There was nobody to tell.
        try:
            async with asyncio.timeout(timeout):
                await self._left.wait()
        except TimeoutError:
            return False
        return True

    def broadcast(self, payload: bytes, name: str | None = None) -> None:
        """Gossip a message to all members; a newer one of the same ``name`` replaces it in the queue.

        It may reach a member more than once, or (with bad luck) never: push/pull repairs that.

        :class:`~tocsin.errors.UserError` if it does not fit a packet.
        """
        self._check_started()
        self._endpoint.broadcast(payload, self._loop.time(), name=name)
        self._eager.arm()
        self._drain()

    async def send_reliable(self, member: str, payload: bytes) -> None:
        """Send a message of any size to one member by stream.

        :class:`~tocsin.errors.NotFoundError` if it is unknown, :class:`TransportError` if it did not arrive.
        """
        self._check_started()
        outcome = self._wait_for(self._endpoint.send_reliable(member, payload, self._loop.time()))
        self._drain()
        finished = await outcome
        if finished.error:
            raise TransportError(f"sending to {member}: {finished.error}")

    def send_best_effort(self, member: str, payload: bytes) -> None:
        """Send a message to one member in a packet; :class:`~tocsin.errors.NotFoundError`."""
        self._check_started()
        self._endpoint.send_best_effort(member, payload, self._loop.time())
        self._drain()

    @property
    def packet_room(self) -> int | None:
        """Bytes of a message that fit a packet; None: a packet is as long as one likes (``gossip_bytes``)."""
        return None if self.config.gossip_bytes is not None else self._endpoint.packet_room

    def backlog(self, member: str) -> int:
        """Bytes that wait in the transport for a member, which takes them more slowly than they come."""
        known = self._endpoint.member(member)
        return self.transport.backlog(known.address) if known is not None else 0

    def update_meta(self, meta: bytes) -> None:
        """Change what others see as our meta."""
        self._check_started()
        self._endpoint.update_meta(meta, self._loop.time())
        self._drain()

    async def close(self) -> None:
        """Stop everything at once; :meth:`leave` first to be taken for left and not for dead. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._eager.stop()
        self._shell.stop()
        await self._tasks.cancel()
        await self.transport.close()
        for exchange, outcome in self._waiting.items():
            if not outcome.done():
                outcome.set_result(ExchangeFinished(exchange, ExchangeKind.USER, _NOWHERE, "closed"))
        self._waiting.clear()

    # -- the transport's side

    def packet_received(self, data: bytes, source: Address, peer: PeerIdentity | None = None) -> None:
        """A packet, into the core."""
        if self._started and not self._closed:
            statistics = self._endpoint.statistics
            refused = statistics.packets_refused
            self._endpoint.receive_packet(data, source, self._loop.time(), peer)
            if peer is not None and statistics.packets_refused > refused:
                self._reader.penalize(peer)
            self._drain()

    def peer_identified(self, address: Address, peer: PeerIdentity) -> None:
        """Who answers at an address, into the core."""
        if self._started and not self._closed:
            self._endpoint.peer_identified(address, peer, self._loop.time())
            self._drain()

    def packet_failed(self, destination: Address, reason: str) -> None:
        """A lost packet, into the core."""
        if self._started and not self._closed:
            _log.debug("packet to %s failed: %s", destination, reason)
            self._endpoint.packet_failed(destination, self._loop.time())
            self._drain()

    def stream_accepted(self, stream: Stream) -> None:
        """Answer a peer's stream in a task of its own."""
        if not self._started or self._closed or not self._answers.admit(stream):
            self.driver_statistics.streams_rejected += 1
            self._tasks.spawn(stream.close())
            return
        self._tasks.spawn(self._answers.answer(stream))

    # -- within

    async def _exchange(self, action: OpenStream) -> None:
        stream: Stream | None = None
        message: Message | None = None
        error = ""
        try:
            async with asyncio.timeout_at(action.deadline), self._outbound_streams:
                remaining = action.deadline - self._loop.time()
                stream = await self.transport.open_stream(action.destination, remaining, action.node)
                if action.kind is ExchangeKind.JOIN:
                    self._tell(StreamOpened(action.destination))
                await write_all(stream, action.writes)
                if action.expects_reply:
                    message = await self._reader.read(stream, self._stream_codec.decoder(reply=True))
                    if message is None:
                        error = NO_ANSWER
        except TimeoutError:
            error = "no outcome by the deadline"
        except TocsinError as failure:
            error = str(failure)
        except BaseException:
            if stream is not None:
                stream.abort()
            raise
        if action.expects_reply:
            await self._report(action, message, error, stream)
        if stream is not None:
            if error:
                stream.abort()
            else:
                # Without a reply to wait for, only the orderly close tells that the message arrived.
                await stream.close()
        if not action.expects_reply:
            await self._report(action, message, error, stream)

    async def _report(
        self, action: OpenStream, message: Message | None, error: str, stream: Stream | None
    ) -> None:
        now = self._loop.time()
        if error:
            self._endpoint.stream_failed(action.exchange, error, now)
        else:
            peer = stream.peer if stream is not None else None
            work = self._endpoint.stream_replied_in_steps(action.exchange, message, now, peer)
            await self._reader.in_turns(accounted_peer(stream) if stream is not None else None, work)
        self._drain()

    async def in_turns(self, event: UserMessage, work: Steps[Outcome]) -> Outcome:
        """Run the work that a peer has caused by its message, in steps between which others have their turns.

        The peer is charged for it, and waits once it has used up its share, if the transport knows its peers.
        """
        return await self._reader.in_turns(event.accounted_peer, work)

    def _drain(self) -> None:
        """Execute actions and tell events until the endpoint has none; then arm the timer."""
        if self._started:
            self._shell.run()
        else:
            self._shell.perform()

    def _perform(self, effects: list[Action | Event]) -> None:
        for effect in effects:
            if isinstance(effect, SendPacket):
                self.transport.send_packet(effect.destination, effect.data, effect.node)
            elif isinstance(effect, OpenStream):
                self._tasks.spawn(self._exchange(effect))
            else:
                self._tell(effect)
        if self._endpoint.left:
            self._left.set()

    def _tell(self, event: Event) -> None:
        if isinstance(event, ExchangeFinished):
            outcome = self._waiting.pop(event.exchange, None)
            if outcome is not None and not outcome.done():
                outcome.set_result(event)
        try:
            self._on_event(event)
        except Exception:
            self.driver_statistics.callback_errors += 1
            _log.exception("the application failed on %s", type(event).__name__)

    def _wait_for(self, exchange: int) -> asyncio.Future[ExchangeFinished]:
        outcome: asyncio.Future[ExchangeFinished] = self._loop.create_future()
        self._waiting[exchange] = outcome
        return outcome

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this member was closed")

    def _check_started(self) -> None:
        self._check_open()
        if not self._started:
            raise ClosedError("this member was not started")
