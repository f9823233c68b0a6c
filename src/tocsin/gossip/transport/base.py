"""What a transport owes the driver. The conformance suite (tests/conformance) is this file as tests."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Protocol

from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.views import ConnectionView, RefusalView, TrustView


class Stream(Protocol):
    """A reliable, ordered, two-way byte stream to one peer."""

    @property
    def remote(self) -> Address:
        """The peer's address (of an accepted stream: of its connection, not its listener)."""

    @property
    def peer(self) -> PeerIdentity | None:
        """Whom the connection's handshake has shown; None where the transport does not authenticate peers."""

    async def write(self, data: bytes) -> None:
        """Send ``data``; over TLS it is never put into one record with another write.

        :class:`~tocsin.errors.TransportError` when the connection failed or the write deadline passed.
        """

    async def read(self) -> bytes:
        """Some bytes, at least one; empty at the end of the stream.

        :class:`~tocsin.errors.TransportError` when the connection failed or the read deadline passed.
        """

    async def close(self) -> None:
        """Close in an orderly way: everything written reaches the peer. Bounded in time, never raises."""

    def abort(self) -> None:
        """Drop the connection at once."""


class TransportHandler(Protocol):
    """What the driver offers the transport. Called on the event loop; must not block and never raises."""

    def packet_received(self, data: bytes, source: Address, peer: PeerIdentity | None = None) -> None:
        """One packet. ``source`` is where an answer without source fields would go, as the peer announces it;
        ``peer`` whom the transport knows to have sent it, None if it does not authenticate peers."""

    def peer_identified(self, address: Address, peer: PeerIdentity) -> None:
        """A connection to ``address`` is open, and this is who answers there. Before any packet goes."""

    def packet_failed(self, destination: Address, reason: str) -> None:
        """A packet to ``destination`` is known not to have been delivered.

        Because of a failed dial, a dead connection, a full queue, or a connection that had to make room.
        """

    def is_member(self, host: str) -> bool:
        """Whether a live member is at the same source as that address, as far as is known."""

    def stream_accepted(self, stream: Stream) -> None:
        """A peer opened a stream. The handler owns it and must close it."""


class Scheduler(Protocol):
    """Shares the event loop among peers: the work that a peer causes is charged to it, and scheduled by
    that."""

    async def wait_for(self, peer: Hashable) -> None:
        """Wait until ``peer`` may cause more work, in a later iteration of the event loop."""

    def charge(self, peer: Hashable, began: float, *, weight: float = 1.0) -> bool:
        """Charge ``peer`` for the time since ``began`` (``time.perf_counter``), times ``weight``; whether it
        may go on at once."""

    def penalize(self, peer: Hashable, seconds: float) -> None:
        """Charge ``peer`` that many seconds for a protocol error, whatever its work took."""


class Identity(Protocol):
    """The certificates of this node, and how reloading them went. Times are Unix seconds."""

    reloads: int
    reload_failures: int
    reload_successful: bool
    reloaded_at: float

    @property
    def expiries(self) -> Mapping[str, float]:
        """When our own certificates expire, by side: "server", "client"."""

    @property
    def crl_updates(self) -> Mapping[str, float]:
        """When revocation lists should have been replaced, by side: "clients", "servers"."""

    @property
    def hosts(self) -> Sequence[str]:
        """The names in the certificate that this node shows."""

    @property
    def shown(self) -> bytes:
        """The certificate that this node shows, DER."""

    def is_for(self, host: str) -> bool:
        """Whether peers who dial this node as ``host``, an address or a name, may take its certificate."""


class Certificates(Protocol):
    """What a transport offers that authenticates peers by certificates."""

    @property
    def identity(self) -> Identity:
        """Our own certificates."""

    def reload(self) -> None:
        """Read certificates and all else anew, now; :class:`~tocsin.errors.ConfigError` if unusable."""

    async def reload_aside(self) -> None:
        """:meth:`reload`, with all reading done in a thread: files may be large."""

    def expect_names(self, names: Mapping[Address, str]) -> None:
        """What listens at these addresses must show a certificate with that DNS name. Replaces earlier."""

    def peer_expiries(self) -> Mapping[str, float]:
        """When the certificates of connected peers expire (Unix time), by address; a bounded number."""

    def trust(self) -> Mapping[str, TrustView]:
        """Whom this node trusts, by side: "clients", "servers"."""

    def connections(self) -> Sequence[ConnectionView]:
        """The open connections."""

    def refusals(self) -> Sequence[RefusalView]:
        """Who was refused, or refused us, lately: a bounded number, the latest last."""

    @property
    def renewing(self) -> int:
        """Connections that are being made anew, as certificates have changed."""


class Transport(Protocol):
    """Carries packets (best effort, message borders kept) and streams."""

    @property
    def statistics(self) -> TransportStatistics:
        """What it counts."""

    @property
    def scheduler(self) -> Scheduler | None:
        """What peers' work is charged to, once started; None: peers are not distinguished."""

    @property
    def certificates(self) -> Certificates | None:
        """None where peers are not authenticated by certificates."""

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""

    @property
    def advertise_address(self) -> Address:
        """The address that peers get, unless another is given; known after :meth:`start`."""

    async def start(self, handler: TransportHandler) -> None:
        """Bind and begin to deliver to ``handler``; :class:`~tocsin.errors.ConfigError` if it cannot bind."""

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:
        """Queue a packet. Never blocks, never raises; a full queue drops and counts."""

    def backlog(self, destination: Address) -> int:
        """Bytes of packets to ``destination`` that are queued and that the kernel has not accepted yet."""

    @property
    def connection_limit(self) -> int | None:
        """How many destinations it keeps a connection to at most; None: it needs none to send a packet."""

    def connected(self) -> Collection[Address]:
        """The destinations that a packet reaches without a dial."""

    async def open_stream(self, destination: Address, timeout: float, node: str = "") -> Stream:
        """Dial a stream within ``timeout`` seconds; :class:`~tocsin.errors.TransportError` otherwise."""

    async def close(self) -> None:
        """Flush what is queued (bounded in time), close everything, stop listening. Idempotent."""
