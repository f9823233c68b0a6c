"""What nobody knows any more does not live on in the log from entry to entry."""

from __future__ import annotations

from tocsin.alerting.timestamp import SECOND
from tocsin.alerting.unknownalerts import PATIENCE, UnknownAlerts

MINUTE = 60 * SECOND


def test_it_is_passed_on_for_a_while_and_then_no_more() -> None:
    unknown = UnknownAlerts()
    times = range(0, 20 * MINUTE, MINUTE)
    kept = [now for now in times if unknown.fresh("group", [1], now)]
    assert kept == [now for now in times if now <= PATIENCE]


def test_each_alert_has_its_own_time() -> None:
    unknown = UnknownAlerts()
    unknown.fresh("group", [1], 0)
    unknown.fresh("group", [1, 2], 8 * MINUTE)
    assert unknown.fresh("group", [1, 2], 11 * MINUTE) == {2}


def test_one_that_left_the_entry_and_came_back_is_new() -> None:
    unknown = UnknownAlerts()
    unknown.fresh("group", [1], 0)
    assert not unknown.fresh("group", [], 5 * MINUTE)
    assert len(unknown) == 0
    assert unknown.fresh("group", [1], 15 * MINUTE) == {1}


def test_places_do_not_mix_and_are_bounded() -> None:
    unknown = UnknownAlerts(max_keys=2)
    for key in ("a", "b", "c"):
        assert unknown.fresh(key, [1], 0) == {1}
    assert len(unknown) == 2
    assert unknown.keys_forgotten == 1
    assert unknown.fresh("c", [1], 11 * MINUTE) == frozenset()
    assert unknown.fresh("a", [1], 11 * MINUTE) == {1}


def test_what_is_passed_on_is_known_of_our_own_entry_only() -> None:
    unknown = UnknownAlerts()
    unknown.fresh("group", [1], 7)
    unknown.wrote("group", 100)
    assert unknown.passed_on("group", 100) == {1: 7}
    assert not unknown.passed_on("group", 101), "that one is a peer's"
    unknown.fresh("group", [], 8)
    unknown.wrote("group", 102)
    assert not unknown.passed_on("group", 102)


def test_what_ended_here_is_over_until_a_peer_writes_of_it_again() -> None:
    unknown = UnknownAlerts()
    unknown.ended("group", 1, 5, None)
    assert unknown.is_over("group", 1, 5)
    assert not unknown.is_over("group", 1, 6)
    assert not unknown.is_over("group", 2, 5)
    assert not unknown.is_over("other", 1, 5)


def test_the_ends_that_are_remembered_are_bounded() -> None:
    unknown = UnknownAlerts(max_ended=2)
    for one in (1, 2, 3):
        unknown.ended("group", one, 5, one)
    assert [unknown.notified_end("group", one) for one in (1, 2, 3)] == [None, 2, 3]
    assert (unknown.ends, unknown.ends_forgotten) == (2, 1)
    unknown.ended("group", 3, 6, 3)
    assert unknown.ends_forgotten == 1, "what is there already needs no room"
