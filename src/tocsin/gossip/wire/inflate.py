"""A compress message on a stream, unpacked while it arrives (wire 1.3, type 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tocsin.errors import WireError
from tocsin.gossip.wire.limits import Limits
from tocsin.gossip.wire.lzw import Decompressor
from tocsin.gossip.wire.msgpack import HOSTILE, OUT_OF_DATA, refusal, unpacker, unsigned

_LAYER: Final = "lzw"
_HEADER_MAXIMUM: Final = 512
"""Go's is 13 to 15 bytes; this leaves room for keys that we do not know."""


class CompressedBody:
    """The map ``{Algo, Buf}`` after the type byte: finds ``Buf`` and unpacks its bytes as they come.

    A compressed push/pull has megabytes: to gather it first and then unpack it would hold the event loop.
    """

    def __init__(self, limits: Limits) -> None:
        self._header = b""
        self._decompressor = Decompressor(limits.stream)
        self._limits = limits
        self._left: int | None = None

    @property
    def finished(self) -> bool:
        """All has been unpacked; bytes that follow are not of this message."""
        return self._decompressor.finished

    @property
    def held(self) -> int:
        """Bytes that unpacking needs."""
        return self._decompressor.held

    def pieces(self, data: bytes, size: int) -> Iterator[bytes]:
        """What ``data`` adds, about ``size`` bytes at a time; :class:`WireError` on anything but LZW."""
        if self._left is None:
            self._header += data
            start = self._find_buffer()
            if start is None:
                if len(self._header) > _HEADER_MAXIMUM:
                    raise WireError(_LAYER, f"no Buf within {_HEADER_MAXIMUM} bytes")
                return
            data, self._header = self._header[start:], b""
        assert self._left is not None  # noqa: S101  (set by _find_buffer)
        data = data[: self._left]
        self._left -= len(data)
        yield from self._decompressor.pieces(data, size)
        if not self._left and not self._decompressor.finished:
            raise WireError(_LAYER, "cut")

    def _find_buffer(self) -> int | None:
        """Where the bytes of ``Buf`` begin, or None while the header is not whole."""
        header = self._header[:_HEADER_MAXIMUM]
        reader = unpacker(self._limits)
        reader.feed(header)
        try:
            for _ in range(reader.read_map_header()):
                key = reader.unpack()
                if key == b"Buf":
                    self._left, start = _raw_length(header, reader.tell())
                    if self._left > self._limits.stream:
                        raise WireError(_LAYER, f"Buf of {self._left} bytes, at most {self._limits.stream}")
                    return start
                if key != b"Algo":
                    reader.skip()
                elif algorithm := unsigned({key: reader.unpack()}, key):
                    raise WireError(_LAYER, f"compression algorithm {algorithm} is unknown")
        except (IndexError, OUT_OF_DATA):
            return None
        except HOSTILE as error:
            raise refusal(error) from None
        raise WireError(_LAYER, "no Buf")


def _raw_length(header: bytes, position: int) -> tuple[int, int]:
    """Length and start of a raw, str or bin; ``IndexError`` when more bytes are needed."""
    kind = header[position]
    if 0xA0 <= kind <= 0xBF:
        return kind & 0x1F, position + 1
    size = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}.get(kind)
    if size is None:
        raise WireError(_LAYER, f"msgpack type {kind:#x} instead of a byte string")
    start = position + 1 + size
    if start > len(header):
        raise IndexError
    return int.from_bytes(header[position + 1 : start], "big"), start
