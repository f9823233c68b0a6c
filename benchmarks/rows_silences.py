"""How fast silences travel, one at a time, many at once, and large ones."""

from __future__ import annotations

import secrets
import threading
import time

from benchmarks.bench import Bench, BenchNode, in_threads, post_silence, silence_body, silences_held
from benchmarks.connection import Connection
from benchmarks.row import Figure, Row, Samples, Target, median, p99
from tests.support.node import NodeKind, metric

POST_CONNECTIONS = 8
GRACE = 10.0
"""Seconds in which 1,000 large silences ought to have arrived."""
LARGE_COMMENT = 700  # random bytes, written as hexadecimal digits: 1,400 characters


def _visible(bench: Bench, kind: NodeKind) -> Samples:
    times: list[tuple[float, float]] = []
    polls: list[float] = []
    with bench.cluster(kind) as nodes:
        author, *others = [node.connect() for node in nodes]
        end = time.monotonic() + bench.seconds(25, 10)
        for number in range(bench.size(300, 60)):
            if time.monotonic() > end:
                break
            times.append(_one_visible(author, others, silence_body(number), polls))
            time.sleep(0.02 + 0.05 * (number % 7) / 7)  # not in step with anybody's timer
    bench.notes.append(
        f"visible, {kind}: a look, one GET on one connection, took {1e3 * median(polls):.2f} ms"
    )
    posts, whole = ([each[place] for each in times] for place in (0, 1))
    after = [all_of_it - post for post, all_of_it in times]
    return {"post": posts, "whole_p50": whole, "whole_p99": whole, "p50": after, "p99": after}


def _one_visible(
    author: Connection, others: list[Connection], body: bytes, polls: list[float]
) -> tuple[float, float]:
    """Milliseconds from before the POST until its answer, and until both others show the silence."""
    asked = time.perf_counter()
    path = f"/api/v2/silence/{post_silence(author, body)}"
    answered = time.perf_counter()
    waiting = list(others)
    while waiting:
        for connection in list(waiting):
            began = time.perf_counter()
            status, _ = connection.get(path)
            polls.append(time.perf_counter() - began)
            if status == 200:
                waiting.remove(connection)
        if time.perf_counter() - answered > 60:
            return 1e3 * (answered - asked), float("inf")
        time.sleep(0.0005)
    return 1e3 * (answered - asked), 1e3 * (time.perf_counter() - asked)


def _post_at_once(node: BenchNode, bodies: list[bytes]) -> None:
    """Post them over several connections."""

    def post(number: int) -> None:
        with node.connect() as connection:
            for body in bodies[number::POST_CONNECTIONS]:
                post_silence(connection, body)

    in_threads(post, POST_CONNECTIONS)


def _arrivals(nodes: list[BenchNode], wanted: int, limit: float, still: float) -> tuple[float, int]:
    """When the last silence was seen to arrive on the slowest node (monotonic), and how many it has.

    Waits for ``wanted``, at most ``limit`` seconds, and not when nothing arrived for ``still`` seconds.
    """
    last, fewest, end = time.monotonic(), 0, time.monotonic() + limit
    while time.monotonic() < min(end, last + still):
        held = min(silences_held(node) for node in nodes)
        if held > fewest:
            fewest, last = held, time.monotonic()
        if held >= wanted:
            break
        time.sleep(0.1)
    return last, fewest


def _burst(bench: Bench, kind: NodeKind) -> Samples:
    count = bench.size(2000, 400)
    with bench.cluster(kind) as nodes:
        began = time.monotonic()
        poster = threading.Thread(
            target=_post_at_once, args=(nodes[0], [silence_body(number) for number in range(count)])
        )
        poster.start()
        last, held = _arrivals(nodes[1:], count, bench.seconds(100, 20), bench.seconds(40, 15))
        poster.join()
    return {"rate": [held / (last - began)], "seconds": [last - began if held >= count else float("inf")]}


def _large(bench: Bench, kind: NodeKind) -> Samples:
    count = bench.size(1000, 500)
    with bench.cluster(kind) as nodes:
        bodies = [silence_body(n, comment=secrets.token_hex(LARGE_COMMENT)) for n in range(count)]
        began = time.monotonic()
        poster = threading.Thread(target=_post_at_once, args=(nodes[0], bodies))
        poster.start()
        last, held = _arrivals(nodes[1:], count, GRACE, GRACE)
        poster.join()
        missing = 100 * (count - held) / count
        if held < count:
            limit = bench.seconds(120, 20)
            last, held = _arrivals(nodes[1:], count, limit, limit)
        dropped = metric(nodes[0].api.metrics(), "alertmanager_oversized_gossip_message_dropped_total")
    bench.notes.append(
        f"large, {kind}: {held} of {count} were on every node at the end; its own count of dropped messages: "
        f"{dropped:g}"
    )
    return {"rate": [held / (last - began)], "missing": [missing]}


ROWS = (
    Row(
        "visible",
        "A silence is posted to one of three nodes; from before the POST (whole) and from its answer until "
        "both other nodes show it, looked for over and over on one connection each. The POST's target leaves "
        "room for a sync of the disk, 0.5 ms on this machine, and 1 ms.",
        (
            Figure("post", "POST of a silence, p50", "ms", Target(factor=1, plus=1.5)),
            Figure("whole_p50", "from the POST until every node shows it, p50", "ms", Target(factor=0.03)),
            Figure(
                "whole_p99", "from the POST until every node shows it, p99", "ms", Target(factor=0.05), p99
            ),
            Figure("p50", "a silence visible on every other node, p50", "ms", Target(factor=1 / 20)),
            Figure("p99", "a silence visible on every other node, p99", "ms", Target(factor=1 / 20), p99),
        ),
        _visible,
    ),
    Row(
        "burst",
        "2,000 silences are posted to one of three nodes over 8 connections; from the first POST until the "
        "slower of the other two holds them all.",
        (
            Figure(
                "rate", "2,000 silences posted at once, converged", "1/s", Target(50, 2500, at_least=True)
            ),
            Figure("seconds", "2,000 silences posted at once, until all are everywhere", "s"),
        ),
        _burst,
    ),
    Row(
        "large",
        "As above with 1,000 silences of 1.5 KB each. Missing: what the slower of the other two did not have "
        "after 10 seconds and only push/pull brings, once a minute.",
        (
            Figure(
                "rate",
                "1,000 large silences posted at once, converged",
                "1/s",
                Target(100, 2000, at_least=True),
            ),
            Figure(
                "missing", "1,000 large silences posted at once, missing after 10 s", "%", Target(limit=0)
            ),
        ),
        _large,
    ),
)
