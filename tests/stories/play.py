"""Plays stories on nodes of both kinds at the same time."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.stories.sink import Sink, Told
from tests.stories.story import DOWN, LENGTH, REST, Event, Story, configuration, starts
from tests.support.api import matcher
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind
from tocsin.alerting.intent.intents import STABLE
from tocsin.alerting.timestamp import SECOND

STANDING = STABLE / SECOND + 1
"""Seconds for which a cluster stands before the story begins: until then the first member too listens for
half a second before it sends, and a story's events come half a second after one another."""
EARLIEST = 1.0
"""Seconds before the reports that follow a restart by which the node has to be up."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Which programs stand on each side."""

    name: str
    ours: tuple[NodeKind, ...]
    theirs: tuple[NodeKind, ...]


Record = dict[str, dict[int, list[Told]]]
"""By side and seed."""


async def play(stories: list[Story], setting: Setting) -> tuple[Record, float]:
    """Play them all at once, on both sides. What each side has told, and by how many seconds an event came
    late at most."""
    sink = Sink(["ours", "theirs"], stories)
    await sink.open()
    with tempfile.TemporaryDirectory(prefix="stories-") as folder:
        sides: dict[str, list[Node]] = {}
        try:
            for side, kinds in (("ours", setting.ours), ("theirs", setting.theirs)):
                config = configuration(stories, partial(sink.url, side), sink.warm_url(side))
                sides[side] = _nodes(Path(folder) / side, kinds, json.dumps(config))
            # One of each side first: the others are told of it.
            for place in range(max(map(len, sides.values()))):
                await asyncio.gather(
                    *(asyncio.to_thread(side[place].start) for side in sides.values() if place < len(side))
                )
                for started in sides.values():
                    for node in started[place + 1 :]:
                        node.peers = [started[0].cluster_address]
            for started in sides.values():
                for node in started if len(started) > 1 else ():
                    await asyncio.to_thread(node.wait_members, started)
                    await asyncio.to_thread(node.wait_ready)
            if max(map(len, sides.values())) > 1:
                await asyncio.sleep(STANDING)
            await _warm(sides, sink)
            lateness = await _tell(stories, list(sides.values()), sink)
        finally:
            await asyncio.gather(*(asyncio.to_thread(node.close) for side in sides.values() for node in side))
            await sink.close()
    return {name: side.told for name, side in sink.sides.items()}, lateness


def _nodes(folder: Path, kinds: Iterable[NodeKind], config: str) -> list[Node]:
    listed = list(kinds)
    nodes: list[Node] = []
    for place, kind in enumerate(listed):
        flags = {"cluster.peer-timeout": "400ms", "log.level": "info"}
        if len(listed) == 1:
            flags["cluster.listen-address"] = ""
        elif kind.version is None:
            flags["cluster.transport"] = "udp"
        name = f"{folder.name}-{place}"
        nodes.append(Node(kind, name, folder / name, config=config, peer_name=f"node-{place}", flags=flags))
    return nodes


async def _warm(sides: Mapping[str, Sequence[Node]], sink: Sink) -> None:
    """Let each node notify once: a first notification loads what later ones find loaded."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for side in sides.values():
            for node in side:
                alert = {"labels": {"alertname": node.name, "i": "1", "story": "warm"}}
                (await client.post(node.url + "/api/v2/alerts", json=[alert])).raise_for_status()
    for name, nodes in sides.items():
        await asyncio.to_thread(eventually, partial(_all_warm, sink, name, nodes), "each node notifies")


def _all_warm(sink: Sink, side: str, nodes: Sequence[Node]) -> bool:
    return len(sink.warm(side)) == len(nodes)


def _restart(node: Node) -> None:
    node.stop()
    node.restart()


async def _tell(stories: list[Story], sides: Sequence[Sequence[Node]], sink: Sink) -> float:
    nodes = [node for side in sides for node in side]
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for node in nodes:  # connections are open before the clock starts
            await client.get(node.url + "/-/ready")
        running = sink.begin()
        teller = _Teller(sides, client)
        times: dict[float, list[tuple[Story, Event]]] = {}
        begins = starts(stories)
        for story in stories:
            for event in story.events:
                times.setdefault(begins[story.seed] + event.at, []).append((story, event))
        for at, events in times.items():
            running.append(asyncio.create_task(teller.alerts(sink.began + at, events)))
            running.append(asyncio.create_task(teller.silences(sink.began + at, events)))
        if stories[0].reload_at:
            running.append(asyncio.create_task(teller.reload(sink.began + stories[0].reload_at)))
        if stories[0].restarts:
            running.append(asyncio.create_task(teller.restart(sink.began + DOWN[0], sink.began + DOWN[1])))
        watch = asyncio.create_task(teller.watch())
        await asyncio.gather(*running)
        await _until(sink.began + max(begins.values()) + LENGTH + REST)
        watch.cancel()
        return teller.lateness


async def _until(when: float) -> None:
    await asyncio.sleep(max(when - time.monotonic(), 0))


class _Teller:
    """Tells all nodes what happens. What happens in several stories at one time is one request."""

    def __init__(self, sides: Sequence[Sequence[Node]], client: httpx.AsyncClient) -> None:
        self._nodes = [node for side in sides for node in side]
        self._restarting = [side[min(1, len(side) - 1)] for side in sides]
        self._client = client
        self._starts: dict[tuple[int, str, int], datetime] = {}
        self._silences: dict[tuple[int, str, int], list[tuple[str, str]]] = {}
        self.lateness = 0.0

    def _done(self, when: float) -> None:
        self.lateness = max(self.lateness, time.monotonic() - when)

    async def alerts(self, when: float, events: list[tuple[Story, Event]]) -> None:
        """The reports of one moment, to all nodes at once."""
        await _until(when)
        reports = [
            _alert(story, event, self._starts)
            for story, event in events
            if event.kind in ("fire", "end", "again")
        ]
        if reports:
            await asyncio.gather(*(self._post(node, "/api/v2/alerts", reports) for node in self._nodes))
            self._done(when)

    async def silences(self, when: float, events: list[tuple[Story, Event]]) -> None:
        """The silences that begin or end at one moment. Each node has its own: what they mute is the same."""
        await _until(when)
        changes = [
            self._silence(story, event) if event.kind == "silence" else self._unsilence(story, event)
            for story, event in events
            if event.kind in ("silence", "unsilence")
        ]
        if changes:
            await asyncio.gather(*changes)
            self._done(when)

    async def _silence(self, story: Story, event: Event) -> None:
        body = _silence(story, event)
        answers = await asyncio.gather(*(self._post(node, "/api/v2/silences", body) for node in self._nodes))
        made = [(node.url, answer["silenceID"]) for node, answer in zip(self._nodes, answers, strict=True)]
        self._silences.setdefault((story.seed, event.name, event.number), []).extend(made)

    async def _unsilence(self, story: Story, event: Event) -> None:
        made = self._silences.pop((story.seed, event.name, event.number), [])
        await asyncio.gather(*(self._client.delete(f"{url}/api/v2/silence/{id_}") for url, id_ in made))

    async def reload(self, when: float) -> None:
        """All nodes read their unchanged files again."""
        await _until(when)
        await asyncio.gather(*(self._post(node, "/-/reload", None) for node in self._nodes))

    async def restart(self, begins: float, ends: float) -> None:
        """Of each side's nodes one ends and begins anew, and is ready in time."""
        await _until(begins)
        await asyncio.gather(*(asyncio.to_thread(_restart, node) for node in self._restarting))
        self._done(ends - EARLIEST)

    async def watch(self) -> None:
        """How late we are with what we do ourselves tells how busy the machine is."""
        while True:
            when = time.monotonic() + 0.1
            await _until(when)
            self._done(when)

    async def _post(self, node: Node, path: str, body: Any) -> Any:
        try:
            answer = await self._client.post(node.url + path, json=body)
        except (
            httpx.TransportError
        ):  # An idle connection was just being closed: all that is posted may come twice.
            answer = await self._client.post(node.url + path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _alert(story: Story, event: Event, starts: dict[tuple[int, str, int], datetime]) -> dict[str, Any]:
    now = datetime.now(UTC)
    which = story.seed, event.name, event.number
    body: dict[str, Any] = {
        "labels": {"alertname": event.name, "i": str(event.number), "story": str(story.seed)},
        "annotations": {"summary": f"{event.name} of {event.number}"},
    }
    if event.kind == "fire":
        starts[which] = now - timedelta(hours=1) if event.old else now
        if event.lasts:
            body["endsAt"] = _time(now + timedelta(seconds=event.lasts))
    elif event.kind == "end":
        body["endsAt"] = _time(now)
    body["startsAt"] = _time(starts.get(which, now))
    return body


def _silence(story: Story, event: Event) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "matchers": [
            matcher("alertname", event.name),
            matcher("i", str(event.number)),
            matcher("story", str(story.seed)),
        ],
        "startsAt": _time(now),
        "endsAt": _time(now + timedelta(hours=1)),
        "createdBy": "stories",
        "comment": "in a story",
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
