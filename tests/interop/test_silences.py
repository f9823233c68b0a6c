"""A silence made on one kind of node is on the other kind too: created, updated, expired."""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.interop.conftest import Trio
from tests.support.api import matcher
from tests.support.eventually import eventually
from tests.support.node import Node

pytestmark = pytest.mark.interop

Direction = Callable[[Trio], tuple[Node, list[Node]]]

FROM_OURS = pytest.param(lambda trio: (trio.first, [trio.theirs, trio.last]), id="from-ours")
FROM_THEIRS = pytest.param(lambda trio: (trio.theirs, [trio.first, trio.last]), id="from-theirs")
both_ways = pytest.mark.parametrize("direction", [FROM_OURS, FROM_THEIRS])


def wait_for(nodes: list[Node], id_: str, what: str, check: Callable[[dict[str, Any]], bool]) -> None:
    for node in nodes:

        def seen(node: Node = node) -> bool:
            silence = node.api.silence(id_)
            assert silence is not None, "unknown there"
            return check(silence)

        eventually(seen, f"{what} on {node!r}")


@both_ways
def test_created(trio: Trio, direction: Direction) -> None:
    maker, others = direction(trio)
    matchers = [
        matcher("alertname", "Created"),
        matcher("instance", "db-.*", regex=True),
        matcher("team", "blue", equal=False),
        matcher("zone", "eu-[0-9]+", regex=True, equal=False),
    ]
    id_ = maker.api.post_silence(matchers, comment='a "quoted" comment, ünïcode', created_by="night shift")
    made = maker.api.silence(id_)
    assert made is not None

    def same(silence: dict[str, Any]) -> bool:
        return {**silence, "updatedAt": ""} == {**made, "updatedAt": ""}

    wait_for(others, id_, "the same silence", same)


@both_ways
def test_updated(trio: Trio, direction: Direction) -> None:
    maker, others = direction(trio)
    id_ = maker.api.post_silence([matcher("alertname", "Updated")], hours=1)
    wait_for(others, id_, "the silence", lambda silence: silence["status"]["state"] == "active")
    before = maker.api.silence(id_)
    assert before is not None
    updated = maker.api.post_silence(
        before["matchers"], id_=id_, hours=5, comment="longer", starts_at=before["startsAt"]
    )
    assert updated == id_  # same matchers and start: changed in place
    after = maker.api.silence(id_)
    assert after is not None
    wait_for(
        others,
        id_,
        "the update",
        lambda silence: (silence["comment"], silence["endsAt"]) == ("longer", after["endsAt"]),
    )


@both_ways
def test_expired(trio: Trio, direction: Direction) -> None:
    maker, others = direction(trio)
    id_ = maker.api.post_silence([matcher("alertname", "Expired")])
    wait_for(others, id_, "the silence", lambda silence: silence["status"]["state"] == "active")
    maker.api.expire_silence(id_)
    wait_for(others, id_, "its end", lambda silence: silence["status"]["state"] == "expired")


@both_ways
def test_expired_by_another_node_than_its_maker(trio: Trio, direction: Direction) -> None:
    maker, others = direction(trio)
    id_ = maker.api.post_silence([matcher("alertname", "ExpiredElsewhere")])
    wait_for(others, id_, "the silence", lambda silence: silence["status"]["state"] == "active")
    others[0].api.expire_silence(id_)
    wait_for([maker, *others[1:]], id_, "its end", lambda silence: silence["status"]["state"] == "expired")


@both_ways
@pytest.mark.parametrize("size", [900, 5_000, 80_000], ids=["past-a-packet", "several-records", "past-64-KB"])
def test_a_large_one(trio: Trio, direction: Direction, size: int) -> None:
    """Past 700 bytes a broadcast does not fit a packet and goes by a stream to each member."""
    maker, others = direction(trio)
    comment = secrets.token_hex(size // 2)
    id_ = maker.api.post_silence([matcher("alertname", "Large")], comment=comment)
    wait_for(others, id_, "the whole comment", lambda silence: silence["comment"] == comment)


@both_ways
def test_many_at_once(trio: Trio, direction: Direction) -> None:
    maker, others = direction(trio)
    made = {
        maker.api.post_silence([matcher("alertname", f"Many{number}")], comment="many")
        for number in range(50)
    }
    for node in others:
        eventually(partial(knows_all, node, made), f"all {len(made)} silences on {node!r}")


def knows_all(node: Node, ids: set[str]) -> bool:
    return ids <= {silence["id"] for silence in node.api.silences()}
