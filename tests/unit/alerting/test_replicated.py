"""Merging: whatever the order, however often, in however many steps, the result is the same."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.protocol import delimit, read_delimited, write_delimited
from tocsin.alerting.protocol.nflog_pb2 import MeshEntry
from tocsin.alerting.protocol.silence_pb2 import MeshSilence
from tocsin.alerting.silence import Silences
from tocsin.alerting.silence import codec as silence_codec
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import StateError

NOW = 100 * SECOND
State = Silences | NotificationLog


def silence(identifier: str, stamp: int, expires: int, comment: str) -> bytes:
    message = MeshSilence()
    message.silence.id = identifier
    message.silence.matchers.add(name="a", pattern="b")
    message.silence.starts_at.seconds = 1
    message.silence.ends_at.seconds = 50
    message.silence.updated_at.seconds = stamp
    message.silence.comment = comment
    message.expires_at.seconds = expires
    return message.SerializeToString()


def log_entry(key: str, stamp: int, expires: int, integration: str) -> bytes:
    message = MeshEntry()
    message.entry.group_key = key.encode()
    message.entry.receiver.group_name = "r"
    message.entry.timestamp.seconds = stamp
    message.entry.firing_alerts.append(len(integration))
    message.entry.resolved = integration == "y"
    message.expires_at.seconds = expires
    return message.SerializeToString()


def make(kind: str) -> State:
    return Silences(10 * SECOND, random=Random(1)) if kind == "silences" else NotificationLog(10 * SECOND)


def content(state: State) -> list[bytes]:
    return sorted(bytes(message) for message in read_delimited(state.encode_state()))


kinds = st.sampled_from(["silences", "log"])
# few keys, stamps and expiries around now: ties and expired entries are the rule
fields = st.tuples(
    st.sampled_from(["k1", "k2", "k3"]),
    st.integers(1, 4),
    st.integers(98, 103),
    st.sampled_from(["", "x", "y"]),
)


def encode(kind: str, entries: list[tuple[str, int, int, str]]) -> bytes:
    one = silence if kind == "silences" else log_entry
    return write_delimited([one(*entry) for entry in entries])


@settings(max_examples=many(200))
@given(kinds, st.lists(fields, max_size=5), st.lists(fields, max_size=5), st.lists(fields, max_size=5))
def test_merging_commutes_associates_and_is_idempotent(
    kind: str,
    first: list[tuple[str, int, int, str]],
    second: list[tuple[str, int, int, str]],
    third: list[tuple[str, int, int, str]],
) -> None:
    a, b, c = (encode(kind, entries) for entries in (first, second, third))
    one = make(kind)
    for data in (a, b, c):
        one.merge(data, NOW)
    other = make(kind)
    for data in (c, b, a, a, c):
        other.merge(data, NOW)
    assert content(one) == content(other)
    pair = make(kind)
    pair.merge(b, NOW)
    pair.merge(c, NOW)
    grouped = make(kind)
    grouped.merge(a, NOW)
    grouped.merge(pair.encode_state(), NOW)
    assert content(grouped) == content(one)
    before = content(one)
    assert one.merge(one.encode_state(), NOW).taken == 0
    assert content(one) == before


@settings(max_examples=many(200))
@given(kinds, st.lists(fields, max_size=8), st.integers(98, 103))
@example("silences", [("k1", 1, 98, "x"), ("k1", 1, 99, "")], 98)
def test_what_was_collected_does_not_come_back(
    kind: str, entries: list[tuple[str, int, int, str]], collected_at: int
) -> None:
    state = make(kind)
    data = encode(kind, entries)
    state.merge(data, 98 * SECOND)
    state.gc(collected_at * SECOND)
    kept = content(state)
    for later in range(collected_at, 105):
        state.merge(data, later * SECOND + 1)
        assert set(content(state)) <= set(kept)


def test_an_older_version_that_lives_longer_stays_away_after_gc() -> None:
    state = make("silences")
    older, newer = delimit(silence("k", 1, 1000, "")), delimit(silence("k", 2, 110, ""))
    state.merge(older, NOW)
    state.merge(newer, NOW)
    assert state.gc(110 * SECOND) == 1
    assert state.merge(older, 200 * SECOND).unchanged == 1
    assert len(state) == 0
    assert state.merge(delimit(silence("k", 3, 1000, "")), 200 * SECOND).taken == 1
    state.gc(1000 * SECOND)
    assert not state._state._tombstones  # type: ignore[union-attr]


@given(kinds, st.lists(fields, max_size=12), st.integers(1, 5))
def test_steps_of_any_size_give_the_same(
    kind: str, entries: list[tuple[str, int, int, str]], budget: int
) -> None:
    data = encode(kind, entries)
    whole, stepped = make(kind), make(kind)
    result = whole.merge(data, NOW)
    job = stepped.merge_job(data, NOW)
    steps = 1
    while not job.step(budget):
        steps += 1
    assert content(whole) == content(stepped)
    assert job.result == result
    assert steps >= len(entries) // budget


def test_nothing_is_stored_before_all_is_decoded() -> None:
    state = make("silences")
    job = state.merge_job(delimit(silence("k", 1, 1000, "")) * 10 + b"\x05bad", NOW)
    for _ in range(10):
        assert not job.step(1)
        assert len(state) == 0
    with pytest.raises(StateError):
        job.step(1)
    assert len(state) == 0


def test_what_is_new_is_broadcast_again_unless_the_data_is_long() -> None:
    state = make("silences")
    old, new = delimit(silence("old", 1, 1000, "")), delimit(silence("new", 1, 1000, ""))
    assert state.merge(old, NOW).rebroadcast == [old]
    assert state.merge(old + new, NOW).rebroadcast == [new]
    assert state.merge(old + new, NOW).rebroadcast == []
    just = silence("just", 1, 1000, "")
    room = 700 - len(delimit(just)) - 8
    assert len(state.merge(delimit(silence("just", 1, 1000, "x" * room)), NOW).rebroadcast) == 1
    assert state.merge(delimit(silence("long", 1, 1000, "x" * 700)), NOW).rebroadcast == []


def test_equal_stamps_are_settled_alike_however_a_peer_encodes() -> None:
    state = make("silences")
    plain = silence("k", 1, 1000, "")
    state.merge(delimit(plain), NOW)
    with_sets = silence_codec.encode(silence_codec.decode(plain)).encoded
    assert with_sets != delimit(plain)
    assert state.merge(with_sets, NOW).unchanged == 1
    assert content(state) == [plain]


def test_counts_of_a_result() -> None:
    state = make("silences")
    data = write_delimited(
        [
            silence("k1", 2, 1000, ""),
            silence("k1", 1, 1000, ""),
            silence("gone", 1, 99, ""),
            silence("", 1, 1000, ""),
        ]
    )
    result = state.merge(data, NOW)
    assert (result.taken, result.unchanged, result.expired, result.refused_count) == (1, 1, 1, 1)
    assert result.refused == ["a silence without id"]
