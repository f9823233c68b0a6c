"""Silences as bytes: those of real peers, unknown fields, fields that say a thing twice, hostile bytes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.state_payloads import StatePayload, state_payloads
from tocsin.alerting.digest.tree import version_of
from tocsin.alerting.entries import RefusedEntryError
from tocsin.alerting.matcher import Matcher, MatchType, format_matchers, parse_matchers
from tocsin.alerting.protocol import delimit, read_delimited, write_delimited
from tocsin.alerting.protocol.silence_pb2 import MatcherSet, MeshSilence
from tocsin.alerting.silence import Silence, Silences, codec
from tocsin.alerting.timestamp import SECOND, ZERO
from tocsin.errors import StateError

PAYLOADS = state_payloads("sil")
FILES = [payload for payload in PAYLOADS if payload.kind == "file"]
NOW = 1795472000 * SECOND  # before the earliest expiry of the captured silences


def silences() -> Silences:
    return Silences(120 * 3600 * SECOND, random=Random(1))


def messages(data: bytes) -> list[bytes]:
    return sorted(bytes(message) for message in read_delimited(data))


@pytest.mark.parametrize("payload", FILES, ids=lambda payload: payload.case)
def test_a_snapshot_file_of_alertmanager_is_written_back_byte_for_byte(payload: StatePayload) -> None:
    state = silences()
    result = state.load(payload.data, NOW)
    assert result.refused == []
    assert result.taken == len(state) == len(messages(payload.data))
    kept = messages(state.encode_state())
    if payload.case == "am-025-extra/file-silences":
        # This file has a silence with matcher sets only: what older peers read is filled in (wire 4.2).
        changed = set(kept) ^ set(messages(payload.data))
        assert {MeshSilence.FromString(message).silence.id for message in changed} == {"two-sets"}
    else:
        assert kept == messages(payload.data)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.case)
def test_every_captured_payload_merges(payload: StatePayload) -> None:
    state = silences()
    result = state.merge(payload.data, NOW)
    assert (result.refused, result.expired) == ([], 0)
    assert result.taken == len(state) > 0
    assert state.merge(payload.data, NOW).taken == 0
    again = silences()
    again.merge(state.encode_state(), NOW)
    assert messages(again.encode_state()) == messages(state.encode_state())


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.case)
def test_the_version_that_comes_with_a_silence_is_that_of_its_canonical_encoding(
    payload: StatePayload,
) -> None:
    for message in read_delimited(payload.data):
        silence = codec.decode(message)
        changed = codec.encode(replace(silence, comment="new"), silence)
        assert silence.version in (0, version_of(codec.canonical(silence)))
        assert changed.version == version_of(codec.canonical(changed)) != silence.version
        assert codec.decode(next(read_delimited(changed.encoded))).version == changed.version


def test_our_encoding_is_that_of_alertmanager_0_33() -> None:
    for payload in FILES:
        if payload.case == "disk-033/silences":
            for message in read_delimited(payload.data):
                silence = codec.decode(message)
                assert codec.encode(replace(silence, encoded=b"")).encoded == delimit(bytes(message))
            return
    raise AssertionError("the file is missing")


def test_unknown_fields_survive_the_store_a_snapshot_and_a_change() -> None:
    (payload,) = [payload for payload in FILES if payload.case == "am-025-extra/file-silences"]
    state = silences()
    state.load(payload.data, NOW)
    unknown = bytes.fromhex("7a076b656570206d65")  # field 15, "keep me"
    again = silences()
    again.load(state.encode_state(), NOW)
    assert unknown in again.encode_state()
    (change,) = again.expire("unknown-field", NOW + 960 * SECOND)
    assert unknown in change
    assert unknown in again.encode_state()


def test_annotations_and_matcher_sets_are_read() -> None:
    (payload,) = [payload for payload in FILES if payload.case == "am-025-extra/file-silences"]
    state = silences()
    state.load(payload.data, NOW)
    annotated = state.get("annotated")
    assert annotated is not None
    assert dict(annotated.annotations) == {"k1": "v1", "k2": "v2"}
    two = state.get("two-sets")
    assert two is not None
    assert [format_matchers(matchers) for matchers in two.matcher_sets] == ['{a="b"}', '{c!="d",e=~"f.*"}']
    assert two.matchers == two.matcher_sets[0]


def mesh(text: str = 'a="b"', *, identifier: str = "x", updated: int = 1) -> MeshSilence:
    message = MeshSilence()
    silence = message.silence
    silence.id = identifier
    for matcher in parse_matchers(text):
        silence.matchers.add(type=int(matcher.type), name=matcher.name, pattern=matcher.value)
    silence.starts_at.seconds = 1
    silence.ends_at.seconds = 100
    silence.updated_at.seconds = updated
    message.expires_at.seconds = 1000
    return message


def decode(message: MeshSilence) -> Silence:
    return codec.decode(message.SerializeToString())


def test_matcher_sets_count_and_the_first_is_written_for_older_peers() -> None:
    message = mesh('old="x"')
    message.silence.matcher_sets.append(MatcherSet(matchers=mesh('new="y"').silence.matchers))
    silence = decode(message)
    assert format_matchers(silence.matchers) == '{new="y"}'
    written = MeshSilence.FromString(bytes(next(read_delimited(silence.encoded)))).silence
    assert [matcher.name for matcher in written.matchers] == ["new"]


def test_the_first_legacy_comment_counts() -> None:
    message = mesh()
    message.silence.comments.add(author="author1", comment="comment1")
    message.silence.comments.add(author="author2", comment="comment2")
    silence = decode(message)
    assert (silence.created_by, silence.comment) == ("author1", "comment1")
    assert b"comment2" not in silence.encoded


def test_encodings_that_mean_the_same_are_one() -> None:
    plain = decode(mesh())
    filled = codec.encode(replace(plain, encoded=b""))
    assert plain.encoded != filled.encoded
    assert codec.canonical(plain) == codec.canonical(filled)


def bad(change: str) -> MeshSilence:
    message = mesh()
    silence = message.silence
    match change:
        case "no matchers":
            del silence.matchers[:]
        case "an empty set":
            silence.matcher_sets.add()
        case "a bad regexp":
            silence.matchers.add(type=1, name="a", pattern="[")
        case "an unknown type":
            silence.matchers.add(type=9, name="a", pattern="b")
        case "no label name":
            silence.matchers.add(type=0, name="", pattern="b")
        case "matches the empty string":
            silence.matchers[0].pattern = ""
        case "no start":
            silence.ClearField("starts_at")
        case "no end":
            silence.ClearField("ends_at")
        case "end before start":
            silence.ends_at.seconds = 0
        case "impossible nanoseconds":
            silence.updated_at.nanos = -1
        case "after year 9999":
            silence.ends_at.seconds = 1 << 60
        case "no id":
            silence.id = ""
        case "a long id":
            silence.id = "x" * 129
        case _:
            raise AssertionError(change)
    return message


BAD = [
    ("no matchers", "silence x: at least one matcher set required"),
    ("an empty set", "silence x: matcher set 0 is empty"),
    (
        "a bad regexp",
        (
            'silence x: invalid label matcher 1 in set 0: invalid regular expression "[": '
            "error parsing regexp: missing closing ]: `[`"
        ),
    ),
    ("an unknown type", 'silence x: invalid label matcher 1 in set 0: unknown matcher type "9"'),
    ("no label name", 'silence x: invalid label matcher 1 in set 0: invalid label name ""'),
    (
        "matches the empty string",
        "silence x: matcher set 0: at least one matcher must not match the empty string",
    ),
    ("no start", "silence x: invalid zero start timestamp"),
    ("no end", "silence x: invalid zero end timestamp"),
    ("end before start", "silence x: end time must not be before start time"),
    ("impossible nanoseconds", "silence x: -1 nanoseconds in a timestamp"),
    ("after year 9999", "silence x: a time outside years 1 to 9999"),
    ("no id", "a silence without id"),
    ("a long id", "a silence id of 129 characters"),
]


@pytest.mark.parametrize(("change", "reason"), BAD)
def test_an_unacceptable_silence_is_refused_alone(change: str, reason: str) -> None:
    with pytest.raises(RefusedEntryError) as caught:
        decode(bad(change))
    assert str(caught.value) == reason
    good_before, good_after = mesh(identifier="before"), mesh(identifier="after")
    data = write_delimited([m.SerializeToString() for m in (good_before, bad(change), good_after)])
    state = silences()
    result = state.merge(data, 2 * SECOND)
    assert (result.taken, result.refused_count, result.refused) == (2, 1, [reason])
    assert state.get("before") is not None
    assert state.get("after") is not None
    assert len(state) == 2


@pytest.mark.parametrize(
    "message",
    [b"\x0a\xff", b"", MeshSilence(expires_at=mesh().expires_at).SerializeToString(), b"\x0a\x02\x0a\x05"],
)
def test_bytes_that_are_no_silence_refuse_the_whole_payload(message: bytes) -> None:
    state = silences()
    with pytest.raises(StateError):
        state.merge(write_delimited([mesh().SerializeToString(), message]), 2 * SECOND)
    assert len(state) == 0


@given(st.data())
def test_mutated_payloads_raise_state_error_only(data: st.DataObject) -> None:
    payload = bytearray(data.draw(st.sampled_from(PAYLOADS)).data)
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    state = silences()
    try:
        state.merge(bytes(payload), NOW)
    except StateError:
        assert len(state) == 0
    for silence in state.query(NOW):
        assert silence.matcher_sets


@given(st.binary(max_size=80))
def test_hostile_bytes_raise_state_error_only(data: bytes) -> None:
    for entry in (data, delimit(data), delimit(b"\x0a" + bytes([len(data)]) + data)):
        try:
            silences().merge(entry, NOW)
        except StateError:
            pass


def test_a_silence_with_no_end_in_sight_is_kept() -> None:
    state = silences()
    far = Silence("", ((Matcher(MatchType.EQUAL, "a", "b"),),), ZERO, 253402300799 * SECOND)  # year 9999
    identifier, (change,) = state.set(far, NOW)
    other = silences()
    assert other.merge(change, NOW).taken == 1
    assert other.get(identifier) == state.get(identifier)
