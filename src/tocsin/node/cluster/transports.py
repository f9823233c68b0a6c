"""From the ``--cluster.*`` flags to a transport: how packets and streams reach the peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import Transport
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.node.config.flags import NodeFlags
from tocsin.node.config.tls import load_cluster_tls


def make_transport(flags: NodeFlags, listen: Address, advertise: Address | None) -> Transport:
    """What ``--cluster.transport`` names, not started; :class:`ConfigError` for files that cannot be used."""
    return _MAKERS[flags.cluster_transport](flags, listen, advertise)


def _tls(flags: NodeFlags, listen: Address, advertise: Address | None) -> Transport:
    return TLSTransport(
        TLSTransportConfig(
            listen_address=listen,
            advertise_address=advertise,
            read_timeout=flags.cluster_tcp_timeout / 1e9,
            offer_alpn=flags.cluster_tocsin_protocol,
        ),
        source=lambda: load_cluster_tls(flags.cluster_tls_config),
        watched=(Path(flags.cluster_tls_config),),
    )


_MAKERS: Final[Mapping[str, Callable[[NodeFlags, Address, Address | None], Transport]]] = {"tls": _tls}
