"""Storage: the journal and the snapshot files."""

from tocsin.node.store.store import Store

__all__ = ["Store"]
