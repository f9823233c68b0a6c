"""Commands to a node's keyring: on disk before they are in use, one at a time, and never twice."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.transports import eventually
from tocsin.errors import StateError
from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member
from tocsin.gossip.wire.keyring import MAX_KEYS, Keyring, fingerprint
from tocsin.gossip.wire.messages import MemberState
from tocsin.node.cluster.capability import META
from tocsin.node.cluster.keyring import service as module
from tocsin.node.cluster.keyring.commands import (
    ANSWER,
    HELLO,
    MAX_REQUEST,
    QUESTION,
    VERSION_1,
    Answer,
    MemberLine,
    Request,
    decode_answer,
    decode_request,
    digest,
    encode_answer,
    encode_request,
)
from tocsin.node.cluster.keyring.keyfile import KeyringFile, read_keys, write_keys
from tocsin.node.cluster.keyring.refusals import INTERVAL, MAX_HOSTS, MAX_LINES, KeyringRefusals
from tocsin.node.cluster.keyring.service import MAX_USED, MAX_WAITING, Challenges, KeyringService
from tocsin.node.log import Logger

OLD, NEW = bytes(range(32)), bytes(range(16))
SOURCE = Address("10.0.0.9", 4000)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "keyring.json"
        write_keys(self.path, [OLD])
        self.keyring = Keyring([OLD])
        member = Member("go", Address("10.0.0.2", 9094), 1, MemberState.SUSPECT, 0.0, b"", bytes(6))
        self.members = [replace(member, name="node", state=MemberState.ALIVE, meta=META), member]
        self.service = KeyringService(
            "node",
            KeyringFile(self.path, self.keyring),
            members=lambda: self.members,
            log=Logger("tocsin.test"),
        )

    async def ask(self, request: Request) -> Answer:
        question = encode_request(request)
        answer = await self.service.receive(question, SOURCE)
        assert answer is not None
        decoded = decode_answer(answer)
        assert decoded.question == digest(question)
        return decoded

    async def command(self, command: str, *, key: bytes = b"", name: str = "") -> Answer:
        hello = await self.ask(Request(HELLO, "first"))
        return await self.ask(
            Request(command, "second", hello.node, hello.challenge, key=key, fingerprint=name)
        )


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    def tell(story: Callable[[Bench], Awaitable[None]]) -> None:
        async def within() -> None:
            async with asyncio.timeout(60):
                await story(Bench(tmp_path))

        asyncio.run(within())

    return tell


Run = Callable[[Callable[[Bench], Awaitable[None]]], None]


def test_a_key_is_installed_used_and_the_old_one_removed(run: Run) -> None:
    async def story(bench: Bench) -> None:
        old, new = fingerprint(OLD), fingerprint(NEW)
        assert (await bench.command("list")).keys == (old,)
        assert (await bench.command("install", key=NEW)).keys == (old, new)
        assert read_keys(bench.path) == bench.keyring.keys == [OLD, NEW]
        assert (await bench.command("use", name=new)).keys == (new, old)
        assert read_keys(bench.path) == [NEW, OLD]
        answer = await bench.command("remove", name=old)
        assert (answer.keys, answer.error) == ((new,), "")
        assert read_keys(bench.path) == bench.keyring.keys == [NEW]
        # Each may be repeated.
        assert (await bench.command("install", key=NEW)).error == ""
        assert (await bench.command("use", name=new)).error == ""
        assert (await bench.command("remove", name=old)).error == ""
        assert bench.service.statistics.commands == {"list": 1, "install": 2, "use": 2, "remove": 2}

    run(story)


def test_what_cannot_be_is_told_and_changes_nothing(run: Run) -> None:
    async def story(bench: Bench) -> None:
        assert "not installed" in (await bench.command("use", name=fingerprint(NEW))).error
        assert "primary" in (await bench.command("remove", name=fingerprint(OLD))).error
        assert "without a key" in (await bench.command("install")).error
        for number in range(1, MAX_KEYS):
            assert (await bench.command("install", key=bytes([number]) * 16)).error == ""
        assert f"at most {MAX_KEYS}" in (await bench.command("install", key=bytes(16))).error
        assert len(read_keys(bench.path)) == len(bench.keyring.keys) == MAX_KEYS
        assert bench.service.statistics.commands_failed == {"use": 1, "remove": 1, "install": 2}

    run(story)


def test_what_cannot_be_kept_is_not_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(bench: Bench) -> None:
        bench.path.unlink()
        bench.path.parent.rmdir()
        answer = await bench.command("install", key=NEW)
        assert "cannot be written" in answer.error
        assert bench.keyring.keys == [OLD]

    run(story)


def test_a_recorded_command_is_refused_at_its_second_arrival(run: Run) -> None:
    async def story(bench: Bench) -> None:
        hello = await bench.ask(Request(HELLO, "n"))
        recorded = encode_request(Request("install", "n", hello.node, hello.challenge, key=NEW))
        first = decode_answer(await bench.service.receive(recorded, SOURCE) or b"")
        again = decode_answer(await bench.service.receive(recorded, SOURCE) or b"")
        assert first.error == ""
        assert "challenge" in again.error
        assert bench.service.statistics.requests_refused == {"challenge": 1}

    run(story)


def test_a_challenge_is_of_one_node_and_does_not_last(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(bench: Bench) -> None:
        hello = await bench.ask(Request(HELLO, "n"))
        answer = await bench.ask(Request("list", "n", "another", hello.challenge))
        assert "this is not 'another'" in answer.error
        assert "this is not 'another'" in (await bench.ask(Request(HELLO, "n", "another"))).error
        monkeypatch.setattr(module, "CHALLENGE_LIFETIME", 0.0)
        assert "challenge" in (await bench.command("list")).error
        assert "challenge" in (await bench.ask(Request("list", "n", "node"))).error
        assert bench.service.statistics.requests_refused == {"node": 2, "challenge": 2}

    run(story)


def test_a_hello_played_again_and_again_takes_nobody_the_challenge_that_he_has(run: Run) -> None:
    async def story(bench: Bench) -> None:
        recorded = encode_request(Request(HELLO, "n"))
        first = await bench.ask(Request(HELLO, "n"))
        for _ in range(2 * MAX_USED):
            await bench.service.receive(recorded, SOURCE)
        assert len(bench.service._challenges) == 0
        assert (await bench.ask(Request("list", "n", "node", first.challenge))).error == ""

    run(story)


def test_used_challenges_are_bounded_and_forgotten_in_time() -> None:
    now = 1000.0
    challenges = Challenges(lambda: now)
    made = [challenges.make() for _ in range(MAX_USED + 1)]
    assert all(challenges.take(one) for one in made[:-1])
    assert len(challenges) == MAX_USED
    assert not challenges.take(made[-1])
    now += module.CHALLENGE_LIFETIME
    assert not challenges.take(made[0])
    assert challenges.take(challenges.make())
    assert len(challenges) == 1


@pytest.mark.parametrize("text", ["", ".", "..", "0.0.0", "ffffffff.0.", "x.y.z", "\ud800", "1.2.\ud800"])
def test_an_invented_challenge_is_none(text: str) -> None:
    challenges = Challenges(lambda: 0.0)
    assert not challenges.take(text)
    assert not challenges.take(Challenges(lambda: 0.0).make())
    until, number, seal = challenges.make().split(".")
    assert not challenges.take(f"{int(until, 16) + 1:x}.{number}.{seal}")


def test_a_question_of_an_older_tool_is_answered_in_its_words_and_not_carried_out(run: Run) -> None:
    async def story(bench: Bench) -> None:
        old = VERSION_1 + b'{"command": "list", "nonce": "n", "node": "node"}'
        answer = await bench.service.receive(old, SOURCE)
        assert answer is not None
        assert answer.startswith(VERSION_1)
        assert "too old" in json.loads(answer[len(VERSION_1) :])["error"]
        assert bench.service.statistics.requests_refused == {"version": 1}

    run(story)


def test_neither_side_takes_what_goes_the_other_way() -> None:
    with pytest.raises(StateError, match="of the other direction"):
        decode_answer(encode_request(Request("remove", "n", "node", fingerprint="0" * 32)))
    with pytest.raises(StateError, match="of the other direction"):
        decode_request(encode_answer(Answer("q", "node")))


def test_commands_at_the_same_time_are_bounded(run: Run) -> None:
    async def story(bench: Bench) -> None:
        async with bench.service._changing:
            waiting = [asyncio.create_task(bench.command("list")) for _ in range(MAX_WAITING)]
            await eventually(lambda: bench.service._waiting == MAX_WAITING)
            assert "busy" in (await bench.command("list")).error
        assert {(await answer).error for answer in waiting} == {""}
        assert bench.service.statistics.requests_refused == {"busy": 1}

    run(story)


def test_hello_tells_who_is_there(run: Run) -> None:
    async def story(bench: Bench) -> None:
        answer = await bench.ask(Request(HELLO, "n", members=True))
        assert answer.members == (
            MemberLine("node", "10.0.0.2:9094", "alive", True),
            MemberLine("go", "10.0.0.2:9094", "suspect", False),
        )
        assert (await bench.ask(Request(HELLO, "n"))).members == ()

    run(story)


def test_other_messages_are_none_of_its_business_and_bad_ones_are_refused(run: Run) -> None:
    async def story(bench: Bench) -> None:
        assert await bench.service.receive(b"\n\x03sil", SOURCE) is None
        for bad in (b"", b"[]", b'{"command": "format"}', b'{"command": 1}', b"{" * 2000, b"x" * MAX_REQUEST):
            answer = await bench.service.receive(QUESTION + bad, SOURCE)
            assert answer is not None
            assert decode_answer(answer).error
        assert bench.service.statistics.requests_refused == {"malformed": 6}

    run(story)


def test_neither_log_nor_answer_shows_a_key(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def story(bench: Bench) -> None:
        answers = [await bench.command("install", key=NEW), await bench.command("list")]
        shown = repr(answers) + caplog.text + repr([vars(record) for record in caplog.records])
        assert fingerprint(NEW) in shown
        for secret in (OLD, NEW):
            assert secret.hex() not in shown
            assert repr(secret) not in shown
            assert secret not in b"".join(encode_answer(one) for one in answers)

    with caplog.at_level(logging.DEBUG):
        run(story)


@given(st.binary(max_size=200), st.sampled_from([b"", QUESTION, ANSWER, VERSION_1]))
def test_hostile_bytes_are_a_state_error(data: bytes, mark: bytes) -> None:
    payload = mark + data
    for decode in (decode_request, decode_answer):
        try:
            decode(payload)
        except StateError:
            pass


texts = st.text(max_size=40)
answers = st.builds(
    Answer,
    question=texts,
    node=texts,
    error=texts,
    challenge=texts,
    keys=st.lists(texts, max_size=3).map(tuple),
    verify_incoming=st.booleans(),
    verify_outgoing=st.booleans(),
    members=st.lists(st.builds(MemberLine, texts, texts, texts, st.booleans()), max_size=3).map(tuple),
)


@given(answers)
def test_an_answer_survives_its_bytes(answer: Answer) -> None:
    assert decode_answer(encode_answer(answer)) == answer


def test_a_peer_without_our_keyring_is_named_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    trouble = KeyringRefusals(Keyring([OLD, NEW]), Logger("tocsin.test"))
    with caplog.at_level(logging.WARNING):
        for now in (0.0, 1.0, INTERVAL - 1.0):
            trouble.write(SOURCE, "no installed key opens it", now)
        assert len(caplog.records) == 1
        fields = repr(vars(caplog.records[0]))
        assert str(SOURCE) in fields
        assert f"{fingerprint(OLD)},{fingerprint(NEW)}" in fields
        trouble.write(SOURCE, "no installed key opens it", INTERVAL)
        assert len(caplog.records) == 2
        for number in range(MAX_HOSTS + 10):
            trouble.write(Address(f"10.1.{number // 256}.{number % 256}", 1), "no", INTERVAL)
        assert len(trouble._last) == MAX_HOSTS
        assert len(caplog.records) == MAX_LINES, "the hosts of datagrams can be invented"
