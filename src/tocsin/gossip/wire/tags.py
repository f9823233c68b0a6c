"""Tags: a member's meta as names and values, as serf keeps its tags (one byte, then a map)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from tocsin.errors import UserError, WireError
from tocsin.gossip.wire.msgpack import pack, unpack_fields

MAGIC: Final = 255
"""serf's first byte of tags. Before serf had tags, the meta was a role alone."""
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def encode_tags(tags: Mapping[str, str]) -> bytes:
    """As meta; :class:`~tocsin.errors.UserError` for what is not text. No tags are no bytes."""
    for name, value in tags.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise UserError(f"tags are names and values of type str, not {name!r}: {value!r}")
    return bytes((MAGIC,)) + pack(dict(sorted(tags.items()))) if tags else b""


@lru_cache(maxsize=4096)
def decode_tags(meta: bytes) -> Mapping[str, str]:
    """The tags in a member's meta, read-only; none in a meta that is something else. It never raises."""
    if not meta or meta[0] != MAGIC:
        return _NONE
    try:
        found = unpack_fields(meta[1:])
    except WireError:
        return _NONE
    return MappingProxyType(
        {
            name.decode(errors="replace"): value.decode(errors="replace")
            for name, value in found.items()
            if isinstance(name, bytes) and isinstance(value, bytes)
        }
    )
