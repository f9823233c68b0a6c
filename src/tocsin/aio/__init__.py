"""What asyncio code of every part shares: tasks, a timer of the event loop, and what runs any machine."""

from __future__ import annotations

from tocsin.aio.shell import LoopClock, MachineShell
from tocsin.aio.tasks import Tasks
from tocsin.aio.timer import LoopTimer

__all__ = ["LoopClock", "LoopTimer", "MachineShell", "Tasks"]
