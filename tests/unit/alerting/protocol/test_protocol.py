"""Delimited sequences and the envelope of state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.state_payloads import state_payloads
from tocsin.alerting.protocol import (
    decode_full_state,
    decode_part,
    delimit,
    encode_full_state,
    encode_part,
    read_delimited,
    write_delimited,
)
from tocsin.alerting.protocol.delimited import MAX_MESSAGE_BYTES
from tocsin.alerting.protocol.parts import MAX_PARTS, FullStateSlices
from tocsin.errors import StateError


@given(st.lists(st.binary(max_size=300)))
def test_sequences_read_back(messages: list[bytes]) -> None:
    assert [bytes(message) for message in read_delimited(write_delimited(messages))] == messages


@given(st.binary(max_size=64))
def test_hostile_sequences_end_in_state_error_only(data: bytes) -> None:
    try:
        total = sum(len(message) for message in read_delimited(data))
    except StateError:
        return
    assert total < len(data) or not data


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x05abc", "has 5 bytes, only 3 are there"),
        (b"\x80", "is cut or too long"),
        (b"\xff" * 11, "is cut or too long"),
        (delimit(b"ok") + b"\xff\xff\xff\xff\x7f", f"the limit is {MAX_MESSAGE_BYTES}"),
    ],
)
def test_bad_lengths(data: bytes, problem: str) -> None:
    with pytest.raises(StateError, match=problem):
        list(read_delimited(data))


def test_the_number_of_messages_is_bounded() -> None:
    assert len(list(read_delimited(b"\x00" * 10, max_messages=10))) == 10
    with pytest.raises(StateError, match="more than 10 messages"):
        list(read_delimited(b"\x00" * 11, max_messages=10))


def test_a_part_has_alertmanagers_bytes() -> None:
    assert encode_part("sil", b"") == bytes.fromhex("0a0373696c")
    assert encode_part("sil", b"ab") == bytes.fromhex("0a0373696c12026162")
    assert decode_part(bytes.fromhex("0a0373696c12026162")) == ("sil", b"ab")
    assert decode_part(b"") == ("", b"")


def test_an_empty_full_state_has_alertmanagers_bytes() -> None:
    data = bytes.fromhex("0a050a036e666c0a050a0373696c")
    assert encode_full_state({"nfl": b"", "sil": b""}) == data
    assert decode_full_state(data) == [("nfl", b""), ("sil", b"")]


@given(
    st.dictionaries(st.sampled_from(["sil", "nfl", "x"]), st.lists(st.binary(max_size=200))),
    st.text(max_size=9),
)
def test_a_full_state_in_slices_has_the_same_bytes(parts: dict[str, list[bytes]], sender: str) -> None:
    class Slices(list[bytes]):
        def __len__(self) -> int:
            return sum(map(len, iter(self)))

    sliced = FullStateSlices({key: Slices(data) for key, data in parts.items()}, sender)
    whole = encode_full_state({key: b"".join(data) for key, data in parts.items()}, sender)
    assert b"".join(sliced) == whole
    assert len(sliced) == len(whole)


def test_captured_payloads_go_through_the_envelope() -> None:
    for payload in state_payloads("sil") + state_payloads("nfl"):
        assert decode_part(encode_part(payload.key, payload.data)) == (payload.key, payload.data)
        (part,) = decode_full_state(encode_full_state({payload.key: payload.data}))
        assert part == (payload.key, payload.data)


def test_parts_are_bounded() -> None:
    assert len(decode_full_state(b"\x0a\x00" * MAX_PARTS)) == MAX_PARTS
    with pytest.raises(StateError, match="parts in the user state"):
        decode_full_state(b"\x0a\x00" * (MAX_PARTS + 1))
    with pytest.raises(StateError, match="state key of 65 characters"):
        decode_part(encode_part("x" * 65, b""))


@given(st.binary(max_size=64))
def test_hostile_envelopes_end_in_state_error_only(data: bytes) -> None:
    for decode in (decode_part, decode_full_state):
        try:
            decode(data)
        except StateError:
            pass
