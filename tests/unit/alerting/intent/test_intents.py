"""Intents between nodes: who waits for whom, and for how long at most."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tocsin.alerting.intent import GUARD, Intents, Lease
from tocsin.alerting.intent import intents as module
from tocsin.alerting.intent.codec import Kind, Record, decode, encode
from tocsin.alerting.intent.intents import (
    CHECK_INTERVAL,
    HOLD,
    HOLD_OTHER,
    MAX_HOLDERS,
    RENEWED_WITHIN,
    RESULT_TIME,
    STABLE,
    TIME_TO_LIVE,
)
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds

T0: Nanoseconds = 1_800_000_000 * SECOND
KEY = bytes(16)
NEWS, OTHER = 1, 2


def member(name: str, position: int, *others: str, now: Nanoseconds = T0) -> Intents:
    """A node that has been at its place for long."""
    intents = Intents(name, now=now)
    intents.members(position, frozenset(others), now - 2 * STABLE)
    return intents


def pair() -> tuple[Intents, Intents]:
    return member("a", 0, "b"), member("b", 1, "a")


def tell(source: Intents, target: Intents, now: Nanoseconds = T0) -> list[bytes]:
    return [key for payload in source.drain() for key in target.receive(payload, now)]


def send(intents: Intents, now: Nanoseconds = T0, content: int = NEWS) -> Lease:
    lease = intents.sending(None, KEY, content, now + 3600 * SECOND, now)
    assert lease is not None
    return lease


def claim(intents: Intents, now: Nanoseconds = T0) -> Lease:
    lease = intents.claim(KEY, NEWS, now + 3600 * SECOND, now)
    assert lease is not None
    return lease


def blocked_until(intents: Intents) -> Nanoseconds | None:
    obstacle = intents.blocked(KEY, NEWS, 0, T0)
    return obstacle.until if obstacle is not None else None


def renew(source: Intents, target: Intents, begin: Nanoseconds, end: Nanoseconds) -> None:
    """Time passes from ``begin`` to ``end``, and what ``source`` renews is heard at once."""
    while (due := source.next_timeout()) is not None and due <= end:
        source.handle_timeout(max(due, begin))
        tell(source, target, due)


def test_whoever_is_first_for_a_while_needs_no_claim() -> None:
    first, second = pair()
    assert first.immediate(T0)
    assert not second.immediate(T0)
    second.members(0, frozenset("a"), T0)
    assert not second.immediate(T0 + STABLE - 1), "the others may not know yet"
    assert second.immediate(T0 + STABLE)


def test_who_is_alone_tells_nobody() -> None:
    intents = Intents("a", now=T0)
    assert intents.alone(T0)
    assert intents.claim(KEY, NEWS, T0 + SECOND, T0) is None
    assert intents.drain() == []


def test_who_takes_all_others_for_dead_goes_on_asking_for_a_while() -> None:
    second = member("b", 1, "a")
    second.members(0, frozenset(), T0)
    assert not second.immediate(T0 + STABLE - 1)
    assert second.immediate(T0 + STABLE)


def test_another_waits_while_an_attempt_is_renewed_and_goes_on_when_it_is_released() -> None:
    first, second = pair()
    lease = send(first)
    tell(first, second)
    renew(first, second, T0, T0 + 2 * TIME_TO_LIVE)
    now = T0 + 2 * TIME_TO_LIVE
    assert second.blocked(KEY, NEWS, 0, now) is not None
    first.release(lease, now)
    assert tell(first, second, now) == [KEY], "to be looked at again at once"
    assert second.blocked(KEY, NEWS, 0, now) is None


def test_an_intent_that_is_not_renewed_expires() -> None:
    first, second = pair()
    send(first)
    tell(first, second)
    assert blocked_until(second) == T0 + TIME_TO_LIVE
    assert second.blocked(KEY, NEWS, 0, T0 + TIME_TO_LIVE) is None


def test_an_intent_that_is_renewed_for_too_long_is_void() -> None:
    first, second = pair()
    send(first)
    tell(first, second)
    renew(first, second, T0, T0 + HOLD)
    assert second.blocked(KEY, NEWS, 0, T0 + HOLD - 1) is not None
    assert second.blocked(KEY, NEWS, 0, T0 + HOLD) is None
    assert second.statistics.held_too_long == 1


def test_other_content_is_waited_for_for_a_shorter_time() -> None:
    first, second = pair()
    send(first)
    tell(first, second)
    now = T0 + HOLD_OTHER
    renew(first, second, T0, now)
    assert second.blocked(KEY, NEWS, 0, now) is not None
    assert second.blocked(KEY, OTHER, 0, now) is None


def test_a_done_intent_waits_for_its_log_entry_whatever_the_clocks_say() -> None:
    first, second = pair()
    stamp = T0 - 300 * SECOND
    first.done(send(first), stamp, T0)
    tell(first, second)
    assert blocked_until(second) == T0 + CHECK_INTERVAL
    assert second.blocked(KEY, NEWS, stamp - 1, T0) is not None, "an older entry"
    assert second.blocked(KEY, NEWS, stamp, T0) is None
    assert second.blocked(KEY, NEWS, 0, T0 + RESULT_TIME) is None, "it may never come"


def test_two_claims_that_cross_are_decided_alike_on_both_sides() -> None:
    second, third = member("b", 1, "a", "c"), member("c", 2, "a", "b")
    ours, theirs = claim(second), claim(third)
    tell(second, third)
    tell(third, second)
    assert second.blocked(KEY, NEWS, 0, T0, ours) is None
    assert third.blocked(KEY, NEWS, 0, T0, theirs) is not None


def test_a_claim_that_was_heard_first_is_waited_for_even_by_the_first() -> None:
    first, second = pair()
    claim(second)
    tell(second, first)
    assert first.blocked(KEY, NEWS, 0, T0) is not None


def test_a_claim_gives_way_to_whoever_sends() -> None:
    first, second = pair()
    lease = claim(second)
    send(first)
    tell(first, second)
    assert second.blocked(KEY, NEWS, 0, T0 + GUARD, lease) is not None


def test_the_intent_of_a_dead_member_is_void_unless_it_goes_on() -> None:
    first, second = pair()
    send(first)
    tell(first, second)
    now = T0 + SECOND // 2
    assert second.members(0, frozenset(), now) == [KEY]
    assert second.blocked(KEY, NEWS, 0, now + RENEWED_WITHIN) is None
    renew(first, second, T0, now + RENEWED_WITHIN)
    assert second.blocked(KEY, NEWS, 0, now + RENEWED_WITHIN) is not None, "it was not dead"


def test_a_late_word_of_an_earlier_intent_changes_nothing() -> None:
    first, second = pair()
    lease = send(first)
    late = first.drain()
    first.release(lease, T0)
    tell(first, second)
    for payload in late:
        second.receive(payload, T0)
    assert second.blocked(KEY, NEWS, 0, T0) is None


def test_a_clock_that_is_set_back_or_far_ahead_holds_nobody_up() -> None:
    first, second = pair()
    send(first)
    tell(first, second)
    assert second.blocked(KEY, NEWS, 0, T0 - 3600 * SECOND) is None
    assert second.blocked(KEY, NEWS, 0, T0 + 3600 * SECOND) is None


def test_a_peer_cannot_ask_for_an_hour() -> None:
    second = member("b", 1, "a")
    record = Record(Kind.SENDING, 0, 3_600_000, 1, NEWS, KEY)
    for payload in encode("a", [record]):
        second.receive(payload, T0)
    until = blocked_until(second)
    assert until is not None
    assert until <= T0 + HOLD


def test_an_intent_of_ours_that_nobody_ends_is_released() -> None:
    first, second = pair()
    first.sending(None, KEY, NEWS, T0 + 2 * SECOND, T0)
    tell(first, second)
    renew(first, second, T0, T0 + 4 * SECOND)
    assert second.blocked(KEY, NEWS, 0, T0 + 4 * SECOND) is None
    assert first.next_timeout() is None, "nothing is left to be renewed"


def test_only_the_latest_word_is_told_and_repeated_a_few_times() -> None:
    first, _ = pair()
    first.done(send(first), T0, T0)
    (payload,) = first.drain()
    assert [record.kind for record in decode(payload)[1]] == [Kind.DONE]
    times: list[Nanoseconds] = []
    while (due := first.next_timeout()) is not None:
        first.handle_timeout(due)
        if first.drain():
            times.append(due)
    assert len(times) == 2
    assert all(later - sooner <= SECOND for sooner, later in pairwise(times))


def test_past_the_bounds_nothing_is_kept_and_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEARD", 2)
    monkeypatch.setattr(module, "MAX_OWN", 2)
    first, second = pair()
    for number in range(4):
        first.claim(number.to_bytes(16, "big"), NEWS, T0 + SECOND, T0)
    assert first.statistics.not_announced == 2
    records = [Record(Kind.CLAIM, 0, 1000, 1, NEWS, number.to_bytes(16, "big")) for number in range(4)]
    for payload in encode("a", records):
        second.receive(payload, T0)
    assert second.statistics.not_heard == 2
    assert len(second) == 2
    second.handle_timeout(T0 + 10 * MILLISECOND)
    second.handle_timeout(T0 + 2 * TIME_TO_LIVE)
    assert len(second) == 0, "forgotten in time"


def test_of_one_group_only_some_holders_are_kept_besides_the_live_members() -> None:
    """Each evaluation of the group looks at all of them, and the name in a payload is its sender's word."""
    node = member("b", 1, "a")
    record = Record(Kind.CLAIM, 0, 1000, 1, NEWS, KEY)
    for number in range(MAX_HOLDERS + 5):
        for payload in encode(f"invented-{number}", [record]):
            node.receive(payload, T0)
    assert (len(node), node.statistics.not_heard) == (MAX_HOLDERS, 5)
    for name in ("a", "invented-0"):
        for payload in encode(name, [Record(Kind.SENDING, 0, 2000, 2, NEWS, KEY)]):
            node.receive(payload, T0)
    assert (len(node), node.statistics.not_heard) == (MAX_HOLDERS + 1, 5), "a live member is heard"
    for payload in encode("invented-last", [Record(Kind.CLAIM, 0, 1000, 1, NEWS, bytes(15) + b"1")]):
        node.receive(payload, T0)
    assert len(node) == MAX_HOLDERS + 2, "other groups have room"


def test_it_is_known_whose_intent_goes_first_and_who_has_notified() -> None:
    first, second = pair()
    lease = send(first)
    tell(first, second)
    obstacle = second.blocked(KEY, NEWS, 0, T0)
    assert obstacle is not None
    assert (obstacle.peer, obstacle.kind) == ("a", Kind.SENDING)
    assert not second.knows_any
    first.done(lease, T0 + SECOND, T0 + SECOND)
    tell(first, second, T0 + SECOND)
    assert second.notified_by(KEY, T0 + SECOND) == "a"
    assert second.notified_by(KEY, T0 + 2 * SECOND) == "", "a later entry may be anybody's"
    renew(first, second, T0 + SECOND, T0 + 3600 * SECOND)
    assert second.notified_by(KEY, T0 + SECOND) == "a", "as long as the log has that entry"
