"""Envelopes and tags: what goes in comes out, and bytes from outside raise WireError alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import UserError, WireError
from tocsin.gossip.wire.envelope import (
    MAGIC,
    MAX_STATES,
    Envelope,
    EnvelopeKind,
    decode_envelope,
    decode_states,
    encode_envelope,
    encode_states,
)
from tocsin.gossip.wire.tags import decode_tags, encode_tags

short_texts = st.text(max_size=60)
envelopes = st.builds(
    Envelope,
    st.sampled_from(EnvelopeKind),
    st.binary(max_size=200),
    short_texts,
    st.binary(min_size=8, max_size=8),
)


@given(envelopes)
def test_an_envelope_comes_out_as_it_went_in(envelope: Envelope) -> None:
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(st.dictionaries(short_texts, st.binary(max_size=100), max_size=8))
def test_states_come_out_as_they_went_in(states: dict[str, bytes]) -> None:
    envelope = decode_envelope(encode_states(states))
    assert envelope is not None
    assert decode_states(envelope.payload) == states


@given(st.binary(max_size=100))
def test_what_does_not_begin_as_an_envelope_is_the_applications(data: bytes) -> None:
    if not data.startswith(MAGIC):
        assert decode_envelope(data) is None


@given(st.binary(max_size=100))
def test_hostile_bytes_raise_a_wire_error_alone(data: bytes) -> None:
    for decode in (lambda: decode_envelope(MAGIC + data), lambda: decode_states(data)):
        try:
            decode()
        except WireError:
            pass
    decode_tags(b"\xff" + data)


def test_states_and_names_are_bounded() -> None:
    many = b"".join(bytes((1, number, 0, 0, 0, 0)) for number in range(MAX_STATES + 1))
    with pytest.raises(WireError, match="too many"):
        decode_states(many)
    with pytest.raises(WireError, match="twice"):
        decode_states(bytes((1, 97, 0, 0, 0, 0)) * 2)  # else millions of them in one message
    with pytest.raises(UserError, match="255"):
        encode_envelope(Envelope(EnvelopeKind.CHANGE, b"", "a" * 256))


@given(st.dictionaries(short_texts, short_texts, max_size=8))
def test_tags_come_out_as_they_went_in(tags: dict[str, str]) -> None:
    assert decode_tags(encode_tags(tags)) == tags


def test_a_meta_that_is_something_else_has_no_tags() -> None:
    assert not decode_tags(b"")
    assert not decode_tags(b"role")
    assert not decode_tags(b"\xff\x93\x01\x02\x03")
    with pytest.raises(UserError, match="type str"):
        encode_tags({"port": 80})  # type: ignore[dict-item]
