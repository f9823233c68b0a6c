"""The nodes of a cluster by their API: what the tool asks of each of them.

The API returns the members' cluster addresses only. Unless URLs are given, a peer's API is expected on the
host of its cluster address, with the scheme, port and path of the URL of the node that was asked first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Final

from tocsin.client.answers import Json
from tocsin.client.api import Api, ApiError
from tocsin.client.http import NodeURL
from tocsin.client.settings import Settings
from tocsin.dataclass import dataclass
from tocsin.errors import TocsinError, TransportError

POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class View:
    """What one node knows of the cluster. ``problem`` is empty when it has answered."""

    url: str
    name: str = ""
    status: str = ""
    members: tuple[tuple[str, str], ...] = ()
    """Pairs of name and cluster address."""
    problem: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The names of the members."""
        return frozenset(name for name, _ in self.members)


@dataclass(slots=True)
class Nodes:
    """The node of ``settings``, and its peers: at ``urls``, or at the URLs derived from their cluster
    addresses."""

    settings: Settings
    urls: Sequence[str] = ()
    _apis: dict[str, Api] = field(default_factory=dict)

    def view(self, url: str) -> View:
        """What the node at ``url`` says."""
        try:
            return _view_of(url, self.api(url).status())
        except TocsinError as error:
            return View(url, problem=str(error))

    def api(self, url: str) -> Api:
        """A client of the node at ``url``, with the rest of the command's time limit."""
        if url not in self._apis:
            self._apis[url] = Api(self.settings._replace(url=url, check_version=False))
        return self._apis[url]

    def views(self) -> list[View]:
        """The views of all nodes; the node of ``settings`` comes first."""
        first = self.view(self.settings.url)
        return [first, *(self.view(url) for url in self.others(first))]

    def others(self, first: View) -> list[str]:
        """The URLs of the peers, by what ``first`` says of the cluster."""
        if self.urls:
            return [url for url in self.urls if url.rstrip("/") != self.settings.url.rstrip("/")]
        node_url = self.api(self.settings.url).node_url
        return [_beside(node_url, address) for name, address in first.members if name != first.name]

    def having(self, identifier: str, urls: Sequence[str]) -> list[str]:
        """Those of ``urls`` at which the silence exists."""
        return [url for url in urls if self._has(url, identifier)]

    def _has(self, url: str, identifier: str) -> bool:
        try:
            return bool(self.api(url).silence(identifier))
        except (ApiError, TransportError):
            return False

    def silences(self, url: str) -> dict[str, str]:
        """For each silence of a node that has not expired, when it was last changed."""
        return {
            str(one["id"]): str(one["updatedAt"])
            for one in self.api(url).silences()
            if one["status"]["state"] != "expired"
        }


def until(done: Callable[[], bool], deadline: float) -> bool:
    """Poll ``done`` until it is true; False if it is not by ``deadline`` (:func:`time.monotonic`)."""
    while not done():
        if time.monotonic() + POLL_SECONDS > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _view_of(url: str, status: Json) -> View:
    cluster = status.get("cluster") or {}
    members = tuple((str(one["name"]), str(one["address"])) for one in cluster.get("peers") or ())
    return View(url, str(cluster.get("name", "")), str(cluster.get("status", "")), members)


def _beside(node_url: NodeURL, address: str) -> str:
    host = address.rpartition(":")[0]
    return f"{node_url.scheme}://{host}:{node_url.port}{node_url.path}"
