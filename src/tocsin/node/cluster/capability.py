"""How a node knows that a peer is a Tocsin node: by its gossip meta, which Alertmanager leaves empty."""

from __future__ import annotations

from typing import Final

META: Final = b"tocsin/1"
"""Our meta."""


def speaks_tocsin(meta: bytes) -> bool:
    """Whether a member with this meta is a Tocsin node."""
    return meta.startswith(b"tocsin/")
