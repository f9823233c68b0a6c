"""Attacks of somebody with a valid certificate: silences that cost much to compile, and for each alert."""

from __future__ import annotations

import time

from tests.faults.hostile import forge
from tests.faults.hostile.attack import attack
from tests.faults.hostile.attacker import Attacker

COSTLY = [rf"\pL{{{number}}}" for number in range(60, 90)]


def _silence(number: int, patterns: list[str], *, kind: int = 1, **more: int) -> bytes:
    now = int(time.time())
    ends, updated = more.get("ends", now + 60), more.get("updated", now)
    matchers = [(kind, "text", each) for each in patterns]
    return forge.silence(f"costly-{number}", matchers, ends=ends, updated=updated)


@attack("packets: patterns with thousands of groups", "cluster_inbox_received{update}")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("sil", _silence(1, ["(a?)" * 2000 + ".*z"]))])


@attack("packets: patterns with named groups", "cluster_inbox_received{update}")
def _(attacker: Attacker) -> None:
    named = "".join(f"(?P<n{number}>a?)" for number in range(900))
    attacker.packets([forge.user("sil", _silence(2, [named + ".*z"]))])


@attack("packets: sixty costly patterns, the last invalid", "cluster_inbox_refused{sil}")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("sil", _silence(3, [*COSTLY, *COSTLY, "("]))])


@attack(
    "packets: many silences of one costly pattern",
    "cluster_inbox_costly_steps",
    "cluster_inbox_refused{sil}",
)
def _(attacker: Attacker) -> None:
    """As large as is taken, over before they are, so that there is room for the next."""
    _short(attacker, [[rf"{number}\pL{{25}}"] for number in _numbers(30)])


@attack(
    "packets: silences as full of patterns as is taken",
    "cluster_inbox_costly_steps",
    "cluster_inbox_refused{sil}",
)
def _(attacker: Attacker) -> None:
    _short(attacker, [[rf"[a-z]+{number}-{part}-[0-9]+.*" for part in range(900)] for number in _numbers(3)])


@attack(
    "packets: patterns slow to weigh",
    "cluster_inbox_costly_steps",
    "cluster_inbox_refused{sil}",
)
def _(attacker: Attacker) -> None:
    _short(attacker, [["(a?)" * 1400 + f"{number}"] for number in _numbers(8)])


@attack(
    "packets: patterns slow with each alert",
    "cluster_inbox_costly_steps",
    "cluster_inbox_refused{sil}",
)
def _(attacker: Attacker) -> None:
    _short(attacker, [[f"(a?){{990}}a*z{number}"] for number in _numbers(10)])


def _numbers(count: int) -> range:
    some = int(time.time() * 1000) % 1_000_000
    return range(some, some + count)


def _short(attacker: Attacker, silences: list[list[str]]) -> None:
    ends = int(time.time()) + 2
    entries = [
        _silence(number, patterns, ends=ends)
        for number, patterns in zip(_numbers(len(silences)), silences, strict=True)
    ]
    attacker.stream(forge.user_stream("sil", b"".join(entries)))


@attack("packets: patterns slow to read", "cluster_inbox_refused{sil}")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("sil", _silence(4, [r"\pL" * 20_000]))])


@attack("packets: stamps at the end of time", "cluster_inbox_refused{sil}")
def _(attacker: Attacker) -> None:
    entries = [_silence(5, ["x.*"], updated=253_402_300_799), _silence(6, ["y.*"], ends=253_402_300_799)]
    attacker.packets([forge.user("sil", each) for each in entries])
