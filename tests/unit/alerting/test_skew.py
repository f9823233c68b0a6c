"""Stamps of peers: none wins for ever, and nothing is sent that a peer with our rules would refuse."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.hostile import forge
from tocsin.alerting.digest.tree import Tombstone, identity_of
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import NotificationLog, Receiver
from tocsin.alerting.protocol.delimited import delimit, read_delimited
from tocsin.alerting.protocol.nflog_pb2 import MeshEntry
from tocsin.alerting.silence import Silences
from tocsin.alerting.skew import LEAST_RETENTION, MAX_SKEW, STEP, is_too_far_ahead
from tocsin.alerting.timestamp import LATEST, SECOND

NOW = 1_795_000_000 * SECOND
HOUR = 3600 * SECOND
END_OF_TIME = LATEST // SECOND
RECEIVER = Receiver("r", "webhook", 0)


def _silences() -> Silences:
    return Silences(HOUR, random=Random(1))


def _silence(updated: int, ends: int = NOW // SECOND + 3600) -> bytes:
    return forge.silence("s", [(0, "a", "b")], updated=updated, ends=ends)


def _logged(stamp: int) -> bytes:
    return _logged_at(stamp * SECOND)


def _logged_at(instant: int) -> bytes:
    message = MeshEntry()
    message.entry.group_key = b"k"
    message.entry.receiver.group_name = "r"
    message.entry.receiver.integration = "webhook"
    message.entry.timestamp.seconds, message.entry.timestamp.nanos = divmod(instant, SECOND)
    message.entry.firing_alerts.append(1)
    message.expires_at.seconds = END_OF_TIME
    return delimit(message.SerializeToString())


def _ahead(more: int = 0) -> int:
    return (NOW + MAX_SKEW) // SECOND + more


@pytest.mark.parametrize("stamp", [_ahead(1), END_OF_TIME])
def test_a_stamp_further_ahead_than_clocks_may_be_is_refused(stamp: int) -> None:
    silences, log = _silences(), NotificationLog(HOUR)
    for result in (silences.merge(_silence(stamp), NOW), log.merge(_logged(stamp), NOW)):
        assert result.taken == 0
        assert "further in the future" in result.refused[0]


edits = st.lists(st.sampled_from(["silence", "expire", "log"]), max_size=6)


@given(st.sampled_from([-1, -HOUR // SECOND, 0]), st.integers(0, 3), edits)
def test_nothing_is_sent_that_a_peer_with_our_rules_refuses(
    short: int, clock: int, changes: list[str]
) -> None:
    """What came at the very bound is changed here, any number of times, and each change is taken there."""
    here, there = _silences(), _silences()
    log_here, log_there = NotificationLog(HOUR), NotificationLog(HOUR)
    for silences in (here, there):
        assert silences.merge(_silence(_ahead(short)), NOW).taken == 1
    for log in (log_here, log_there):
        assert log.merge(_logged(_ahead(short)), NOW).taken == 1
    now = NOW + clock
    for change in changes:
        sent: list[bytes] = []
        if change == "log":
            for each in log_here.log(RECEIVER, "k", [2], [], now):
                assert log_there.merge(each, NOW).taken == 1
            continue
        known = here.get("s")
        assert known is not None
        if change == "expire":
            sent = here.expire("s", now)
        elif known.ends_at >= now:
            sent = here.set(known, now)[1]
        for each in sent:
            assert there.merge(each, NOW).taken == 1
    assert there.mutes(Labels({"a": "b"}), now + 1) == here.mutes(Labels({"a": "b"}), now + 1)
    assert there.encode_state() == here.encode_state()


def test_nobody_climbs_to_the_end_of_time_by_small_steps() -> None:
    top = NOW + 2 * MAX_SKEW
    assert not is_too_far_ahead(top, top - STEP, NOW)
    assert is_too_far_ahead(top + 1, top, NOW)
    assert is_too_far_ahead(NOW + MAX_SKEW + 1, NOW + MAX_SKEW - STEP, NOW)


def test_an_expiry_is_what_retention_allows() -> None:
    silences, log = _silences(), NotificationLog(HOUR)
    silences.merge(_silence(NOW // SECOND), NOW)
    log.merge(_logged(NOW // SECOND), NOW)
    [silence], [entry] = silences.replicated, log
    assert silence.expires_at <= silence.ends_at + LEAST_RETENTION
    assert entry.expires_at == entry.timestamp + LEAST_RETENTION
    assert log.gc(NOW + LEAST_RETENTION + HOUR) == 1


def test_a_tombstone_from_the_end_of_time_buries_nothing() -> None:
    silences = _silences()
    silences.merge(_silence(NOW // SECOND), NOW)
    state, identity = silences.replicated, identity_of(b"s")
    assert not state.add_tombstone(identity, Tombstone(LATEST, LATEST), NOW)
    assert not state.add_tombstone(identity, Tombstone(NOW + MAX_SKEW + 1, LATEST), NOW)
    assert len(silences) == 1
    assert state.add_tombstone(identity, Tombstone(NOW + 1, NOW + HOUR), NOW)


def test_a_tombstone_of_the_log_ends_with_what_it_may_keep_out() -> None:
    log = NotificationLog(HOUR)
    log.merge(_logged(NOW // SECOND), NOW)
    [entry] = log
    identity = identity_of(log._key_bytes(entry.key))
    assert log.add_tombstone(identity, Tombstone(entry.stamp + 1, LATEST), NOW)
    [tombstone] = log.tombstones.values()
    assert tombstone.until == entry.stamp + 1 + LEAST_RETENTION
    log.gc(tombstone.until)
    assert not log.tombstones


def test_a_version_from_far_ahead_that_is_soon_over_does_not_keep_ours_out_of_the_log() -> None:
    """Else each flush would notify anew, on every node, until what it buried is over."""
    log = NotificationLog(HOUR)
    log.log(RECEIVER, "k", [1], [], NOW)
    hostile = MeshEntry.FromString(bytes(next(read_delimited(_logged(_ahead(-1))))))
    hostile.expires_at.seconds = NOW // SECOND + 1
    assert log.merge(delimit(hostile.SerializeToString()), NOW).taken == 1
    log.gc(NOW + 2 * SECOND)
    assert log.tombstones
    [change] = log.log(RECEIVER, "k", [1, 2], [], NOW + 3 * SECOND)
    known = log.query(RECEIVER, "k")
    assert known is not None
    assert known.firing_alerts == (1, 2)
    there = NotificationLog(HOUR)
    assert there.merge(change, NOW + 3 * SECOND).taken == 1


def test_nor_does_a_tombstone_keep_out_a_silence_that_is_brought_back() -> None:
    silences = _silences()
    silences.merge(_silence(NOW // SECOND), NOW)
    [silence] = silences.replicated
    assert silences.replicated.add_tombstone(identity_of(b"s"), Tombstone(NOW + MAX_SKEW, LATEST), NOW)
    assert silences.apply(silences.stage_import(silence, NOW + 1), NOW + 1)
    assert silences.get("s") is not None


def test_many_small_steps_leave_nobody_behind() -> None:
    """Whoever has got only the first of many versions takes what comes after all of them, soon."""
    here, there = NotificationLog(HOUR), NotificationLog(HOUR)
    first = NOW + MAX_SKEW
    assert there.merge(_logged_at(first), NOW).taken == 1
    here.merge(b"".join([_logged_at(first + step * SECOND) for step in range(2000)]), NOW)
    here.merge(b"".join([_logged_at(first + step * STEP) for step in range(2000)]), NOW)
    [change] = here.log(RECEIVER, "k", [2], [], NOW + SECOND)
    assert there.merge(change, NOW + SECOND).taken == 1
