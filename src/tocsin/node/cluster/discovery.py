"""Asks the sources of peers when the policy says so: one loop, and a task for each question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from tocsin.aio import LoopClock, MachineShell, Tasks
from tocsin.errors import TocsinError, TransportError, WireError
from tocsin.files import read_regular
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.policy import Ask, Discovery, DiscoveryEffect, DiscoveryEvent
from tocsin.gossip.discovery.resolve import literal, resolve
from tocsin.gossip.discovery.sources import MAX_TARGETS, Answer, File, Literal, Service, Source, Target
from tocsin.node.config.peers import MAX_FILE_BYTES, parse_peer_file
from tocsin.node.log import Logger

if TYPE_CHECKING:  # Loaded with the first question that needs it.
    from tocsin.gossip.discovery.nameserver import NameServers

TIMEOUT: Final = 5.0
"""Time limit of one question, seconds."""


class Resolvers:
    """Resolves any source. ``servers`` are asked for ``dns+`` and ``dnssrv+``; empty: the system's name
    servers."""

    def __init__(self, servers: Sequence[tuple[str, int]] = (), *, timeout: float = TIMEOUT) -> None:
        self._servers = tuple(servers)
        self._asked: NameServers | None = None
        self._timeout = min(timeout, TIMEOUT)

    async def ask(self, source: Source) -> Answer:
        """The peers that ``source`` lists now. :class:`~tocsin.errors.TocsinError` when it cannot be asked,
        or its answer cannot be used."""
        if isinstance(source, Literal):
            return Answer(targets=(Target(source.address),))
        if isinstance(source, Service):
            return await (await self._name_servers()).service(source.name, timeout=self._timeout)
        if isinstance(source, File):
            return await asyncio.to_thread(_read, source.path)
        if source.dns and self._servers:
            servers = await self._name_servers()
            return await servers.addresses(source.host, source.port, timeout=self._timeout)
        found = await resolve(source.host, source.port, timeout=self._timeout)
        return Answer(targets=tuple(Target(address, source.host) for address in found))

    async def _name_servers(self) -> NameServers:
        if self._asked is None:
            make = await asyncio.to_thread(_load_name_servers)
            self._asked = self._asked or make(self._servers)
        return self._asked


def _load_name_servers() -> type[NameServers]:
    """Load dnspython on a thread: it takes longer than the event loop may be held."""
    from tocsin.gossip.discovery.nameserver import NameServers

    return NameServers


def _read(path: str) -> Answer:
    try:
        data = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise TransportError(f"{path} cannot be read: {error.strerror or error}") from None
    return Answer(sources=parse_peer_file(path, data))


class DiscoveryLoop:
    """Runs a :class:`Discovery`. ``on_events`` gets the policy's events, ``on_answer`` every answer's
    addresses, ``keep`` values to store for the next run."""

    def __init__(
        self,
        machine: Discovery,
        resolvers: Resolvers,
        *,
        on_events: Callable[[list[DiscoveryEvent]], None],
        on_answer: Callable[[list[Address]], None],
        keep: Callable[[list[Target]], None],
        log: Logger,
    ) -> None:
        self.machine = machine
        self._resolvers = resolvers
        self._on_events = on_events
        self._on_answer = on_answer
        self._keep = keep
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._shell = MachineShell(machine, LoopClock(), self._perform)
        self.failing: dict[Source, str] = {}
        """Sources whose last answer was an error, with that."""
        self._tasks = Tasks(self._task_failed)

    def start(self) -> None:
        """Begin to ask."""
        self._shell.arm()

    async def close(self) -> None:
        """Stop asking. A pending call of the system's resolver is abandoned."""
        self._shell.stop()
        await self._tasks.cancel()

    def _perform(self, effects: Sequence[DiscoveryEffect]) -> None:
        for effect in effects:
            if isinstance(effect, Ask):
                self._tasks.spawn(self._ask(effect.source))
        events = [effect for effect in effects if not isinstance(effect, Ask)]
        if events:
            self._on_events(events)
        self._keep_changes()

    async def _ask(self, source: Source) -> None:
        try:
            answer = await self._resolvers.ask(source)
        except TocsinError as error:
            self.machine.failed(source, self._loop.time())
            known = source in self.failing
            self.failing[source] = str(error)
            if not known:
                self._log.warn("peer does not resolve", peer=str(source), error=str(error))
            else:
                self._log.debug("peer still does not resolve", peer=str(source), error=str(error))
        except Exception:
            self.machine.failed(source, self._loop.time())  # else it would never be asked again
            raise
        else:
            self.machine.answered(source, answer, self._loop.time())
            if self.failing.pop(source, None) is not None:
                self._log.info("peer resolves again", peer=str(source))
            if answer.empty:
                self._log.warn(
                    "a source lists no peers (is its name right?); what it listed before is kept",
                    peer=str(source),
                )
            self._notify()
            self._on_answer([target.address for target in answer.targets])
        self._notify()

    def _notify(self) -> None:
        self._shell.run()
        self._keep_changes()

    def _keep_changes(self) -> None:
        if self.machine.dirty:
            self.machine.dirty = False
            self._keep(self.machine.lasting)

    def _task_failed(self, error: BaseException) -> None:
        self._log.error("a task of discovery failed", error=repr(error))
        self._notify()


REMEMBERED: Final = "cluster_peers"
"""The name under which the node's store keeps the last good list."""


def dump_targets(targets: Iterable[Target]) -> str:
    """The last good list as text: JSON, [[address, port, host], ...]."""
    return json.dumps([[*target.address, target.host] for target in targets], separators=(",", ":"))


def load_targets(text: str) -> tuple[Target, ...]:
    """Read the text of :func:`dump_targets`; malformed items are dropped."""
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return ()
    targets = []
    for entry in found[:MAX_TARGETS] if isinstance(found, list) else []:
        match entry:
            case [str(ip), int(port), str(host)] if literal(ip) and 0 < port < 65536:
                try:
                    targets.append(Target(Address.from_packed(Address(ip, port).packed, port), host))
                except (ValueError, WireError):
                    continue
    return tuple(targets)
