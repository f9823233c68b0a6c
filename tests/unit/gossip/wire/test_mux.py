"""Frames of ``tocsin/1``: as documented, and nothing but WireError on hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.errors import WireError
from tocsin.gossip.wire import mux
from tocsin.gossip.wire.mux import Hello, MuxCode, MuxError, MuxFrameDecoder

HELLO = Hello(
    instance=bytes(range(16)),
    address="10.0.0.1:9094",
    sequence=7,
    current=3,
    max_streams=256,
    stream_window=262144,
    connection_window=1048576,
    max_packet=4194304,
    two_way=True,
)


def frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    decoder = MuxFrameDecoder()
    decoder.feed(data)
    found = []
    while (frame := decoder.next_frame()) is not None:
        found.append(frame)
    return found


def test_the_documents_example_bytes() -> None:
    assert mux.encode_hello(HELLO) == bytes.fromhex(
        "01 01 003e 00000000 01 00 0100 00040000 00100000 00400000"
        "0000000000000007 0000000000000003 000102030405060708090a0b0c0d0e0f"
        "0d 31302e302e302e313a39303934"
    )
    assert mux.encode_window(5, 65536) == bytes.fromhex("06 00 0004 00000005 00010000")
    assert mux.encode_reason(mux.RESET, 3, MuxCode.REFUSED, "no") == bytes.fromhex(
        "07 00 0004 00000003 0007 6e6f"
    )


@given(
    st.builds(
        Hello,
        instance=st.binary(min_size=16, max_size=16),
        address=st.text(max_size=60),
        sequence=st.integers(1, 2**64 - 1),
        current=st.integers(0, 2**64 - 1),
        max_streams=st.integers(0, 65535),
        stream_window=st.integers(0, mux.MAX_WINDOW),
        connection_window=st.integers(0, mux.MAX_WINDOW),
        max_packet=st.integers(0, 2**32 - 1),
        two_way=st.booleans(),
    ),
    st.binary(max_size=20),
)
def test_hello_survives_and_later_versions_may_add_to_it(hello: Hello, more: bytes) -> None:
    [(frame_type, flags, stream, payload)] = frames(mux.encode_hello(hello))
    assert (frame_type, stream) == (mux.HELLO, 0)
    assert mux.decode_hello(flags, payload + more) == hello


@given(st.lists(st.binary(max_size=300), max_size=10), st.data())
def test_frames_are_found_whatever_the_reads(payloads: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(mux.encode_frame(mux.PACKET, 0, 0, payload) for payload in payloads)
    decoder, found = MuxFrameDecoder(), []
    while wire:
        cut = data.draw(st.integers(1, len(wire)))
        decoder.feed(wire[:cut])
        wire = wire[cut:]
        while (frame := decoder.next_frame()) is not None:
            found.append(frame[3])
    assert found == payloads
    assert decoder.pending == 0


def test_a_frame_past_the_limit_is_neither_made_nor_read() -> None:
    with pytest.raises(ValueError, match="16384"):
        mux.encode_frame(mux.DATA, 0, 1, bytes(16385))
    with pytest.raises(MuxError) as refused:
        frames(mux.encode_header(mux.DATA, 0, 16385, 1))
    assert refused.value.code is MuxCode.FRAME_SIZE


@settings(max_examples=many(200))
@given(st.binary(max_size=200), st.integers(0, 255))
def test_hostile_payloads_raise_wire_errors_only(payload: bytes, flags: int) -> None:
    for decode in (mux.decode_window, mux.decode_reason, lambda data: mux.decode_hello(flags, data)):
        try:
            decode(payload)
        except WireError:
            pass


def test_an_unknown_code_and_broken_words_are_no_error() -> None:
    assert mux.decode_reason(b"\x12\x34\xff\xfe") == (MuxCode.UNKNOWN, "��")
    assert len(mux.encode_reason(mux.GOAWAY, 0, MuxCode.NONE, "ä" * 1000)) <= 8 + 2 + 256
