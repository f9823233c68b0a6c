"""``cluster``: who belongs to it, and how its traffic is protected. It holds no secrets."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from tocsin.models.base import Body, Model, Seconds, Time, said

Protection = Literal["tls", "dtls", "keyring", "none"]


class Certificate(Model):
    """An X.509 certificate."""

    subject: str
    names: Annotated[tuple[str, ...], said("alternative names: DNS names and IP addresses")]
    issuer: Annotated[str, said("the authority that has signed it")]
    serial: Annotated[str, said("hexadecimal")]
    not_before: Time
    not_after: Time
    sha256: Annotated[str, said("fingerprint, hexadecimal")]


class Trust(Model):
    """The certificates that a node trusts: of clients that dial it, or of servers that it dials."""

    side: Literal["clients", "servers"]
    verified: Annotated[bool, said("whether a certificate must be shown and is verified")]
    authorities: Annotated[tuple[Certificate, ...], said("none: those of the system, or nobody is verified")]
    allowed_names: Annotated[tuple[str, ...], said("a certificate needs one of these; none: any will do")]
    revocations_from: Annotated[
        Time, said("when the oldest revocation list was issued; empty: there is none")
    ]
    revocations_until: Annotated[Time, said("when the first of them ought to have been replaced")]


class Identity(Model):
    """Certificates of this node, and their reloading."""

    certificate: Annotated[Certificate, said("that peers who dial it are shown")]
    trust: tuple[Trust, ...]
    reloaded_at: Annotated[Time, said("when the files in use were read")]
    reload_successful: Annotated[bool, said("whether changed files could be used")]
    renewing: Annotated[int, said("connections that are being made anew, as certificates have changed")]


class Keyring(Model):
    """Keys that seal traffic over UDP, by their fingerprints."""

    primary: Annotated[str, said("seals what is sent")]
    others: Annotated[tuple[str, ...], said("open what comes: more than none while keys are being changed")]
    seals: Annotated[bool, said("whether what is sent is sealed")]
    insists: Annotated[bool, said("whether what comes unsealed is refused")]


class Refused(Model):
    """Peers of one host that were refused for one reason, or that refused this node."""

    host: str
    reason: str
    text: Annotated[str, said("of the last one")]
    by_peer: Annotated[bool, said("it was the peer that refused")]
    count: int
    last: Time


class Missing(Model):
    """A peer that ought to be a member and is not, or a source of peers that does not answer."""

    name: str
    why: str


class Cluster(Model):
    """The cluster as this node sees it."""

    status: Literal["disabled", "settling", "ready"]
    name: Annotated[str, said("of this node; empty: it is alone")]
    position: Annotated[int, said("of this node among the members by name: they notify from 0 on")]
    members: int
    transport: Annotated[str, said("of `--cluster.transport`; empty: it is alone")]
    protection: Annotated[Protection, said("of what this node sends to its peers")]
    clear_text: Annotated[bool, said("whether something may leave it unprotected")]
    peers_in_clear: Annotated[int, said("of a cluster that moves to TLS: peers reached in clear text")]
    names_bound: Annotated[bool, said("whether a member's certificate must carry its name")]
    identity: Identity | None
    keyring: Keyring | None
    missing: Annotated[tuple[Missing, ...], said("at most 200")]
    refused: Annotated[tuple[Refused, ...], said("lately, the latest first; at most 256")]
    packets_refused: Annotated[int, said("packets, streams and messages of peers that were refused")]


ALONE: Final = Cluster(
    status="disabled",
    name="",
    position=0,
    members=0,
    transport="",
    protection="none",
    clear_text=False,
    peers_in_clear=0,
    names_bound=False,
    identity=None,
    keyring=None,
    missing=(),
    refused=(),
    packets_refused=0,
)
"""Of a node that has no cluster."""


class Member(Model):
    """A member of the cluster."""

    name: str
    address: str
    state: Literal["alive", "suspect"]
    since: Annotated[Time, said("when it came to be so, as this node sees it")]
    itself: Annotated[bool, said("it is the node that answers")]
    tocsin: Annotated[bool, said("it is a Tocsin node, else an Alertmanager")]
    version: Annotated[str, said("empty: not known")]
    configuration: Annotated[str, said("hash of its configuration; empty: not known")]
    position: int
    round_trip: Annotated[Seconds | None, said("seconds that its last answer to a ping took; null: none yet")]
    last_exchange: Annotated[Time, said("when states were last compared; empty: not yet")]
    diverged: Annotated[
        bool | None, said("whether they differed then; null: not known, as of an Alertmanager")
    ]


class Forget(Body):
    """A peer that is lost for good."""

    peer: Annotated[
        str, msgspec.Meta(min_length=1, max_length=1024), said("its name, or its cluster address")
    ]


class Forgotten(Model):
    """What the node forgot."""

    addresses: Annotated[tuple[str, ...], said("that it dials no more")]


class Connection(Model):
    """An open connection of TLS. Packets over UDP and DTLS have none: see `protection` of the cluster."""

    address: Annotated[str, said("dialled, or what the peer calls itself, or where it comes from")]
    member: Annotated[str, said("whose address that is; empty: nobody's")]
    dialled: Annotated[bool, said("by this node; else by the peer")]
    protocol: Annotated[str, said("`tocsin/1`, or `alertmanager` for its framing")]
    tls_version: str
    cipher: str
    since: Time
    certificate: Annotated[Certificate | None, said("of the peer; null: it showed none")]
    verified_name: Annotated[str, said("name or address it was verified for; empty where the peer dialled")]
    bound_name: Annotated[bool, said("whether its certificate carries the member's name")]
