"""Ending a server of asyncio without leaving open what it was just accepting."""

from __future__ import annotations

import asyncio
from typing import Final

_ACCEPTING: Final = "_accept_connection2"
PATIENCE: Final = 5.0
"""Seconds for a handshake that may never end."""


async def end_server(server: asyncio.Server) -> None:
    """Accept no more, then end the server.

    If it ends while asyncio makes a connection of a socket that it has accepted, Python 3.11 leaves that
    socket open (``Server._attach`` fails).
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    accepting = [
        task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == _ACCEPTING
    ]
    if accepting:
        await asyncio.wait(accepting, timeout=PATIENCE)
    server.close()
