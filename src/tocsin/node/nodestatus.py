"""A node's version and cluster status, for the API."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final, Literal

from tocsin import ALERTMANAGER_VERSION, __version__
from tocsin.node.api.backend import ClusterStatus, PeerGap, PeerStatus, VersionInfo

if TYPE_CHECKING:  # Not needed by a node without a cluster.
    from tocsin.node.cluster.cluster import Cluster

VERSION: Final = VersionInfo(
    ALERTMANAGER_VERSION,
    revision=__version__,
    branch="tocsin",
    build_user="tocsin",
    build_date="n/a",
    go_version=f"python{platform.python_version()}",
)
"""The versions in ``/api/v2/status``."""


def cluster_status_of(cluster: Cluster | None, *, clear_text: bool) -> ClusterStatus:
    """Name, status and members."""
    if cluster is None:
        return ClusterStatus("disabled")
    peers = [PeerStatus(peer.name, peer.address) for peer in cluster.peers()]
    name = cluster.settings.name
    gaps = cluster.gaps
    missing = [PeerGap(gap.name, gap.why) for gap in (*gaps.sources, *gaps.peers)]
    status: Literal["ready", "settling"] = "ready" if cluster.settled else "settling"
    return ClusterStatus(status, name, peers, clear_text, missing)
