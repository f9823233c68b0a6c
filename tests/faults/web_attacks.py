"""Attack the HTTP interface of a real node, one way after the other, and measure what others notice of it.

    python -m tests.faults.web_attacks --seconds 4

The node, the attacker (127.0.0.2, a process of its own) and the client (127.0.0.1) share this machine. For
each attack the client's requests are timed without it and with it, over one kept connection and over new
ones, and every answer must be right. Printed: medians and 95th percentiles, their ratio, the node's memory,
and what the node counted.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import bcrypt
import httpx

from tests.support import page
from tests.support.certificates import CertificateAuthority
from tests.support.node import Node, webhook_config
from tests.support.processes import start_until_up
from tests.support.tocsin_node import TOCSIN

ATTACKER = "127.0.0.2"
HOST = "127.0.0.1"
ALERTS = 100
ROUNDS = 3
"""Of quiet and attack in turn, as the machine has other work too."""
LOGIN = ("alice", "right")
AUTHORIZATION = b"Authorization: Basic " + base64.b64encode(b"alice:right") + b"\r\n"


@cache
def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class Target:
    """Where the attacker goes."""

    port: int
    tls: bool

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = unverified() if self.tls else None
        return await asyncio.open_connection(HOST, self.port, ssl=context, local_addr=(ATTACKER, 0))

    async def open_plain(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(HOST, self.port, local_addr=(ATTACKER, 0))


async def slow_headers(target: Target) -> None:
    _, writer = await target.open()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    while not writer.is_closing():
        writer.write(b"X-Slow: a\r\n")
        await asyncio.sleep(1)


async def slow_body(target: Target) -> None:
    _, writer = await target.open()
    writer.write(
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + AUTHORIZATION
        + b"Content-Length: 1000000\r\n\r\n["
    )
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(1)


async def idle_connection(target: Target) -> None:
    reader, _ = await target.open_plain()
    await reader.read(1)
    await asyncio.sleep(0.5)


async def half_handshake(target: Target) -> None:
    reader, writer = await target.open_plain()
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    await reader.read(1)
    await asyncio.sleep(0.5)


@cache
def hello() -> bytes:
    """The first record of a handshake, whole; made once, as making it is work."""
    outgoing = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x").do_handshake()
    return outgoing.read()


async def stalled_handshake(target: Target) -> None:
    """The first record whole, then nothing."""
    reader, writer = await target.open_plain()
    writer.write(hello())
    while await reader.read(1 << 16):
        pass
    await asyncio.sleep(0.5)


async def full_handshakes(target: Target) -> None:
    while True:
        _, writer = await target.open()
        writer.close()
        await asyncio.sleep(0.4)


async def handshakes_of_many(target: Target) -> None:
    """Each from another address, so that none comes near a bound of its own."""
    numbers = itertools.count(random.randrange(1 << 16))
    while True:
        number = next(numbers) % 40_000
        address = f"127.77.{number // 200}.{number % 200 + 1}"
        _, writer = await asyncio.open_connection(
            HOST, target.port, ssl=unverified(), local_addr=(address, 0)
        )
        writer.close()
        await asyncio.sleep(0.02)


async def pipelined(target: Target) -> None:
    reader, writer = await target.open()
    writer.write((b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION + b"\r\n") * 1000)
    while await reader.read(1 << 16):
        pass
    await asyncio.sleep(0.2)


async def never_reading(target: Target) -> None:
    _, writer = await target.open()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(10):
        writer.write(b"GET /api/v2/alerts HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION + b"\r\n")
    await asyncio.sleep(3600)


async def endless_body(target: Target) -> None:
    reader, writer = await target.open()
    writer.write(
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + AUTHORIZATION
        + b"Transfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(100):
        writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)
    reader.feed_eof()


async def endless_trailer(target: Target) -> None:
    """A field behind the body that does not end."""
    _, writer = await target.open()
    writer.write(
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + AUTHORIZATION
        + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\nX-Trailer: "
    )
    for _ in range(1000):
        writer.write(b"a" * 65536)
        await writer.drain()
        await asyncio.sleep(0.005)


async def tiny_pieces(target: Target) -> None:
    """A chunked body, a byte in each piece."""
    _, writer = await target.open()
    writer.write(
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + AUTHORIZATION
        + b"Transfer-Encoding: chunked\r\n\r\n"
    )
    while True:
        writer.write(b"1\r\n \r\n" * 5000)
        await writer.drain()


async def wrong_password(target: Target) -> None:
    reader, writer = await target.open()
    for number in range(1_000_000):
        login = base64.b64encode(b"alice:%d-%d" % (id(writer), number))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n\r\n" % login)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.02)


async def many_requests(target: Target) -> None:
    reader, writer = await target.open()
    for _ in range(1_000_000):
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)


async def malformed(target: Target) -> None:
    reader, writer = await target.open()
    writer.write(b"\x00\xff GARBAGE \r\n" * 10)
    await reader.read()
    await asyncio.sleep(0.2)


async def huge_headers(target: Target) -> None:
    reader, writer = await target.open()
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000)
    await reader.read()
    await asyncio.sleep(0.5)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    return head + AUTHORIZATION + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def answered(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split()
    await reader.readexactly(int(length[0]) if length else 0)


async def once(target: Target, path: str, value: object) -> None:
    reader, writer = await target.open()
    writer.write(request("POST", path, json.dumps(value).encode()))
    await answered(reader)
    writer.close()


async def again_and_again(target: Target, sent: bytes) -> None:
    reader, writer = await target.open()
    while True:
        writer.write(sent)
        await answered(reader)


async def costly_filters(target: Target) -> None:
    """A hundred patterns that are large once compiled, in one request."""
    filters = "&".join(f"filter=a%3D~%22%5C%5CpL%7B{number}%7D%22" for number in range(200, 300))
    await again_and_again(target, request("GET", f"/api/v2/alerts?{filters}"))


async def slow_filters(target: Target) -> None:
    """An alert, and as many patterns as one request may have that are slow with it and fulfilled by it."""
    await once(target, "/api/v2/alerts", [{"labels": {"alertname": "slow", "slow": "a" * 8000}}])
    filters = [f"filter=slow%21~%22%28a%3F%29%7B100%7Da%2Az{n}%22" for n in range(120)]
    asked = {"/api/v2/alerts": 120, "/api/tocsin/v1/explain": 60, "/api/tocsin/v1/facets": 120}
    reader, writer = await target.open()
    for path, count in itertools.cycle(asked.items()):
        writer.write(request("GET", f"{path}?{'&'.join(filters[:count])}"))
        await answered(reader)


async def many_values(target: Target) -> None:
    """A label has another value with each of ten thousand alerts; each request asks for another view."""
    for start in range(0, 10_000, 1000):
        names = range(start, start + 1000)
        await once(target, "/api/v2/alerts", [{"labels": {"alertname": "n", "n": f"{n}"}} for n in names])
    reader, writer = await target.open()
    for number in itertools.count():
        query = f"values={1 + number % 1000}&filter=alertname=n"
        writer.write(request("GET", f"/api/tocsin/v1/facets?{query}"))
        await answered(reader)


async def slow_gets_of_many(target: Target) -> None:
    """Each connection of another address, with one GET at a time that is slow."""
    address = f"127.78.{random.randrange(256)}.{random.randrange(1, 255)}"
    await slow_gets(target, address)


async def slow_gets_of_one(target: Target) -> None:
    """The same of one address."""
    await slow_gets(target, ATTACKER)


_prepared: list[str] = []


def first_of(name: str) -> bool:
    """Whether nobody in this process has asked so before: one connection of many prepares the node."""
    if name in _prepared:
        return False
    _prepared.append(name)
    return True


async def slow_gets(target: Target, address: str) -> None:
    for start in range(0, 10_000, 1000) if first_of("slow GETs") else ():
        alerts = [{"labels": {"alertname": "n", "n": f"{n}"}} for n in range(start, start + 1000)]
        await once(target, "/api/v2/alerts", alerts)
    reader, writer = await asyncio.open_connection(HOST, target.port, local_addr=(address, 0))
    for number in itertools.count(random.randrange(1000)):
        query = f"values={1 + number % 1000}&filter=alertname=n"
        writer.write(request("GET", f"/api/tocsin/v1/facets?{query}"))
        await answered(reader)


async def past_silences(target: Target) -> None:
    """Pages of silences that are large, from far behind."""
    matchers = [{"name": f"n{number}", "value": "x" * 500, "isRegex": False} for number in range(400)]
    times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    for number in range(20):
        comment = {"comment": f"{number}", "createdBy": "x"}
        await once(target, "/api/v2/silences", {"matchers": matchers, **comment, **times})
    sent = request("GET", "/api/tocsin/v1/history/silences?limit=1000")
    await asyncio.gather(*[again_and_again(target, sent) for _ in range(4)])


def whole(path: str) -> bytes:
    """After whose answer the connection ends."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


async def read_whole(target: Target, path: str) -> None:
    reader, writer = await target.open()
    writer.write(whole(path))
    while await reader.read(1 << 20):
        pass
    writer.close()


async def muted_alerts(target: Target) -> None:
    """Many silences for each of many alerts, and all of them read: the groups are flushed meanwhile."""
    matchers = [{"name": "alertname", "value": "muted", "isRegex": False}]
    times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    for number in range(300):
        silence = {"matchers": matchers, "createdBy": "x", "comment": f"{number}", **times}
        await once(target, "/api/v2/silences", silence)
    await once(
        target, "/api/v2/alerts", [{"labels": {"alertname": "muted", "n": f"{n}"}} for n in range(1000)]
    )
    for path in itertools.cycle(("/api/v2/alerts", "/api/v2/alerts/groups")):
        await read_whole(target, path)


async def long_answers(target: Target, asked: bytes) -> None:
    """Of many alerts that many silences mute, to a client that does not read."""
    if first_of("long answers"):
        matchers = [{"name": "alertname", "value": "muted", "isRegex": False}]
        times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
        for number in range(64):
            silence = {"matchers": matchers, "createdBy": "x", "comment": f"{number}", **times}
            await once(target, "/api/v2/silences", silence)
        for start in range(0, 10_000, 1000):
            numbers = range(start, start + 1000)
            alerts = [{"labels": {"alertname": "muted", "n": f"{n}"}} for n in numbers]
            await once(target, "/api/v2/alerts", alerts)
    _, writer = await target.open()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(asked)
    await asyncio.sleep(3600)


async def unread_groups(target: Target) -> None:
    await long_answers(target, request("GET", "/api/v2/alerts/groups"))


async def unread_without_length(target: Target) -> None:
    """By HTTP/1.0, which has no chunks."""
    await long_answers(target, b"GET /api/v2/alerts HTTP/1.0\r\nHost: x\r\n\r\n")


async def labels_of_their_own(target: Target) -> None:
    """Alerts with sixty labels each that no other has, counted by other filters each time."""
    for start in range(0, 2000, 200):
        alerts = [
            {"labels": {"alertname": "own", **{f"l{n}x{label}": "v" for label in range(60)}}}
            for n in range(start, start + 200)
        ]
        await once(target, "/api/v2/alerts", alerts)
    reader, writer = await target.open()
    for number in itertools.count():
        writer.write(request("GET", f"/api/tocsin/v1/facets?filter=alertname%21%3Dn{number % 16}"))
        await answered(reader)


async def many_groups(target: Target) -> None:
    """As many groups as alerts."""
    for start in range(0, 10_000, 1000):
        names = range(start, start + 1000)
        await once(target, "/api/v2/alerts", [{"labels": {"alertname": f"n{n}", "n": "n"}} for n in names])
    for _ in itertools.count():
        await read_whole(target, "/api/v2/alerts/groups?filter=n=other")


async def other_times(target: Target) -> None:
    """What would hold at other times, of silences with patterns that have ended."""
    for number in range(500):
        moment = time.time()
        silence = {
            "matchers": [{"name": "text", "value": f"x{number}.*", "isRegex": True}],
            "startsAt": f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}Z",
            "endsAt": f"{datetime.fromtimestamp(moment + 2, UTC):%Y-%m-%dT%H:%M:%S}Z",
            "createdBy": "x",
            "comment": "",
        }
        await once(target, "/api/v2/silences", silence)
    reader, writer = await target.open()
    for year in itertools.cycle((1980, 2099)):
        path = f"/api/tocsin/v1/routes/test?label=text=x&at={year}-01-01T00:00:00Z"
        writer.write(request("GET", path))
        await answered(reader)


async def long_times(target: Target) -> None:
    """Times with fractions of a megabyte, each another one."""
    for number in itertools.count(1):
        fraction = f"{number}" + "1" * 1_000_000
        times = {"startsAt": f"2020-01-01T00:00:00.{fraction}Z", "endsAt": f"2099-01-01T00:00:00.{fraction}Z"}
        matchers = [{"name": "n", "value": "", "isRegex": False}]  # Refused in the end.
        await once(
            target, "/api/v2/silences", {"matchers": matchers, "createdBy": "x", "comment": "", **times}
        )


async def slow_patterns(target: Target) -> None:
    """Patterns as slow as may be, and values that they are slow with."""
    for number in range(20):
        pattern = f"(a?){{{980 + number}}}a*z"
        silence = {
            "matchers": [{"name": "text", "value": pattern, "isRegex": True}],
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2099-01-01T00:00:00Z",
            "createdBy": "x",
            "comment": "",
        }
        reader, writer = await target.open()
        writer.write(request("POST", "/api/v2/silences", json.dumps(silence).encode()))
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
    alerts = [{"labels": {"alertname": "slow", "n": str(n), "text": "a" * 2000}} for n in range(100)]
    await again_and_again(target, request("POST", "/api/v2/alerts", json.dumps(alerts).encode()))


async def costly_silence(target: Target) -> None:
    """Refused, but not before all of its patterns were compiled."""
    matchers = [{"name": "a", "value": rf"\pL{{{200 + n % 90}}}", "isRegex": True} for n in range(2000)]
    silence = {"matchers": matchers, "comment": "", "createdBy": "x"}
    times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    await again_and_again(
        target, request("POST", "/api/v2/silences", json.dumps({**silence, **times}).encode())
    )


async def spaced_filter(target: Target) -> None:
    """A filter that is nearly all space."""
    await again_and_again(target, request("GET", f"/api/v2/alerts?filter=a%3D{'+' * 60_000}x"))


async def spaced_media_type(target: Target) -> None:
    """A header that is nearly all space."""
    sent = request("POST", "/api/v2/silences", b"{}")
    await again_and_again(target, sent.replace(b"json\r", b"json;a=b" + b" " * 60_000 + b"x\r"))


async def full_silences(target: Target) -> None:
    """More patterns than one silence may have, other ones each time."""
    for number in itertools.count(random.randrange(1 << 30)):
        matchers = [
            {"name": "a", "value": f"[a-z]+{number}-{part}-[0-9]+.*", "isRegex": True} for part in range(900)
        ]
        matchers.append({"name": "b", "value": "(", "isRegex": True})
        silence = {"matchers": matchers, "comment": "", "createdBy": "x"}
        times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
        body = json.dumps({**silence, **times}).encode()
        reader, writer = await target.open()
        writer.write(request("POST", "/api/v2/silences", body))
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def reloads(target: Target) -> None:
    await again_and_again(target, request("POST", "/-/reload"))


@cache
def empty_objects() -> bytes:
    return request("POST", "/api/v2/alerts", b"[" + b"{}," * (5 << 20) + b"{}]")


async def many_elements(target: Target) -> None:
    """Five million alerts of nothing."""
    await again_and_again(target, empty_objects())


@cache
def many_labels() -> bytes:
    labels = {f"label{number}": "x" for number in range(700_000)}
    return request("POST", "/api/v2/alerts", json.dumps([{"labels": labels}]).encode()[: 16 << 20])


async def endless_alert(target: Target) -> None:
    """One alert with 700,000 labels."""
    await again_and_again(target, many_labels())


async def large_labels(target: Target) -> None:
    """Alerts with labels as large as may be, other ones each time."""
    for number in itertools.count(random.randrange(1 << 30)):
        alerts = [
            {"labels": {"alertname": "large", "a": f"{number}-{part}" + '"' * 120_000}} for part in range(8)
        ]
        await once(target, "/api/v2/alerts", alerts)


async def receiver_tests(target: Target) -> None:
    """A notification with a megabyte of labels."""
    labels = {"alertname": "large", **{f"l{number}": "a" * 16_000 for number in range(62)}}
    await again_and_again(
        target, request("POST", "/api/tocsin/v1/receivers/sink/test", json.dumps({"labels": labels}).encode())
    )


Attack = Callable[[Target], Awaitable[None]]
ATTACKS: dict[str, tuple[Attack, int, bool]] = {
    # how, on how many connections at once, of the node with TLS and passwords or the open one
    "slow headers": (slow_headers, 400, False),
    "slow bodies": (slow_body, 400, False),
    "idle connections": (idle_connection, 600, False),
    "huge headers": (huge_headers, 10, False),
    "malformed": (malformed, 20, False),
    "pipelined": (pipelined, 8, False),
    "never reading": (never_reading, 100, False),
    "endless bodies": (endless_body, 8, False),
    "endless trailers": (endless_trailer, 8, False),
    "tiny pieces": (tiny_pieces, 8, False),
    "many requests": (many_requests, 16, False),
    "costly filters": (costly_filters, 2, False),
    "slow filters": (slow_filters, 2, False),
    "many values": (many_values, 1, False),
    "slow GETs of many": (slow_gets_of_many, 40, False),
    "slow GETs of hundreds": (slow_gets_of_many, 200, False),
    "slow GETs of one": (slow_gets_of_one, 16, False),
    "unread groups": (unread_groups, 16, False),
    "unread, HTTP/1.0": (unread_without_length, 8, False),
    "labels of their own": (labels_of_their_own, 1, False),
    "past silences": (past_silences, 1, False),
    "muted alerts": (muted_alerts, 1, False),
    "many groups": (many_groups, 1, False),
    "other times": (other_times, 1, False),
    "long times": (long_times, 1, False),
    "slow patterns": (slow_patterns, 1, False),
    "costly silence": (costly_silence, 1, False),
    "full silences": (full_silences, 2, False),
    "spaced filter": (spaced_filter, 2, False),
    "spaced media type": (spaced_media_type, 2, False),
    "reloads": (reloads, 16, False),
    "reloads of a pipe": (reloads, 16, False),
    "many elements": (many_elements, 2, False),
    "endless alert": (endless_alert, 2, False),
    "large labels": (large_labels, 6, False),
    "receiver tests": (receiver_tests, 8, False),
    "half handshakes": (half_handshake, 500, True),
    "stalled hands.": (stalled_handshake, 300, True),
    "handshakes": (full_handshakes, 20, True),
    "handshakes, many addresses": (handshakes_of_many, 20, True),
    "wrong passwords": (wrong_password, 20, True),
}
"""Bounded: the attacker's own work must not be what is measured."""


def pipe(node: Node) -> None:
    """In the place of the node's configuration: who opens it waits for ever for somebody to write."""
    node.config_file.unlink()
    os.mkfifo(node.config_file)


PREPARED: dict[str, Callable[[Node], None]] = {"reloads of a pipe": pipe}


async def attack(name: str, target: Target) -> None:
    """Until killed; each connection that ends is followed by another."""
    how, count, _ = ATTACKS[name]

    async def again(number: int) -> None:
        await asyncio.sleep(number / count)
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await how(target)
            await asyncio.sleep(0.1)

    loop = asyncio.get_running_loop()
    loop.call_later(2.0, lambda: print("under way", flush=True))
    await asyncio.gather(*(again(number) for number in range(count)))


# -- the client


@dataclass(slots=True)
class Timed:
    """Milliseconds."""

    kept: list[float]
    new: list[float]
    failures: list[str]

    def add(self, other: Timed) -> None:
        self.kept += other.kept
        self.new += other.new
        self.failures += other.failures


def measure(node: Node, url: str, trust: ssl.SSLContext, seconds: float) -> Timed:
    """Requests at a steady pace: reads and writes over one connection, and now and then a new connection."""
    timed = Timed([], [], [])
    alert = [{"labels": {"alertname": "Measured"}}]
    end = time.monotonic() + seconds

    def ask(http: httpx.Client, number: int) -> float:
        begun = time.perf_counter()
        if number % 2:
            answer = http.post("/api/v2/alerts", json=alert)
        else:
            answer = http.get("/api/v2/silences", params={"filter": 'alertname="none"'})
        took = (time.perf_counter() - begun) * 1000
        if answer.status_code != 200:
            timed.failures.append(f"status {answer.status_code}")
        return took

    def client() -> httpx.Client:
        return httpx.Client(base_url=url, verify=trust, auth=LOGIN, trust_env=False, timeout=10)

    kept = client()
    try:
        number = 0
        while time.monotonic() < end:
            number += 1
            try:
                timed.kept.append(ask(kept, number))
                if number % 10 == 0:
                    with client() as fresh:
                        timed.new.append(ask(fresh, number))
            except httpx.TransportError as error:
                timed.failures.append(type(error).__name__)
            time.sleep(0.01)
    finally:
        kept.close()
    return timed


def resident(node: Node) -> float:
    """Megabytes."""
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def attacker(name: str, port: int, *, tls: bool) -> Iterator[None]:
    """In full strength; ended by its process id."""
    command = [sys.executable, "-m", "tests.faults.web_attacks", "--attack", name, "--port", str(port)]
    process = subprocess.Popen([*command, *(["--tls"] if tls else [])], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # It is under way.
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def running(folder: Path, *, secured: bool) -> Iterator[tuple[Node, str, ssl.SSLContext]]:
    authority = CertificateAuthority()
    folder.mkdir(parents=True)
    authority.issue().write(folder, "node")
    flags = {"cluster.listen-address": "", "log.level": "info"}
    if secured:
        web = folder / "web.yml"
        hashed = bcrypt.hashpw(LOGIN[1].encode(), bcrypt.gensalt(10)).decode()
        web.write_text(
            "tls_server_config:\n  cert_file: node.crt\n  key_file: node.key\n"
            f"basic_auth_users:\n  {LOGIN[0]}: {hashed}\n"
        )
        flags["web.config.file"] = str(web)
    node = Node(TOCSIN, "attacked", folder, config=webhook_config("http://127.0.0.1:9/"), flags=flags)
    trust = ssl.create_default_context(cadata=authority.certificate.decode())
    url = f"{'https' if secured else 'http'}://{HOST}:{node.port}"

    def up() -> bool:
        return httpx.get(f"{url}/-/healthy", verify=trust, auth=LOGIN, trust_env=False).status_code == 200

    start_until_up(lambda: node.process, up, attempts=1)
    try:
        with httpx.Client(base_url=url, verify=trust, auth=LOGIN, trust_env=False, timeout=60) as http:
            alerts = [
                {"labels": {"alertname": f"Held{n}", "text": "x" * 400}, "annotations": {"a": "y" * 400}}
                for n in range(ALERTS)
            ]
            http.post("/api/v2/alerts", json=alerts).raise_for_status()
        yield node, url, trust
    finally:
        node.close()


def counted(url: str, trust: ssl.SSLContext) -> dict[str, float]:
    with httpx.Client(base_url=url, verify=trust, auth=LOGIN, trust_env=False, timeout=60) as http:
        text = http.get("/metrics").text
    wanted = (
        "tocsin_web_connections_closed",
        "tocsin_web_connections_refused",
        "tocsin_web_requests_refused",
    )
    found = {}
    for line in text.splitlines():
        if line.startswith((*wanted, "tocsin_web_password_checks_total")):
            found[line.partition("=")[2].partition("}")[0].strip('"')] = float(line.split()[-1])
    return found


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def trial(name: str, folder: Path, seconds: float) -> dict[str, object]:
    """One attack on a node of its own."""
    _, count, secured = ATTACKS[name]
    with running(folder, secured=secured) as (node, url, trust):
        if (prepare := PREPARED.get(name)) is not None:
            prepare(node)
        measure(node, url, trust, 1.0)
        before, during = Timed([], [], []), Timed([], [], [])
        memory, memory_during, counts = resident(node), 0.0, counted(url, trust)
        for _ in range(ROUNDS):
            before.add(measure(node, url, trust, seconds))
            with attacker(name, node.port, tls=secured):
                during.add(measure(node, url, trust, seconds))
                memory_during = max(memory_during, resident(node))
        after = counted(url, trust)
    return {
        "attack": name,
        "connections": count,
        "median before": round(statistics.median(before.kept), 2),
        "median during": round(statistics.median(during.kept), 2),
        "ratio": round(statistics.median(during.kept) / statistics.median(before.kept), 2),
        "p95 before": round(percentile(before.kept, 0.95), 2),
        "p95 during": round(percentile(during.kept, 0.95), 2),
        "new before": round(statistics.median(before.new), 2) if before.new else None,
        "new during": round(statistics.median(during.new), 2) if during.new else None,
        "requests": len(during.kept),
        "failures": len(during.failures),
        "failure": sorted(set(during.failures)),
        "MB before": round(memory),
        "MB during": round(memory_during),
        "counted": {k: int(v - counts.get(k, 0)) for k, v in after.items() if v != counts.get(k, 0)},
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument(
        "--only", action="append", choices=list(ATTACKS), help="these attacks alone; repeatable"
    )
    parser.add_argument("--attack", choices=list(ATTACKS), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--tls", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help="put the table into this page, between its marks")
    given = parser.parse_args()
    if given.attack:
        asyncio.run(attack(given.attack, Target(given.port, given.tls)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'attack':22} {'conns':>5}  median ms      ratio  p95 ms          new conn. ms    failed  MB")
        rows = []
        for number, name in enumerate(given.only or ATTACKS):
            found = trial(name, Path(folder) / str(number), given.seconds)
            print(
                f"{name:22} {found['connections']:>5}"
                f"  {found['median before']:>5} -> {found['median during']:<5}"
                f" {found['ratio']:>5}  {found['p95 before']:>5} -> {found['p95 during']:<6}"
                f" {found['new before']!s:>5} -> {found['new during']!s:<6}"
                f" {found['failures']}/{found['requests']}  {found['MB before']} -> {found['MB during']}"
                f"  {json.dumps(found['counted'])} {found['failure'] or ''}",
                flush=True,
            )
            rows.append((name, found))
    if given.write is not None:
        page.put(given.write, _table(rows), mark="web")


def _table(rows: list[tuple[str, dict[str, object]]]) -> str:
    head = ("attack", "connections", "p50", "p95", "p50 of a new connection", "RSS MB", "failed")

    def pair(found: dict[str, object], what: str) -> str:
        before, during = found[f"{what} before"], found[f"{what} during"]
        return f"{'none' if before is None else before} → {'none' if during is None else during}"

    return page.table(
        head,
        [
            (
                name,
                found["connections"],
                *(f"{pair(found, what)} ms" for what in ("median", "p95", "new")),
                pair(found, "MB"),
                f"{found['failures']} of {found['requests']}",
            )
            for name, found in rows
        ],
    )


if __name__ == "__main__":
    main()
