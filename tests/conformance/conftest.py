"""The suite runs over every transport."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.networks import InMemory, Network, OverTLS
from tests.support.certificates import CertificateAuthority


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    """One authority for all."""
    return CertificateAuthority()


@pytest.fixture(params=["memory", "tls"])
def make_network(request: pytest.FixtureRequest, authority: CertificateAuthority) -> Callable[[], Network]:
    """Makes a network; to be called on the event loop."""
    if request.param == "memory":
        return InMemory
    return lambda: OverTLS(authority, authority.cluster_config())
