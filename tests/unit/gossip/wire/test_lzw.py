"""LZW: Go's bytes out, Go's bytes and oddities in, and never more memory than allowed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.lzw import zeros
from tests.support.vectors import DIRECTORY
from tocsin.errors import WireError
from tocsin.gossip.wire.lzw import Decompressor, compress, decompress

_ROOM = 1 << 20
_GOLDEN = json.loads((DIRECTORY / "lzw.json").read_text(encoding="utf-8"))


def field(entry: dict[str, Any], name: str) -> bytes:
    if f"{name}_hex" in entry:
        return bytes.fromhex(entry[f"{name}_hex"])
    [packed] = [value for key, value in entry.items() if key.startswith(name) and "b64" in key]
    return zlib.decompress(base64.b64decode(packed))


@pytest.mark.parametrize("entry", [pytest.param(e, id=e["name"]) for e in _GOLDEN["encode"]])
def test_the_encoder_writes_what_go_writes(entry: dict[str, Any]) -> None:
    plain, packed = field(entry, "plain"), field(entry, "lzw")
    assert hashlib.sha256(plain).hexdigest() == entry["plain_sha256"]
    assert compress(plain) == packed
    assert decompress(packed, _ROOM) == plain


@pytest.mark.parametrize("entry", [pytest.param(e, id=e["name"]) for e in _GOLDEN["decode_edge_cases"]])
def test_the_decoder_does_what_gos_does_with_odd_streams(entry: dict[str, Any]) -> None:
    packed = field(entry, "lzw")
    if "go_error" in entry:
        with pytest.raises(WireError, match="lzw"):
            decompress(packed, _ROOM)
    else:
        assert decompress(packed, _ROOM) == field(entry, "go_output")


@given(st.binary(max_size=5000), st.integers(1, 700))
@settings(max_examples=many(100))
def test_round_trip_in_any_pieces(plain: bytes, step: int) -> None:
    packed = compress(plain)
    decoder = Decompressor(len(plain))
    pieces = [decoder.feed(packed[start : start + step]) for start in range(0, len(packed), step)]
    assert b"".join(pieces) == plain
    assert decoder.finished


@given(st.binary(max_size=400))
@settings(max_examples=many(200))
def test_hostile_bytes_give_one_error_only(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert len(decompress(data, 4096)) <= 4096


def test_zeros_that_are_packed_code_by_code_are_the_same() -> None:
    for count in (0, 1, 2, 3, 1000, 131_000, 1_000_000):
        assert zeros(count) == compress(bytes(count))
    large = bytes(16 * 1024 * 1024)  # the table is full more than once
    assert decompress(zeros(len(large)), len(large)) == large


def test_a_bomb_is_refused_while_it_unpacks() -> None:
    bomb = zeros(16 * 1024 * 1024)
    assert len(bomb) < 20_000
    with pytest.raises(WireError, match="unpacks to more than 65536 bytes"):
        decompress(bomb, 65536)


def test_a_bomb_of_many_clears_is_refused_too() -> None:
    """Each CLEAR empties the table: the bound must be on the total, not on a table's worth."""
    bomb = b"".join(compress(bytes(5000))[:-2] for _ in range(3))
    with pytest.raises(WireError, match="lzw"):
        decompress(bomb * 50, 4000)


def test_a_little_that_unpacks_to_much_comes_in_pieces() -> None:
    plain = bytes(1_000_000)
    packed = compress(plain)
    pieces = list(Decompressor(len(plain)).pieces(packed, 10_000))
    assert b"".join(pieces) == plain
    assert max(map(len, pieces)) < 10_000 + 4096


@given(st.binary(max_size=3000), st.integers(1, 700), st.integers(1, 500))
@settings(max_examples=many(100))
def test_pieces_of_any_size_make_the_whole(plain: bytes, step: int, size: int) -> None:
    packed = compress(plain * 3)
    decoder = Decompressor(len(plain) * 3)
    out = [
        piece
        for start in range(0, len(packed), step)
        for piece in decoder.pieces(packed[start : start + step], size)
    ]
    assert b"".join(out) == plain * 3
    assert decoder.finished
