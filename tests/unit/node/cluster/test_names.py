"""Which DNS name is expected at which address."""

from __future__ import annotations

from tocsin.gossip.address import Address
from tocsin.gossip.discovery.sources import Target
from tocsin.node.cluster.names import expected_names

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
