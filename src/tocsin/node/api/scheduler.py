"""Schedules requests: of those whose answers take several slices of work, one goes on at a time. Small ones
share an iteration of the event loop.

Each slice lasts some milliseconds (:mod:`tocsin.node.api.steps`). If all requests went on in each iteration
of the event loop, eighty of them would make every other client wait for eighty slices.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter
from typing import Final

QUICK: Final = 8
"""Slices of a request that come before the later ones of others."""

SHARED: Final = 0.002
"""Seconds of work in an iteration from which on the first slice of another request waits for the next. Until
then small requests share one: an iteration for each costs a tenth of their work."""


class Job:
    """One request's part in the work."""

    __slots__ = ("_scheduler", "number", "slices", "writes")

    def __init__(self, scheduler: RequestScheduler, number: int, writes: bool) -> None:
        self._scheduler = scheduler
        self.number = number
        self.writes = writes
        """Never comes after those that have had few slices: alerts are taken while many read."""
        self.slices = 0
        """How many it has begun."""

    def must_wait(self) -> bool:
        """Before each piece of work: whether to :meth:`pause` first, as others have worked long enough in
        this iteration, and this one has not."""
        if self.slices:
            return False
        if self._scheduler.full():
            return True
        self.slices = 1
        self._scheduler.occupy()
        return False

    async def pause(self) -> None:
        """Wait until this request goes on."""
        self.slices += 1
        await self._scheduler.wait(self)


class RequestScheduler:
    """Lets one request go on in an iteration of the event loop: in turn the next one that has had few slices,
    in the order in which they came, and the next of the ``slow`` oldest that have had many. Those after them
    wait, so that what is half made of their answers stays small."""

    def __init__(self, slow: int, clock: Callable[[], float] = perf_counter) -> None:
        self._slow = slow
        self._clock = clock
        self._since = 0.0  # when the work of this iteration began
        self._begun = 0
        self._few: deque[tuple[Job, asyncio.Future[None]]] = deque()
        self._many: list[tuple[Job, asyncio.Future[None]]] = []
        """In the order in which they began to wait."""
        self._few_next = True
        self.busy = False
        """Whether a request has work in this iteration of the event loop."""

    def begin(self, *, writes: bool = False) -> Job:
        """A new request."""
        self._begun += 1
        return Job(self, self._begun, writes)

    def full(self) -> bool:
        """Whether no other request is to begin its work in this iteration."""
        return self.busy and self._clock() - self._since >= SHARED

    def occupy(self) -> None:
        """A request works in this iteration."""
        if not self.busy:
            self.busy = True
            self._since = self._clock()
            asyncio.get_running_loop().call_soon(self._go_on)

    async def wait(self, job: Job) -> None:
        """Until this one goes on."""
        if not self.busy:  # Nobody else is there.
            self.occupy()
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._few if job.writes or job.slices <= QUICK else self._many).append((job, future))
        await future

    def _go_on(self) -> None:
        self.busy = False
        while (future := self._next()) is not None:
            if not future.done():  # else its client has left
                future.set_result(None)
                self.occupy()
                return

    def _next(self) -> asyncio.Future[None] | None:
        few, many = self._few, self._many
        self._few_next = not self._few_next
        if few and (not self._few_next or not many):
            return few.popleft()[1]
        if not many:
            return None
        place = 0
        if len(many) > self._slow:
            youngest = sorted(job.number for job, _ in many)[self._slow - 1]
            place = next(at for at, (job, _) in enumerate(many) if job.number <= youngest)
        return many.pop(place)[1]


CURRENT: ContextVar[Job | None] = ContextVar("job", default=None)
"""That of the request that is being answered, in the tasks that it begins too."""


def must_wait() -> bool:
    """Whether to :func:`pause` before a piece of work: see :meth:`Job.must_wait`."""
    job = CURRENT.get()
    return job is not None and job.must_wait()


async def pause() -> None:
    """Let other work of the event loop run, and other requests if they are next."""
    job = CURRENT.get()
    if job is None:
        await asyncio.sleep(0)
    else:
        await job.pause()
