"""How a node knows that a peer is a Tocsin node: by its gossip meta, which Alertmanager leaves empty."""

from __future__ import annotations

from typing import Final

META: Final = b"tocsin/1 deflate"
"""Our meta: the version, then a word for each capability that older Tocsin nodes lack."""


def speaks_tocsin(meta: bytes) -> bool:
    """Whether a member with this meta is a Tocsin node."""
    return meta.startswith(b"tocsin/")


def takes_deflated(meta: bytes) -> bool:
    """Whether a member with this meta reads compressed digest messages."""
    return speaks_tocsin(meta) and b"deflate" in meta.split(b" ")[1:]
