"""The tool and the nodes, over real sockets: one command, a result for each member, no member lost."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.transports import eventually
from tocsin.cli.control import main
from tocsin.cli.keyring import _show
from tocsin.client.keyring import NOT_TOCSIN, KeyringClient, Outcome, _unfulfilled
from tocsin.errors import RemoteError
from tocsin.gossip import Address, Event, Gossip, GossipConfig, MemberLeft
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport
from tocsin.gossip.wire.keyring import Keyring, fingerprint
from tocsin.gossip.wire.messages import User
from tocsin.gossip.wire.stream import StreamCodec
from tocsin.node.cluster.capability import META
from tocsin.node.cluster.keyring.commands import Request, encode_request
from tocsin.node.cluster.keyring.keyfile import KeyringFile, read_keys, write_keys
from tocsin.node.cluster.keyring.service import KeyringService
from tocsin.node.log import Logger

OLD, NEW = bytes(range(32)), bytes(range(16))
CONFIG = replace(GossipConfig.local(), gossip_interval=0.02, label=b"night")


@dataclass
class Node:
    gossip: Gossip
    path: Path
    service: KeyringService | None
    events: list[Event]

    @property
    def address(self) -> str:
        return str(self.gossip.local.address)


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: list[Node] = []

    async def node(
        self, name: str, *, tocsin: bool = True, verify_incoming: bool = True, verify_outgoing: bool = True
    ) -> Node:
        path = self.folder / f"{name}.json"
        write_keys(path, [OLD])
        ring = Keyring([OLD], verify_incoming=verify_incoming, verify_outgoing=verify_outgoing)
        events: list[Event] = []
        service: KeyringService | None = None
        if tocsin:
            service = KeyringService(
                name,
                KeyringFile(path, ring),
                members=lambda: gossip.endpoint.known_members(),
                log=Logger("tocsin.test"),
            )
        gossip = Gossip(
            CONFIG,
            UDPTransport(UDPTransportConfig(listen_address=Address("127.0.0.1", 0))),
            name=name,
            meta=META if tocsin else b"",
            keyring=ring,
            on_request=service.receive if service is not None else None,
            on_event=events.append,
        )
        await gossip.start()
        if self.nodes:
            await gossip.join([self.nodes[0].gossip.local.address])
        self.nodes.append(Node(gossip, path, service, events))
        return self.nodes[-1]

    async def whole(self) -> None:
        count = len(self.nodes)
        await eventually(lambda: all(len(node.gossip.members) == count for node in self.nodes), 30)


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    made = Cluster(folder)
    try:
        yield made
    finally:
        await asyncio.gather(*(node.gossip.close() for node in made.nodes))


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Cluster], Awaitable[None]]], None]:
    def tell(story: Callable[[Cluster], Awaitable[None]]) -> None:
        async def within() -> None:
            async with asyncio.timeout(120), cluster(tmp_path) as made:
                await story(made)

        asyncio.run(within())

    return tell


Run = Callable[[Callable[[Cluster], Awaitable[None]]], None]


async def tool(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["keyring", *arguments])


def test_a_rotation_by_the_command_line_under_load(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, new = tmp_path / "tool.json", tmp_path / "new"
    write_keys(mine, [OLD])
    new.write_text(base64.b64encode(NEW).decode() + "\n")

    async def story(made: Cluster) -> None:
        nodes = [await made.node(name) for name in ("a", "b", "c")]
        go = await made.node("go", tocsin=False)
        await made.whole()
        stop = asyncio.Event()

        async def load() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                nodes[0].gossip.broadcast(b"load %d" % number)
                await asyncio.sleep(0.005)

        loading = asyncio.create_task(load())
        reach = ("--keyring-file", str(mine), "--address", nodes[0].address, "--label", "night")
        # The Go-like member has to get the key in its own way; the command says so and fails for it.
        assert await tool("install", *reach, "--key-file", str(new)) == 1
        out = capsys.readouterr().out
        assert out.count(f"{fingerprint(OLD)} {fingerprint(NEW)} ") == out.count("done") == 3
        assert out.count(NOT_TOCSIN) == 1
        assert go.gossip.keyring is not None
        go.gossip.keyring.install(NEW)
        assert await tool("use", *reach, fingerprint(NEW)) == 1
        go.gossip.keyring.use(NEW)
        assert capsys.readouterr().out.count("done") == 3
        # The tool's own key is the one that goes: the answers are sealed with it all the same.
        assert await tool("remove", *reach, fingerprint(OLD)) == 1
        go.gossip.keyring.remove(OLD)
        assert capsys.readouterr().out.count(f" {fingerprint(NEW)}  ") == 3
        assert await tool("list", *reach) == 1
        err = capsys.readouterr().err
        assert "does not share our key" in err
        assert f"{mine}" in err
        assert nodes[0].address in err
        assert "out of date" in err
        write_keys(mine, [NEW])
        assert await tool("list", *reach) == 1
        assert capsys.readouterr().out.count("done") == 3
        for node in nodes:
            assert read_keys(node.path) == [NEW]
        marks = [f"after {node.gossip.name}".encode() for node in made.nodes]
        for node, mark in zip(made.nodes, marks, strict=True):
            node.gossip.broadcast(mark)
        for node, mark in zip(made.nodes, marks, strict=True):
            wanted = set(marks) - {mark}
            await eventually(
                lambda node=node, wanted=wanted: (  # type: ignore[misc]
                    wanted <= {getattr(event, "payload", b"") for event in node.events}
                ),
                30,
            )
        stop.set()
        await loading
        assert not [event for node in made.nodes for event in node.events if isinstance(event, MemberLeft)]
        await made.whole()

    run(story)


def test_use_is_refused_while_a_node_lacks_the_key(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "tool.json"
    write_keys(mine, [OLD])

    async def story(made: Cluster) -> None:
        a, b = await made.node("a"), await made.node("b")
        await made.whole()
        assert a.gossip.keyring is not None
        a.gossip.keyring.install(NEW)
        reach = ("--keyring-file", str(mine), "--address", b.address, "--label", "night")
        assert await tool("use", *reach, fingerprint(NEW)) == 1
        assert "not known to be at b: install it there first" in capsys.readouterr().err
        assert a.gossip.keyring.keys[0] == OLD

    run(story)


def test_a_node_that_does_not_answer_is_a_result_of_its_own(run: Run) -> None:
    async def story(made: Cluster) -> None:
        a, b = await made.node("a"), await made.node("b")
        await made.whole()
        client = KeyringClient([OLD], label=b"night", timeout=0.5)
        members = await client.members(a.address)
        # A listener that never accepts and says nothing stands where b was.
        silent = socket.create_server(("127.0.0.1", 0))
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        moved = [replace(one, address=place) if one.name == "b" else one for one in members]
        outcomes = {one.name: one for one in await client.run(moved, Request("list", ""))}
        assert outcomes["a"].problem == ""
        assert "no answer within 0.5 s" in outcomes["b"].problem
        # So is one that another node took the address of, and one that is dead.
        moved = [replace(members[0], address=b.address, name="a"), replace(members[1], state="dead")]
        problems = [one.problem for one in await client.run(moved, Request("list", ""))]
        assert problems[0] == "'b' is at its address"
        assert "dead" in problems[1]
        silent.close()

    run(story)


@pytest.mark.parametrize(("keys", "label"), [([NEW], b"night"), ([OLD], b"day"), ([OLD], b"")])
def test_another_key_or_label_gets_no_answer(run: Run, keys: list[bytes], label: bytes) -> None:
    async def story(made: Cluster) -> None:
        node = await made.node("a")
        assert node.service is not None
        with pytest.raises(RemoteError):
            await KeyringClient(keys, label=label, timeout=5).members(node.address)
        assert node.service.statistics.commands == {}

    run(story)


def test_while_a_keyring_is_rolled_out_commands_are_sealed_all_the_same(run: Run) -> None:
    async def story(made: Cluster) -> None:
        node = await made.node("a", verify_incoming=False, verify_outgoing=False)
        client = KeyringClient([OLD], label=b"night")
        [outcome] = await client.run(await client.members(node.address), Request("install", "", key=NEW))
        assert outcome.problem == ""
        assert (outcome.verify_incoming, outcome.verify_outgoing) == (False, False)
        assert read_keys(node.path) == [OLD, NEW]

    run(story)


def test_clear_text_is_no_way_to_command_a_node_that_takes_clear_text(run: Run) -> None:
    async def story(made: Cluster) -> None:
        node = await made.node("a", verify_incoming=False)
        assert node.service is not None
        host, _, port = node.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for data in StreamCodec(b"night").encode(User(encode_request(Request("hello", "n", members=True)))):
            writer.write(data)
        assert await reader.read() == b""
        writer.close()
        assert node.service.statistics.requests_refused == {}

    run(story)


def test_keys_are_generated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.json"
    assert main(["keyring", "generate", "--file", str(path)]) == 0
    [key] = read_keys(path)
    assert len(key) == 32
    assert capsys.readouterr().out == f"{path}: key {fingerprint(key)}\n"
    assert main(["keyring", "generate", "--file", str(path)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["keyring", "generate", "--size", "16"]) == 0
    assert len(base64.b64decode(capsys.readouterr().out)) == 16
    assert json.loads(path.read_text()) == [base64.b64encode(key).decode()]


def test_a_new_key_that_is_none_is_told_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring, new = tmp_path / "ring.json", tmp_path / "new"
    write_keys(ring, [OLD])
    new.write_text("c2VjcmV0")
    assert main(["keyring", "install", "--keyring-file", str(ring), "--key-file", str(new)]) == 1
    err = capsys.readouterr().err
    assert "has 6 bytes" in err
    assert "c2VjcmV0" not in err


async def _through(made: Cluster, change: Callable[[bytes], bytes | None]) -> tuple[str, asyncio.Server]:
    """A proxy without any key before the first node. ``change``: what comes back for what was sent, None: the
    node's own answer."""
    host, _, port = made.nodes[0].address.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = await reader.read(1 << 20)
        back = change(sent)
        if back is None:
            theirs, ours = await asyncio.open_connection(host, int(port))
            ours.write(sent)
            back = await theirs.read(1 << 20)
            ours.close()
        writer.write(back)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    place = server.sockets[0].getsockname()
    return f"{place[0]}:{place[1]}", server


@pytest.mark.parametrize("attack", ["everything thrown back", "the command thrown back", "an older answer"])
def test_a_proxy_without_a_key_makes_no_command_look_done(run: Run, attack: str) -> None:
    """What is sent back was encrypted with the right key, by the tool itself or by the node, a moment ago."""

    async def story(made: Cluster) -> None:
        a = await made.node("a")
        assert a.gossip.keyring is not None
        a.gossip.keyring.install(NEW)
        seen: list[bytes] = []

        def change(sent: bytes) -> bytes | None:
            seen.append(sent)
            if attack == "everything thrown back" or len(seen) % 2 == 0:
                # The label before a question is in clear, and no answer has one.
                return sent[2 + len(CONFIG.label) :] if attack != "an older answer" else answers[0]
            return None

        answers: list[bytes] = []
        client = KeyringClient([OLD], label=b"night", timeout=5)
        if attack == "an older answer":
            codec = StreamCodec(b"night", Keyring([OLD]))
            question = b"".join(codec.encode(User(encode_request(Request("hello", "n", node="a")))))
            host, _, port = a.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(question)
            answers.append(await reader.read(1 << 20))
            writer.close()
        place, server = await _through(made, change)
        [member] = await client.members(a.address)
        request = Request("remove", "", fingerprint=fingerprint(NEW))
        [outcome] = await client.run([replace(member, address=place)], request)
        server.close()
        assert outcome.problem
        assert outcome.keys == ()
        assert a.gossip.keyring.keys == [OLD, NEW]

    run(story)


@pytest.mark.parametrize(
    ("request_", "keys", "fulfilled"),
    [
        (Request("install", "", key=NEW), (fingerprint(OLD), fingerprint(NEW)), True),
        (Request("install", "", key=NEW), (fingerprint(OLD),), False),
        (Request("use", "", fingerprint=fingerprint(NEW)), (fingerprint(NEW), fingerprint(OLD)), True),
        (Request("use", "", fingerprint=fingerprint(NEW)), (fingerprint(OLD), fingerprint(NEW)), False),
        (Request("remove", "", fingerprint=fingerprint(OLD)), (fingerprint(NEW),), True),
        (Request("remove", "", fingerprint=fingerprint(OLD)), (fingerprint(NEW), fingerprint(OLD)), False),
        (Request("remove", "", fingerprint=fingerprint(OLD)), (), False),
        (Request("list", ""), (fingerprint(OLD),), True),
        (Request("list", ""), (), False),
    ],
)
def test_the_keys_that_a_node_has_afterwards_are_compared(
    request_: Request, keys: tuple[str, ...], fulfilled: bool
) -> None:
    assert (_unfulfilled(request_, keys) == "") is fulfilled


def test_a_rotation_keeps_the_tools_own_file_up(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, new = tmp_path / "tool.json", tmp_path / "new"
    write_keys(mine, [OLD])
    new.write_text(base64.b64encode(NEW).decode() + "\n")

    async def story(made: Cluster) -> None:
        nodes = [await made.node(name) for name in ("a", "b")]
        await made.whole()
        reach = (
            "--keyring-file",
            str(mine),
            "--address",
            nodes[0].address,
            "--label",
            "night",
            "--update-file",
        )
        assert await tool("install", *reach, "--key-file", str(new)) == 0
        assert read_keys(mine) == [OLD, NEW]
        assert await tool("use", *reach, fingerprint(NEW)[:8]) == 0
        assert read_keys(mine) == [NEW, OLD]
        assert await tool("remove", *reach, fingerprint(OLD)[:12].upper()) == 0
        assert read_keys(mine) == [NEW]
        assert await tool("remove", *reach, fingerprint(OLD)) == 0  # once more, as after a failure
        assert await tool("use", *reach, "0c9e") == 1
        assert "8 hexadecimal digits" in capsys.readouterr().err
        assert await tool("use", *reach, "01234567") == 1
        assert "no key that a node has" in capsys.readouterr().err

    run(story)


def test_a_member_cannot_write_on_the_operators_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "a\x1b[2J\u202e\nb  127.0.0.1:1  -  done"
    _show([Outcome(bad, bad, bad, (bad,))])
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert "\x1b" not in out
    assert "\u202e" not in out
