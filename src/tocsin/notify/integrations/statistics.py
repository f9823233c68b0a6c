"""Counters of the receivers' clients."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from tocsin.dataclass import dataclass


@dataclass(slots=True)
class ClientStatistics:
    """Counters of all clients of a node since its start."""

    bounds_reached: Counter[str] = field(default_factory=Counter)
    """Times that a bound was reached: ``answer_bytes``, ``answer_pieces`` and ``answer_time`` cut an answer,
    ``answer_head`` ended an attempt whose answer did not begin for all that came, ``redirects`` ended an
    attempt, at ``requests`` a request waited for others of its integration, at ``mail_sessions`` a mail did;
    ``mail_reply`` ended a mail; at ``idle_connections`` an idle connection was closed."""
    truncated: Counter[str] = field(default_factory=Counter)
    """Attempts with a text that was cut to what the server takes, by kind."""
    tls_files_reloaded: int = 0
    """Times that changed files of a ``tls_config`` were put in force."""
    tls_files_unusable: int = 0
    """Times that changed files of a ``tls_config`` could not be used, and the last good ones stayed in
    force."""
    tokens_refused: int = 0
    """OAuth 2 tokens that a receiver refused before they had expired."""
