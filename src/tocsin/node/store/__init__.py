"""What is kept on disk, and when."""

from tocsin.node.store.store import Store

__all__ = ["Store"]
