"""Names to addresses."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import MAX_LOOKUPS, resolve


def test_literals_need_no_resolver() -> None:
    assert asyncio.run(resolve("127.0.0.1", 1, timeout=1)) == [Address("127.0.0.1", 1)]
    assert asyncio.run(resolve("::ffff:10.0.0.1", 1, timeout=1)) == [Address("10.0.0.1", 1)]


def test_the_systems_names_resolve_without_repeats() -> None:
    found = asyncio.run(resolve("localhost", 7, timeout=10))
    assert Address("127.0.0.1", 7) in found
    assert len(found) == len(set(found))


def test_a_name_that_does_not_exist_is_one_clear_error() -> None:
    with pytest.raises(TransportError, match=r"resolving 'nobody\.invalid'"):
        asyncio.run(resolve("nobody.invalid", 7, timeout=10))


def test_a_system_that_hangs_holds_up_so_many_look_ups_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody waits for them: neither who asked, nor the event loop when it ends."""
    release, began = threading.Event(), list[str]()

    def hang(host: str, *_: object, **__: object) -> list[object]:
        began.append(host)
        release.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)

    async def main() -> None:
        asked = [resolve(f"host-{n}.example", 1, timeout=0.5) for n in range(MAX_LOOKUPS + 3)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert all(
            "took more than 0.5 s: do the servers in /etc/resolv.conf answer?" in str(outcome)
            for outcome in outcomes
        )
        assert len(began) == MAX_LOOKUPS

    async def afterwards() -> None:
        await resolve("host.example", 1, timeout=30)  # a place is free again

    asyncio.run(main())
    release.set()
    asyncio.run(afterwards())
