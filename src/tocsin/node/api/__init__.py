"""The HTTP interface of the node: Alertmanager's API v2, the ``/-/`` endpoints, metrics and the pages."""

from tocsin.node.api.app import create_app
from tocsin.node.api.backend import Backend, ClusterStatus, PeerStatus, VersionInfo
from tocsin.node.api.limits import HTTPMetrics, Limits

__all__ = [
    "Backend",
    "ClusterStatus",
    "HTTPMetrics",
    "Limits",
    "PeerStatus",
    "VersionInfo",
    "create_app",
]
