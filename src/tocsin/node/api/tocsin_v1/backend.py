"""What Tocsin's own API needs of the node, beside what the API v2 needs. The node implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from tocsin.alerting.alert import Alert
from tocsin.alerting.explain.question import Question
from tocsin.alerting.explain.story import Explanation
from tocsin.alerting.health import IntegrationHealth
from tocsin.alerting.labels import Labels
from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.route import Route, RouteOptions
from tocsin.alerting.shadow.shadow import Shadow
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.models.cluster import Cluster, Connection, Member
from tocsin.models.status import Configuration
from tocsin.node.events.hub import EventHub
from tocsin.node.receivertests import ReceiverTests


class TocsinBackend(Protocol):
    """Everything is called on the event loop's thread, and returns quickly."""

    @property
    def features(self) -> Sequence[str]:
        """The features of ``--enable-feature``."""
        ...

    @property
    def settled(self) -> bool:
        """Whether notifications may go out."""
        ...

    @property
    def group_count(self) -> int:
        """Aggregation groups."""
        ...

    @property
    def external_url(self) -> str:
        """``--web.external-url``."""
        ...

    @property
    def events(self) -> EventHub:
        """The event streams."""
        ...

    @property
    def receiver_tests(self) -> ReceiverTests:
        """Runs tests of receivers."""
        ...

    @property
    def record_kept(self) -> bool:
        """Whether there is a decision record."""
        ...

    @property
    def shadow(self) -> Shadow | None:
        """The comparison of a node in shadow; None for any other."""
        ...

    def records(self, before: int | None = None) -> AsyncIterator[tuple[int, FlushRecord]]:
        """The decision record, newest first, before a number. Raises StorageError."""
        ...

    def under_way(self) -> AsyncIterator[tuple[int, FlushRecord]]:
        """The flushes that have not ended; the number is 0 where nothing of one is kept yet."""
        ...

    def cluster(self) -> Cluster:
        """How it is protected, and who is missing or refused."""
        ...

    def members(self) -> Sequence[Member]:
        """The members of the cluster."""
        ...

    def forget_peer(self, peer: str) -> Sequence[str]:
        """Forget the lost peer with a name or address: it no longer counts as missing and is not dialled.
        Returns its addresses; none if no such peer is lost. ValidationError on a node without a cluster, or
        whose members are listed by discovery.
        """
        ...

    def connections(self) -> Sequence[Connection]:
        """To peers, by TLS."""
        ...

    def each_group(self) -> Iterator[tuple[Route, Labels, tuple[Alert, ...]]]:
        """The aggregation groups, in no order: route, labels, alerts. Cheap, to be gone through in slices."""
        ...

    def configuration(self) -> Configuration:
        """The configuration in force."""
        ...

    def route_muted_by(self, options: RouteOptions, at: Nanoseconds) -> Sequence[str]:
        """The time intervals that mute a route at a time."""
        ...

    def health(self, receiver: str, kind: str, index: int) -> IntegrationHealth:
        """The outcomes of an integration's attempts."""
        ...

    def doubts(self) -> Sequence[str]:
        """What is doubtful in the configuration in force and in the certificates, for people."""
        ...

    async def explain(self, question: Question, *, peers: bool, source: str) -> Explanation:
        """What became of alerts, and why; with what the ``peers`` know. NotFoundError for a fingerprint that
        nobody knows."""
        ...
