"""Which DNS name is expected at which address."""

from __future__ import annotations

from dataclasses import replace

from tests.support.certificates import CertificateAuthority
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.sources import Target
from tocsin.gossip.transport.memory import MemoryNetwork, MemoryTransport
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.node.cluster.names import doubt, expected_names

ONE, TWO = Address("10.0.0.1", 9094), Address("10.0.0.2", 9094)


def test_a_peer_given_by_name_is_expected_by_that_name_wherever_it_is() -> None:
    found = expected_names([Target(ONE, "peers.example."), Target(TWO, "peers.example.")])
    assert found == {ONE: "peers.example", TWO: "peers.example"}


def test_a_peer_given_by_address_is_not() -> None:
    assert expected_names([Target(ONE, host) for host in ("", "10.0.0.1", "::1", "::ffff:10.0.0.1")]) == {}


def test_of_two_names_for_an_address_the_first_counts() -> None:
    found = expected_names(
        [Target(ONE, "first.example"), Target(ONE, "second.example"), Target(TWO, "second.example")]
    )
    assert found == {ONE: "first.example", TWO: "second.example"}


def test_a_certificate_without_the_name_by_which_peers_find_the_node_is_doubted() -> None:
    authority = CertificateAuthority()
    tls = authority.cluster_config(authority.issue("10.0.0.1", "a.example"))
    transport = TLSTransport(TLSTransportConfig(listen_address=ONE), tls)
    for host in ("10.0.0.1", "a.example"):
        assert doubt(transport, host) == ""
    assert doubt(transport, "10.0.0.2") == (
        "peers dial this node as 10.0.0.2, and its certificate is for 10.0.0.1, a.example only: "
        "they will refuse it"
    )
    assert doubt(transport, "b.example")
    named = replace(tls, client=replace(tls.client, server_name="a.example"))
    assert doubt(TLSTransport(TLSTransportConfig(listen_address=ONE), named), "b.example") == ""
    assert doubt(MemoryTransport(MemoryNetwork(), ONE), "b.example") == ""
