"""What the services count."""

from __future__ import annotations

from tocsin.dataclass import dataclass


@dataclass(slots=True)
class ServiceStatistics:
    """Counts since the member was made; they only grow."""

    events_dropped: int = 0
    """Events that a slow reader of a stream never got."""
    requests_rejected: int = 0
    """Questions of others that were not answered, as too many, or too large ones, were under way, of one
    peer or of all."""
    answers_late: int = 0
    """Answers that nobody waited for any more."""
    answers_refused: int = 0
    """Answers of another member than the one that was asked."""
    answers_lost: int = 0
    """Answers that could not be sent."""
    changes_received: int = 0
    """Changes and snapshots of replicated states from others."""
    states_refused: int = 0
    """Of them, those that were not valid."""
    states_unknown: int = 0
    """Of them, those of a state that we do not have."""
    changes_dropped: int = 0
    """Changes too large for a packet that were not sent on, as too many were under way."""
    callback_errors: int = 0
    """Exceptions out of the application's ``answer`` and ``merge``."""
