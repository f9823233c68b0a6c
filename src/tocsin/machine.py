"""The contract of every state machine: something happened, time passed, when next, what is to be done.

A machine does no I/O and reads no clock. What happens to it comes by methods of its own, each with the
time; its holder then performs what :meth:`~Machine.drain` gives, and calls
:meth:`~Machine.handle_timeout` when :meth:`~Machine.next_timeout` says. :mod:`tocsin.aio` does both on the
event loop, the simulation under virtual time.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

Effects_co = TypeVar("Effects_co", covariant=True)
Time = TypeVar("Time", int, float)


class Machine(Protocol[Effects_co, Time]):
    """``Time`` is one unit for each layer: seconds of a monotonic clock (float) in ``gossip`` and the node's
    cluster, nanoseconds since the Unix epoch (int) in ``alerting``."""

    def next_timeout(self) -> Time | None:
        """When to call :meth:`handle_timeout`; None: not before something happens. It changes nothing that
        can be seen."""
        ...

    def handle_timeout(self, now: Time) -> None:
        """Do what is due at ``now``. Nothing if nothing is; what is much may be done in several calls, and is
        then due again at once. It never raises."""
        ...

    def drain(self) -> Effects_co:
        """What is to be done since the last call, in order; each once. False in a condition if nothing is."""
        ...
