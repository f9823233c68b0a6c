"""Settings and addresses are refused when they are made, not when they are used."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, cast

import pytest

from tocsin.errors import UserError
from tocsin.gossip import Address, GossipConfig
from tocsin.gossip.config import BOUNDS
from tocsin.gossip.profiles import PROFILES

SETTINGS = (
    "probe_interval",
    "probe_timeout",
    "suspicion_multiplier",
    "push_pull_interval",
    "gossip_interval",
    "gossip_nodes",
    "stream_timeout",
    "indirect_checks",
    "retransmit_multiplier",
    "gossip_to_the_dead_time",
)


@pytest.mark.parametrize(
    ("name", "preset", "expected"),
    [
        ("lan", GossipConfig.lan(), (1, 0.5, 4, 30, 0.2, 3, 10, 3, 4, 30)),
        ("wan", GossipConfig.wan(), (2, 1, 5, 60, 0.2, 4, 30, 3, 4, 60)),
        ("local", GossipConfig.local(), (1, 0.2, 3, 15, 0.1, 3, 1, 1, 2, 15)),
    ],
)
def test_the_presets(name: str, preset: GossipConfig, expected: tuple[float, ...]) -> None:
    assert tuple(getattr(preset, setting) for setting in SETTINGS) == expected
    assert preset == GossipConfig.profile(name)
    assert {**asdict(preset), **PROFILES[name]} == asdict(preset)


def test_a_profile_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="lan, wan, local"):
        GossipConfig.profile("moon")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gossip_interval", 0),
        ("gossip_interval", float("nan")),
        ("probe_timeout", -1.0),
        ("stream_timeout", 0),
        ("gossip_nodes", 0),
        ("suspicion_multiplier", 0),
        ("packet_size", 100_000),
        ("indirect_checks", 2.5),
        ("probe_interval", "1s"),
        ("max_members", True),
    ],
)
def test_a_value_out_of_its_bounds_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(UserError, match=name):
        GossipConfig(**cast("dict[str, Any]", {name: value}))


def test_what_may_be_switched_off_may_be_0() -> None:
    config = GossipConfig(probe_interval=0, push_pull_interval=0, dead_node_reclaim_time=0)
    assert config.gossip_bytes is None


def test_every_number_has_bounds() -> None:
    numbers = {field.name for field in fields(GossipConfig) if field.type in ("int", "float", "int | None")}
    assert numbers == BOUNDS.keys()


def test_a_label_is_bounded() -> None:
    with pytest.raises(UserError, match="label"):
        GossipConfig(label=bytes(256))


@pytest.mark.parametrize(
    ("host", "port"), [("localhost", 1), ("", 1), ("10.0.0.1", 65536), ("10.0.0.1", -1), ("10.0.0.1", "1")]
)
def test_an_address_that_is_none_is_refused_when_it_is_made(host: str, port: int) -> None:
    with pytest.raises(UserError, match="of an address"):
        Address(host, port)


def test_an_address_has_one_form() -> None:
    assert Address("::ffff:10.0.0.1", 1) == Address("10.0.0.1", 1)
    assert Address("FD00::0:1", 1).host == "fd00::1"
    assert str(Address("fd00::1", 9094)) == "[fd00::1]:9094"


def test_an_address_is_read_as_it_is_shown() -> None:
    for text in ("192.0.2.1:7946", "[2001:db8::1]:7946"):
        assert str(Address.parse(text)) == text
    for wrong in ("192.0.2.1", "db:7946", "192.0.2.1:port", "", "[::1]"):
        with pytest.raises(UserError):
            Address.parse(wrong)
