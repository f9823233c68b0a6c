"""The cluster as Tocsin's own API shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.gossip.core.member import Member as Known
from tocsin.gossip.transport.base import Certificates
from tocsin.gossip.transport.base import Identity as Shown
from tocsin.gossip.transport.views import ConnectionView, TrustView
from tocsin.gossip.wire.messages import MemberState
from tocsin.models.cluster import (
    Certificate,
    Cluster,
    Connection,
    Identity,
    Keyring,
    Member,
    Missing,
    Protection,
    Refused,
    Trust,
)
from tocsin.node.cluster.capability import speaks_tocsin

if TYPE_CHECKING:
    from tocsin.node.cluster.cluster import Cluster as Running

MAX_MISSING: Final = 200
SOON: Final = 14 * 24 * 3600.0
"""Seconds before its expiry from which on a certificate is warned about."""


class ClusterView:
    """The views of a running cluster. ``about`` returns version and configuration of a member by name, if
    known."""

    def __init__(
        self,
        cluster: Running,
        *,
        transport: str,
        names_bound: bool,
        clear_text: Callable[[], bool],
        about: Callable[[str], tuple[str, str]],
    ) -> None:
        self._cluster = cluster
        self._transport = transport
        self._names_bound = names_bound
        self._clear_text = clear_text
        self._node_info = about

    def cluster(self) -> Cluster:
        """The cluster without members and connections."""
        cluster = self._cluster
        gossip = cluster.gossip
        certificates = gossip.transport.certificates
        gaps = cluster.gaps
        wall = _Wall()
        refusals = certificates.refusals() if certificates is not None else []
        return Cluster(
            status="ready" if cluster.settled else "settling",
            name=cluster.settings.name,
            position=cluster.position,
            members=len(gossip.members),
            transport=self._transport,
            protection=self._protection(certificates),
            clear_text=self._clear_text(),
            peers_in_clear=gossip.transport.statistics.peers_in_clear,
            names_bound=self._names_bound,
            identity=_identity(certificates) if certificates is not None else None,
            keyring=self._keyring(),
            missing=tuple(
                Missing(name=gap.name, why=gap.why) for gap in (*gaps.sources, *gaps.peers)[:MAX_MISSING]
            ),
            refused=tuple(
                Refused(
                    host=each.host,
                    reason=each.reason,
                    text=each.text,
                    by_peer=each.by_peer,
                    count=each.count,
                    last=wall.of(each.last),
                )
                for each in reversed(refusals)
            ),
            packets_refused=cluster.statistics.refused.total(),
        )

    def doubts(self) -> list[str]:
        """What is doubtful in this node's certificates, for people."""
        certificates = self._cluster.gossip.transport.certificates
        return certificate_doubts(certificates.identity, time.time()) if certificates is not None else []

    def members(self) -> Sequence[Member]:
        """The members in the order in which they notify."""
        cluster = self._cluster
        trips = cluster.gossip.endpoint.of_peers.round_trips
        wall = _Wall()
        found = []
        ordered = sorted(cluster.gossip.members, key=lambda member: member.name.encode())
        for position, member in enumerate(ordered):
            itself = member.name == cluster.settings.name
            trip = trips.get(member.name)
            last = None if itself else cluster.convergence.last(member.name)
            tocsin = itself or speaks_tocsin(member.meta)
            # Under this name there may have been a Tocsin node before, and what it announced is not
            # forgotten.
            version, configuration = self._node_info(member.name) if tocsin else ("", "")
            found.append(
                Member(
                    name=member.name,
                    address=str(member.address),
                    state="suspect" if member.state is MemberState.SUSPECT else "alive",
                    since=wall.of(member.state_changed),
                    itself=itself,
                    tocsin=tocsin,
                    version=version,
                    configuration=configuration,
                    position=position,
                    round_trip=round(trip.last, 6) if trip is not None else None,
                    last_exchange=wall.of(last[0]) if last is not None else "",
                    diverged=None if last is None or last[1] is None else not last[1],
                )
            )
        return found

    def connections(self) -> Sequence[Connection]:
        """The open TLS connections."""
        certificates = self._cluster.gossip.transport.certificates
        if certificates is None:
            return []
        members = {str(member.address): member for member in self._cluster.gossip.members}
        wall = _Wall()
        found = [
            _connection(each, members.get(str(each.address)), wall) for each in certificates.connections()
        ]
        return sorted(found, key=lambda each: (each.member, each.address, each.dialled))

    def _protection(self, certificates: Certificates | None) -> Protection:
        if certificates is not None:
            return "dtls" if self._transport == "dtls" else "tls"
        keyring = self._keyring()
        return "keyring" if keyring is not None and keyring.seals else "none"

    def _keyring(self) -> Keyring | None:
        ring = self._cluster.gossip.keyring
        if ring is None:
            return None
        primary, *others = ring.fingerprints()
        return Keyring(
            primary=primary, others=tuple(others), seals=ring.verify_outgoing, insists=ring.verify_incoming
        )


def certificate_doubts(identity: Shown, now: float) -> list[str]:
    """What is doubtful in this node's certificates, for people; ``now`` is Unix time."""
    found = []
    for side, ends in identity.expiries.items():
        if ends - now < SOON:
            verb = "has expired" if ends <= now else "expires"
            found.append(f"this node's certificate ({side}) {verb} on {written(ends)}: issue a new one")
    if not identity.reload_successful:
        found.append("changed TLS files cannot be used; the old ones stay in use: see the log")
    return found


class _Wall:
    """Converts the event loop's time to the wall clock's, as RFC 3339."""

    def __init__(self) -> None:
        self._ahead = time.time() - asyncio.get_running_loop().time()

    def of(self, moment: float) -> str:
        return written(moment + self._ahead)


def written(seconds: float | None) -> str:
    """Unix time as RFC 3339; None as an empty text."""
    return format_milliseconds(int(seconds * 1000) * (SECOND // 1000)) if seconds is not None else ""


def _connection(view: ConnectionView, member: Known | None, wall: _Wall) -> Connection:
    certificate = certificate_of(view.certificate) if view.certificate else None
    name = member.name if member is not None else ""
    return Connection(
        address=str(view.address),
        member=name,
        dialled=view.dialled,
        protocol=view.protocol or "alertmanager",
        tls_version=view.tls_version,
        cipher=view.cipher,
        since=wall.of(view.since),
        certificate=certificate,
        verified_name=view.verified_name,
        bound_name=bool(name)
        and certificate is not None
        and name.lower() in [each.lower() for each in certificate.names],
    )


def _identity(certificates: Certificates) -> Identity:
    identity = certificates.identity
    sides: tuple[Literal["clients", "servers"], ...] = ("clients", "servers")
    trust = certificates.trust()
    return Identity(
        certificate=certificate_of(identity.shown),
        trust=tuple(_trust(side, trust[side]) for side in sides),
        reloaded_at=written(identity.reloaded_at),
        reload_successful=identity.reload_successful,
        renewing=certificates.renewing,
    )


def _trust(side: Literal["clients", "servers"], view: TrustView) -> Trust:
    return Trust(
        side=side,
        verified=view.required,
        authorities=tuple(map(certificate_of, view.authorities)),
        allowed_names=view.allowed_names,
        revocations_from=written(view.revocations_from),
        revocations_until=written(view.revocations_until),
    )


@lru_cache(maxsize=512)
def certificate_of(der: bytes) -> Certificate:
    """A certificate for people; what cannot be read of it is empty."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    from tocsin.tls.names import subject_alternative_names

    found = x509.load_der_x509_certificate(der)
    return Certificate(
        subject=found.subject.rfc4514_string(),
        names=tuple(sorted(subject_alternative_names(der))),
        issuer=found.issuer.rfc4514_string(),
        serial=f"{found.serial_number:x}",
        not_before=written(found.not_valid_before_utc.timestamp()),
        not_after=written(found.not_valid_after_utc.timestamp()),
        sha256=found.fingerprint(SHA256()).hex(),
    )
