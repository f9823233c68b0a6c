"""What asyncio code of every part shares: a set of tasks, and a timer of the event loop."""

from __future__ import annotations

from tocsin.aio.tasks import Tasks
from tocsin.aio.timer import LoopTimer

__all__ = ["LoopTimer", "Tasks"]
