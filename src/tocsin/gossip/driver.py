"""The asyncio shell around the core: joins an :class:`Endpoint` to a :class:`Transport` and to the clock.

It holds no protocol of its own: bytes and time go into the endpoint, actions are executed, events emitted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tocsin.aio import LoopClock, MachineShell, Tasks
from tocsin.gossip.address import Address
from tocsin.gossip.answering import Request, StreamAnswers
from tocsin.gossip.core.effects import Action, Event, ExchangeFinished, OpenStream, SendPacket, UserMessage
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.steps import Outcome, Steps
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.eager import EagerGossip
from tocsin.gossip.outbound import OutboundStreams
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.stream_reader import StreamReader
from tocsin.gossip.transport.base import Stream, Transport
from tocsin.gossip.wire.stream import StreamCodec

_log = logging.getLogger(__name__)


class Driver:
    """Runs one endpoint. Implements :class:`~tocsin.gossip.transport.base.TransportHandler`.

    ``on_event`` gets every event of the core, in order, on the event loop; ``on_request`` each reliable
    message that a key of ours has sealed, as :class:`~tocsin.gossip.gossip.Gossip` describes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        codec: StreamCodec,
        statistics: DriverStatistics,
        *,
        stream_timeout: float,
        on_request: Request | None,
        on_event: Callable[[Event], None],
    ) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._statistics = statistics
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._shell = MachineShell(endpoint, LoopClock(), self._perform)
        self._eager = EagerGossip(endpoint, self.drain)
        self._reader = StreamReader(transport, statistics)
        self._answers = StreamAnswers(
            endpoint,
            codec,
            self._reader,
            statistics,
            timeout=stream_timeout,
            on_request=on_request,
            drain=self.drain,
            emit=self.emit,
        )
        self._outbound = OutboundStreams(
            endpoint, transport, codec, self._reader, drain=self.drain, emit=self.emit
        )
        self.tasks = Tasks(lambda error: _log.error("a stream's task failed", exc_info=error))
        self.left = asyncio.Event()
        """Set once the endpoint has left the cluster."""
        self.started = False
        self.closed = False

    async def start(self, address: Address | None) -> None:
        """Listen, and run the endpoint. ``address`` is announced to the peers; without it (or without its
        port) the transport's is. :class:`~tocsin.errors.ConfigError` if the transport cannot bind."""
        await self._transport.start(self)
        bound = self._transport.advertise_address
        if address is None:
            self._endpoint.set_address(bound)
        elif not address.port:
            self._endpoint.set_address(Address(address.host, bound.port))
        self.started = True
        self._endpoint.start(self._loop.time())
        self.drain()

    async def close(self) -> None:
        """Stop everything at once."""
        self.closed = True
        self._eager.stop()
        self._shell.stop()
        await self.tasks.cancel()
        await self._transport.close()
        self._outbound.close()

    def drain(self) -> None:
        """Execute actions and emit events until the endpoint has none; then arm the timer."""
        if self.started:
            self._shell.run()
        else:
            self._shell.perform()

    def broadcast_soon(self) -> None:
        """Send new broadcasts before the next gossip interval."""
        self._eager.arm()

    def join(self, address: Address) -> asyncio.Future[ExchangeFinished]:
        """Begin to exchange states with the node there; :class:`~tocsin.errors.ClosedError` once closed."""
        return self._outbound.join(address)

    def outcome_of(self, exchange: int) -> asyncio.Future[ExchangeFinished]:
        """The outcome of an exchange that the endpoint has just begun."""
        return self._outbound.wait_for(exchange)

    async def run_steps(self, event: UserMessage, work: Steps[Outcome]) -> Outcome:
        """As :meth:`tocsin.gossip.gossip.Gossip.run_steps`."""
        return await self._reader.run_steps(event.accounted_peer, work)

    def emit(self, event: Event) -> None:
        """Report an event to those who wait for it and to ``on_event``."""
        if isinstance(event, ExchangeFinished):
            self._outbound.finished(event)
        self._on_event(event)

    # -- the transport's side

    def packet_received(self, data: bytes, source: Address, peer: PeerIdentity | None = None) -> None:
        """A packet, into the core."""
        if self.started and not self.closed:
            decoded = self._endpoint.receive_packet(data, source, self._loop.time(), peer)
            if peer is not None and not decoded:
                self._reader.penalize(peer)
            self.drain()

    def peer_identified(self, address: Address, peer: PeerIdentity) -> None:
        """Who answers at an address, into the core."""
        if self.started and not self.closed:
            self._endpoint.peer_identified(address, peer, self._loop.time())
            self.drain()

    def packet_failed(self, destination: Address, reason: str) -> None:
        """A lost packet, into the core."""
        if self.started and not self.closed:
            _log.debug("packet to %s failed: %s", destination, reason)
            self._endpoint.packet_failed(destination, self._loop.time())
            self.drain()

    def is_member(self, host: str) -> bool:
        """Whether a live member is at that source."""
        return self._endpoint.is_member(host)

    def stream_accepted(self, stream: Stream) -> None:
        """Answer a peer's stream in a task of its own."""
        if not self.started or self.closed or not self._answers.admit(stream):
            self._statistics.streams_rejected += 1
            self.tasks.spawn(stream.close())
            return
        self.tasks.spawn(self._answers.answer(stream))

    # -- within

    def _perform(self, effects: list[Action | Event]) -> None:
        for effect in effects:
            if isinstance(effect, SendPacket):
                self._transport.send_packet(effect.destination, effect.data, effect.node)
            elif isinstance(effect, OpenStream):
                self.tasks.spawn(self._outbound.exchange(effect))
            else:
                self.emit(effect)
        if self._endpoint.left:
            self.left.set()
