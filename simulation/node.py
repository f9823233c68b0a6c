"""A simulated process: drives one endpoint as the asyncio driver does, and has a small application.

The application is a set of rumours: each is gossiped on by whoever hears it for the first time, and the whole
set is the push/pull state. It reconnects as Alertmanager does (wire 4.9), since memberlist itself does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from simulation.network import Network
from simulation.world import World
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import (
    Action,
    Event,
    MemberJoined,
    MemberLeft,
    OpenStream,
    RemoteState,
    SendPacket,
    UserMessage,
)
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.partners import Connections
from tocsin.gossip.core.parts import MembershipKind
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import MemberState, Message
from tocsin.gossip.wire.stream import StreamCodec

RECONNECT_INTERVAL = 10.0
REFRESH_INTERVAL = 15.0


class Observer(Protocol):
    """Who is told what each node sees."""

    def observed(self, node: SimulatedNode, event: Event) -> None:
        """``node``'s endpoint reported ``event``."""


class SimulatedNode:
    """One process at one address. It can crash, come back (knowing nothing), pause, be slow, and leave."""

    def __init__(
        self,
        world: World,
        network: Network,
        config: GossipConfig,
        name: str,
        address: Address,
        seeds: Iterable[Address],
        observer: Observer,
    ) -> None:
        self.name = name
        self.address = address
        self.life = 0
        self.running = False
        self.left = False
        self.rumours: dict[bytes, float] = {}
        """What the application knows, and since when."""
        self.processing_delay: Callable[[], float] | None = None
        """Draws the seconds that each input waits before it is looked at; None for no wait."""
        self.identify: Callable[[Address], PeerIdentity] | None = None
        """What the transport would know of whoever is at an address; None: it authenticates nobody."""
        self._exchanges: dict[int, Address] = {}
        self.connections: Connections | None = None
        """What the process that starts next may ask about connections."""
        self.listed: list[Address] | None = None
        """Who may be a member, for the process that starts next; None: whom SWIM finds."""
        self._world = world
        self._network = network
        self._config = config
        self._seeds = [seed for seed in seeds if seed != address]
        self._observer = observer
        self._failed: set[Address] = set()
        self._armed: float | None = None
        self._paused_until = 0.0
        self._codec = StreamCodec(label=config.label, compression=config.compression)
        self.endpoint = self._new_endpoint()

    # -- start and stop

    def start(self) -> None:
        """Start the process and join the seeds."""
        self.life += 1
        self.running, self.left = True, False
        self.rumours = {}
        self._failed = set(self._seeds)
        if self.listed is not None:
            self._seeds = [address for address in self.listed if address != self.address]
            self._failed = set()
        self._armed = None
        self._paused_until = 0.0
        self.endpoint = self._new_endpoint()
        self._world.trace(f"start {self.name}")
        self._network.attach(self.address, self)
        self.endpoint.start(self._world.now)
        if self.listed is not None:
            self.endpoint.set_listed(self._seeds, self._world.now)
        self._join(self._seeds)
        self._every(RECONNECT_INTERVAL, lambda: self._join(sorted(self._failed)))
        self._every(REFRESH_INTERVAL, self._refresh)

    def crash(self) -> None:
        """End the process without a word."""
        self._world.trace(f"crash {self.name}")
        self.life += 1
        self.running = False
        self._network.detach(self.address)

    def leave(self) -> None:
        """Leave on purpose; the process ends when the news is out."""
        self._world.trace(f"leave {self.name}")
        self.left = True
        self.endpoint.leave(self._world.now)
        self._pump()

    def pause(self, seconds: float) -> None:
        """Stop looking at inputs and clocks for a while; they wait."""
        self._paused_until = self._world.now + seconds

    def set_meta(self, meta: bytes) -> None:
        """Change what the others know of us."""
        self.endpoint.update_meta(meta, self._world.now)
        self._pump()

    def list_peers(self, addresses: Iterable[Address]) -> None:
        """Discovery says something new."""
        before, self.listed = set(self._seeds), list(addresses)
        self._seeds = [address for address in self.listed if address != self.address]
        self._failed &= set(self._seeds)
        if self.running and self.listed is not None:
            self._world.trace(f"list {self.name} {self._seeds}")
            self.endpoint.set_listed(self.listed, self._world.now)
            self._join([address for address in self._seeds if address not in before])

    def spread(self, rumour: bytes) -> None:
        """Make and broadcast a rumour."""
        self._learn(rumour)
        self._pump()

    # -- what the network brings

    def packet_arrived(self, data: bytes, source: Address) -> None:
        """A packet came."""
        peer = self._peer(source)
        self._soon(lambda: self.endpoint.receive_packet(data, source, self._world.now, peer))

    def packet_undeliverable(self, destination: Address) -> None:
        """A packet is known not to have arrived."""
        self._soon(lambda: self.endpoint.packet_failed(destination, self._world.now))

    def stream_arrived(self, writes: tuple[bytes, ...], source: Address) -> tuple[bytes, ...]:
        """A stream came. (Answered at once even by a slow node: its kernel accepts for it.)"""
        message = self._decode(writes, reply=False)
        answer = self.endpoint.receive_stream(message, source, self._world.now, self._peer(source))
        self._pump()
        return tuple(answer)

    def stream_answered(self, exchange: int, writes: tuple[bytes, ...] | None) -> None:
        """A stream of ours is done."""
        message = None if writes is None else self._decode(writes, reply=True)
        peer = self._peer(self._exchanges.pop(exchange, self.address))
        self._soon(lambda: self.endpoint.stream_replied(exchange, message, self._world.now, peer))

    def stream_broken(self, exchange: int, reason: str) -> None:
        """A stream of ours failed."""
        self._soon(lambda: self.endpoint.stream_failed(exchange, reason, self._world.now))

    # -- within

    def _peer(self, address: Address) -> PeerIdentity | None:
        return self.identify(address) if self.identify is not None else None

    def _new_endpoint(self) -> Endpoint:
        return Endpoint(
            self._config,
            name=self.name,
            address=self.address,
            now=self._world.now,
            random=self._world.stream(f"{self.name}/{self.life}"),
            local_state=self._state,
            stream_codec=self._codec,
            connections=self.connections,
            kind=MembershipKind.SWIM if self.listed is None else MembershipKind.STATIC,
        )

    def _decode(self, writes: tuple[bytes, ...], *, reply: bool) -> Message:
        decoder = self._codec.decoder(reply=reply)
        for data in writes:
            if (message := decoder.feed(data)) is not None:
                return message
        raise AssertionError("a stream ended in the middle of a message")

    def _state(self, join: bool) -> bytes:  # noqa: ARG002
        return b"\n".join(self.rumours)

    def _soon(self, action: Callable[[], object]) -> None:
        """Do it now, or when a paused or slow process gets to it."""
        wait = max(0.0, self._paused_until - self._world.now)
        if self.processing_delay is not None:
            wait += self.processing_delay()
        if wait == 0:
            action()
            self._pump()
            return
        life = self.life

        def later() -> None:
            if self.life == life:
                action()
                self._pump()

        self._world.after(wait, later)

    def _pump(self) -> None:
        """Carry out what the endpoint wants until it wants no more, then arm its timer."""
        endpoint = self.endpoint
        actions: list[Action] = []
        while effects := endpoint.drain():
            for effect in effects:
                if isinstance(effect, (SendPacket, OpenStream)):
                    actions.append(effect)
                else:
                    self._handle(effect)
        for action in actions:
            destination = action.destination
            if self.identify is not None and self._network.listens(destination):
                self.endpoint.peer_identified(destination, self.identify(destination), self._world.now)
            if isinstance(action, SendPacket):
                self._network.send_packet(self.address, action.destination, action.data)
            else:
                if self.identify is not None:
                    self._exchanges[action.exchange] = destination
                self._network.open_stream(self.address, action)
        if endpoint.left:
            self.crash()
            return
        self._arm(endpoint.next_timeout())

    def _arm(self, when: float | None) -> None:
        if when is None or (self._armed is not None and self._armed <= when):
            return
        self._armed = when
        life = self.life

        def fire() -> None:
            if self.life != life or self._armed != when:
                return
            if self._paused_until > self._world.now:
                self._world.schedule(self._paused_until, fire)
                return
            self._armed = None
            self.endpoint.handle_timeout(self._world.now)
            self._pump()

        self._world.schedule(when, fire)

    def _handle(self, event: Event) -> None:
        self._observer.observed(self, event)
        if isinstance(event, UserMessage):
            self._learn(event.payload)
        elif isinstance(event, RemoteState):
            for rumour in event.payload.split(b"\n"):
                self._learn(rumour)
        elif isinstance(event, MemberJoined):
            self._failed.discard(event.member.address)
        elif isinstance(event, MemberLeft) and event.member.state is MemberState.DEAD:
            self._failed.add(event.member.address)

    def _learn(self, rumour: bytes) -> None:
        if rumour and rumour not in self.rumours:
            self.rumours[rumour] = self._world.now
            if not self.endpoint.leaving:
                self.endpoint.broadcast(rumour, self._world.now)

    def _join(self, addresses: Iterable[Address]) -> None:
        if self.endpoint.leaving:
            return
        for address in addresses:
            self.endpoint.join(address, self._world.now)
        self._pump()

    def _refresh(self) -> None:
        members = {member.address for member in self.endpoint.members()}
        self._join([seed for seed in self._seeds if seed not in members])

    def _every(self, interval: float, action: Callable[[], None]) -> None:
        life = self.life

        def tick() -> None:
            if self.life == life:
                action()
                self._world.after(interval, tick)

        self._world.after(interval, tick)
