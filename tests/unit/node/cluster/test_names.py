"""Which DNS name is expected at which address."""

from __future__ import annotations

from tocsin.gossip.address import Address
from tocsin.node.cluster.names import ExpectedNames

ONE, TWO = Address("10.0.0.1", 9094), Address("10.0.0.2", 9094)


def test_a_peer_given_by_name_is_expected_by_that_name_wherever_it_is() -> None:
    names = ExpectedNames()
    names.resolved("peers.example.", 9094, [ONE, TWO])
    assert names.expected() == {ONE: "peers.example", TWO: "peers.example"}
    names.resolved("peers.example.", 9094, [TWO])
    assert names.expected() == {TWO: "peers.example"}


def test_a_peer_given_by_address_is_not() -> None:
    names = ExpectedNames()
    for host in ("10.0.0.1", "::1", "::ffff:10.0.0.1"):
        names.resolved(host, 9094, [ONE])
    assert names.expected() == {}


def test_of_two_names_for_an_address_the_first_counts() -> None:
    names = ExpectedNames()
    names.resolved("first.example", 9094, [ONE])
    names.resolved("second.example", 9094, [ONE, TWO])
    names.resolved("first.example", 9094, [ONE])
    assert names.expected() == {ONE: "first.example", TWO: "second.example"}
