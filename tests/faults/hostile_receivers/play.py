"""One attack: an attempt at the bad server, and meanwhile others of the same node at a good one."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.hostile_receivers import wire
from tests.faults.hostile_receivers.attacks import SHORT, Attack
from tests.support.certificates import CertificateAuthority
from tests.support.integrations import CLOCK, notification_of
from tocsin.alerting.timestamp import SECOND
from tocsin.node.config import parse_config
from tocsin.node.configuration import senders_of
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.statistics import ClientStatistics

OTHERS = 5
"""Notifications at the good server while the attack goes on."""


@dataclass(frozen=True)
class Result:
    """What came of it."""

    outcome: Outcome
    counted: dict[str, int]
    """Bounds that were reached."""
    others: int
    """Notifications that got through meanwhile, of :data:`OTHERS`."""
    seconds: float
    lag: float
    """The longest time for which the event loop was held."""
    left: int
    """Connections that the bad server still has in the end."""


async def play(attack: Attack) -> Result:
    """Play it."""
    opened: set[asyncio.Task[None]] = set()
    with tempfile.TemporaryDirectory() as folder:
        bad = await asyncio.start_server(
            lambda r, w: _serve(attack.behaviour, r, w, opened),
            "127.0.0.1",
            0,
            ssl=_tls(attack, Path(folder)),
        )
    good = await asyncio.start_server(
        lambda r, w: _serve(wire.answers(200), r, w, opened_good), "127.0.0.1", 0
    )
    ports = [server.sockets[0].getsockname()[1] for server in (bad, good)]
    section = attack.section.replace("@AT@", f"127.0.0.1:{ports[0]}")
    config = parse_config(
        "route: {receiver: bad, routes: [{receiver: good}]}\nreceivers:\n"
        f"- name: bad\n  {attack.kind}_configs:\n  - {{{section}}}\n"
        f"- name: good\n  webhook_configs:\n  - {{url: 'http://127.0.0.1:{ports[1]}/'}}\n",
        path="/etc/am.yml",
    )
    statistics = ClientStatistics()
    senders = senders_of(config, external_url="http://am", clock=CLOCK, clients=statistics)
    ill, well = senders["bad", attack.kind, 0], senders["good", "webhook", 0]
    lags = [0.0]
    watch = asyncio.create_task(_watch(lags))
    begun = time.monotonic()
    try:
        attempt = asyncio.create_task(ill.send(notification_of(), CLOCK.now() + int(attack.seconds * SECOND)))
        sent = [await well.send(notification_of(), CLOCK.now() + 60 * SECOND) for _ in range(OTHERS)]
        outcome = await attempt
        seconds = time.monotonic() - begun
    finally:
        for sender in senders.values():
            await sender.close()
        watch.cancel()
        bad.close()
        good.close()
    # What the node closes, the server notices by itself.
    left = (await asyncio.wait(opened, timeout=30))[1] if opened else set()
    for task in [*left, *opened_good]:
        task.cancel()
    counted = {bound: count for bound, count in statistics.bounds_reached.items() if count}
    if statistics.truncated:
        counted["truncated"] = statistics.truncated.total()
    through = sum(each.success for each in sent)
    return Result(outcome, counted, through, seconds, max(lags), len(left))


async def play_all(attacks: Iterable[Attack]) -> dict[str, Result]:
    """All of them, by name: those that only time ends at the same time, the others one by one."""
    attacks = list(attacks)
    timed = [attack for attack in attacks if attack.seconds == SHORT]
    results = await asyncio.gather(*(play(attack) for attack in timed))
    found = {attack.name: result for attack, result in zip(timed, results, strict=True)}
    for attack in attacks:
        if attack.name not in found:
            found[attack.name] = await play(attack)
    return found


opened_good: set[asyncio.Task[None]] = set()


async def _serve(
    behaviour: wire.Behaviour,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    opened: set[asyncio.Task[None]],
) -> None:
    task = asyncio.current_task()
    assert task is not None
    opened.add(task)
    try:
        with suppress(
            ConnectionError,
            ssl.SSLError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,
        ):
            await behaviour(reader, writer)
    finally:
        opened.discard(task)
        writer.transport.abort()


async def _watch(lags: list[float]) -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.005)
        lags.append(time.monotonic() - before - 0.005)


def _tls(attack: Attack, folder: Path) -> ssl.SSLContext | None:
    if not attack.tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*CertificateAuthority().issue("127.0.0.1", name="bad").write(folder, "bad"))
    return context
