"""memberlist's gossip protocol for asyncio: membership, failure detection and broadcasts, over mutual TLS.

Speaks the protocol of hashicorp/memberlist and the framing of Prometheus Alertmanager's TLS transport. Two
members in one process, each with a certificate of the same authority (as ``tocsinctl certs`` makes them)::

    import asyncio
    from pathlib import Path

    from tocsin.gossip import (
        Address, ClientAuthType, ClusterTLSConfig, Gossip, GossipConfig, TLSClientConfig, TLSServerConfig,
        TLSTransport, TLSTransportConfig, UserMessage,
    )

    CERTIFICATE, KEY, AUTHORITY = Path("cert.pem"), Path("key.pem"), Path("ca.pem")
    TLS = ClusterTLSConfig(
        server=TLSServerConfig(
            cert_file=CERTIFICATE,
            key_file=KEY,
            client_ca_file=AUTHORITY,
            client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
        ),
        client=TLSClientConfig(cert_file=CERTIFICATE, key_file=KEY, ca_file=AUTHORITY),
    )

    def member(name: str) -> Gossip:
        transport = TLSTransport(TLSTransportConfig(listen_address=Address("127.0.0.1", 0)), TLS)
        return Gossip(GossipConfig.lan(), transport, name=name)

    async def main() -> None:
        async with member("alice") as alice, member("bob") as bob:
            events = bob.events()
            await bob.join([alice.local.address], timeout=10)
            print(sorted(one.name for one in bob.members))
            alice.broadcast(b"good morning")
            async for event in events:
                # Gossip repeats itself: a broadcast may arrive several times.
                if isinstance(event, UserMessage):
                    print("bob heard", event.payload)
                    break

    asyncio.run(main())

Without certificates: ``UDPTransport(UDPTransportConfig(listen_address=...))`` is memberlist's own transport,
UDP and TCP in clear text, unless ``Gossip`` is given a ``keyring=Keyring([key])``.

Below this package: ``wire`` (bytes and messages), ``core`` (the protocol, without I/O), ``transport`` and
``driver`` (asyncio).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tocsin.gossip.address import Address
    from tocsin.gossip.answering import Request
    from tocsin.gossip.config import GossipConfig
    from tocsin.gossip.core.effects import (
        Action,
        Event,
        ExchangeFinished,
        ExchangeKind,
        MemberJoined,
        MemberLeft,
        MemberUpdated,
        NameConflict,
        OpenStream,
        PacketsLost,
        ProtocolError,
        RemoteState,
        SendPacket,
        StateRequest,
        StreamOpened,
        UserMessage,
    )
    from tocsin.gossip.core.endpoint import Endpoint
    from tocsin.gossip.core.member import Member
    from tocsin.gossip.core.statistics import Statistics
    from tocsin.gossip.core.steps import Steps
    from tocsin.gossip.discovery.resolve import resolve
    from tocsin.gossip.driver_statistics import DriverStatistics
    from tocsin.gossip.gossip import Gossip
    from tocsin.gossip.peer import PeerIdentity
    from tocsin.gossip.services.counters import Counter
    from tocsin.gossip.services.events import EventsDropped, EventStream
    from tocsin.gossip.services.joining import JoinResult, RetryPolicy
    from tocsin.gossip.services.replicas import ReplicatedState
    from tocsin.gossip.services.requests import Answer, AnswerError
    from tocsin.gossip.services.waiting import Wanted
    from tocsin.gossip.transport.base import Stream, Transport, TransportHandler
    from tocsin.gossip.transport.datagram import DatagramSettings
    from tocsin.gossip.transport.memory import MemoryNetwork, MemoryTransport
    from tocsin.gossip.transport.statistics import TransportStatistics
    from tocsin.gossip.transport.tls.settings import TLSTransportConfig
    from tocsin.gossip.transport.tls.transport import TLSTransport
    from tocsin.gossip.transport.udp.settings import UDPTransportConfig
    from tocsin.gossip.transport.udp.shares import ShareSettings
    from tocsin.gossip.transport.udp.transport import UDPTransport
    from tocsin.gossip.wire.keyring import Keyring
    from tocsin.gossip.wire.messages import MemberState, Message, Pieces
    from tocsin.gossip.wire.packet import PacketCodec
    from tocsin.gossip.wire.stream import StreamCodec, StreamDecoder
    from tocsin.gossip.wire.tags import decode_tags, encode_tags
    from tocsin.tls.settings import (
        ClientAuthType,
        ClusterTLSConfig,
        TLSClientConfig,
        TLSServerConfig,
    )

__all__ = [
    "Action",
    "Address",
    "Answer",
    "AnswerError",
    "ClientAuthType",
    "ClusterTLSConfig",
    "Counter",
    "DatagramSettings",
    "DriverStatistics",
    "Endpoint",
    "Event",
    "EventStream",
    "EventsDropped",
    "ExchangeFinished",
    "ExchangeKind",
    "Gossip",
    "GossipConfig",
    "JoinResult",
    "Keyring",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "MemberState",
    "MemberUpdated",
    "MemoryNetwork",
    "MemoryTransport",
    "Message",
    "NameConflict",
    "OpenStream",
    "PacketCodec",
    "PacketsLost",
    "PeerIdentity",
    "Pieces",
    "ProtocolError",
    "RemoteState",
    "ReplicatedState",
    "Request",
    "RetryPolicy",
    "SendPacket",
    "ShareSettings",
    "StateRequest",
    "Statistics",
    "Steps",
    "Stream",
    "StreamCodec",
    "StreamDecoder",
    "StreamOpened",
    "TLSClientConfig",
    "TLSServerConfig",
    "TLSTransport",
    "TLSTransportConfig",
    "Transport",
    "TransportHandler",
    "TransportStatistics",
    "UDPTransport",
    "UDPTransportConfig",
    "UserMessage",
    "Wanted",
    "decode_tags",
    "encode_tags",
    "resolve",
]

_WHERE: Final = {
    "Action": "tocsin.gossip.core.effects",
    "Address": "tocsin.gossip.address",
    "Answer": "tocsin.gossip.services.requests",
    "AnswerError": "tocsin.gossip.services.requests",
    "ClientAuthType": "tocsin.tls.settings",
    "ClusterTLSConfig": "tocsin.tls.settings",
    "Counter": "tocsin.gossip.services.counters",
    "DatagramSettings": "tocsin.gossip.transport.datagram",
    "DriverStatistics": "tocsin.gossip.driver_statistics",
    "Endpoint": "tocsin.gossip.core.endpoint",
    "Event": "tocsin.gossip.core.effects",
    "EventStream": "tocsin.gossip.services.events",
    "EventsDropped": "tocsin.gossip.services.events",
    "ExchangeFinished": "tocsin.gossip.core.effects",
    "ExchangeKind": "tocsin.gossip.core.effects",
    "Gossip": "tocsin.gossip.gossip",
    "GossipConfig": "tocsin.gossip.config",
    "JoinResult": "tocsin.gossip.services.joining",
    "Keyring": "tocsin.gossip.wire.keyring",
    "Member": "tocsin.gossip.core.member",
    "MemberJoined": "tocsin.gossip.core.effects",
    "MemberLeft": "tocsin.gossip.core.effects",
    "MemberState": "tocsin.gossip.wire.messages",
    "MemberUpdated": "tocsin.gossip.core.effects",
    "MemoryNetwork": "tocsin.gossip.transport.memory",
    "MemoryTransport": "tocsin.gossip.transport.memory",
    "Message": "tocsin.gossip.wire.messages",
    "NameConflict": "tocsin.gossip.core.effects",
    "OpenStream": "tocsin.gossip.core.effects",
    "PacketCodec": "tocsin.gossip.wire.packet",
    "PacketsLost": "tocsin.gossip.core.effects",
    "PeerIdentity": "tocsin.gossip.peer",
    "Pieces": "tocsin.gossip.wire.messages",
    "ProtocolError": "tocsin.gossip.core.effects",
    "RemoteState": "tocsin.gossip.core.effects",
    "ReplicatedState": "tocsin.gossip.services.replicas",
    "Request": "tocsin.gossip.answering",
    "RetryPolicy": "tocsin.gossip.services.joining",
    "SendPacket": "tocsin.gossip.core.effects",
    "ShareSettings": "tocsin.gossip.transport.udp.shares",
    "StateRequest": "tocsin.gossip.core.effects",
    "Statistics": "tocsin.gossip.core.statistics",
    "Steps": "tocsin.gossip.core.steps",
    "Stream": "tocsin.gossip.transport.base",
    "StreamCodec": "tocsin.gossip.wire.stream",
    "StreamDecoder": "tocsin.gossip.wire.stream",
    "StreamOpened": "tocsin.gossip.core.effects",
    "TLSClientConfig": "tocsin.tls.settings",
    "TLSServerConfig": "tocsin.tls.settings",
    "TLSTransport": "tocsin.gossip.transport.tls.transport",
    "TLSTransportConfig": "tocsin.gossip.transport.tls.settings",
    "Transport": "tocsin.gossip.transport.base",
    "TransportHandler": "tocsin.gossip.transport.base",
    "TransportStatistics": "tocsin.gossip.transport.statistics",
    "UDPTransport": "tocsin.gossip.transport.udp.transport",
    "UDPTransportConfig": "tocsin.gossip.transport.udp.settings",
    "UserMessage": "tocsin.gossip.core.effects",
    "Wanted": "tocsin.gossip.services.waiting",
    "decode_tags": "tocsin.gossip.wire.tags",
    "encode_tags": "tocsin.gossip.wire.tags",
    "resolve": "tocsin.gossip.discovery.resolve",
}
"""Each name's module, loaded when the name is first used: an application pays for no transport that it does
not use."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = vars(import_module(_WHERE[name]))[name]
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
