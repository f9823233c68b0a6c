"""The webhooks of stories: each answers as its story says, and notes what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import time
from dataclasses import dataclass, field, replace
from typing import Any

from tests.stories.story import Story, starts


@dataclass(frozen=True, slots=True)
class Told:
    """One request, in the parts that are compared."""

    at: float
    hook: str
    group: str
    status: str
    reason: str
    alerts: tuple[tuple[str, str], ...]
    """Which (``A1``) and whether it fires, in the order of the message."""
    rest: str
    """What else the message says, without times and addresses."""
    answer: str


WARM = -1
"""In place of a seed: of what nodes tell before the stories begin."""


@dataclass(eq=False, slots=True)
class _Hook:
    answers: tuple[str, ...]
    asked: dict[str, int] = field(default_factory=dict)
    """How often, by group: which of several groups at one time comes first is nobody's choice."""
    taken: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """What was accepted last, by group."""
    server: asyncio.Server | None = None
    kept: socket.socket | None = None
    """Bound to the port, and not listening, so that nobody else gets it while we refuse."""
    port: int = 0


@dataclass(slots=True)
class Side:
    """What one side of a play has told, by the story's seed."""

    name: str
    told: dict[int, list[Told]] = field(default_factory=dict)


class Sink:
    """Serves all webhooks of all sides."""

    def __init__(self, sides: list[str], stories: list[Story]) -> None:
        self.sides = {name: Side(name, {WARM: [], **{story.seed: [] for story in stories}}) for name in sides}
        self.began = time.monotonic()
        self._stories = {story.seed: story for story in stories}
        self._starts = {WARM: 0.0, **starts(stories)}
        self._hooks: dict[tuple[str, int, str], _Hook] = {}
        self._warm: dict[str, _Hook] = {}
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen."""
        _, most = resource.getrlimit(
            resource.RLIMIT_NOFILE
        )  # each webhook has a port, each node a connection
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for side in self.sides:
            for story in self._stories.values():
                for index, hook in enumerate(story.hooks):
                    for name in (f"{index}", f"{index}-other"):
                        self._hooks[side, story.seed, name] = one = _Hook(hook.answers)
                        await self._listen(side, story.seed, name, one)
            self._warm[side] = one = _Hook(())
            await self._listen(side, WARM, "0", one)

    async def _listen(self, side: str, seed: int, name: str, hook: _Hook) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._answer(side, seed, name, hook, reader, writer):
                    pass
            writer.close()

        listening = hook.kept if hook.kept is not None else _bound(hook.port)
        hook.server, hook.kept = await asyncio.start_server(serve, sock=listening), None
        hook.port = listening.getsockname()[1]

    def url(self, side: str, story: Story, name: str) -> str:
        """Where a webhook of a side listens."""
        return f"http://127.0.0.1:{self._hooks[side, story.seed, name].port}/{side}/{story.seed}/{name}"

    def warm_url(self, side: str) -> str:
        """Where the webhook listens that is told before the stories begin."""
        return f"http://127.0.0.1:{self._warm[side].port}/{side}/{WARM}/0"

    def warm(self, side: str) -> set[str]:
        """The alerts that it was told of."""
        return {alert for one in self.sides[side].told[WARM] for alert, _ in one.alerts}

    def begin(self) -> list[asyncio.Task[None]]:
        """The story's clock starts; those that refuse do so at their time."""
        self.began = time.monotonic()
        return [
            asyncio.get_running_loop().create_task(self._refuse(side, seed, name, hook))
            for (side, seed, name), hook in self._hooks.items()
        ]

    async def _refuse(self, side: str, seed: int, name: str, hook: _Hook) -> None:
        span = self._stories[seed].hooks[int(name.split("-")[0])].refuses
        if span is None:
            return
        began = self.began + self._starts[seed]
        await asyncio.sleep(max(began + span[0] - time.monotonic(), 0))
        hook.kept = _bound(hook.port)
        if hook.server is not None:
            hook.server.close()
        await asyncio.sleep(max(began + span[1] - time.monotonic(), 0))
        await self._listen(side, seed, name, hook)

    async def close(self) -> None:
        """Stop listening."""
        for hook in (*self._hooks.values(), *self._warm.values()):
            if hook.server is not None:
                hook.server.close()
            if hook.kept is not None:
                hook.kept.close()

    async def _answer(
        self,
        side: str,
        seed: int,
        name: str,
        hook: _Hook,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer one request; whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            None,
        )
        path = f"/{side}/{seed}/{name}"
        if (
            not head.startswith(f"POST {path} ".encode()) or length is None
        ):  # Somebody else takes us for somebody else.
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return False
        body = json.loads(await reader.readexactly(length))
        told = _told(time.monotonic() - self.began - self._starts[seed], name, body)
        group, content = told.group, (told.status, told.reason, told.alerts)
        if (
            hook.taken.get(group) != content
        ):  # An Alertmanager cluster may notify twice: that is no other turn.
            asked = hook.asked.get(group, 0)
            hook.asked[group] = asked + 1
            told = replace(told, answer=hook.answers[asked] if asked < len(hook.answers) else "200")
        answer = told.answer
        if answer == "200":
            hook.taken[group] = content
        self.sides[side].told[seed].append(told)
        if answer == "hang":
            await asyncio.sleep(3.0)
        if answer in ("hang", "close"):
            return False
        writer.write(f"HTTP/1.1 {answer} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        return True


def _bound(port: int) -> socket.socket:
    """A socket at the port (0: at a free one), beside another of ours that may still be there."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


def _told(at: float, hook: str, body: dict[str, Any], answer: str = "200") -> Told:
    alerts = tuple(
        (f"{one['labels']['alertname']}{one['labels']['i']}", str(one["status"])) for one in body["alerts"]
    )
    kept = ("receiver", "groupLabels", "commonLabels", "commonAnnotations", "truncatedAlerts", "version")
    return Told(
        at,
        hook,
        str(body["groupKey"]),
        str(body["status"]),
        str(body.get("notification_reason", "")),
        alerts,
        json.dumps({name: body.get(name) for name in kept}, sort_keys=True),
        answer,
    )
