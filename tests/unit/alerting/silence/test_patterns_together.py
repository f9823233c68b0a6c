"""What all patterns of silences may cost together: only those of silences that have not ended count."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from msgspec.structs import replace

from tocsin.alerting import regex
from tocsin.alerting.labels import Labels
from tocsin.alerting.silence import Silence, Silences, make_matcher_sets, state
from tocsin.alerting.steps import finish
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ValidationError

NOW = 1_700_000_000 * SECOND
HOUR = 3600 * SECOND


def costly(number: int, ends_at: int = NOW + HOUR) -> Silence:
    sets = make_matcher_sets([[(1, "text", rf"{number}\pL{{25}}|x")]])
    return Silence(
        id="", matcher_sets=sets, starts_at=NOW, ends_at=ends_at, created_by="t", comment=str(number)
    )


def full() -> tuple[Silences, list[str]]:
    silences = Silences(120 * HOUR, random=Random(1))
    with suppress(ValidationError):
        for number in range(100):
            silences.set(costly(number), NOW)
    with pytest.raises(ValidationError, match="expire some"):
        silences.set(costly(100), NOW)
    return silences, [silence.id for silence in silences.query(NOW)]


def test_those_that_have_ended_make_room() -> None:
    silences, made = full()
    silences.expire(made[0], NOW + SECOND)
    silences.set(costly(100), NOW + 2 * SECOND)
    with pytest.raises(ValidationError):
        silences.set(costly(101), NOW + 3 * SECOND)
    for number in range(len(made)):  # all the others have ended by now
        silences.set(costly(200 + number, NOW + 3 * HOUR), NOW + 2 * HOUR)
    statistics = silences.pattern_statistics()
    assert statistics.size <= 1 << 20
    assert statistics.resting_silences == len(made) + 1


def test_a_peer_fills_it_only_with_what_has_not_ended() -> None:
    silences, made = full()
    later = NOW + 2 * HOUR
    peer = Silences(120 * HOUR, random=Random(2))
    changes = [change for n in range(5) for change in peer.set(costly(300 + n, later + HOUR), later)[1]]
    result = silences.merge(b"".join(changes), later)
    assert (result.taken, result.refused_count) == (5, 0)
    assert len(silences) == len(made) + 5


def test_a_clock_that_was_set_back_wakes_them() -> None:
    silences, made = full()
    labels = Labels({"text": "x"})
    assert len(silences.mutes(labels, NOW)) == len(made)
    silences.gc(NOW + 2 * HOUR)
    assert silences.pattern_statistics().size == 0
    assert silences.mutes(labels, NOW + 2 * HOUR) == ()
    assert len(silences.mutes(labels, NOW + SECOND)) == len(made)


def test_they_are_woken_in_steps_and_whoever_asks_meanwhile_does_the_rest() -> None:
    silences, made = full()
    labels = Labels({"text": "x"})
    silences.gc(NOW + 2 * HOUR)
    steps = silences.updating_clock(NOW + SECOND)
    next(steps)
    assert silences.pattern_statistics().resting_silences == len(made) - 1
    assert len(silences.mutes(labels, NOW + SECOND)) == len(made)
    assert list(steps) == []
    assert list(silences.updating_clock(NOW + SECOND)) == []


def test_one_that_rests_and_is_prolonged_by_a_peer_counts_again() -> None:
    silences, made = full()
    labels = Labels({"text": "x"})
    later = NOW + 2 * HOUR
    silences.gc(later)
    known = silences.get(made[0])
    assert known is not None
    peer = Silences(120 * HOUR, random=Random(3))
    peer.merge(known.encoded, NOW)
    [change] = peer.set(replace(known, ends_at=later + HOUR), NOW + SECOND)[1]
    assert silences.merge(change, later).taken == 1
    assert silences.mutes(labels, later) == (made[0],)
    assert silences.pattern_statistics().size > 0
    silences.gc(later + 2 * HOUR)
    assert silences.mutes(labels, later + 2 * HOUR) == ()
    assert silences.pattern_statistics().size == 0
    silences.gc(later + 1000 * HOUR)
    assert (len(silences), silences.pattern_statistics().resting_silences) == (0, 0)


def test_what_was_kept_is_loaded_though_more_has_ended_than_there_is_room_for() -> None:
    silences, made = full()
    for number in range(len(made)):
        silences.set(costly(200 + number, NOW + 3 * HOUR), NOW + 2 * HOUR)
    again = Silences(120 * HOUR, random=Random(1))
    before = regex.engines_made()
    assert again.replicated.load(silences.encode_state(), NOW + 2 * HOUR, trusted=True).refused_count == 0
    assert len(again) == len(silences)
    assert regex.engines_made() == before


def test_all_matchers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_TOTAL_MATCHERS", 10)
    silences = Silences(120 * HOUR, random=Random(1))
    of_four = replace(costly(0), matcher_sets=make_matcher_sets([[(0, f"n{n}", "x") for n in range(4)]]))
    first = silences.set(of_four, NOW)[0]
    silences.set(of_four, NOW)
    with pytest.raises(ValidationError, match="too many matchers: expire some"):
        silences.set(of_four, NOW)
    peer = Silences(120 * HOUR, random=Random(2))
    assert silences.merge(peer.set(of_four, NOW)[1][0], NOW).refused_count == 1
    assert silences.expire(first, NOW + SECOND), "what is there may be changed"
    assert silences.pattern_statistics().matchers == 8
    silences.gc(NOW + 200 * HOUR)
    assert silences.pattern_statistics().matchers == 0


@pytest.mark.parametrize("begun", [False, True], ids=["before", "between the steps of waking them"])
def test_one_that_ends_under_a_clock_set_back_keeps_no_others_asleep(begun: bool) -> None:
    silences, labels = Silences(120 * HOUR, random=Random(1)), Labels({"text": "x"})
    for number in range(3):
        silences.set(costly(number), NOW)
    short, _ = silences.set(costly(9, NOW + 3 * HOUR), NOW)
    silences.gc(NOW + 2 * HOUR)
    silences.expire(short, NOW + 10 * SECOND)
    waking = silences.updating_clock(NOW + 10 * SECOND)
    if begun:
        next(waking)
    finish(silences.letting_rest(NOW + 11 * SECOND))
    waking.close()
    assert len(silences.mutes(labels, NOW + 12 * SECOND)) == 3
