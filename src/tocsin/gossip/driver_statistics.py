"""What the driver counts, beside the core's and the transport's own counters."""

from __future__ import annotations

from tocsin.dataclass import dataclass


@dataclass(slots=True)
class DriverStatistics:
    """What the driver counts."""

    streams_answered: int = 0
    streams_rejected: int = 0
    """Inbound streams past the driver's ``MAX_INBOUND_STREAMS`` or ``MAX_STREAMS_OF_PEER``."""
    streams_over_memory: int = 0
    """Inbound streams that were cut because unfinished messages held too much, of one peer or of all."""
    streams_waited: int = 0
    """Times that a message waited to be read on, since unfinished ones held much."""
    streams_refused: int = 0
    """Inbound streams whose first message could not be read."""
    streams_broken: int = 0
    """Inbound streams that failed or took too long."""
    callback_errors: int = 0
    """Exceptions out of the application's ``on_event``."""
