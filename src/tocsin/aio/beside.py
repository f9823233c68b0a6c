"""One thread for calls that may block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from tocsin.errors import ClosedError

T = TypeVar("T")


class Beside:
    """Runs calls beside the event loop, one after another. A call that never ends (a pipe that nobody reads,
    a disk that hangs) does not keep the process from ending, as those of an executor do."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any], _Then] | None] = SimpleQueue()
        self._name = name
        self._closed = False
        Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, call: Callable[[], T], then: Callable[[T], object] | None = None) -> T:
        """What ``call`` returns or raises.

        ``then`` gets what it returned, on the event loop and one iteration before who awaits this goes on,
        even if nobody does any more; what it raises is raised here. :class:`~tocsin.errors.ClosedError` after
        :meth:`close`.
        """
        if self._closed:
            raise ClosedError(f"the thread {self._name} has ended")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put((future, call, then))
        return await future

    def close(self) -> None:
        """End the thread once it has done what there is. Idempotent."""
        self._closed = True
        self._calls.put(None)

    def _run(self) -> None:
        while (found := self._calls.get()) is not None:
            future, call, then = found
            result: Any = None
            error: BaseException | None = None
            try:
                result = call()
            except BaseException as raised:  # Whoever waits must hear of it, and the thread goes on.
                error = raised
            with suppress(RuntimeError):  # The loop is closed: nothing waits for the result.
                future.get_loop().call_soon_threadsafe(_settle, future, then, result, error)


_Then = Callable[[Any], object] | None


def _settle(future: asyncio.Future[Any], then: _Then, result: object, error: BaseException | None) -> None:
    if error is None and then is not None:
        try:
            then(result)
        except Exception as raised:
            error = raised
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
