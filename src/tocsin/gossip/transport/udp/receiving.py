"""Received datagrams on their way to who reads them: members' at once, those of others when their share
allows it. Of UDP and DTLS alike."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from time import perf_counter, thread_time

from tocsin.gossip.address import Address
from tocsin.gossip.transport.scheduler import SLICE
from tocsin.gossip.transport.udp.shares import HeldDatagram, Shares, ShareSettings
from tocsin.sources import source_of


class Receiving:
    """Delivers datagrams, in slices of time, and charges the processor time that each takes."""

    def __init__(
        self,
        read: Callable[[bytes, Address], None],
        is_member: Callable[[Address], bool],
        shed: Counter[str],
        settings: ShareSettings,
    ) -> None:
        """``is_member``: whether what comes from there is a member's; ``shed`` counts what is lost."""
        self._read = read
        self._is_member = is_member
        self._shed = shed
        self._shares = Shares(settings)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
        self._closed = False

    def received(self, data: bytes, address: Address) -> None:
        """A datagram, to be worked on now or later; counted and lost when too many wait."""
        if self._closed:
            return
        source, member = source_of(address.host), self._is_member(address)
        datagram = HeldDatagram(data, address, source, member)
        if self._shares.at_once(source, member, perf_counter()):
            self._deliver(datagram)
            return
        if self._shares.hold(datagram):
            self._arm(self._shares.wait_of(source, member, perf_counter()))
        else:
            self._shed["peer" if member else "strangers"] += 1

    def close(self) -> None:
        """What waits is lost."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _deliver(self, datagram: HeldDatagram) -> None:
        began = thread_time()
        try:
            self._read(datagram.data, datagram.address)
        finally:
            took = thread_time() - began
            self._shares.charge(datagram.source, datagram.member, took, perf_counter())

    def _arm(self, wait: float) -> None:
        """Work on what waits in so many seconds, if not earlier."""
        due = perf_counter() + wait
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(wait, self._work) if wait else self._loop.call_soon(self._work)

    def _work(self) -> None:
        self._timer = None
        began = perf_counter()
        try:
            while not self._closed and (datagram := self._shares.next(perf_counter())) is not None:
                self._deliver(datagram)
                if perf_counter() - began > SLICE:
                    break
        finally:
            if not self._closed and (wait := self._shares.wait(perf_counter())) is not None:
                self._arm(wait)
