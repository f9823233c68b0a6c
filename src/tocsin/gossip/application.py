"""The application's callbacks, whose faults are reported to their caller and stop nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sized

from tocsin.errors import UserError
from tocsin.gossip.core.effects import StateRequest
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.wire.messages import Pieces

_log = logging.getLogger(__name__)


def check_bytes(value: object, what: str) -> None:
    """Raise TypeError at the call for a value that is not bytes."""
    if not isinstance(value, bytes | bytearray | memoryview):
        hint = ": encode it first, as in text.encode()" if isinstance(value, str) else ""
        raise TypeError(f"{what} has to be bytes, not {type(value).__name__}{hint}")


def checked_state(
    local_state: Callable[[bool], bytes],
    state_for: Callable[[StateRequest], bytes | Pieces] | None,
    statistics: DriverStatistics,
) -> Callable[[StateRequest], bytes | Pieces]:
    """``state_for``, or else ``local_state``; :class:`~tocsin.errors.UserError` for any fault of theirs."""
    only_bytes = state_for is None
    give = state_for or (lambda request: local_state(request.join))

    def checked(request: StateRequest) -> bytes | Pieces:
        try:
            state = give(request)
        except Exception as error:
            statistics.callback_errors += 1
            _log.exception("the application failed to give its state")
            raise UserError(f"local_state failed: {type(error).__name__}: {error}") from error
        # What ``state_for`` may give besides bytes is a protocol, so text is recognized by hand.
        if not isinstance(state, bytes if only_bytes else Sized) or isinstance(state, str):
            statistics.callback_errors += 1
            problem = f"local_state returned {type(state).__name__}, not bytes"
            _log.error("no push/pull is possible: %s", problem)
            raise UserError(problem)
        return state

    return checked
