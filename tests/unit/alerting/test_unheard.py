"""What nobody knows any more does not live on in the log from entry to entry."""

from __future__ import annotations

from tocsin.alerting.timestamp import SECOND
from tocsin.alerting.unheard import PATIENCE, Unheard

MINUTE = 60 * SECOND


def test_it_is_passed_on_for_a_while_and_then_no_more() -> None:
    unheard = Unheard()
    times = range(0, 20 * MINUTE, MINUTE)
    kept = [now for now in times if unheard.fresh("group", [1], now)]
    assert kept == [now for now in times if now <= PATIENCE]


def test_each_alert_has_its_own_time() -> None:
    unheard = Unheard()
    unheard.fresh("group", [1], 0)
    unheard.fresh("group", [1, 2], 8 * MINUTE)
    assert unheard.fresh("group", [1, 2], 11 * MINUTE) == {2}


def test_one_that_left_the_entry_and_came_back_is_new() -> None:
    unheard = Unheard()
    unheard.fresh("group", [1], 0)
    assert not unheard.fresh("group", [], 5 * MINUTE)
    assert len(unheard) == 0
    assert unheard.fresh("group", [1], 15 * MINUTE) == {1}


def test_places_do_not_mix_and_are_bounded() -> None:
    unheard = Unheard(max_places=2)
    for place in ("a", "b", "c"):
        assert unheard.fresh(place, [1], 0) == {1}
    assert len(unheard) == 2
    assert unheard.places_forgotten == 1
    assert unheard.fresh("c", [1], 11 * MINUTE) == frozenset()
    assert unheard.fresh("a", [1], 11 * MINUTE) == {1}


def test_what_is_passed_on_is_known_of_our_own_entry_only() -> None:
    unheard = Unheard()
    unheard.fresh("group", [1], 7)
    unheard.wrote("group", 100)
    assert unheard.passed_on("group", 100) == {1: 7}
    assert not unheard.passed_on("group", 101), "that one is a peer's"
    unheard.fresh("group", [], 8)
    unheard.wrote("group", 102)
    assert not unheard.passed_on("group", 102)


def test_what_ended_here_is_over_until_a_peer_writes_of_it_again() -> None:
    unheard = Unheard()
    unheard.ended("group", 1, 5, None)
    assert unheard.is_over("group", 1, 5)
    assert not unheard.is_over("group", 1, 6)
    assert not unheard.is_over("group", 2, 5)
    assert not unheard.is_over("other", 1, 5)


def test_the_ends_that_are_remembered_are_bounded() -> None:
    unheard = Unheard(max_ended=2)
    for one in (1, 2, 3):
        unheard.ended("group", one, 5, one)
    assert [unheard.told_end("group", one) for one in (1, 2, 3)] == [None, 2, 3]
    assert (unheard.ends, unheard.ends_forgotten) == (2, 1)
    unheard.ended("group", 3, 6, 3)
    assert unheard.ends_forgotten == 1, "what is there already needs no room"
