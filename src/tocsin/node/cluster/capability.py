"""How a node knows that a peer is a Tocsin node: by its gossip meta, which Alertmanager leaves empty."""

from __future__ import annotations

from typing import Final

META: Final = b"tocsin/1 deflate"
"""Our meta: the version, and after it a word for each thing that a Tocsin node before it cannot do."""


def speaks_tocsin(meta: bytes) -> bool:
    """Whether a member with this meta is a Tocsin node."""
    return meta.startswith(b"tocsin/")


def takes_deflated(meta: bytes) -> bool:
    """Whether it reads messages of digests that are compressed."""
    return speaks_tocsin(meta) and b"deflate" in meta.split(b" ")[1:]
