"""Which peers take TLS, as a migrating node finds out."""

from __future__ import annotations

from random import Random

from tocsin.gossip.address import Address
from tocsin.gossip.transport.migrating.reach import ASK_SOONER, FORGOTTEN, TRY_AGAIN, Reach

PEER = Address("192.0.2.1", 9094)
OTHER = Address("192.0.2.2", 9094)


def reach(max_peers: int = 10) -> Reach:
    return Reach(Random(1), max_peers)


def test_an_unknown_peer_is_tried_once_and_what_is_sent_waits() -> None:
    peers = reach()
    assert peers.should_try(PEER, 0.0)
    assert not peers.should_try(PEER, 0.0)
    assert peers.undecided(PEER)
    assert not peers.takes_tls(PEER)
    assert peers.in_clear(0.0) == 1


def test_a_peer_that_took_tls_is_not_tried_again() -> None:
    peers = reach()
    peers.should_try(PEER, 0.0)
    peers.succeeded(PEER, 1.0)
    assert peers.takes_tls(PEER)
    assert not peers.undecided(PEER)
    assert not peers.should_try(PEER, 1000.0)
    assert peers.in_clear(1000.0) == 0


def test_one_that_did_not_is_asked_again_after_a_while_and_nothing_waits_meanwhile() -> None:
    peers = reach()
    peers.should_try(PEER, 0.0)
    assert peers.failed(PEER, 1.0)
    assert not peers.should_try(PEER, 1.0 + TRY_AGAIN / 2 - 0.1)
    assert peers.should_try(PEER, 1.0 + TRY_AGAIN)
    assert not peers.undecided(PEER)
    assert not peers.failed(PEER, 40.0), "it is no news"


def test_one_that_ceases_to_take_tls_is_asked_at_once() -> None:
    peers = reach()
    peers.should_try(PEER, 0.0)
    peers.succeeded(PEER, 1.0)
    peers.lost(PEER, 2.0)
    assert not peers.takes_tls(PEER)
    assert peers.should_try(PEER, 2.0)
    assert peers.undecided(PEER)
    assert peers.failed(PEER, 3.0), "it is news"


def test_what_is_not_known_changes_nothing() -> None:
    peers = reach()
    peers.lost(PEER, 0.0)
    peers.succeeded(PEER, 0.0)
    assert not peers.failed(PEER, 0.0)
    assert len(peers) == 0


def test_who_is_used_no_more_does_not_keep_others_from_going_strict() -> None:
    peers = reach()
    peers.should_try(PEER, 0.0)
    peers.should_try(OTHER, 100.0)
    assert peers.in_clear(FORGOTTEN - 0.1) == 2
    assert peers.in_clear(FORGOTTEN) == 1


def test_the_table_is_bounded_and_keeps_those_in_use() -> None:
    peers = reach(max_peers=3)
    for number in range(20):
        peers.should_try(PEER, float(number))
        peers.should_try(Address("192.0.2.9", number + 1), float(number))
    assert len(peers) == 3
    assert not peers.should_try(PEER, 20.0), "it is still known"


def test_one_that_sends_something_over_tls_is_asked_again_sooner() -> None:
    peers = reach()
    peers.heard(PEER)
    peers.should_try(PEER, 0.0)
    peers.failed(PEER, 1.0)
    peers.heard(PEER)
    assert not peers.should_try(PEER, 1.0 + ASK_SOONER / 2)
    assert peers.should_try(PEER, 1.0 + ASK_SOONER)


def test_nothing_waits_for_a_trial_that_was_put_off() -> None:
    peers = reach()
    peers.postponed(PEER, 0.0)
    peers.should_try(PEER, 0.0)
    peers.postponed(PEER, 0.0)
    assert not peers.undecided(PEER)
    assert not peers.should_try(PEER, ASK_SOONER / 2)
    assert peers.should_try(PEER, ASK_SOONER)
