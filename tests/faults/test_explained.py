"""Each kind of wrong story is found by what the fault suite holds stories against."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.suite.explained import Explained

SENT = {"node": "one", "what": "sent", "why": ""}
TOO = {"node": "two", "what": "sent", "why": ""}
NOTHING_NEW = {"node": "two", "what": "not needed", "why": ""}


def judge(told: list[dict[str, Any]], got: list[str], *, verdict: str = "SENT now", **more: Any) -> str:
    nodes = [
        SimpleNamespace(url=f"http://{name}", name=name, is_tocsin=name != "go")
        for name in ["one", "two", "go"]
    ]
    received = [SimpleNamespace(sender=f"http://{name}", status=200) for name in got]
    world: Any = SimpleNamespace(nodes=nodes, sink=SimpleNamespace(of_alert=lambda _name: received))
    explained = Explained(world, seed=1, forgets=more.get("forgets", False))
    return "; ".join(explained._told_wrong("fired-1", {"told": told, "verdict": verdict}))


def test_what_is_right() -> None:
    assert not judge([NOTHING_NEW, SENT], ["one"])
    assert not judge([TOO, SENT], ["one", "two"])
    assert not judge([{"node": "go", "what": "sent by a peer", "why": ""}], ["go"], verdict="SENT BY A PEER")
    assert not judge([SENT], ["one", "go"])
    assert not judge([{"node": "", "what": "sent by a peer", "why": ""}], ["one"], forgets=True)
    assert not judge([], [], verdict="WAITING")


@pytest.mark.parametrize(
    ("told", "got", "verdict", "problem"),
    [
        ([SENT], ["two"], "SENT", "one tells of 1 times that it sent it, and the receiver of 0"),
        ([SENT, SENT], ["one"], "SENT", "one tells of 2 times"),
        ([SENT], ["one", "two"], "SENT", "nothing is told of what two sent"),
        ([SENT, NOTHING_NEW], ["one", "two"], "SENT", "nothing is told of what two sent"),
        ([NOTHING_NEW], ["one"], "NOTHING NEW", "nobody is said to have sent it"),
        ([SENT], ["one"], "NOT SENT", "the verdict is 'NOT SENT'"),
        (
            [{"node": "go", "what": "sent by a peer", "why": ""}],
            ["one"],
            "SENT",
            "go is said to have sent",
        ),
        ([{"node": "one", "what": "sent by a peer", "why": ""}], ["one"], "SENT", "one sent it and has no"),
        ([SENT, {"node": "two", "what": "muted", "why": "x"}], ["one"], "SENT", "said to be muted, x"),
    ],
)
def test_what_is_wrong(told: list[dict[str, Any]], got: list[str], verdict: str, problem: str) -> None:
    assert problem in judge(told, got, verdict=verdict)
