"""Whether the peer on an open connection has proven to be what listens at an address."""

from __future__ import annotations

from tocsin.gossip.address import Address
from tocsin.gossip.transport.tls.connection import TLSConnection
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.names import is_for, is_for_servers
from tocsin.tls.refusal import RefusalError


def proves_listener(identity: ClusterIdentity, connection: TLSConnection, address: Address) -> bool:
    """Would a dial to ``address`` accept the certificate that was shown on ``connection``?

    A node sends to its peers' addresses, and what it dials it verifies. A connection that it accepted may
    stand in for such a dial only if as much is known of it: it comes from that host, and its certificate has
    the name that a dial would ask for, is meant for servers, and comes from an authority that dials trust.
    Else any holder of a client certificate could draw the packets of others to itself.
    """
    if connection.remote.host != address.host or connection.session is None:
        return False
    if identity.config.client.insecure_skip_verify:
        return True
    certificate = connection.certificate
    if not certificate:
        return False
    context = identity.client_context()
    if connection.context is not context:
        trusted = set(context.get_ca_certs(binary_form=True))
        verified_by = set(connection.context.get_ca_certs(binary_form=True))
        if not verified_by or not verified_by <= trusted:
            return False
    try:
        identity.check_server(certificate)
    except RefusalError:
        return False
    wanted = identity.server_hostname(address.host, address.port)
    return is_for_servers(certificate) and is_for(certificate, wanted)
