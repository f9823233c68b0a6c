"""The notification log (wire 4.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.state_payloads import StatePayload, known_labels_log, state_payloads
from tocsin.alerting.entries import RefusedEntryError
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import Entry, NotificationLog, Receiver, codec
from tocsin.alerting.protocol import delimit, read_delimited, write_delimited
from tocsin.alerting.protocol.nflog_pb2 import MeshEntry
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import StateError

PAYLOADS = state_payloads("nfl")
NOW = 1795472000 * SECOND
HOUR = 3600 * SECOND
WEBHOOK = Receiver("team", "webhook", 0)
KEY = '{}:{alertname="Down"}'


def notification_log() -> NotificationLog:
    return NotificationLog(120 * HOUR)


def messages(data: bytes) -> list[bytes]:
    return sorted(bytes(message) for message in read_delimited(data))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.case)
def test_captured_entries_are_kept_byte_for_byte(payload: StatePayload) -> None:
    log = notification_log()
    result = log.load(payload.data, NOW)
    assert result.refused == []
    assert result.taken > 0
    assert messages(log.encode_state()) == messages(payload.data)
    assert notification_log().merge(payload.data, NOW).taken == result.taken


def test_our_encoding_is_alertmanagers() -> None:
    for payload in PAYLOADS:
        if payload.case == "disk-033/nflog":
            for message in read_delimited(payload.data):
                entry = codec.decode(message)
                assert codec.encode(replace(entry, encoded=b"")).encoded == delimit(bytes(message))
            return
    raise AssertionError("the file is missing")


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "A"},
        {"alertname": "B", "job": "node", "instance": "host:9100"},
        {"alertname": "C", "é": "☃", "a b": 'c"d'},
    ],
)
def test_alert_hashes_are_alertmanagers(labels: dict[str, str]) -> None:
    # the log that Alertmanager wrote after it had notified a webhook "x" of alerts with these labels
    log = notification_log()
    log.load(known_labels_log(), NOW)
    entry = log.query(Receiver("x", "webhook", 0), "{}:" + str(Labels(labels).subset(["alertname"])))
    assert entry is not None
    assert entry.firing_alerts == (Labels(labels).hash,)


def test_a_notification_is_recorded_and_found() -> None:
    log = notification_log()
    (change,) = log.log(WEBHOOK, KEY, [3, 1], [2], NOW, 8 * HOUR)
    entry = log.query(WEBHOOK, KEY)
    assert entry == Entry(KEY.encode(), WEBHOOK, NOW, (3, 1), (2,), NOW + 8 * HOUR)
    assert change == entry.encoded == log.encode_state()
    assert log.query(Receiver("team", "webhook", 1), KEY) is None
    other = notification_log()
    assert other.merge(change, NOW).taken == 1
    assert other.query(WEBHOOK, KEY) == entry


def test_an_entry_lasts_for_the_retention_at_most() -> None:
    log = NotificationLog(HOUR)
    log.log(WEBHOOK, KEY, [], [], NOW, 8 * HOUR)
    log.log(WEBHOOK, "other", [], [], NOW)
    for key in (KEY, "other"):
        entry = log.query(WEBHOOK, key)
        assert entry is not None
        assert entry.expires_at == NOW + HOUR
    assert log.gc(NOW + HOUR - 1) == 0
    assert log.gc(NOW + HOUR) == 2


def test_a_notification_is_recorded_also_when_the_entry_is_from_a_clock_that_is_ahead() -> None:
    log, peer = notification_log(), notification_log()
    (change,) = log.log(WEBHOOK, KEY, [1], [], NOW + SECOND)
    peer.merge(change, NOW)
    (change,) = log.log(WEBHOOK, KEY, [2], [], NOW)
    assert peer.merge(change, NOW).taken == 1, "it wins everywhere, or it would be sent again"
    entry = peer.query(WEBHOOK, KEY)
    assert entry is not None
    assert entry.firing_alerts == (2,)
    assert entry.timestamp == NOW + SECOND + 1


def test_a_second_notification_in_the_same_instant_wins_everywhere() -> None:
    log, peer = notification_log(), notification_log()
    for firing in ([9, 9], [1]):
        (change,) = log.log(WEBHOOK, KEY, firing, [], NOW)
        assert peer.merge(change, NOW).taken == 1
    entry = peer.query(WEBHOOK, KEY)
    assert entry is not None
    assert entry.firing_alerts == (1,)


def test_receiver_data_goes_there_and_back() -> None:
    log = notification_log()
    data: dict[str, str | int | float] = {"thread": "17.1", "count": -5, "ratio": 0.5}
    log.log(WEBHOOK, KEY, [], [], NOW, receiver_data=data)
    again = notification_log()
    again.load(log.encode_state(), NOW)
    entry = again.query(WEBHOOK, KEY)
    assert entry is not None
    assert entry.receiver_data == data


def mesh() -> MeshEntry:
    message = MeshEntry()
    message.entry.group_key = b"k"
    message.entry.receiver.group_name = "r"
    message.entry.timestamp.seconds = NOW // SECOND
    message.expires_at.seconds = NOW // SECOND + 10
    return message


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("group_key", "a notification log entry without group key"),
        ("receiver", "a notification log entry without receiver"),
    ],
)
def test_an_entry_that_names_nothing_is_refused_alone(field: str, reason: str) -> None:
    bad = mesh()
    bad.entry.ClearField(field)  # type: ignore[arg-type]
    with pytest.raises(RefusedEntryError, match=reason):
        codec.decode(bad.SerializeToString())
    log = notification_log()
    result = log.merge(write_delimited([bad.SerializeToString(), mesh().SerializeToString()]), NOW)
    assert (result.taken, result.refused) == (1, [reason])


def test_impossible_times_are_refused() -> None:
    for seconds, nanos in ((1 << 60, 0), (0, -1)):
        bad = mesh()
        bad.entry.timestamp.seconds, bad.entry.timestamp.nanos = seconds, nanos
        assert notification_log().merge(delimit(bad.SerializeToString()), NOW).refused_count == 1


def test_a_record_without_entry_refuses_the_payload() -> None:
    empty = MeshEntry(expires_at=mesh().expires_at).SerializeToString()
    log = notification_log()
    with pytest.raises(StateError):
        log.merge(write_delimited([mesh().SerializeToString(), empty]), NOW)
    assert len(log) == 0


def test_the_log_is_bounded() -> None:
    log = NotificationLog(HOUR, max_entries=2)
    for number in range(3):
        log.log(WEBHOOK, str(number), [], [], NOW)
    assert len(log) == 2
    assert log.log(WEBHOOK, "3", [], [], NOW) == []


@given(st.data())
def test_mutated_payloads_raise_state_error_only(data: st.DataObject) -> None:
    payload = bytearray(data.draw(st.sampled_from(PAYLOADS)).data)
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    log = notification_log()
    try:
        log.merge(bytes(payload), NOW)
    except StateError:
        assert len(log) == 0


def test_changes_of_one_group_and_receiver_share_their_name() -> None:
    log = notification_log()
    (first,) = log.log(WEBHOOK, KEY, [1], [], NOW)
    (second,) = log.log(WEBHOOK, KEY, [1, 2], [], NOW + SECOND)
    (other,) = log.log(Receiver("team", "webhook", 1), KEY, [1], [], NOW)
    assert log.key_of(first) == log.key_of(second) == (KEY.encode(), WEBHOOK)
    assert log.key_of(other) != log.key_of(first)


def test_an_entry_of_ours_stays_until_it_is_collected() -> None:
    """Its lifetime, twice a short ``repeat_interval``, may be over before it is on disk."""
    log = notification_log()
    entry = log.stage(WEBHOOK, KEY, [1], [], NOW, SECOND // 500, None)
    assert log.put(entry, NOW + SECOND)
    assert log.query(WEBHOOK, KEY) == entry
    assert log.gc(NOW + 2 * SECOND) == 1
    assert log.query(WEBHOOK, KEY) is None
    assert notification_log().merge(entry.encoded, NOW + SECOND).expired == 1, "a peer takes it no more"
