"""The label header (wire 1.7): ``f4``, u8 length 1 to 255, the label. Outermost of all layers."""

from __future__ import annotations

from typing import Final

from tocsin.errors import WireError

TYPE: Final = 0xF4
MAXIMUM: Final = 255


def label_header(label: bytes) -> bytes:
    """The header, or nothing for an empty label. ``ValueError`` when the label is too long."""
    if len(label) > MAXIMUM:
        raise ValueError(f"a label has at most {MAXIMUM} bytes, not {len(label)}")
    return bytes((TYPE, len(label))) + label if label else b""


def strip_label(packet: bytes, label: bytes) -> bytes:
    """What follows the header; :class:`WireError` unless the label is ours, or both have none."""
    if packet[:1] != b"\xf4":
        if label:
            raise WireError("label", "missing")
        return packet
    if not label:
        raise WireError("label", "present, but this cluster has none")
    length = packet[1] if len(packet) > 1 else 0
    if not length or len(packet) < 2 + length:
        raise WireError("label", "cut")
    if packet[2 : 2 + length] != label:
        raise WireError("label", "of another cluster")
    return packet[2 + length :]
