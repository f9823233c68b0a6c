"""The real serf: an agent, its command line, and as much of its messages as the tests need."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgpack

from tests.support.alertmanager import serf as binary
from tests.support.processes import Process, free_port, start_until_up
from tocsin.gossip.address import Address

DELEGATE_VERSIONS: Final = (2, 5, 5)
LEAVE, JOIN, USER_EVENT = 0, 1, 3
"""serf's own message types: the first byte of its payload in a user message."""


class Agent:
    """One ``serf agent`` on loopback."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        self.name = name
        self.folder = folder
        self.arguments = arguments

    def start(self) -> Agent:
        """Start it and wait until it answers."""

        def make() -> Process:
            self.address = Address("127.0.0.1", free_port())
            self.rpc = f"127.0.0.1:{free_port()}"
            self.process = Process(
                f"serf {self.name}",
                [
                    binary(),
                    "agent",
                    f"-node={self.name}",
                    f"-bind={self.address}",
                    f"-rpc-addr={self.rpc}",
                    "-profile=local",
                    "-log-level=debug",
                    *self.arguments,
                ],
                log=self.folder / f"{self.name}.log",
            )
            return self.process

        start_until_up(make, lambda: self.run("members").returncode == 0)
        return self

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``serf COMMAND``."""
        return subprocess.run(
            [binary(), command, f"-rpc-addr={self.rpc}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def members(self) -> dict[str, str]:
        """Name to status, as this agent sees them."""
        listed = json.loads(self.run("members", "-format=json").stdout or "{}")
        return {member["name"]: member["status"] for member in listed.get("members", ())}

    def tags(self, name: str) -> dict[str, str]:
        """The tags of a member."""
        listed = json.loads(self.run("members", "-format=json").stdout or "{}")
        found = [member["tags"] for member in listed.get("members", ()) if member["name"] == name]
        return dict(found[0]) if found else {}

    def join(self, address: Address) -> subprocess.CompletedProcess[str]:
        """``serf join``."""
        return self.run("join", str(address))

    def close(self) -> None:
        """End it."""
        self.process.terminate(5.0)
        self.process.forget()


@dataclass(frozen=True)
class UserEvent:
    """serf's user event."""

    time: int
    name: str
    payload: bytes


def encode_user_event(event: UserEvent) -> bytes:
    """As a member of a serf cluster broadcasts it."""
    body = {"CC": False, "LTime": event.time, "Name": event.name, "Payload": event.payload}
    return bytes((USER_EVENT,)) + _pack(body)


def decode_user_event(payload: bytes) -> UserEvent | None:
    """None for what is another message of serf's."""
    if payload[:1] != bytes((USER_EVENT,)):
        return None
    body: dict[bytes, Any] = msgpack.unpackb(payload[1:], raw=True)
    return UserEvent(body[b"LTime"], body[b"Name"].decode(), body[b"Payload"] or b"")


def encode_leave_intent(time: int, node: str) -> bytes:
    """What a serf member tells before it leaves; without it serf takes a memberlist goodbye for a failure."""
    body = {"LTime": time, "Node": node, "Prune": False}
    return bytes((LEAVE,)) + _pack(body)


def encode_tags(tags: dict[str, str]) -> bytes:
    """serf's meta: 255, then a msgpack map."""
    return b"\xff" + _pack(tags)


def decode_tags(meta: bytes) -> dict[str, str]:
    """The other way."""
    body: dict[bytes, bytes] = msgpack.unpackb(meta[1:], raw=True)
    return {name.decode(): value.decode() for name, value in body.items()}


def _pack(body: object) -> bytes:
    packed: bytes = msgpack.packb(body, use_bin_type=False)
    return packed
