"""What ``tocsinctl keyring`` and the nodes say to each other. Pure.

Each is a reliable user message on a stream to the cluster's port, and the answer one on the same stream,
both encrypted with a key of the ring. An answer is encrypted with the key of its question, so that a command
can take that key out of use.

All members share the keys, so what a key proves is that a member wrote it, and nothing more. What it was
written for is within: :data:`QUESTION` or :data:`ANSWER` says in which direction it goes, a question names
the node that it is for, and an answer names its node and holds the digest of the question. So neither a
question thrown back nor another node's or another question's answer is taken for an answer. A command holds a
challenge as well that the node made up a moment ago and takes once (``hello`` asks for one): what was
recorded on the network can be replayed to nobody.

Version 1 had none of the first. A node answers it with an error that old tools show, and carries nothing out.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import field
from typing import Any, Final

from tocsin.dataclass import dataclass
from tocsin.errors import StateError, UserError
from tocsin.node.cluster.keyring.keyfile import decode_key, encode_key

_ANY: Final = b"tcn.keyring/"
QUESTION: Final = b"tcn.keyring/2 question\n"
ANSWER: Final = b"tcn.keyring/2 answer\n"
VERSION_1: Final = b"tcn.keyring/1\n"
TOO_OLD: Final = (
    VERSION_1 + json.dumps({"error": "this tocsinctl is too old: use the nodes' version"}).encode()
)
"""The answer to questions of version 1."""
MAX_REQUEST: Final = 4096
MAX_ANSWER: Final = 4 * 1024 * 1024
"""Bytes; a member takes about 100."""
HELLO: Final = "hello"
COMMANDS: Final = ("list", "install", "use", "remove")
_MAX_TEXT: Final = 1024


@dataclass(frozen=True, slots=True)
class Request:
    """``command`` is :data:`HELLO` or one of :data:`COMMANDS`. ``key`` is of install, ``fingerprint`` of use
    and remove."""

    command: str
    nonce: str
    node: str = ""
    challenge: str = ""
    members: bool = False
    """With hello: list the members of the cluster."""
    key: bytes = b""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One member as a node knows it."""

    name: str
    address: str
    state: str
    """"alive", "suspect", "dead" or "left"."""
    tocsin: bool
    """Whether it understands these messages."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says. ``error`` is empty when the command was carried out, which by then is on its disk."""

    question: str
    """:func:`digest` of what it answers."""
    node: str
    error: str = ""
    challenge: str = ""
    keys: tuple[str, ...] = ()
    """Fingerprints of the keys after the command, the primary first."""
    verify_incoming: bool = True
    verify_outgoing: bool = True
    members: tuple[MemberLine, ...] = field(default=())


def is_request(payload: bytes) -> bool:
    """Whether a user message is one of these, of whatever version and direction."""
    return payload.startswith(_ANY)


def digest(question: bytes) -> str:
    """The digest of a question, which its answer carries."""
    return hashlib.sha256(question).hexdigest()


def encode_request(request: Request) -> bytes:
    """As bytes."""
    content: dict[str, Any] = {"command": request.command, "nonce": request.nonce, "node": request.node}
    if request.challenge:
        content["challenge"] = request.challenge
    if request.members:
        content["members"] = True
    if request.key:
        content["key"] = encode_key(request.key)
    if request.fingerprint:
        content["fingerprint"] = request.fingerprint
    return QUESTION + json.dumps(content).encode()


def decode_request(payload: bytes) -> Request:
    """:class:`StateError` for bytes that are not one."""
    content = _content(payload, QUESTION, MAX_REQUEST)
    command = _text(content, "command")
    if command not in (HELLO, *COMMANDS):
        raise StateError("an unknown keyring command")
    try:
        key = decode_key(_text(content, "key")) if "key" in content else b""
    except UserError as error:
        raise StateError(f"the key {error}") from None
    return Request(
        command=command,
        nonce=_text(content, "nonce"),
        node=_text(content, "node"),
        challenge=_text(content, "challenge"),
        members=content.get("members") is True,
        key=key,
        fingerprint=_text(content, "fingerprint"),
    )


def encode_answer(answer: Answer) -> bytes:
    """As bytes."""
    content: dict[str, Any] = {
        "question": answer.question,
        "node": answer.node,
        "error": answer.error,
        "challenge": answer.challenge,
        "keys": list(answer.keys),
        "verify_incoming": answer.verify_incoming,
        "verify_outgoing": answer.verify_outgoing,
        "members": [[m.name, m.address, m.state, m.tocsin] for m in answer.members],
    }
    return ANSWER + json.dumps(content).encode()


def decode_answer(payload: bytes) -> Answer:
    """:class:`StateError` for bytes that are not one."""
    content = _content(payload, ANSWER, MAX_ANSWER)
    keys, members = content.get("keys", []), content.get("members", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise StateError("an answer's keys are not texts")
    if not isinstance(members, list):
        raise StateError("an answer's members are not a list")
    return Answer(
        question=_text(content, "question"),
        node=_text(content, "node"),
        error=_text(content, "error"),
        challenge=_text(content, "challenge"),
        keys=tuple(keys),
        verify_incoming=content.get("verify_incoming") is True,
        verify_outgoing=content.get("verify_outgoing") is True,
        members=tuple(_member(each) for each in members),
    )


def _member(each: Any) -> MemberLine:
    match each:
        case [str(name), str(address), str(state), bool(tocsin)]:
            return MemberLine(name, address, state, tocsin)
        case _:
            raise StateError("a member of an answer is not name, address, state and kind")


def _content(payload: bytes, kind: bytes, limit: int) -> dict[str, Any]:
    if not payload.startswith(kind):
        if payload.startswith((QUESTION, ANSWER)):
            raise StateError("a keyring message of the other direction: a message was reflected")
        raise StateError("not a keyring message of this version")
    if len(payload) > limit:
        raise StateError(f"a keyring message of {len(payload)} bytes, the limit is {limit}")
    try:
        content = json.loads(payload[len(kind) :])
    except (ValueError, RecursionError):
        raise StateError("a keyring message is not JSON") from None
    if not isinstance(content, dict):
        raise StateError("a keyring message is not an object")
    return content


def _text(content: dict[str, Any], name: str) -> str:
    value = content.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise StateError(f"{name} of a keyring message is not a text of at most {_MAX_TEXT} characters")
    return value
