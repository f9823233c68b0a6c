"""The presets for kinds of networks: what differs from the defaults of ``GossipConfig``.

They are memberlist's ``DefaultLANConfig``, ``DefaultWANConfig`` and ``DefaultLocalConfig``, but for what the
wide area says: memberlist probes there every five seconds with a timeout of three and suspects for half a
minute, as it does not know how far members are. Here timeouts follow the round trips that were measured. In
simulations (``python -m simulation.regions``) of 250 ms each way, or with 5 % lost, a probe every two seconds
suspected nobody wrongly, and a death was noticed after 12 s where memberlist's settings took 36.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PROFILES: Final[Mapping[str, Mapping[str, Any]]] = {
    "lan": {},
    "wan": {
        "stream_timeout": 30.0,
        "suspicion_multiplier": 5,  # memberlist: 6
        "push_pull_interval": 60.0,
        "probe_timeout": 1.0,  # memberlist: 3
        "probe_interval": 2.0,  # memberlist: 5
        "gossip_nodes": 4,
        "gossip_interval": 0.2,  # memberlist: 0.5
        "gossip_to_the_dead_time": 60.0,
    },
    "local": {
        "stream_timeout": 1.0,
        "indirect_checks": 1,
        "retransmit_multiplier": 2,
        "suspicion_multiplier": 3,
        "push_pull_interval": 15.0,
        "probe_timeout": 0.2,
        "probe_interval": 1.0,
        "gossip_interval": 0.1,
        "gossip_to_the_dead_time": 15.0,
    },
}
"""By name. Times are seconds."""
