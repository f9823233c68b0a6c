"""Settled is who has exchanged state with every peer that answers."""

from __future__ import annotations

import pytest

from tocsin.node.cluster.settle import FAILURES, PATIENCE, Awaited, Settle, Settled


def settles(settle: Settle, now: float) -> bool:
    settle.handle_timeout(now)
    return bool(settle.drain())


def how(settle: Settle, now: float) -> list[Settled]:
    settle.handle_timeout(now)
    return settle.drain()


def waiting_for(*peers: str) -> Settle:
    settle = Settle(deadline=60.0)
    for peer in peers:
        settle.wait_for(peer, 0.0)
    settle.start()
    return settle


def test_alone_a_node_is_settled_at_once() -> None:
    assert settles(waiting_for(), 0.0)


def test_nothing_is_settled_before_the_start() -> None:
    settle = Settle(deadline=60.0)
    assert not settles(settle, 0.0)
    settle.start()
    assert settles(settle, 0.0)
    assert not settles(settle, 0.0), "it settles once"
    assert settle.next_timeout() is None


def test_settled_when_the_last_peer_is_done() -> None:
    settle = waiting_for("a", "b")
    settle.done("a")
    assert not settles(settle, 0.1)
    settle.done("b")
    assert how(settle, 0.2) == [Settled(timed_out=False)]


def test_a_silent_peer_is_waited_for_with_patience_only() -> None:
    settle = waiting_for("black hole", "b")
    settle.done("b")
    assert not settles(settle, PATIENCE - 0.1)
    assert settle.next_timeout() == PATIENCE
    assert how(settle, PATIENCE) == [Settled(timed_out=False)]


def test_a_peer_that_answers_is_waited_for_until_the_deadline() -> None:
    settle = waiting_for("slow")
    settle.heard("slow")
    assert not settles(settle, 59.0)
    assert settle.next_timeout() == 60.0
    assert how(settle, 60.0) == [Settled(timed_out=True)]


def test_a_peer_that_answers_and_is_not_to_be_joined_is_waited_for_with_patience_only() -> None:
    settle = waiting_for("foreign")
    for _ in range(FAILURES):
        settle.heard("foreign")
        assert not settles(settle, PATIENCE + 1), "it is at it, or may be slow"
        settle.not_joined("foreign")
    settle.not_joined("somebody else")
    assert settle.waiting(PATIENCE - 0.1) == ["foreign"]
    assert how(settle, PATIENCE + 1) == [Settled(timed_out=False)]


def test_a_peer_whose_exchanges_fail_is_not_waited_for() -> None:
    settle = waiting_for("broken")
    settle.heard("broken")
    for _ in range(FAILURES):
        assert not settles(settle, 0.1)
        settle.failed("broken")
    assert settles(settle, 0.1)


def test_a_member_that_leaves_is_not_waited_for_and_one_that_returns_is() -> None:
    settle = waiting_for("a", "b")
    settle.done("a")
    settle.gone("a")
    settle.gone("b")
    settle.wait_for("a", 0.5)
    settle.wait_for("a", 9.0)  # known already: its patience does not begin again
    assert settle.waiting(1.0) == ["a"]
    assert settles(settle, 0.5 + PATIENCE)


def test_who_is_done_is_not_waited_for_again() -> None:
    settle = waiting_for("a")
    settle.done("a")
    settle.wait_for("a", 0.1)
    settle.heard("a")
    settle.failed("a")
    assert settles(settle, 0.1)


def test_a_change_looks_at_no_more_than_those_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member can bring thousands of others, one after the other."""
    settle = waiting_for(*[f"peer {number}" for number in range(500)])
    looked: list[Awaited] = []
    waits_for = Settle.waits_for

    def counted(self: Settle, peer: Awaited, now: float) -> bool:
        looked.append(peer)
        return waits_for(self, peer, now)

    monkeypatch.setattr(Settle, "waits_for", counted)
    for number in range(500):
        settle.heard(f"peer {number}")
        settle.failed(f"peer {number}")
        assert not settles(settle, 0.1)
        assert settle.next_timeout() is not None
    assert not looked
    for number in range(500):
        settle.done(f"peer {number}")
    assert settles(settle, 0.1)


def test_once_it_has_settled_nothing_is_kept_of_those_that_come() -> None:
    settle = waiting_for("a")
    settle.done("a")
    assert settles(settle, 0.1)
    for number in range(10):
        settle.wait_for(f"peer {number}", 0.2)
        settle.done(f"address {number}")
    assert settle.waiting(0.3) == []
    assert not settle._done
    assert not settle._peers
