"""Tocsin: an Alertmanager-compatible node whose cluster traffic is secure.

``tocsin.gossip`` is a library of its own (hashicorp/memberlist's protocol); the node is built on it.
"""

__version__ = "0.1.0"
