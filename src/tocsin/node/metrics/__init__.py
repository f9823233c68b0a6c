"""The node's metrics, with Alertmanager's names for all that both have."""

from tocsin.node.metrics.registry import Metrics, Timer

__all__ = ["Metrics", "Timer"]
