"""An entry of the notification log from the future does not hold reminders back until then."""

from __future__ import annotations

from tocsin.alerting.firstseen import TOLERANCE, FirstSeen
from tocsin.alerting.timestamp import SECOND

HOUR = 3600 * SECOND


def test_what_was_sent_in_the_past_or_by_a_clock_a_little_ahead_is_believed() -> None:
    seen = FirstSeen()
    assert seen.sent("group", -HOUR, 0) == -HOUR
    assert seen.sent("group", 120 * SECOND, 0) == 120 * SECOND
    assert seen.sent("group", TOLERANCE, 0) == TOLERANCE
    assert len(seen) == 0


def test_from_the_future_it_was_sent_when_it_was_first_seen() -> None:
    seen = FirstSeen()
    assert seen.sent("group", 100 * HOUR, 0) == 0
    for now in range(0, 200 * HOUR, HOUR):  # also once its time is near, or past
        assert seen.sent("group", 100 * HOUR, now) == 0


def test_the_next_entry_is_seen_for_the_first_time() -> None:
    seen = FirstSeen()
    seen.sent("group", 100 * HOUR, 0)
    assert seen.sent("group", 100 * HOUR + 1, HOUR) == HOUR
    assert seen.sent("group", 2 * HOUR, 2 * HOUR) == 2 * HOUR
    assert len(seen) == 0


def test_a_clock_that_is_set_back_does_not_put_it_into_the_future() -> None:
    seen = FirstSeen()
    seen.sent("group", 100 * HOUR, 10 * HOUR)
    assert seen.sent("group", 100 * HOUR, HOUR) == HOUR


def test_places_do_not_mix_and_are_bounded() -> None:
    seen = FirstSeen(max_keys=2)
    for number, key in enumerate(("a", "b", "c")):
        assert seen.sent(key, 100 * HOUR, number) == number
    assert len(seen) == 2
    assert seen.forgotten == 1
    assert seen.sent("c", 100 * HOUR, 9) == 2
    assert seen.sent("a", 100 * HOUR, 9) == 9
