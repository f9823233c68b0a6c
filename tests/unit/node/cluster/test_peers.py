"""The book of peers: who is dialled again, and for how long."""

from __future__ import annotations

from tocsin.gossip.address import Address
from tocsin.node.cluster.peers import PeerBook

OWN = Address("10.0.0.1", 9094)
A = Address("10.0.0.2", 9094)
B = Address("10.0.0.3", 9094)


def book(limit: int = 4096) -> PeerBook:
    return PeerBook(own=OWN, reconnect_timeout=3600.0, limit=limit)


def test_configured_peers_are_dialled_until_they_join() -> None:
    peers = book()
    assert peers.configured([OWN, A, A, B], 0.0) == [A, B]
    assert peers.to_reconnect() == [A, B]
    assert peers.joined("a", A)
    assert peers.to_reconnect() == [B]
    assert peers.configured([A, B], 1.0) == [B]


def test_a_dead_member_is_dialled_again_and_forgotten_in_the_end() -> None:
    peers = book()
    peers.joined("a", A)
    peers.left("a", A, 10.0, on_purpose=False)
    assert peers.to_reconnect() == [A]
    assert peers.forget(3610.0) == []
    assert peers.forget(3610.1) == [A]
    assert peers.failed_count == 0
    assert peers.forgotten == 1


def test_one_that_left_on_purpose_is_left_alone_but_refreshed_when_configured() -> None:
    peers = book()
    peers.joined("a", A)
    peers.left("a", A, 10.0, on_purpose=True)
    assert peers.to_reconnect() == []
    assert peers.configured([A], 11.0) == [A]


def test_a_member_that_moved_is_live_only_at_its_new_address() -> None:
    peers = book()
    peers.joined("a", A)
    peers.joined("a", B)
    assert peers.configured([A, B], 1.0) == [A]


def test_a_late_leave_of_an_old_tenant_does_not_hide_the_new_one() -> None:
    peers = book()
    peers.joined("old", A)
    peers.joined("new", A)
    peers.left("old", A, 1.0, on_purpose=True)
    assert peers.configured([A], 2.0) == []


def test_the_book_is_bounded() -> None:
    peers = book(limit=2)
    peers.configured([A], 0.0)
    peers.configured([B], 1.0)
    peers.configured([Address("10.0.0.4", 1)], 2.0)
    assert peers.to_reconnect() == [B, Address("10.0.0.4", 1)]
    assert peers.forgotten == 1
