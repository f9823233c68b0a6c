"""The node's side of ``tocsinctl keyring``."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import NotFoundError, StateError, StorageError, UserError
from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member
from tocsin.gossip.wire.keyring import Keyring, fingerprint
from tocsin.node.cluster.capability import speaks_tocsin
from tocsin.node.cluster.keyring.commands import (
    HELLO,
    TOO_OLD,
    VERSION_1,
    Answer,
    MemberLine,
    Request,
    decode_request,
    digest,
    encode_answer,
    is_request,
)
from tocsin.node.cluster.keyring.keyfile import KeyringFile
from tocsin.node.log import Logger
from tocsin.node.log_bound import LogBound

MAX_USED: Final = 4096
"""Challenges that commands have used within their lifetime; past it commands are refused."""
CHALLENGE_LIFETIME: Final = 30.0
MAX_WAITING: Final = 16
"""Commands at the same time; they are carried out one after the other."""


@dataclass(slots=True)
class KeyringStatistics:
    """Counters."""

    commands: Counter[str] = field(default_factory=Counter)
    """Carried out, by command."""
    commands_failed: Counter[str] = field(default_factory=Counter)
    """Not possible, by command; the answer says why."""
    requests_refused: Counter[str] = field(default_factory=Counter)
    """By reason: "malformed", "version" (an old tool's), "challenge" (an unknown, old or used one), "node"
    (for another node), "busy"."""


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
        self._challenges = Challenges(lambda: self._loop.time())
        self._changing = asyncio.Lock()
        self._waiting = 0
        self._loop = asyncio.get_running_loop()

    async def receive(self, payload: bytes, source: Address) -> bytes | None:
        """The answer, or None for any other message."""
        if not is_request(payload):
            return None
        if payload.startswith(VERSION_1):
            self._refused("version", "a question of an older tocsinctl", source)
            return TOO_OLD
        question = digest(payload)
        try:
            request = decode_request(payload)
        except StateError as error:
            return self._refuse(question, "malformed", str(error), source)
        if request.command == HELLO:
            if request.node not in ("", self._name):
                return self._refuse(question, "node", f"this is not {request.node!r}", source)
            return encode_answer(self._hello(question, request))
        if request.node != self._name:
            return self._refuse(question, "node", f"this is not {request.node!r}", source)
        if not self._challenges.take(request.challenge):
            problem = "the command's challenge is unknown, too old, or was used before"
            return self._refuse(question, "challenge", problem, source)
        if self._waiting >= MAX_WAITING:
            return self._refuse(question, "busy", "busy: too many commands at the same time", source)
        self._waiting += 1
        try:
            async with self._changing:
                outcome = await self._carry_out(request, source)
        finally:
            self._waiting -= 1
        return encode_answer(self._answer(question, error=outcome))

    def _hello(self, question: str, request: Request) -> Answer:
        members: tuple[MemberLine, ...] = ()
        if request.members:
            members = tuple(
                MemberLine(m.name, str(m.address), m.state.name.lower(), speaks_tocsin(m.meta))
                for m in self._members()
            )
        return self._answer(question, challenge=self._challenges.make(), members=members)

    def _answer(
        self,
        question: str,
        *,
        error: str = "",
        challenge: str = "",
        members: tuple[MemberLine, ...] = (),
    ) -> Answer:
        keyring = self._kept.keyring
        return Answer(
            question=question,
            node=self._name,
            error=error,
            challenge=challenge,
            keys=tuple(keyring.fingerprints()),
            verify_incoming=keyring.verify_incoming,
            verify_outgoing=keyring.verify_outgoing,
            members=members,
        )

    async def _carry_out(self, request: Request, source: Address) -> str:
        """Write the file, then use the keys: after a crash the file has everything that was acknowledged."""
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

    def _refuse(self, question: str, reason: str, detail: str, source: Address) -> bytes:
        self._refused(reason, detail, source)
        return encode_answer(Answer(question, self._name, error=detail))

    def _refused(self, reason: str, detail: str, source: Address) -> None:
        self.statistics.requests_refused[reason] += 1
        more = self._bound.admit("keyring request", source.host)
        if more is not None:
            self._log.warn("keyring request refused", reason=detail, source=str(source), **more)


class Challenges:
    """Each is good for one command within :data:`CHALLENGE_LIFETIME` of being made.

    Nothing is kept of one that was given out: it holds its end and our signature. So a client that asks for
    many, or replays somebody's question for one, takes none from anybody. Only used ones are kept.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._secret = secrets.token_bytes(32)
        self._used: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._used)

    def make(self) -> str:
        """A new one."""
        until = int((self._time() + CHALLENGE_LIFETIME) * 1000)
        text = f"{until:x}.{secrets.token_hex(16)}"
        return f"{text}.{self._seal(text)}"

    def take(self, challenge: str) -> bool:
        """Whether it is one of ours, not expired, and was not used before; it counts as used then."""
        text, _, seal = challenge.rpartition(".")
        if not secrets.compare_digest(seal.encode("utf-8", "replace"), self._seal(text).encode()):
            return False
        now = self._time()
        until = int(text.partition(".")[0], 16) / 1000
        if now >= until or text in self._used:
            return False
        if len(self._used) >= MAX_USED:
            self._used = {one: end for one, end in self._used.items() if end > now}
            if len(self._used) >= MAX_USED:
                return False
        self._used[text] = until
        return True

    def _seal(self, text: str) -> str:
        return hmac.new(self._secret, text.encode("utf-8", "replace"), "sha256").hexdigest()


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
    elif key is not None:  # Removing a key that is gone is not an error: a command may be repeated.
        trial.remove(key)
    return trial.keys
