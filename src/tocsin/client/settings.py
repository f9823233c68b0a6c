"""Which node a command connects to, and how."""

from __future__ import annotations

from typing import NamedTuple


class Settings(NamedTuple):
    """From flags and files. ``timeout``: nanoseconds for the whole command."""

    url: str
    timeout: int
    http_config: str = ""
    """A file of ``http_config`` as Prometheus has it."""
    check_version: bool = False
