"""What a node says of itself: its version, and its cluster."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final, Literal

from tocsin import ALERTMANAGER_VERSION, __version__
from tocsin.node.api.backend import ClusterStatus, PeerGap, PeerStatus, VersionInfo

if TYPE_CHECKING:  # A node may be alone.
    from tocsin.node.cluster.cluster import Cluster

VERSION: Final = VersionInfo(
    ALERTMANAGER_VERSION,
    revision=__version__,
    branch="tocsin",
    build_user="tocsin",
    build_date="n/a",
    go_version=f"python{platform.python_version()}",
)
"""What ``/api/v2/status`` says."""


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
