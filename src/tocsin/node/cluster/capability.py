"""How a node tells the others what it is: by its gossip meta, which Alertmanager leaves empty and ignores."""

from __future__ import annotations

META = b"tocsin/1"


def speaks_tocsin(meta: bytes) -> bool:
    """Whether the member with that meta is a Tocsin node."""
    return meta.startswith(b"tocsin/")
