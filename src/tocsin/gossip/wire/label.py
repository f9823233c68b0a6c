"""The label header (wire 1.7): ``f4``, u8 length 1 to 255, the label. Outermost of all layers."""

from __future__ import annotations

from typing import Final

from tocsin.errors import WireError

TYPE: Final = 0xF4
MAXIMUM: Final = 255
_SHOWN: Final = 64
"""Bytes of a label that an error shows."""


def label_header(label: bytes) -> bytes:
    """The header, or nothing for an empty label. ``ValueError`` when the label is too long."""
    if len(label) > MAXIMUM:
        raise ValueError(f"a label has at most {MAXIMUM} bytes, not {len(label)}")
    return bytes((TYPE, len(label))) + label if label else b""


def different(theirs: bytes, ours: bytes) -> WireError:
    """The error for a label that is not ours; empty: none."""
    if not theirs:
        return WireError("label", f"missing: the sender has none, ours is {_shown(ours)}")
    if not ours:
        return WireError("label", f"present, but this cluster has none: the sender's is {_shown(theirs)}")
    return WireError("label", f"of another cluster: the sender's is {_shown(theirs)}, ours is {_shown(ours)}")


def _shown(label: bytes) -> str:
    return repr(label[:_SHOWN].decode("utf-8", "backslashreplace"))


def strip_label(packet: bytes, label: bytes) -> bytes:
    """What follows the header; :class:`WireError` unless the label is ours, or both have none."""
    if packet[:1] != b"\xf4":
        if label:
            raise different(b"", label)
        return packet
    length = packet[1] if len(packet) > 1 else 0
    if not length or len(packet) < 2 + length:
        raise WireError("label", "cut")
    if packet[2 : 2 + length] != label:
        raise different(packet[2 : 2 + length], label)
    return packet[2 + length :]
