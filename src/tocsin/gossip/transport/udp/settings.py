"""Bounds and deadlines of the UDP and TCP transport. Times are seconds, sizes bytes."""

from __future__ import annotations

from dataclasses import field

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.transport.datagram import DatagramSettings
from tocsin.gossip.transport.udp.shares import ShareSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class UDPTransportConfig:
    """Every bound has a counter in :class:`~tocsin.gossip.transport.statistics.TransportStatistics`."""

    listen_address: Address
    """Port 0 takes one that is free for UDP and TCP."""
    datagrams: DatagramSettings = field(default_factory=DatagramSettings)
    shares: ShareSettings = field(default_factory=ShareSettings)
    """What received datagrams may take."""
    read_timeout: float = 10.0
    """Of one read on a stream."""
    write_timeout: float = 10.0
    """Of one write on a stream of up to 64 KiB."""
    close_timeout: float = 2.0
    """How long an orderly close waits for the peer."""
    max_inbound_connections: int = 1024
    max_inbound_connections_per_host: int = 256
