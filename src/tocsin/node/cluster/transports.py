"""From the ``--cluster.*`` flags to a transport: how packets and streams reach the peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tocsin.alerting.timestamp import in_seconds
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.transport.base import Transport
from tocsin.node.config.flags import NodeFlags
from tocsin.node.log import Logger

if TYPE_CHECKING:  # Of all transports, only the one that is used is loaded.
    from tocsin.gossip.transport.tls.settings import TLSTransportConfig
    from tocsin.gossip.transport.tls.transport import TLSTransport
    from tocsin.gossip.transport.udp.settings import UDPTransportConfig

PACKET_BOUND: Final = frozenset({"udp", "dtls", "udp-to-tls"})
"""Transports whose packets are datagrams: what does not fit one goes by stream."""
_CHECKSUM_BYTES: Final = 5
"""Bytes of the checksum, which come on top of a packet, as in Go."""


def make_transport(flags: NodeFlags, listen: Address, advertise: Address | None) -> Transport:
    """What ``--cluster.transport`` names, not started; :class:`ConfigError` for files that cannot be used."""
    return _MAKERS[flags.cluster_transport](flags, listen, advertise)


def packet_bytes(flags: NodeFlags) -> int:
    """Bytes that a packet should not exceed with ``--cluster.transport``; longer packets are sent too, but
    cost more."""
    if flags.cluster_transport != "dtls":
        return GossipConfig().packet_size
    from tocsin.gossip.transport.dtls.settings import PACKET_BYTES

    return PACKET_BYTES - _CHECKSUM_BYTES


def _dtls(flags: NodeFlags, listen: Address, advertise: Address | None) -> Transport:
    # The transport needs what the extra tocsin[dtls] brings: a ConfigError says so.
    from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig
    from tocsin.gossip.transport.dtls.transport import DTLSTransport
    from tocsin.node.config.tls import load_cluster_tls

    settings = DTLSTransportConfig(tls=_tls_config(flags, listen, advertise))
    return DTLSTransport(
        settings,
        source=lambda: load_cluster_tls(flags.cluster_tls_config),
        watched=(Path(flags.cluster_tls_config),),
    )


def _tls(flags: NodeFlags, listen: Address, advertise: Address | None) -> TLSTransport:
    from tocsin.gossip.transport.tls.transport import TLSTransport
    from tocsin.node.config.tls import load_cluster_tls

    return TLSTransport(
        _tls_config(flags, listen, advertise),
        source=lambda: load_cluster_tls(flags.cluster_tls_config),
        watched=(Path(flags.cluster_tls_config),),
    )


def _udp(flags: NodeFlags, listen: Address, advertise: Address | None) -> Transport:  # noqa: ARG001
    if not flags.cluster_keyring_file:
        _warn(
            flags,
            listen,
            "cluster traffic is CLEAR TEXT: whoever reaches the port can read it, silence alerts and keep "
            "notifications from being sent; use --cluster.tls-config, or --cluster.keyring-file",
        )
    from tocsin.gossip.transport.udp.transport import UDPTransport

    return UDPTransport(_udp_config(flags, listen))


def _udp_to_tls(flags: NodeFlags, listen: Address, advertise: Address | None) -> Transport:
    _warn(
        flags,
        listen,
        "CLEAR TEXT is taken from everybody and sent to peers that do not take TLS; "
        "leave out --cluster.transport as soon as no peer needs it any more",
    )
    from tocsin.gossip.transport.migrating.transport import MigratingTransport

    tls = _tls(flags, listen, advertise)
    return MigratingTransport(tls, _udp_config(flags, listen))


def _warn(flags: NodeFlags, listen: Address, text: str) -> None:
    Logger("tocsin.cluster", component="cluster").warn(
        text, transport=flags.cluster_transport, address=str(listen)
    )


def _tls_config(flags: NodeFlags, listen: Address, advertise: Address | None) -> TLSTransportConfig:
    from tocsin.gossip.transport.tls.settings import TLSTransportConfig

    return TLSTransportConfig(
        listen_address=listen,
        advertise_address=advertise,
        read_timeout=in_seconds(flags.cluster_tcp_timeout),
        offer_alpn=flags.cluster_tocsin_protocol,
    )


def _udp_config(flags: NodeFlags, listen: Address) -> UDPTransportConfig:
    from tocsin.gossip.transport.udp.settings import UDPTransportConfig

    timeout = in_seconds(flags.cluster_tcp_timeout)
    return UDPTransportConfig(listen_address=listen, read_timeout=timeout, write_timeout=timeout)


_MAKERS: Final[Mapping[str, Callable[[NodeFlags, Address, Address | None], Transport]]] = {
    "tls": _tls,
    "udp": _udp,
    "dtls": _dtls,
    "udp-to-tls": _udp_to_tls,
}
