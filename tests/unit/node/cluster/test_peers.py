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


def test_a_dismissed_peer_is_dialled_no_more_though_it_is_configured_until_it_comes_by_itself() -> None:
    peers = book()
    peers.joined("a", A)
    peers.left("a", A, 10.0, on_purpose=False)
    assert peers.configured([B], 10.0) == [B]
    assert peers.dismiss("nobody") == []
    assert peers.dismiss("a") == [A]
    assert peers.dismiss(str(B)) == [B]
    assert peers.forgotten == 2
    assert peers.to_reconnect() == []
    assert peers.configured([A, B], 20.0) == []
    assert not peers.joined("a", A)
    peers.left("a", A, 30.0, on_purpose=False)
    assert peers.to_reconnect() == [A], "it is a peer as any other again"
    peers.unlisted(B)
    assert peers.configured([B], 40.0) == [B], "it is listed anew"


def test_only_so_many_are_known_as_dismissed() -> None:
    peers = book(limit=2)
    addresses = [Address("10.0.1.1", port) for port in range(1, 4)]
    for address in addresses:
        peers.configured([address], 1.0)
        assert peers.dismiss(str(address)) == [address]
    assert peers.configured(addresses, 2.0) == addresses[:1]


def test_the_book_is_bounded() -> None:
    peers = book(limit=2)
    peers.configured([A], 0.0)
    peers.configured([B], 1.0)
    peers.configured([Address("10.0.0.4", 1)], 2.0)
    assert peers.to_reconnect() == [B, Address("10.0.0.4", 1)]
    assert peers.forgotten == 1


def test_what_discovery_lists_no_more_is_not_dialled_even_if_it_dies_later() -> None:
    peers = book()
    peers.configured([A, B], 0.0)
    peers.joined("b", B)
    assert peers.unlisted(A)
    assert not peers.unlisted(B)
    peers.left("b", B, 1.0, on_purpose=False)
    assert peers.to_reconnect() == []
    assert peers.configured([B], 2.0) == [B]  # listed again


def test_the_dead_that_no_list_has_are_forgotten_after_the_grace_time() -> None:
    peers = book()
    for name, address in (("a", A), ("b", B)):
        peers.joined(name, address)
        peers.left(name, address, 10.0, on_purpose=False)
    assert peers.forget(70.0, grace=60.0, listed={A}.__contains__) == []
    assert peers.forget(70.1, grace=60.0, listed={A}.__contains__) == [B]
    assert peers.to_reconnect() == [A]


def test_a_second_address_of_a_member_is_not_taken_for_a_lost_one() -> None:
    peers = book()
    assert peers.configured([A, B], 0.0) == [A, B]
    peers.joined("a", A)
    peers.reached(A, 0.0)
    peers.reached(B, 0.0)  # the same member answered there
    assert peers.failed_count == 0
    assert peers.configured([A, B], 15.0) == []
    assert peers.configured([A, B], 700.0) == [B]  # looked at again, some time
    peers.reached(B, 700.0)
    peers.left("a", A, 710.0, on_purpose=False)
    assert peers.configured([A, B], 711.0) == [A, B]
