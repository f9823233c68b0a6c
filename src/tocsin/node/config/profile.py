"""What ``--cluster.profile`` stands for: other defaults of flags that say how soon peers are judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tocsin.gossip.config import GossipConfig
from tocsin.gossip.profiles import PROFILES

FLAGS: Final[Mapping[str, str]] = {
    "cluster_gossip_interval": "gossip_interval",
    "cluster_pushpull_interval": "push_pull_interval",
    "cluster_tcp_timeout": "stream_timeout",
    "cluster_probe_timeout": "probe_timeout",
    "cluster_probe_interval": "probe_interval",
}
"""Fields of the flags by those of :class:`GossipConfig`. What else a profile says has no flag."""
_NANOSECONDS: Final = 1e9


def parse_profile(text: str) -> str:
    """The name of a profile, or empty: Alertmanager's defaults."""
    if text.lower() not in ("", *PROFILES):
        raise ValueError(f"unrecognized cluster profile {text}, one of: {', '.join(PROFILES)}")
    return text.lower()


def implied(given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults, by field, that hold with the flags that were given; none without a profile."""
    name = given.get("cluster_profile", "")
    if not name:
        return {}
    config = GossipConfig.profile(name)
    return {flag: round(getattr(config, setting) * _NANOSECONDS) for flag, setting in FLAGS.items()}
