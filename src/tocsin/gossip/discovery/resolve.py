"""Host names to addresses, by the system's resolver: /etc/hosts, DNS, whatever else it is set up to ask."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from typing import Final

from tocsin.errors import TransportError
from tocsin.gossip.address import Address

MAX_LOOKUPS: Final = 8
"""System lookups under way at the same time, including those that nobody waits for any more."""

_free = threading.BoundedSemaphore(MAX_LOOKUPS)
_POLL: Final = 0.05


def literal(host: str) -> str | None:
    """The canonical text if ``host`` is an IP address (an IPv4-mapped one as IPv4), else None."""
    try:
        address = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


async def resolve(host: str, port: int, *, timeout: float) -> list[Address]:
    """All addresses of ``host``, IPv4 and IPv6, in the resolver's order, without repeats.

    :class:`TransportError` when the name does not resolve within ``timeout`` seconds.
    """
    known = literal(host)
    if known is not None:
        return [Address(known, port)]
    try:
        async with asyncio.timeout(timeout):
            while not _free.acquire(blocking=False):  # noqa: ASYNC110 (of threads; bounded above)
                await asyncio.sleep(_POLL)
            found = await _look_up(host)
    except TimeoutError:
        raise TransportError(
            f"resolving {host!r} took more than {timeout:g} s: do the servers in /etc/resolv.conf answer?"
        ) from None
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise TransportError(f"resolving {host!r} failed: {problem}") from None
    return list(dict.fromkeys(Address(literal(text) or text, port) for text in found))


def _look_up(host: str) -> asyncio.Future[list[str]]:
    """In a thread that nobody waits for when the process ends: the system's resolver knows no deadline."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[list[str]] = loop.create_future()

    def report(found: list[str], error: Exception | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(found)
        else:
            outcome.set_exception(error)

    def work() -> None:
        found: list[str] = []
        problem: Exception | None = None
        try:
            found = [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
        except Exception as error:  # whatever it is, it must reach who waits
            problem = error
        finally:
            _free.release()
        try:
            loop.call_soon_threadsafe(report, found, problem)
        except RuntimeError:
            pass  # The event loop was closed meanwhile.

    try:
        threading.Thread(target=work, name="resolve", daemon=True).start()
    except RuntimeError:
        _free.release()
        raise OSError("no thread to resolve in") from None
    return outcome
