"""Questions to DNS servers: SRV records, and A and AAAA where a server was named for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.sources import MAX_ENTRIES, Answer, Name, Target

MAX_QUESTIONS: Final = 16
"""Under way at the same time."""

_LIFETIME: Final = 5.0
_SHOWN: Final = 3
"""Servers that an error names."""
_SERVER_TIMEOUT: Final = 1.5
"""Seconds until the next server is asked, or the same again."""


class NameServers:
    """``servers`` are (address, port); none: those of /etc/resolv.conf, read anew for each question.

    An answer that does not fit a datagram is asked for again over TCP. Nothing is cached here.
    """

    def __init__(self, servers: Sequence[tuple[str, int]] = ()) -> None:
        self._servers = tuple(servers)
        self._free = asyncio.Semaphore(MAX_QUESTIONS)

    async def service(self, name: str, *, timeout: float) -> Answer:
        """The SRV records of ``name``: each target is a name that is resolved next.

        No such name, or no such records, is an empty answer. :class:`TransportError` when there is no answer.
        """
        found = await self._ask(name, "SRV", timeout)
        if found is None:
            return Answer()
        names = [
            Name(record.target.to_text(omit_final_dot=True), record.port, dns=True)
            for record in found
            if record.target != dns.name.root and record.port  # RFC 2782: "." is "not here"
        ]
        sources = sorted(set(names), key=str)
        return Answer(
            sources=tuple(sources[:MAX_ENTRIES]),
            lifetime=_lifetime(found),
            refused=max(0, len(sources) - MAX_ENTRIES),
        )

    async def addresses(self, host: str, port: int, *, timeout: float) -> Answer:
        """The A and AAAA records of ``host``; if one kind cannot be had, neither is believed."""
        answers = await asyncio.gather(
            self._ask(host, "A", timeout), self._ask(host, "AAAA", timeout), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        found = [answer for answer in answers if isinstance(answer, dns.resolver.Answer)]
        if not found:
            return Answer()
        targets = [
            Target(Address.from_packed(Address(record.address, 0).packed, port), host)
            for answer in found
            for record in sorted(answer, key=str)
        ]
        lifetime = min(map(_lifetime, found))
        different = tuple(dict.fromkeys(targets))
        return Answer(
            targets=different[:MAX_ENTRIES], lifetime=lifetime, refused=max(0, len(different) - MAX_ENTRIES)
        )

    async def _ask(self, name: str, kind: str, timeout: float) -> dns.resolver.Answer | None:
        """None: there are no such records, says a server."""
        asked = ""
        try:
            async with asyncio.timeout(timeout), self._free:
                resolver = await asyncio.to_thread(self._resolver)
                asked = ", ".join(map(_named, resolver.nameservers[:_SHOWN])) or "no server"
                return await resolver.resolve(name, kind, search=not self._servers)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except TimeoutError:
            raise TransportError(
                f"asking {asked or 'a server'} for {kind} of {name!r} took more than {timeout:g} s"
            ) from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            problem = str(error) or type(error).__name__
            raise TransportError(
                f"asking {asked or 'a server'} for {kind} of {name!r} failed: {problem}"
            ) from None

    def _resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in self._servers]
        resolver.timeout = _SERVER_TIMEOUT
        resolver.lifetime = _LIFETIME
        return resolver


def _named(server: object) -> str:
    """A server as errors show it."""
    return (
        f"{server.address} port {server.port}"
        if isinstance(server, dns.nameserver.AddressAndPortNameserver)
        else str(server)
    )


def _lifetime(answer: dns.resolver.Answer) -> float:
    return float(answer.rrset.ttl) if answer.rrset is not None else 0.0
