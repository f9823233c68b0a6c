"""Notifications and silences over UDP: the tests that are there for TLS, on another cluster."""

from collections.abc import Iterator

import pytest

from tests.interop.conftest import Trio
from tests.interop.test_notifications import (  # noqa: F401
    test_a_silence_of_either_holds_the_alert_back_on_both,
    test_ours_sends_and_theirs_stays_silent,
    test_posted_to_all_ours_sends,
    test_theirs_sends_and_ours_stays_silent,
)
from tests.interop.test_silences import (  # noqa: F401
    test_a_large_one,
    test_created,
    test_expired,
    test_expired_by_another_node_than_its_maker,
    test_many_at_once,
    test_updated,
)
from tests.support.node import NodeKind

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Iterator[Trio]:
    """A cluster that stays whole."""
    with Trio(tmp_path_factory.mktemp("udp"), udp=True) as trio:
        yield trio.fill(ours, theirs)
