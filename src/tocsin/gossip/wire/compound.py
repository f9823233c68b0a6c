"""Several messages in one packet (wire 1.4).

Layout: ``07``, u8 count, count u16be lengths, then the messages, each with its type byte.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from tocsin.errors import WireError

MAX_PARTS: Final = 255
MAX_PART_BYTES: Final = 2**16 - 1
OVERHEAD: Final = 2
"""Bytes of the header, beside two for each message."""


def encode_compound(messages: Sequence[bytes]) -> bytes:
    """At most :data:`MAX_PARTS` messages of at most :data:`MAX_PART_BYTES` each; ``ValueError`` past that.

    Go's piggyback path lets the count wrap, and every receiver then splits the packet wrongly.
    """
    if len(messages) > MAX_PARTS:
        raise ValueError(f"{len(messages)} messages in a compound, at most {MAX_PARTS} fit")
    try:
        lengths = struct.pack(f">{len(messages)}H", *map(len, messages))
    except struct.error:
        raise ValueError(f"a message of more than {MAX_PART_BYTES} bytes in a compound") from None
    return b"".join((b"\x07", bytes((len(messages),)), lengths, *messages))


def split_compound(body: bytes) -> tuple[list[bytes], int]:
    """The messages in ``body`` (what follows the type byte), and how many were cut off.

    A message longer than what is left is dropped with all that follow it; earlier ones are good, as in Go.
    :class:`WireError` when the table of lengths itself is cut.
    """
    if not body:
        raise WireError("compound", "no count")
    count = body[0]
    start = 1 + 2 * count
    if len(body) < start:
        raise WireError("compound", f"{count} messages announced, but the table of lengths is cut")
    parts: list[bytes] = []
    for length in struct.unpack_from(f">{count}H", body, 1):
        end = start + length
        if end > len(body):
            break
        parts.append(body[start:end])
        start = end
    return parts, count - len(parts)
