"""Streams of LZW that would take long to make byte by byte."""

from __future__ import annotations

from tocsin.gossip.wire.msgpack import pack

_CLEAR, _EOF = 256, 257
_LAST = 4095


def zeros(count: int) -> bytes:
    """What ``lzw.compress`` makes of so many zeros: each code stands for one zero more than that before."""
    bits, size = _CLEAR, 9
    width, highest, left = 9, _EOF, count
    while left:
        length = min(highest - _EOF + 1, left)
        bits |= (length + 256 if length > 1 else 0) << size
        size += width
        left -= length
        highest += 1
        if highest == 1 << width:
            width += 1
        if highest == _LAST:
            bits |= _CLEAR << size
            size += width
            width, highest = 9, _EOF
    return (bits | _EOF << size).to_bytes((size + width + 7) >> 3, "little")


def compressed_zeros(count: int) -> bytes:
    """The same as a compress message."""
    return b"\x09" + pack({"Algo": 0, "Buf": zeros(count)})
