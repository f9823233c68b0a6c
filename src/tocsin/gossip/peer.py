"""The authenticated peer of a connection, as the transport knows it."""

from __future__ import annotations

from collections.abc import Hashable

from tocsin.dataclass import dataclass
from tocsin.sources import source_of


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """What is *known* of the direct peer of a packet or a stream, in contrast to what the peer says.

    A transport that authenticates its peers gives it to the core, which reads no certificate itself.
    """

    certificate: str
    """Identifies the certificate that it showed (its SHA-256 in hex); empty when it showed none."""
    names: frozenset[str]
    """The certificate's subject alternative names, in lower case."""
    host: str
    """The remote IP address of the connection."""

    def carries(self, name: str) -> bool:
        """Whether the certificate has exactly this name. A wildcard carries no member's name."""
        return name.lower() in self.names


def account_of(peer: Hashable) -> Hashable:
    """The account of ``peer``, so that the many addresses of an IPv6 network share one: for an identity its
    certificate and source, for a host its source."""
    if isinstance(peer, PeerIdentity):
        return peer.certificate, source_of(peer.host)
    return source_of(peer) if isinstance(peer, str) else peer
