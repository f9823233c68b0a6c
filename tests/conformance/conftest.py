"""The suite runs over every transport."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.networks import (
    InMemory,
    Migrating,
    Multiplexed,
    Network,
    OverDTLS,
    OverTLS,
    OverUDP,
)
from tests.support.certificates import CertificateAuthority


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    """One authority for all."""
    return CertificateAuthority()


# Not beside "udp": there the trial of TLS arrives as a stream, which memberlist drops for its first byte.
MIGRATING = {
    "udp-to-tls": ("migrating",),
    "udp-to-tls and tls": ("migrating", "tls"),
    "tls and udp-to-tls": ("tls", "migrating"),
}


@pytest.fixture(
    params=["memory", "udp", "dtls", "tls", "tocsin/1", "tocsin/1 and tls", "tls and tocsin/1", *MIGRATING]
)
def make_network(request: pytest.FixtureRequest, authority: CertificateAuthority) -> Callable[[], Network]:
    """Makes a network; to be called on the event loop."""
    if request.param == "memory":
        return InMemory
    if request.param == "udp":
        return OverUDP
    tls = authority.cluster_config()
    if request.param in MIGRATING:
        return lambda: Migrating(tls, MIGRATING[request.param])
    if request.param == "dtls":
        return lambda: OverDTLS(tls)
    if request.param == "tocsin/1":
        return lambda: Multiplexed(authority, tls)
    offers = {"tls": (False,), "tocsin/1 and tls": (True, False), "tls and tocsin/1": (False, True)}
    return lambda: OverTLS(authority, tls, offers[request.param])
