"""The text, tables and pictures of docs/scale.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from simulation.dissemination import DIAL_TRIPS, LATENCY
from simulation.measure import IDLE, LOAD, LOAD_INTERVAL, WARM_UP, Figures, Rates, quantile
from simulation.plot import Line, chart
from simulation.sizes import HANDSHAKE, RUMOUR
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.broadcast import transmit_limit
from tocsin.gossip.core.partners import ROTATION

INTERVAL = GossipConfig().gossip_interval


class Run(Protocol):
    """One simulation and what it found."""

    @property
    def biased(self) -> bool:
        """Partners are chosen as the node does; else out of all members."""

    @property
    def eager(self) -> bool:
        """News leaves at once; else with the next periodic round."""

    @property
    def real(self) -> bool:
        """Real endpoints, not the model."""

    @property
    def figures(self) -> Figures:
        """What was found."""


def pictures(runs: Sequence[Run]) -> dict[str, str]:
    """SVG by file name."""
    model = [run for run in runs if not run.real]

    def line(name: str, value: Callable[[Figures], float], *, biased: bool, eager: bool = True) -> Line:
        found = [run.figures for run in model if run.biased == biased and run.eager == eager]
        return Line(name, [(one.size, value(one)) for one in found])

    def both(value: Callable[[Figures], float]) -> list[Line]:
        return [
            line("open connections preferred", value, biased=True),
            line("uniform over all members", value, biased=False),
        ]

    def median(one: Figures) -> float:
        return quantile(one.times, 0.5)

    members = "members (logarithmic)"
    return {
        "scale-time.svg": chart(
            "Until all members have a rumour",
            members,
            "seconds, median",
            [
                line("preferred, at once", median, biased=True),
                line("uniform, at once", median, biased=False),
                line("preferred, periodic rounds only", median, biased=True, eager=False),
                line("uniform, periodic rounds only", median, biased=False, eager=False),
            ],
            x_log=True,
            y_log=False,
        ),
        "scale-connections.svg": chart(
            "Connections that a node has under load",
            members,
            "open at a time, mean",
            [
                *both(lambda one: _load(one).connections),
                Line("one to every member", [(run.figures.size, run.figures.size - 1) for run in model]),
            ],
            x_log=True,
            y_log=True,
        ),
        "scale-dials.svg": chart(
            "New connections of a node under load",
            members,
            "dials a second",
            [
                *both(lambda one: _load(one).dials),
                line("idle, either", lambda one: one.idle.dials, biased=True),
            ],
            x_log=True,
            y_log=False,
        ),
        "scale-bytes.svg": chart(
            "Bytes that a node sends under load",
            members,
            "kB a second (logarithmic)",
            [
                *both(lambda one: _load(one).sent / 1000),
                line("idle, either", lambda one: one.idle.sent / 1000, biased=True),
            ],
            x_log=True,
            y_log=True,
        ),
    }


def document(runs: Sequence[Run], limit: int, seed: int) -> str:
    """docs/scale.md."""
    model, real = [run for run in runs if not run.real], [run for run in runs if run.real]
    sizes = sorted({run.figures.size for run in model})
    limits = ", ".join(f"{transmit_limit(GossipConfig().user_retransmit_multiplier, size)}" for size in sizes)
    return f"""# Large clusters

Made by `make scale`. Do not edit: change `simulation/scale_report.py`.

## The question

Over TLS a packet needs a connection, and nobody wants 10,000 of them. The pool of a node is bounded
(`max_outbound_connections`, 1,024 by default) and the least recently used connection makes room. But SWIM
draws each gossip partner from all members, so in a cluster larger than the pool nearly each packet would
need a dial, and throw out a connection that somebody else has to dial again.

## What a node does

**Gossip prefers open connections** (`gossip/core/partners.py`). In a cluster that fits the pool nothing
changes: each member is as likely as any other. In a larger one a node draws its partners from the members to
which it has an open connection; one choice in {ROTATION} still goes to anyone. While less than half of the
pool is open, choices go to anyone until it is half full. (Not until it is full: a dial takes a place in the
pools of both ends, so each closes another connection, whose peer would refill its pool at once, and so on
for ever.)

**Probes do not.** A failure detector that asked only its neighbours would never notice the death of the
others, so probes go round all members in a random order, one a second. In a large cluster that is one dial a
second for each node, whatever the size of the cluster, and it is the whole cost of an idle node below. On
`tocsin/1` the answer comes back on the same connection; towards an Alertmanager it takes a connection of its
own, so there it is two. A sequence of probes also drives everything else out of a least-recently-used pool:
of {limit} connections each lives for some {limit // 2} seconds. A pool that protected the others from it
would not save a dial, as the next probe has to dial in any case. And it does good: the connections that
probes leave behind lead to random members, so the partners of gossip change all the time, and the links of
all nodes are at each moment a fresh random graph of degree {limit}. In such a graph a rumour needs O(log n)
rounds, as with partners drawn from all.

Push/pull, indirect probes and farewells are rare, and choose among all members. A lately dead member has no
open connection, so gossip reaches it only by the one choice in {ROTATION}. If it is alive after all it also
hears of that from whomever it pings and exchanges states with.

A handshake that resumes a session costs less than half the bytes and little CPU. A session is good for an
hour after its full handshake, and 2,048 are remembered. So among 100 members nearly all the dials of probes
resume, among 1,000 (each is probed every 17 minutes) three of four, among 10,000 none. The bytes below count
each handshake as a full one.

## What is model and what is measured

Nothing here was measured on a network. *Model* is `simulation/dissemination.py`: the real choice of
partners, the real rule of eviction, the real settings, sizes from the real encoders, and one shared list of
members in place of one for each node; no membership updates, no failures, no loss, no CPU time. *Real
endpoints* is `simulation/pooled.py`: whole `Endpoint`s with member tables, probes, push/pull and bytes, over
the same pools, in virtual time. Both ran the same plan with seed {seed}: {WARM_UP:g} s to warm up, {IDLE:g}
s idle, single rumours 4 s apart, then {1 / LOAD_INTERVAL:g} rumours a second in the whole cluster, counted
for {LOAD:g} s. A rumour has {RUMOUR} bytes and goes into so many packets of each node: {limits} (at
{_list(sizes)} members). A packet takes {LATENCY * 1000:g} ms; on a new connection it comes
{DIAL_TRIPS * LATENCY * 1000:g} ms later. A handshake is {HANDSHAKE:,} bytes, both ways together (this one
was measured, on the real sessions). Bytes are those of TLS records, without TCP and IP. Connections are of
`tocsin/1`: one for a pair of nodes, in the pools of both, {limit} at most.

## Time until all members have a rumour

![Time until all members have a rumour](images/scale-time.svg)

*At once*: as a node does it, a new rumour goes to three partners the moment it is known (at most every 5 ms),
and again in the periodic rounds of {INTERVAL:g} s that follow. *Rounds*: the median of the runs with periodic
rounds only, in rounds. The 99th percentile is by nearest rank: with fewer than 100 rumours, the slowest.

{_times(model)}

## Connections and bytes

![Connections that a node has](images/scale-connections.svg)

![New connections of a node](images/scale-dials.svg)

![Bytes that a node sends](images/scale-bytes.svg)

Each row is for one node; dials are counted at the dialling end, and as many are accepted. Bytes under load
contain the idle ones. What grows with the cluster when idle is push/pull, which sends the whole member
table, every 30 s in small clusters and more seldom in large ones.

{_rates(model)}

Every rumour that was made under load reached all members{_unfinished(model)}.

## The model against real endpoints

{_check(model, real)}
"""


def _times(model: Iterable[Run]) -> str:
    rows = []
    for run in model:
        if not run.eager:
            continue
        one = run.figures
        slow = next(
            r.figures for r in model if not r.eager and r.biased == run.biased and r.figures.size == one.size
        )
        median = quantile(slow.times, 0.5)
        rows.append(
            (
                f"{one.size:,}",
                _partners(run),
                f"{one.rumours}",
                f"{one.rumours - len(one.times) + slow.rumours - len(slow.times)}",
                f"{quantile(one.times, 0.5):.2f} s",
                f"{quantile(one.times, 0.99):.2f} s",
                f"{median:.2f} s",
                f"{quantile(slow.times, 0.99):.2f} s",
                f"{math.ceil(median / INTERVAL)}",
            )
        )
    return _table(
        (
            "members",
            "partners",
            "rumours",
            "not all reached",
            "at once: median",
            "p99",
            "periodic only: median",
            "p99",
            "rounds",
        ),
        rows,
    )


def _rates(model: Iterable[Run]) -> str:
    rows = [
        (
            f"{run.figures.size:,}",
            _partners(run),
            f"{_load(run.figures).connections:.1f}",
            f"{run.figures.most_connections}",
            f"{run.figures.idle.dials:.2f}",
            f"{_load(run.figures).dials:.2f}",
            f"{run.figures.idle.sent / 1000:.1f} kB/s",
            f"{_load(run.figures).sent / 1000:.1f} kB/s",
        )
        for run in model
        if run.eager
    ]
    return _table(
        (
            "members",
            "partners",
            "connections, mean",
            "most",
            "dials a second, idle",
            "under load",
            "sent, idle",
            "under load",
        ),
        rows,
    )


def _check(model: Sequence[Run], real: Sequence[Run]) -> str:
    if not real:
        return "Not run this time."
    rows, worst = [], 0.0
    for run in real:
        twin = next(
            each.figures
            for each in model
            if (each.biased, each.eager, each.figures.size) == (run.biased, run.eager, run.figures.size)
        )
        pairs = [(_load(of).dials, of.idle.dials, _load(of).sent, of.idle.sent) for of in (twin, run.figures)]
        worst = max(worst, *(abs(a / b - 1) for a, b in zip(*pairs, strict=True)))
        rows.append(
            (
                f"{run.figures.size:,}",
                _partners(run),
                _pair(twin, run.figures, lambda one: f"{quantile(one.times, 0.5):.2f}") + " s",
                _pair(twin, run.figures, lambda one: f"{_load(one).connections:.1f}"),
                _pair(twin, run.figures, lambda one: f"{one.idle.dials:.2f}"),
                _pair(twin, run.figures, lambda one: f"{_load(one).dials:.2f}"),
                _pair(twin, run.figures, lambda one: f"{one.idle.sent / 1000:.1f}") + " kB/s",
                _pair(twin, run.figures, lambda one: f"{_load(one).sent / 1000:.1f}") + " kB/s",
            )
        )
    table = _table(
        (
            "members",
            "partners",
            "time to all, median",
            "connections",
            "dials, idle",
            "under load",
            "sent, idle",
            "under load",
        ),
        rows,
    )
    return (
        f"Model / real endpoints, updates sent at once. Dials and bytes differ by at most {worst:.0%}."
        f" A test holds the model to 10 % of those,\nand to 25 % of the mean time; the medians here"
        f" scatter by as much from seed to seed.\n\n{table}"
    )


def _unfinished(model: Iterable[Run]) -> str:
    missing = sum(run.figures.load_unfinished for run in model)
    return f", except {missing}" if missing else ""


def _load(figures: Figures) -> Rates:
    if figures.load is None:
        raise ValueError("this run had no load")
    return figures.load


def _partners(run: Run) -> str:
    return "preferred" if run.biased else "uniform"


def _pair(model: Figures, real: Figures, text: Callable[[Figures], str]) -> str:
    return f"{text(model)} / {text(real)}"


def _list(sizes: Sequence[int]) -> str:
    return ", ".join(f"{size:,}" for size in sizes)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---:" if index != 1 else "---" for index in range(len(head))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
