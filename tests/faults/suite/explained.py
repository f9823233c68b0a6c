"""What the nodes tell of alerts after a fault, held against what the receiver got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import httpx

from tests.faults.suite.world import PlacedNode, World

ALERTS: Final = 12
"""That are asked about after a fault."""
TIMEOUT: Final = 60.0


class Explained:
    """Asks ``explain`` of nodes of a world. ``forgets``: a node may have lost what it had not kept yet."""

    def __init__(self, world: World, *, seed: int, forgets: bool) -> None:
        self._world = world
        self._random = Random(f"{seed}-explain")
        self._forgets = forgets
        self._names = {node.url: node.name for node in world.nodes}
        self._tocsins = [node for node in world.nodes if node.is_tocsin]
        self.asked = 0

    def wrong(self, trouble: tuple[float, float]) -> list[str]:
        """What is wrong in the stories of some alerts, most of which fired during the trouble."""
        taken = [(name, one) for name, one in self._world.flow.book.alerts.items() if one.accepted_by]
        during = [name for name, one in taken if trouble[0] <= one.at <= trouble[1]]
        others = [name for name, _ in taken if name not in during]
        few = ALERTS // 4
        chosen = self._some(during, ALERTS - few) + self._some(others, few)
        return [f"explain {name}: {problem}" for name in chosen for problem in self._wrong(name)]

    def _some(self, names: Sequence[str], count: int) -> list[str]:
        return self._random.sample(names, min(count, len(names)))

    def _wrong(self, name: str) -> list[str]:
        node = self._random.choice(self._tocsins)
        self.asked += 1
        found = ask(node, name)
        problems = [
            f"{each['node']} did not answer {node.name}: {each['why']}"
            for each in found["nodes"]
            if each["answer"] != ("answered" if each["node"] in self._tocsin_names else "log only")
        ]
        if len(found["stories"]) != 1:
            return [*problems, f"{node.name} tells {len(found['stories'])} stories"]
        (story,) = found["stories"]
        if len(story["groups"]) != 1:
            return [*problems, f"{node.name} tells of {len(story['groups'])} groups"]
        (group,) = story["groups"]
        return problems + [f"{each}\n{story['text']}" for each in self._told_wrong(name, group)]

    @property
    def _tocsin_names(self) -> set[str]:
        return {node.name for node in self._tocsins}

    def _told_wrong(self, name: str, group: dict[str, Any]) -> list[str]:
        told = group["told"]
        got = Counter(self._names[one.sender] for one in self._world.sink.of_alert(name) if one.status == 200)
        sent = Counter(each["node"] for each in told if each["what"] == "sent")
        by_peers = [each["node"] for each in told if each["what"] == "sent by a peer"]
        problems = []
        for node, count in sent.items():
            if count > got[node]:
                problems.append(
                    f"{node} tells of {count} times that it sent it, and the receiver of {got[node]}"
                )
        for node in by_peers:
            if node and not got[node]:
                problems.append(f"{node} is said to have sent it, and did not")
            if node in self._tocsin_names and not self._forgets:
                problems.append(f"{node} sent it and has no record of it")
        if not self._forgets:
            problems += [
                f"nothing is told of what {node} sent"
                for node in got
                if node in self._tocsin_names  # the log has room for one: what a peer sent later is in it
                and not any(each["node"] == node and each["what"] != "not needed" for each in told)
            ]
        if got and not (sent or by_peers):
            problems.append(f"the receiver got it from {sorted(got)}, and nobody is said to have sent it")
        if got and "SENT" not in group["verdict"].replace("NOT SENT", ""):
            problems.append(f"the verdict is {group['verdict']!r}, and the receiver got it")
        if muted := [each["why"] for each in told if each["what"] == "muted"]:
            problems.append(f"it is said to be muted, {muted[0]}")
        return problems


def ask(node: PlacedNode, name: str) -> dict[str, Any]:
    """What a node tells of the alert with that name."""
    answer = httpx.get(
        f"{node.url}/api/tocsin/v1/explain",
        params={"filter": f"alertname={name}"},
        timeout=TIMEOUT,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
