"""A compress message on a stream, unpacked while it arrives (specification 1.3, type 9)."""

from __future__ import annotations

from typing import Final

from tocsin.errors import WireError
from tocsin.gossip.wire.limits import Limits
from tocsin.gossip.wire.lzw import Decompressor

_LAYER: Final = "lzw"
_HEADER_MAXIMUM: Final = 512
"""Go's is 13 to 15 bytes; this leaves room for keys that we do not know."""


class CompressedBody:
    """The map ``{Algo, Buf}`` after the type byte: finds ``Buf`` and unpacks its bytes as they come.

    A compressed push/pull has megabytes: to gather it first and then unpack it would hold the event loop.
    """

    def __init__(self, limits: Limits) -> None:
        self._header = bytearray()
        self._decompressor = Decompressor(limits.stream)
        self._limits = limits
        self._left: int | None = None

    @property
    def finished(self) -> bool:
        """All has been unpacked; bytes that follow are not of this message."""
        return self._decompressor.finished

    def feed(self, data: bytes) -> bytes:
        """What ``data`` adds; :class:`WireError` on anything but LZW."""
        if self._left is None:
            self._header += data
            start = self._find_buffer()
            if start is None:
                if len(self._header) > _HEADER_MAXIMUM:
                    raise WireError(_LAYER, f"no Buf within {_HEADER_MAXIMUM} bytes")
                return b""
            data, self._header = bytes(self._header[start:]), bytearray()
        assert self._left is not None  # noqa: S101  (set by _find_buffer)
        data = data[: self._left]
        self._left -= len(data)
        unpacked = self._decompressor.feed(data)
        if not self._left and not self._decompressor.finished:
            raise WireError(_LAYER, "cut")
        return unpacked

    def _find_buffer(self) -> int | None:
        """Where the bytes of ``Buf`` begin, or None while the header is not whole."""
        try:
            return self._parse()
        except IndexError:
            return None

    def _parse(self) -> int:
        header = self._header
        kind, position = header[0], 1
        if 0x80 <= kind <= 0x8F:
            pairs = kind & 0x0F
        elif kind == 0xDE:
            pairs, position = _number(header, 1, 2), 3
        else:
            raise WireError(_LAYER, "a message's body is a map")
        for _ in range(pairs):
            length, position = _raw_length(header, position)
            key = _slice(header, position, length)
            position += length
            if key == b"Buf":
                self._left, position = _raw_length(header, position)
                if self._left > self._limits.stream:
                    raise WireError(_LAYER, f"Buf of {self._left} bytes, at most {self._limits.stream}")
                return position
            if key == b"Algo":
                algorithm, position = _small_number(header, position)
                if algorithm:
                    raise WireError(_LAYER, f"compression algorithm {algorithm} is unknown")
            else:
                raise WireError(_LAYER, "an unknown key before Buf")
        raise WireError(_LAYER, "no Buf")


def _slice(header: bytearray, start: int, length: int) -> bytes:
    if length > _HEADER_MAXIMUM:
        raise WireError(_LAYER, "a key is too long")
    if start + length > len(header):
        raise IndexError
    return bytes(header[start : start + length])


def _number(header: bytearray, start: int, size: int) -> int:
    return int.from_bytes(_slice(header, start, size), "big")


def _raw_length(header: bytearray, position: int) -> tuple[int, int]:
    """Length and start of a raw, str or bin."""
    kind = header[position]
    if 0xA0 <= kind <= 0xBF:
        return kind & 0x1F, position + 1
    size = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}.get(kind)
    if size is None:
        raise WireError(_LAYER, f"msgpack type {kind:#x} instead of a byte string")
    return _number(header, position + 1, size), position + 1 + size


def _small_number(header: bytearray, position: int) -> tuple[int, int]:
    """A non-negative integer in any encoding, or nil (which is 0)."""
    kind = header[position]
    if kind <= 0x7F:
        return kind, position + 1
    if kind == 0xC0:
        return 0, position + 1
    size = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}.get(kind)
    if size is None:
        raise WireError(_LAYER, "Algo is not an integer")
    return _number(header, position + 1, size), position + 1 + size
