"""An entry of the notification log from the future does not hold reminders back until then."""

from __future__ import annotations

from tocsin.alerting.met import TOLERANCE, Met
from tocsin.alerting.timestamp import SECOND

HOUR = 3600 * SECOND


def test_what_was_sent_in_the_past_or_by_a_clock_a_little_ahead_is_believed() -> None:
    met = Met()
    assert met.sent("group", -HOUR, 0) == -HOUR
    assert met.sent("group", 120 * SECOND, 0) == 120 * SECOND
    assert met.sent("group", TOLERANCE, 0) == TOLERANCE
    assert len(met) == 0


def test_from_the_future_it_was_sent_when_it_was_met() -> None:
    met = Met()
    assert met.sent("group", 100 * HOUR, 0) == 0
    for now in range(0, 200 * HOUR, HOUR):  # also once its time is near, or past
        assert met.sent("group", 100 * HOUR, now) == 0


def test_the_next_entry_is_met_anew() -> None:
    met = Met()
    met.sent("group", 100 * HOUR, 0)
    assert met.sent("group", 100 * HOUR + 1, HOUR) == HOUR
    assert met.sent("group", 2 * HOUR, 2 * HOUR) == 2 * HOUR
    assert len(met) == 0


def test_a_clock_that_is_set_back_does_not_put_it_into_the_future() -> None:
    met = Met()
    met.sent("group", 100 * HOUR, 10 * HOUR)
    assert met.sent("group", 100 * HOUR, HOUR) == HOUR


def test_places_do_not_mix_and_are_bounded() -> None:
    met = Met(max_places=2)
    for number, place in enumerate(("a", "b", "c")):
        assert met.sent(place, 100 * HOUR, number) == number
    assert len(met) == 2
    assert met.forgotten == 1
    assert met.sent("c", 100 * HOUR, 9) == 2
    assert met.sent("a", 100 * HOUR, 9) == 9
