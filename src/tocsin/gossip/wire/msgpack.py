"""MessagePack maps in Go's old-raw dialect (wire 1.2), bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgpack

from tocsin.errors import WireError
from tocsin.gossip.wire.limits import DEFAULT_LIMITS, Limits

_LAYER: Final = "msgpack"
U16: Final = 2**16 - 1
U32: Final = 2**32 - 1

Fields = dict[Any, Any]

pack: Callable[[object], bytes] = msgpack.Packer(use_bin_type=False, autoreset=True).pack
"""A dictionary, keys already in byte order, to bytes: text and byte strings both as raw."""


def unpacker(limits: Limits = DEFAULT_LIMITS, *, buffer: int | None = None) -> Any:
    """An incremental ``msgpack.Unpacker`` that neither reserves nor nests without bound."""
    size = limits.header if buffer is None else buffer
    return msgpack.Unpacker(
        raw=True,
        strict_map_key=False,
        max_buffer_size=size,
        max_str_len=size,
        max_bin_len=size,
        max_ext_len=size,
        max_array_len=limits.array,
        max_map_len=limits.map_pairs,
    )


def unpack_fields(body: bytes, limits: Limits = DEFAULT_LIMITS) -> Fields:
    """The map at the start of ``body``; trailing bytes are ignored, as Go ignores them."""
    try:
        value = msgpack.unpackb(
            body,
            raw=True,
            strict_map_key=False,
            max_array_len=limits.array,
            max_map_len=limits.map_pairs,
        )
    except msgpack.ExtraData as extra:
        value = extra.unpacked
    except HOSTILE as error:
        raise refusal(error) from None
    return as_fields(value)


HOSTILE: Final = (ValueError, TypeError, OverflowError, RecursionError, MemoryError, msgpack.UnpackException)
"""What msgpack raises on bytes that are not its format or past a limit."""


OUT_OF_DATA: Final = msgpack.OutOfData
"""What an incremental unpacker raises when more bytes are needed."""


def refusal(error: BaseException) -> WireError:
    """The one typed error for any of :data:`HOSTILE`."""
    return WireError(_LAYER, str(error)[:200] or type(error).__name__)


def as_fields(value: object) -> Fields:
    """``value`` if it is a map."""
    if not isinstance(value, dict):
        raise WireError(_LAYER, f"a message's body is a map, not {type(value).__name__}")
    return value


def unsigned(fields: Fields, key: bytes, maximum: int = U32) -> int:
    """An integer from 0 to ``maximum`` in any encoding; absent or nil is 0. Go refuses floats too."""
    value = fields.get(key)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= maximum:
        raise WireError(_LAYER, f"{key.decode()} is not an integer from 0 to {maximum}")
    return value


def octets(fields: Fields, key: bytes, maximum: int) -> bytes:
    """A byte string (raw, bin, or an array of small integers); absent or nil is empty."""
    value = fields.get(key)
    if value is None:
        return b""
    if isinstance(value, list):
        try:
            value = bytes(value)
        except (ValueError, TypeError):
            raise WireError(_LAYER, f"{key.decode()} is an array of other things than octets") from None
    if not isinstance(value, bytes):
        raise WireError(_LAYER, f"{key.decode()} is not a byte string")
    if len(value) > maximum:
        raise WireError(_LAYER, f"{key.decode()} has {len(value)} bytes, at most {maximum} are allowed")
    return value


def text(fields: Fields, key: bytes, maximum: int) -> str:
    """A UTF-8 string; absent or nil is empty."""
    value = octets(fields, key, maximum)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise WireError(_LAYER, f"{key.decode()} is not UTF-8") from None


def boolean(fields: Fields, key: bytes) -> bool:
    """true or false; absent or nil is false."""
    value = fields.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise WireError(_LAYER, f"{key.decode()} is not a boolean")
    return value
