"""The tool's side of ``tocsinctl keyring``: one command to every Tocsin node, with a result for each.

Everything goes to the nodes' cluster ports, sealed with the first key of the tool's own keyring file. Keys
travel in no other way, and never over HTTP.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import RemoteError, StateError, TransportError, UserError, WireError
from tocsin.gossip.wire.keyring import Keyring, fingerprint
from tocsin.gossip.wire.limits import DEFAULT_LIMITS
from tocsin.gossip.wire.messages import ErrorResponse, User
from tocsin.gossip.wire.stream import StreamCodec
from tocsin.node.cluster.keyring.commands import (
    HELLO,
    Answer,
    MemberLine,
    Request,
    decode_answer,
    digest,
    encode_request,
)
from tocsin.node.config.commandline import split_host_port

AT_ONCE: Final = 16
"""Nodes that are sent the command at the same time."""
_READ: Final = 64 * 1024
NOT_TOCSIN: Final = "not reachable by this command: not a Tocsin node"


class NoSharedKeyError(RemoteError):
    """The node cannot decrypt our messages, or we not those of the node: keys or label differ."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the command at one member. ``problem`` is empty when it was carried out."""

    name: str
    address: str
    problem: str
    keys: tuple[str, ...] = ()
    """Fingerprints, the primary first; empty if the node did not answer."""
    verify_incoming: bool = True
    verify_outgoing: bool = True


class KeyringClient:
    """Speaks to nodes of the cluster with ``label`` that share a key of ``keys``. ``timeout``: seconds for
    each node."""

    def __init__(self, keys: Sequence[bytes], *, label: bytes = b"", timeout: float = 10.0) -> None:
        # Limits on answers, so that a hostile node cannot fill our memory.
        limits = replace(DEFAULT_LIMITS, user_state=8 * 1024 * 1024, sealed=8 * 1024 * 1024)
        self._codec = StreamCodec(label, Keyring(keys), limits=limits)
        self._timeout = timeout
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def members(self, address: str) -> tuple[MemberLine, ...]:
        """The members that the node at ``address`` (host:port) knows, dead ones included.
        :class:`TransportError` when it does not answer, :class:`RemoteError` for an answer that cannot be
        used.
        """
        return (await self._ask(address, Request(HELLO, _nonce(), members=True))).members

    async def run(self, members: Sequence[MemberLine], request: Request) -> list[Outcome]:
        """Have every member carry out ``request`` (its command, key and fingerprint count); never raises."""
        wanted = [member for member in members if member.state != "left"]
        return list(await asyncio.gather(*(self._at(member, request) for member in wanted)))

    async def _at(self, member: MemberLine, request: Request) -> Outcome:
        if not member.tocsin:
            return Outcome(member.name, member.address, NOT_TOCSIN)
        if member.state == "dead":
            return Outcome(
                member.name, member.address, "dead: give it the new keyring file before it comes back"
            )
        async with self._at_once:
            try:
                hello = await self._ask(member.address, Request(HELLO, _nonce(), node=member.name))
                answer = await self._ask(
                    member.address,
                    replace(request, nonce=_nonce(), node=member.name, challenge=hello.challenge),
                )
            except (TransportError, RemoteError, UserError) as error:
                return Outcome(member.name, member.address, str(error))
        return Outcome(
            member.name,
            member.address,
            answer.error or _unfulfilled(request, answer.keys),
            answer.keys,
            answer.verify_incoming,
            answer.verify_outgoing,
        )

    async def _ask(self, address: str, request: Request) -> Answer:
        payload = encode_request(request)
        try:
            async with asyncio.timeout(self._timeout):
                answer = decode_answer(await self._exchange(address, payload))
        except TimeoutError:
            raise TransportError(f"no answer within {self._timeout:g} s") from None
        except ConnectionRefusedError:
            raise TransportError(f"connection refused by {address}: is the node up?") from None
        except OSError as error:
            raise TransportError(error.strerror or str(error)) from None
        except StateError as error:
            raise RemoteError(str(error)) from None
        except WireError as error:
            raise NoSharedKeyError(f"it does not share our key or label: {error.problem}") from None
        if not secrets.compare_digest(answer.question.encode("utf-8", "replace"), digest(payload).encode()):
            raise RemoteError("it answered another request")
        if request.node and answer.node != request.node:
            raise TransportError(f"{answer.node!r} is at its address")
        return answer

    async def _exchange(self, address: str, payload: bytes) -> bytes:
        host, port = split_host_port("ADDRESS", address)
        reader, writer = await asyncio.open_connection(host, port)
        try:
            for data in self._codec.encode(User(payload)):
                writer.write(data)
            await writer.drain()
            decoder = self._codec.decoder(reply=True)
            while data := await reader.read(_READ):
                message = decoder.feed(data)
                if isinstance(message, ErrorResponse):
                    raise NoSharedKeyError(f"it does not share our key: {message.error[:200]}")
                if isinstance(message, User) and decoder.opened_with is not None:
                    return message.payload
                if message is not None:
                    raise RemoteError("it did not answer as a Tocsin node does")
        finally:
            writer.close()
        raise RemoteError(
            "it did not answer: it is not a Tocsin node with a keyring, or is older than this tool"
        )


def _unfulfilled(request: Request, keys: tuple[str, ...]) -> str:
    """How the keys that a node reports differ from what the command should have done; empty if they do
    not."""
    wanted = fingerprint(request.key) if request.key else request.fingerprint
    match request.command:
        case "install":
            fulfilled = wanted in keys
        case "use":
            fulfilled = keys[:1] == (wanted,)
        case "remove":
            fulfilled = bool(keys) and wanted not in keys
        case _:
            fulfilled = bool(keys)
    return (
        "" if fulfilled else "it reports success, but its keys are not what the command should have made them"
    )


def _nonce() -> str:
    return secrets.token_hex(16)
