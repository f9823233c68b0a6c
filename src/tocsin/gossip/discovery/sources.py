"""What a peer may be given as: an address, a name, a service in DNS, a file."""

from __future__ import annotations

from typing import Final, TypeAlias

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address

MAX_TARGETS: Final = 4096
"""Listed at the same time; further ones are refused and counted."""

MAX_ENTRIES: Final = 1024
"""Of one answer: names of a service, lines of a file."""


@dataclass(frozen=True, slots=True)
class Target:
    """A peer's address. ``host`` is the name it was found by, empty when it was given as an address."""

    address: Address
    host: str = ""


@dataclass(frozen=True, slots=True)
class Literal:
    """``192.0.2.1:9094``: nothing to resolve."""

    address: Address

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class Name:
    """``host:port``; with ``dns`` as ``dns+host:port``: all its A and AAAA records."""

    host: str
    port: int
    dns: bool = False

    def __str__(self) -> str:
        return f"{'dns+' if self.dns else ''}{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Service:
    """``dnssrv+_service._proto.name``: SRV records (RFC 2782); each names a host and its port."""

    name: str

    def __str__(self) -> str:
        return f"dnssrv+{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """``file:path``: peers of the other forms."""

    path: str

    def __str__(self) -> str:
        return f"file:{self.path}"


Source: TypeAlias = Literal | Name | Service | File


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source says: addresses, or further sources to be resolved next (of a service, a file).

    ``lifetime`` is the number of seconds for which the answer holds, where the source gives one.
    """

    targets: tuple[Target, ...] = ()
    sources: tuple[Source, ...] = ()
    lifetime: float | None = None
    refused: int = 0
    """Entries past the bound, left out."""

    @property
    def empty(self) -> bool:
        """It lists nobody."""
        return not self.targets and not self.sources
