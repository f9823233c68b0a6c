"""LZW as Go's ``compress/lzw`` writes it: order LSB, literal width 8 (wire 1.5).

Codes 0 to 255 are literals, 256 clears the table, 257 ends the stream; codes are 9 to 12 bits wide, packed
from the least significant bit. The encoder's output is Go's byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tocsin.errors import WireError

_CLEAR: Final = 256
_EOF: Final = 257
_FIRST_WIDTH: Final = 9
_LAST_WIDTH: Final = 12
_TABLE_SIZE: Final = 1 << _LAST_WIDTH
_MAX_CODE: Final = _TABLE_SIZE - 1
_LAYER: Final = "lzw"
_LITERALS: Final = [bytes((value,)) for value in range(256)]


def compress(data: bytes) -> bytes:
    """The whole stream for ``data``: CLEAR, codes, EOF, zero bits to the byte border."""
    out = bytearray()
    bits, count, width = _CLEAR, _FIRST_WIDTH, _FIRST_WIDTH
    highest, overflow = _EOF, 1 << _FIRST_WIDTH
    table: dict[int, int] = {}
    prefix = -1
    for byte in data:
        if prefix < 0:
            prefix = byte
            continue
        pair = prefix << 8 | byte
        found = table.get(pair)
        if found is not None:
            prefix = found
            continue
        bits |= prefix << count
        count += width
        prefix = byte
        highest += 1
        if highest == overflow:
            width += 1
            overflow <<= 1
        if highest == _MAX_CODE:
            bits |= _CLEAR << count
            count += width
            width, highest, overflow = _FIRST_WIDTH, _EOF, 1 << _FIRST_WIDTH
            table.clear()
        else:
            table[pair] = highest
        if count >= 64:
            whole = count & ~7
            out += (bits & (1 << whole) - 1).to_bytes(whole >> 3, "little")
            bits >>= whole
            count -= whole
    if prefix >= 0:
        bits |= prefix << count
        count += width
        highest += 1
        if highest == overflow:
            width += 1
        if highest == _MAX_CODE:
            bits |= _CLEAR << count
            count += width
            width = _FIRST_WIDTH
    bits |= _EOF << count
    count += width
    return bytes(out) + bits.to_bytes((count + 7) >> 3, "little")


class Decompressor:
    """Unpacks a stream as its bytes arrive, never to more than ``maximum`` bytes in all.

    As Go's reader: a missing first CLEAR is fine, the table stops growing when it is full, bytes after EOF
    are ignored.
    """

    __slots__ = ("_bits", "_count", "_previous", "_table", "_total", "_width", "finished", "held", "maximum")

    def __init__(self, maximum: int) -> None:
        self.maximum: int = maximum
        self.finished: bool = False
        """EOF was read."""
        self.held: int = 0
        """Bytes of the table: up to 7 MiB, of zeros."""
        self._total = 0
        self._bits = 0
        self._count = 0
        self._width = _FIRST_WIDTH
        self._table: list[bytes] = [*_LITERALS, b"", b""]
        self._previous: bytes | None = None

    def feed(self, data: bytes | memoryview) -> bytes:
        """What ``data`` adds to the output; :class:`WireError` on bad codes or too much output."""
        return self._unpack(iter(data), self.maximum)

    def pieces(self, data: bytes | memoryview, size: int) -> Iterator[bytes]:
        """As :meth:`feed`, in pieces of about ``size`` bytes: a kilobyte of LZW may unpack to megabytes."""
        source = iter(data)
        while piece := self._unpack(source, size):
            yield piece

    def _unpack(self, source: Iterator[int], size: int) -> bytes:
        """Take from ``source`` until it is empty or ``size`` is passed; no output means that it is empty."""
        if self.finished:
            return b""
        out: list[bytes] = []
        append = out.append
        table, previous = self._table, self._previous
        bits, count, width = self._bits, self._count, self._width
        mask = (1 << width) - 1
        left = min(self.maximum - self._total, size)
        known, held = len(table), self.held
        for byte in source:
            bits |= byte << count
            count += 8
            if count < width:  # Codes are wider than a byte, so one byte completes at most one.
                continue
            code = bits & mask
            bits >>= width
            count -= width
            if code < known and code != _CLEAR and code != _EOF:
                entry = table[code]
                if previous is not None and known < _TABLE_SIZE:
                    table.append(previous + entry[:1])
                    known += 1
                    held += len(previous) + 1
            elif code == known and previous is not None:
                entry = previous + previous[:1]
                table.append(entry)
                known += 1
                held += len(entry)
            elif code == _CLEAR:
                del table[_EOF + 1 :]
                previous, known, held = None, _EOF + 1, 0
                width, mask = _FIRST_WIDTH, (1 << _FIRST_WIDTH) - 1
                continue
            elif code == _EOF:
                self.finished = True
                break
            else:
                raise WireError(_LAYER, f"code {code} is not in the table")
            append(entry)
            previous = entry
            # The next code may be the entry that is only about to be known: the width counts it.
            if known > mask and width < _LAST_WIDTH:
                width += 1
                mask = (1 << width) - 1
            left -= len(entry)
            if left < 0:
                break
        self._previous, self.held = previous, held
        self._bits, self._count, self._width = bits, count, width
        unpacked = b"".join(out)
        self._total += len(unpacked)
        if self._total > self.maximum:
            raise WireError(_LAYER, f"unpacks to more than {self.maximum} bytes")
        return unpacked


def decompress(data: bytes | memoryview, maximum: int) -> bytes:
    """The whole of a stream; :class:`WireError` also when it has no EOF."""
    decompressor = Decompressor(maximum)
    unpacked = decompressor.feed(data)
    if not decompressor.finished:
        raise WireError(_LAYER, "cut")
    return unpacked
