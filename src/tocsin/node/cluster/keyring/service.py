"""The node's side of ``tocsinctl keyring``."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from tocsin.errors import NotFoundError, StateError, StorageError, UserError
from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member
from tocsin.gossip.wire.keyring import Keyring, fingerprint
from tocsin.node.cluster.capability import speaks_tocsin
from tocsin.node.cluster.keyring.commands import (
    HELLO,
    Answer,
    MemberLine,
    Request,
    decode_request,
    encode_answer,
    is_request,
)
from tocsin.node.cluster.keyring.keyfile import KeyringFile
from tocsin.node.log import Logger
from tocsin.node.log_bound import LogBound

MAX_CHALLENGES: Final = 256
"""Given out and not used yet; past it the oldest is forgotten."""
CHALLENGE_LIFETIME: Final = 30.0
MAX_WAITING: Final = 16
"""Commands at the same time; they are carried out one after the other."""


@dataclass(slots=True)
class KeyringStatistics:
    """Counters."""

    commands: Counter[str] = field(default_factory=Counter)
    """Carried out, by command."""
    commands_failed: Counter[str] = field(default_factory=Counter)
    """Not possible, by command; the asker was told why."""
    requests_refused: Counter[str] = field(default_factory=Counter)
    """By reason: "malformed", "challenge" (an unknown, old or used one, or one of another node), "busy"."""
    challenges_forgotten: int = 0
    """Past :data:`MAX_CHALLENGES`."""


class KeyringService:
    """Answers requests that a key of the ring has sealed; others never get here."""

    def __init__(
        self,
        name: str,
        kept: KeyringFile,
        *,
        members: Callable[[], Iterable[Member]],
        log: Logger,
        bound: LogBound | None = None,
    ) -> None:
        """``bound``: of the lines in the log that peers provoke."""
        self._bound = bound or LogBound()
        self.statistics = KeyringStatistics()
        self._name = name
        self._kept = kept
        self._members = members
        self._log = log
        self._challenges: OrderedDict[str, float] = OrderedDict()
        self._changing = asyncio.Lock()
        self._waiting = 0
        self._loop = asyncio.get_running_loop()

    async def receive(self, payload: bytes, source: Address) -> bytes | None:
        """The answer, or None for what is none of these messages."""
        if not is_request(payload):
            return None
        try:
            request = decode_request(payload)
        except StateError as error:
            self._refused("malformed", str(error), source)
            return encode_answer(Answer("", self._name, error=str(error)))
        if request.command == HELLO:
            return encode_answer(self._hello(request))
        if not self._challenged(request):
            problem = "the command's challenge is unknown, too old, or was used before"
            self._refused("challenge", problem, source)
            return encode_answer(Answer(request.nonce, self._name, error=problem))
        if self._waiting >= MAX_WAITING:
            self._refused("busy", "too many commands at the same time", source)
            return encode_answer(Answer(request.nonce, self._name, error="busy with other commands"))
        self._waiting += 1
        try:
            async with self._changing:
                outcome = await self._carry_out(request, source)
        finally:
            self._waiting -= 1
        return encode_answer(self._answer(request, error=outcome))

    def _hello(self, request: Request) -> Answer:
        now = self._loop.time()
        challenge = secrets.token_hex(16)
        self._challenges[challenge] = now + CHALLENGE_LIFETIME
        if len(self._challenges) > MAX_CHALLENGES:
            self._challenges.popitem(last=False)
            self.statistics.challenges_forgotten += 1
        members: tuple[MemberLine, ...] = ()
        if request.members:
            members = tuple(
                MemberLine(m.name, str(m.address), m.state.name.lower(), speaks_tocsin(m.meta))
                for m in self._members()
            )
        return self._answer(request, challenge=challenge, members=members)

    def _challenged(self, request: Request) -> bool:
        until = self._challenges.pop(request.challenge, 0.0)
        return self._loop.time() < until and request.node == self._name

    def _answer(
        self,
        request: Request,
        *,
        error: str = "",
        challenge: str = "",
        members: tuple[MemberLine, ...] = (),
    ) -> Answer:
        keyring = self._kept.keyring
        return Answer(
            nonce=request.nonce,
            node=self._name,
            error=error,
            challenge=challenge,
            keys=tuple(keyring.fingerprints()),
            verify_incoming=keyring.verify_incoming,
            verify_outgoing=keyring.verify_outgoing,
            members=members,
        )

    async def _carry_out(self, request: Request, source: Address) -> str:
        """On disk first, then in use: after a crash the file knows at least what was answered."""
        command, keyring = request.command, self._kept.keyring
        try:
            if command != "list":
                wanted = _changed(keyring, request)
                if wanted != keyring.keys:
                    await asyncio.to_thread(self._kept.save, wanted)
                    keyring.replace(wanted)
        except (UserError, StorageError) as error:
            self.statistics.commands_failed[command] += 1
            more = self._bound.admit("keyring command", source.host)
            if more is not None:
                self._log.warn(
                    "keyring command failed", command=command, error=str(error), source=str(source), **more
                )
            return str(error)
        self.statistics.commands[command] += 1
        if command != "list":
            self._log.info(
                "keyring changed",
                command=command,
                key=fingerprint(request.key) if request.key else request.fingerprint,
                keys=",".join(keyring.fingerprints()),
                source=str(source),
            )
        return ""

    def _refused(self, reason: str, detail: str, source: Address) -> None:
        self.statistics.requests_refused[reason] += 1
        more = self._bound.admit("keyring request", source.host)
        if more is not None:
            self._log.warn("keyring request refused", reason=detail, source=str(source), **more)


def _changed(keyring: Keyring, request: Request) -> list[bytes]:
    """The keys as the command wants them, the primary first; :class:`UserError` when it cannot be."""
    trial = Keyring(keyring.keys, version=keyring.version)
    if request.command == "install":
        if not request.key:
            raise UserError("install without a key")
        trial.install(request.key)
        return trial.keys
    key = trial.find(request.fingerprint)
    if request.command == "use":
        if key is None:
            raise NotFoundError(f"key {request.fingerprint} is not installed here")
        trial.use(key)
    elif key is not None:  # Removing what is gone already is no failure: a command may be repeated.
        trial.remove(key)
    return trial.keys
