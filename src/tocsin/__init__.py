"""Tocsin: an Alertmanager-compatible node whose cluster traffic is secure.

``tocsin.gossip`` is a library of its own (hashicorp/memberlist's protocol); the node is built on it.
"""

__version__ = "0.2.0"

ALERTMANAGER_VERSION = "0.34.1"
"""The Alertmanager whose behaviour the node offers: what clients such as amtool and karma compare."""
