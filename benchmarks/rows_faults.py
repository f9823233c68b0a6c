"""What the others notice of a member that is dead, silent or was never there; and what kill -9 takes."""

from __future__ import annotations

import math
import socket
import threading
import time

from benchmarks.bench import (
    Bench,
    BenchNode,
    in_threads,
    members,
    post_silence,
    settled,
    silence_body,
    wait_for,
    waited_for,
)
from benchmarks.connection import Connection
from benchmarks.row import Figure, Row, Samples, Target, largest
from tests.support.cluster import make_authority
from tests.support.node import NodeKind


def _black_hole(bench: Bench, kind: NodeKind) -> Samples:
    """One of three is stopped; silences go from the first to the second, the next one when one arrived."""
    limit = bench.seconds(90, 25)
    waits: list[float] = []
    dropped = math.inf
    with bench.cluster(kind) as nodes:
        author, reader = nodes[0].connect(), nodes[1].connect()
        nodes[2].freeze()
        began = time.monotonic()
        for number in range(100_000):
            path = f"/api/v2/silence/{post_silence(author, silence_body(number))}"
            posted = time.monotonic()
            while reader.get(path)[0] != 200 and time.monotonic() < began + limit:
                time.sleep(0.005)
            waits.append(time.monotonic() - posted)
            if dropped == math.inf and members(nodes[0]) == members(nodes[1]) == 2:
                dropped = time.monotonic() - began
            if time.monotonic() > began + (limit if dropped == math.inf else max(dropped + 3, 10)):
                break
            time.sleep(0.1)
    return {"longest": waits, "dropped": [dropped]}


def _killed(bench: Bench, kind: NodeKind) -> Samples:
    """Noticed by both others, while ten silences a second flow."""
    with bench.cluster(kind) as nodes:
        stop = threading.Event()
        flow = threading.Thread(target=_flow, args=(nodes[0], stop))
        flow.start()
        try:
            time.sleep(1.0)
            nodes[2].kill()
            began = time.monotonic()
            noticed = waited_for(
                lambda: members(nodes[0]) == members(nodes[1]) == 2, bench.seconds(60, 20), 0.1
            )
            return {"noticed": [time.monotonic() - began if noticed else math.inf]}
        finally:
            stop.set()
            flow.join()


def _flow(node: BenchNode, stop: threading.Event) -> None:
    with node.connect() as connection:
        number = 0
        while not stop.wait(0.1):
            post_silence(connection, silence_body(number))
            number += 1


def _listed_black_hole(bench: Bench, kind: NodeKind) -> Samples:
    """A listed peer accepts connections and never says a word."""
    with bench.folder() as folder, socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        node = BenchNode(
            kind,
            "node",
            folder / "node",
            authority=make_authority(folder / "certs"),
            peers=[f"127.0.0.1:{silent.getsockname()[1]}"],
        )
        try:
            began = node.launch()
            wait_for(node.api.answers, 60, "the API answers", node.process.tail, 0.005)
            return {"answers": [time.monotonic() - began]}
        finally:
            node.process.kill()
            node.close()


def _start(bench: Bench, kind: NodeKind) -> Samples:
    """Three nodes started at once."""
    with bench.folder() as folder:
        authority = make_authority(folder / "certs")
        nodes: list[BenchNode] = []
        for number in range(3):
            name = f"node-{number}"
            node = BenchNode(kind, name, folder / name, authority=authority)
            nodes.append(node)
        for node in nodes:
            node.peers = [other.cluster_address for other in nodes if other is not node]
        times = [math.inf] * 3
        try:
            began = [node.launch() for node in nodes]

            def watch(number: int) -> None:
                node = nodes[number]
                wait_for(node.api.answers, 30, "the API answers", node.process.tail, 0.01)
                if waited_for(lambda: settled(node) and members(node) == 3, 60, 0.02):
                    times[number] = time.monotonic() - began[number]

            in_threads(watch, 3)
        finally:
            for node in nodes:
                node.process.kill()
                node.close()
    return {"ready": times}


def _kill_9(bench: Bench, kind: NodeKind) -> Samples:
    """Silences are acknowledged one by one, the process is killed right after the last."""
    rounds, each = bench.size(5, 2), bench.size(200, 50)
    lost = 0
    for _ in range(rounds):
        with bench.alone(kind) as node:
            with node.connect() as connection:
                ids = [post_silence(connection, silence_body(number)) for number in range(each)]
                node.kill()
            node.launch()
            wait_for(node.api.answers, 30, f"{node.name} answers again", node.process.tail)
            with node.connect() as connection:
                lost += sum([not _kept(connection, identifier) for identifier in ids])
    return {"lost": [100 * lost / (rounds * each)]}


def _kept(connection: Connection, identifier: str) -> bool:
    return connection.get(f"/api/v2/silence/{identifier}")[0] == 200


ROWS = (
    Row(
        "black-hole",
        "One of three nodes is stopped (SIGSTOP): its kernel still accepts connections, nobody answers. "
        "Silences are posted to the first, each as soon as the second has the one before; watched for 90 s. "
        "Dropped: both others no longer list it.",
        (
            Figure(
                "longest",
                "a member turned black hole: longest wait for a silence among the others",
                "s",
                Target(limit=1.0),
                largest,
            ),
            Figure("dropped", "a member turned black hole: dropped after", "s", Target(limit=6)),
        ),
        _black_hole,
    ),
    Row(
        "listed-black-hole",
        "A node is started whose only listed peer accepts connections and never answers; from the start of "
        "the process until its API answers.",
        (Figure("answers", "a listed peer that is a black hole: API answers after", "s", Target(limit=1.5)),),
        _listed_black_hole,
    ),
    Row(
        "killed",
        "One of three nodes is killed while ten silences a second are posted to another; until neither of "
        "the two lists it, watched for 60 s.",
        (
            Figure(
                "noticed",
                "a node killed while ten silences a second flow: noticed after",
                "s",
                Target(limit=6),
            ),
        ),
        _killed,
    ),
    Row(
        "start",
        "Three nodes, each told of the other two, are started at once; from the start of the process until "
        "its status is ready and it lists all three.",
        (Figure("ready", "process start to ready, three nodes", "s", Target(limit=1.5), largest),),
        _start,
    ),
    Row(
        "kill-9",
        "Silences are posted one by one to a node on its own, which is killed with SIGKILL right after the "
        "last answer and started again: 5 times 200.",
        (Figure("lost", "silences acknowledged, then lost by kill -9", "%", Target(limit=0)),),
        _kill_9,
    ),
)
