"""What an attack is, and the register of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.hostile.attacker import Attacker

Round = Callable[[Attacker], None]
CLEAR = "clear text"
"""The carrier of attacks on a cluster that is not secured."""
DTLS = "DTLS"
"""The carrier of attacks on a cluster with ``--cluster.transport=dtls``."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A sample of ``/metrics``."""

    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name}{{{self.reason}}}" if self.reason else self.name


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack by one carrier. ``round`` is done once in a test, again and again while measured.

    ``counted``: one of these must grow for it; empty where all is lawful and only the load is hostile.
    ``certificate``: which one the attacker shows ("" none). ``patient``: takes ten seconds and more to be
    found out.
    """

    name: str
    carrier: str
    round: Round
    counted: tuple[Counter, ...]
    certificate: str = "member"
    patient: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.carrier})" if self.certificate == "member" else self.name


ATTACKS: list[Attack] = []


def attack(
    name: str,
    *counted: str,
    carriers: tuple[str, ...] = ("framing", "tocsin/1"),
    certificate: str = "member",
    patient: bool = False,
) -> Callable[[Round], Round]:
    """Register a round as an attack by each of the carriers; ``counted`` as ``name`` or ``name{reason}``."""

    def register(round_: Round) -> Round:
        counters = tuple(map(_counter, counted))
        ATTACKS.extend(Attack(name, each, round_, counters, certificate, patient) for each in carriers)
        return round_

    return register


def _counter(text: str) -> Counter:
    name, _, reason = text.partition("{")
    return Counter(f"tocsin_{name}_total", reason.removesuffix("}"))
