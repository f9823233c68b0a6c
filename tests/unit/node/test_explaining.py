"""A whole node in this process tells what became of its alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.transports import eventually
from tests.unit.node.test_app import Sender, alert
from tocsin.alerting.explain.knowledge import HeldAlert, Knowledge
from tocsin.alerting.explain.question import MAX_ALERTS, Question
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.errors import ClosedError, NotFoundError
from tocsin.node import explaining, prepared
from tocsin.node.app import Node, start
from tocsin.node.config.arguments import parse_flags
from tocsin.node.decisionrecord import DecisionRecord

CONFIG = """
route:
  receiver: sink
  group_by: [alertname]
  group_wait: 10ms
  routes: [{matchers: [alertname="Late"], receiver: late, group_wait: 1h}]
receivers:
- {name: sink, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
- {name: late, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
"""
Story = Callable[[Node, Sender], Awaitable[None]]


def play(folder: Path, monkeypatch: pytest.MonkeyPatch, story: Story, *more: str) -> None:
    file = folder / "alertmanager.yml"
    file.write_text(CONFIG)
    sender = Sender()
    monkeypatch.setattr(
        prepared,
        "senders_of",
        lambda *_, **__: {(name, "webhook", 0): sender for name in ("sink", "late")},
    )
    flags = parse_flags(
        [
            f"--config.file={file}",
            f"--storage.path={folder / 'data'}",
            "--cluster.listen-address=",
            "--web.listen-address=127.0.0.1:0",
            *more,
        ]
    )

    async def main() -> None:
        node = await start(prepared.prepare(flags))
        try:
            await story(node, sender)
        finally:
            await node.stop()

    asyncio.run(main())


def about(matchers: str, **more: object) -> Question:
    return Question(matchers=parse_matchers(matchers), **more)  # type: ignore[arg-type]


def test_what_was_sent_waits_or_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(node: Node, sender: Sender) -> None:
        now = node.now()
        await node.put_alerts([alert("A", now), alert("Late", now)])
        await eventually(lambda: sender.sent == [["A"]])
        found = await node.explaining.explain(about('alertname=~"A|Late"'), peers=True)
        assert ([each.labels["alertname"] for each in found.stories], found.more) == (["A", "Late"], 0)
        sent, waiting = found.stories
        assert [each.what for each in sent.groups[0].outcomes] == ["sent"]
        assert waiting.groups[0].outcomes == ()
        assert (waiting.groups[0].next_flush or 0) >= now + 3600 * 10**9
        assert [each.answer for each in found.nodes] == ["answered"]
        (unknown,) = (await node.explaining.explain(about("alertname=Other,a=b"), peers=True)).stories
        assert (unknown.state, unknown.labels["a"], unknown.groups[0].outcomes) == ("not known", "b", ())
        fingerprint = Question(fingerprints=frozenset({sent.labels.fingerprint}))
        assert (await node.explaining.explain(fingerprint, peers=True)).stories[0].labels == sent.labels
        with pytest.raises(NotFoundError):
            await node.explaining.explain(Question(fingerprints=frozenset({1})), peers=True)

    play(tmp_path, monkeypatch, story)


def test_a_node_that_keeps_no_record_tells_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(node: Node, sender: Sender) -> None:
        await node.put_alerts([alert("A", node.now())])
        await eventually(lambda: sender.sent == [["A"]])
        (told,) = (await node.explaining.explain(about("alertname=A"), peers=True)).stories
        assert [each.what for each in told.groups[0].outcomes] == ["sent"]
        assert "it has no record of it" in told.groups[0].outcomes[0].why

    play(tmp_path, monkeypatch, story, "--record.max-entries=0")


def test_a_record_that_is_closed_meanwhile_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise ClosedError("the journal is closed")

    async def story(node: Node, sender: Sender) -> None:
        await node.put_alerts([alert("A", node.now())])
        await eventually(lambda: sender.sent == [["A"]])
        with monkeypatch.context() as patched:
            patched.setattr(DecisionRecord, "search", closed)
            found = await node.explaining.explain(about("alertname=A"), peers=True)
        assert len(found.stories) == 1
        assert found.nodes[0].why == "its record cannot be read: the journal is closed"

    play(tmp_path, monkeypatch, story)


def test_what_is_gone_from_memory_is_told_from_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first(node: Node, sender: Sender) -> None:
        await node.put_alerts([alert("A", node.now())])
        await eventually(lambda: sender.sent == [["A"]])
        await eventually(lambda: len(node.state.log) == 1)

    async def second(node: Node, sender: Sender) -> None:
        found = await node.explaining.explain(about('alertname=~"A.*"'), peers=True)
        (told,) = found.stories
        assert (told.state, [each.what for each in told.groups[0].outcomes]) == ("not known", ["sent"])

    play(tmp_path, monkeypatch, first)
    play(tmp_path, monkeypatch, second)


def test_the_bounds_of_alerts_records_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(node: Node, sender: Sender) -> None:
        now = node.now()
        await node.put_alerts([alert(f"A{number}", now) for number in range(4)])
        await eventually(lambda: len(sender.sent) == 4)
        all_of_them = about('alertname=~"A."', limit=2)
        found = await node.explaining.explain(all_of_them, peers=True)
        assert (len(found.stories), found.more) == (2, 2)
        monkeypatch.setattr(explaining, "MAX_RECORDS", 2)
        found = await node.explaining.explain(all_of_them, peers=True)
        assert [(each.answer, each.why) for each in found.nodes] == [("partly", "there are older records")]
        monkeypatch.setattr(explaining, "MAX_RECORDS", 300)
        monkeypatch.setattr(explaining, "SCAN_SECONDS", -1.0)
        found = await node.explaining.explain(all_of_them, peers=True)
        assert found.nodes[0].why == "its record was not searched to the end"

    play(tmp_path, monkeypatch, story)


def test_only_the_receiver_the_group_and_the_time_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(node: Node, sender: Sender) -> None:
        now = node.now()
        await node.put_alerts([alert("A", now), alert("Late", now)])
        await eventually(lambda: sender.sent == [["A"]])

        async def names(question: Question) -> list[str]:
            found = await node.explaining.explain(question, peers=True)
            return [each.labels["alertname"] for each in found.stories]

        assert await names(Question(receiver="late")) == ["Late"]
        assert await names(Question(group_key='{}:{alertname="A"}')) == ["A"]
        found = await node.explaining.explain(about("alertname=A", receiver="late"), peers=True)
        assert found.stories[0].groups == ()
        assert found.stories[0].state == "firing", "it fires, though another receiver is told"
        assert [each.why for each in found.stories[0].routes if each.receiver == "late"] == [
            'alertname="Late" does not match: alertname is "A"'
        ]
        with pytest.raises(NotFoundError, match=r"no receiver 'lat' \(there are: late, sink\)"):
            await node.explaining.explain(about("alertname=A", receiver="lat"), peers=True)
        found = await node.explaining.explain(about("alertname=A", since=now + 10**12), peers=True)
        assert found.stories[0].groups[0].outcomes == ()

    play(tmp_path, monkeypatch, story)


def test_so_many_stories_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(node: Node, sender: Sender) -> None:
        free, begun = asyncio.Event(), 0
        know = explaining.Explaining.know

        async def slow(of: explaining.Explaining, question: Question, source: str = "") -> Knowledge:
            nonlocal begun
            begun += 1
            await free.wait()
            return await know(of, question, source)

        monkeypatch.setattr(explaining.Explaining, "know", slow)
        asked = [
            asyncio.create_task(node.explaining.explain(about("alertname=A"), peers=True))
            for _ in range(explaining.AT_ONCE + 3)
        ]
        await eventually(lambda: begun == explaining.AT_ONCE)
        await asyncio.sleep(0)
        assert begun == explaining.AT_ONCE
        ask = node.explaining.explain  # Another source does not wait for them.
        others = [
            asyncio.create_task(ask(about("alertname=A"), peers=True, source=str(number % 5)))
            for number in range(2 * explaining.AT_ONCE_OF_ALL)
        ]
        await eventually(lambda: begun == explaining.AT_ONCE_OF_ALL)
        await asyncio.sleep(0)
        assert begun == explaining.AT_ONCE_OF_ALL
        free.set()
        assert len(await asyncio.gather(*asked, *others)) == begun

    play(tmp_path, monkeypatch, story)


def held(name: str) -> HeldAlert:
    return HeldAlert(labels=Labels({"alertname": name}), starts_at=1, ends_at=0)


def test_what_peers_are_asked_names_alerts_or_values() -> None:
    nothing, something = Knowledge(node="a"), Knowledge(node="a", alerts=(held("A"),))
    names = frozenset({held("A").labels.fingerprint})
    assert explaining.for_peers(about('alertname=~"A.*"'), nothing) is None
    assert explaining.for_peers(about('alertname=~"A.*"'), something) == about(
        'alertname=~"A.*"', fingerprints=names
    )
    assert explaining.for_peers(about("alertname=A"), nothing) == about("alertname=A")
    many = frozenset(range(MAX_ALERTS))
    asked = explaining.for_peers(about("alertname=A", fingerprints=many), something)
    assert asked is not None
    assert asked.fingerprints == many


def test_what_a_peer_tells_without_being_asked_is_passed_over() -> None:
    told = Knowledge(node="b", alerts=(held("A"), held("Other")))
    assert explaining.chosen_of(about("alertname=A"), [told]) == [held("A").labels]


def test_many_filters_of_one_alert_do_not_hold_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may cost milliseconds, by patterns that somebody made slow."""
    monkeypatch.setattr(explaining, "SLICE", 1)
    question = Question(matchers=tuple(parse_matchers("alertname=~T.*") * 200))

    async def story(node: Node, sender: Sender) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        await node.put_alerts([alert("Test", node.now())])
        waiting = asyncio.create_task(others())
        found = await explaining.Explaining(node.explaining._parts, None)._held(
            question
        )  # the rest waits for the disk too
        waiting.cancel()
        assert len(found) == 1
        assert turns > 200

    play(tmp_path, monkeypatch, story)
