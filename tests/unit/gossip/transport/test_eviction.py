"""Which connection makes room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tocsin.gossip.transport.eviction import victim


@dataclass(frozen=True)
class Link:
    name: str
    idle: bool = True


def test_the_oldest_idle_one_else_the_oldest() -> None:
    assert victim([Link("a"), Link("b")]).name == "a"
    assert victim([Link("a", idle=False), Link("b"), Link("c")]).name == "b"
    assert victim([Link("a", idle=False), Link("b", idle=False)]).name == "a"


def test_there_must_be_one() -> None:
    with pytest.raises(ValueError, match="no link"):
        victim(list[Link]())
