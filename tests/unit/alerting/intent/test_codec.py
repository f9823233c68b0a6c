"""Intents as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.alerting.intent.codec import (
    MAX_PAYLOAD,
    RECORDS_PER_PAYLOAD,
    Kind,
    Record,
    content_of,
    decode,
    encode,
    key_of,
)
from tocsin.alerting.nflog import Receiver
from tocsin.errors import StateError

HOOK = Receiver("hook", "webhook", 0)
NUMBERS = st.integers(0, (1 << 64) - 1)
RECORDS = st.builds(
    Record,
    st.sampled_from(Kind),
    st.integers(0, 0xFFFF),
    st.integers(0, (1 << 32) - 1),
    NUMBERS,
    NUMBERS,
    st.binary(min_size=16, max_size=16),
)


def test_the_layout_is_the_documented_one() -> None:
    record = Record(Kind.SENDING, 2, 3500, 7, 9, bytes(range(16)))
    (payload,) = encode("ab", [record])
    assert payload.hex() == (
        "0102" + "6162" + "02" + "0002" + "00000dac" + "0000000000000007" + "0000000000000009"
        "000102030405060708090a0b0c0d0e0f"
    )


@given(st.text(min_size=1, max_size=60), st.lists(RECORDS, max_size=60))
@settings(max_examples=many(100))
def test_what_is_told_is_heard(name: str, records: list[Record]) -> None:
    payloads = list(encode(name, records))
    assert all(len(payload) <= 1400 for payload in payloads), "each fits a packet"
    assert [one for payload in payloads for one in decode(payload)[1]] == records
    assert all(decode(payload)[0] == name for payload in payloads)
    assert len(payloads) == -(-len(records) // RECORDS_PER_PAYLOAD)


@given(st.binary(max_size=200))
@settings(max_examples=many(200))
def test_hostile_bytes_are_refused_with_one_kind_of_error(data: bytes) -> None:
    try:
        decode(data)
    except StateError:
        pass


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x01", b"\x02\x01a", b"\x01\x00", b"\x01\x05ab", b"\x01\x01a" + b"\x09" * 39, b"\x01\x01\xff"],
)
def test_malformed_payloads_are_refused(payload: bytes) -> None:
    with pytest.raises(StateError):
        decode(payload)


def test_a_payload_beyond_the_bound_is_refused_unread() -> None:
    with pytest.raises(StateError, match="limit"):
        decode(b"\x01\x01a" + bytes(MAX_PAYLOAD))


def test_keys_and_contents_differ_when_what_they_stand_for_does() -> None:
    keys = {
        key_of(HOOK, "g"),
        key_of(HOOK, "h"),
        key_of(Receiver("hook", "webhook", 1), "g"),
        key_of(Receiver("hookw", "ebhook", 0), "g"),
    }
    assert len(keys) == 4
    assert content_of([1, 2], []) == content_of([2, 1], [])
    assert len({content_of([1, 2], []), content_of([1], [2]), content_of([], [1, 2])}) == 3
