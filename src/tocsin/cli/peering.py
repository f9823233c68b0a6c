"""Shared by commands that ask several nodes."""

from __future__ import annotations

import time
from typing import Final

from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Flag
from tocsin.client.peers import Nodes

PEERS: Final = Flag(
    "peer.url",
    "URL of a further node; may be given several times (default: the members' hosts, at the port of"
    " --alertmanager.url)",
    many=True,
    own=True,
    value="URL",
)


def nodes_of(invocation: Invocation) -> Nodes:
    """The node that is named, and its peers."""
    return Nodes(invocation.settings, invocation.texts("peer.url"))


def deadline_of(invocation: Invocation) -> float:
    """When ``--timeout`` is over, by :func:`time.monotonic`."""
    return time.monotonic() + invocation.number("timeout") / 1e9
