"""Periodic actions of a node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tocsin.alerting.timestamp import Nanoseconds, in_seconds
from tocsin.errors import TocsinError
from tocsin.node.log import Logger


async def every(interval: Nanoseconds, action: Callable[[], Awaitable[None]], log: Logger) -> None:
    """Do ``action`` after each ``interval``, for ever; never if that is not above 0. Failures are logged."""
    while interval > 0:
        await asyncio.sleep(in_seconds(interval))
        try:
            await action()
        except TocsinError as error:
            log.error("maintenance failed", err=str(error))
        except Exception as error:
            # A bug must cost this one run, not all that would come after it.
            log.error("maintenance failed", err=repr(error))
