"""Certificates and refusals as the API shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.cluster import issue, make_authority
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import UserMessage
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.wire.messages import MemberState
from tocsin.models.cluster import Member
from tocsin.node.cluster import nodeinfo
from tocsin.node.cluster.capability import META
from tocsin.node.cluster.view import ClusterView, certificate_doubts, certificate_of, written
from tocsin.tls.refusal import RefusalError


def test_a_certificate_is_told_without_its_key(tmp_path: Path) -> None:
    files = issue(make_authority(tmp_path), "n1")
    pem = files.certificate.read_bytes()
    found = x509.load_pem_x509_certificate(pem)
    told = certificate_of(found.public_bytes(Encoding.DER))
    assert told.subject == found.subject.rfc4514_string()
    assert told.issuer == found.issuer.rfc4514_string()
    assert "127.0.0.1" in told.names
    assert int(told.serial, 16) == found.serial_number
    assert told.not_after == written(found.not_valid_after_utc.timestamp())


def test_refusals_are_remembered_by_host_and_reason_within_a_bound() -> None:
    log = RefusalLog()
    for number in range(300):
        log.write(
            Address(f"10.0.{number // 250}.{number % 250}", 1), RefusalError("expired", "x" * 600), number
        )
    again = Address("10.0.1.0", 2)
    log.write(again, RefusalError("expired", "once more"), 400.0)
    log.write(again, RefusalError("expired", "theirs", by_peer=True), 401.0)
    latest = log.latest()
    assert len(latest) == 256
    assert [(each.host, each.by_peer, each.count, each.text) for each in latest[-2:]] == [
        ("10.0.1.0", False, 2, "once more"),
        ("10.0.1.0", True, 1, "theirs"),
    ]
    assert len(latest[0].text) == 512


def test_certificates_that_run_out_and_files_that_cannot_be_used_are_doubtful() -> None:
    day = 24 * 3600.0
    good: Any = SimpleNamespace(expiries={"server": 15 * day}, reload_successful=True)
    assert certificate_doubts(good, 0.0) == []
    bad: Any = SimpleNamespace(expiries={"server": 13 * day, "client": -day}, reload_successful=False)
    soon, over, files = certificate_doubts(bad, 0.0)
    assert "(server) expires on 1970-01-14" in soon
    assert "(client) has expired on 1969-12-31" in over
    assert "cannot be used" in files


class _Told:
    """As much of a cluster as telling of oneself needs."""

    def __init__(self, name: str, *others: str) -> None:
        self.settings = SimpleNamespace(name=name)
        self.members = [SimpleNamespace(name=each, address=Address("10.0.0.1", int(each))) for each in others]
        self.gossip = SimpleNamespace(members=self.members)
        self.handlers: dict[str, Any] = {}
        self.told: list[bytes] = []

    def send_to_tocsin(self, key: str, data: bytes) -> None:
        assert key == nodeinfo.KEY
        self.told.append(data)


def test_nodes_tell_each_other_version_and_configuration() -> None:
    one, other = _Told("1", "1", "2"), _Told("2", "1", "2")
    first = nodeinfo.NodeInfo(cast("Any", one), lambda: ("0.1.0", "77"))
    second = nodeinfo.NodeInfo(cast("Any", other), lambda: ("0.2.0", "78"))
    asyncio.run(first.send())
    receive = other.handlers[nodeinfo.KEY]
    receive(one.told[0], UserMessage(b"", Address("10.0.0.1", 1)))
    assert (second.of("1"), second.of("2"), first.of("2")) == (("0.1.0", "77"), ("0.2.0", "78"), ("", ""))
    stranger, member = Address("10.0.0.9", 1), Address("10.0.0.1", 2)
    receive(one.told[0], UserMessage(b"", stranger))
    for bad in (b"", b"[]", b"{}", b"\xff", b"1", b'{"version": "' + b"x" * 600):
        receive(bad, UserMessage(b"", member))
    receive(b'{"version": "\\u001b[31m", "configuration": 1}', UserMessage(b"", Address("10.0.0.1", 1)))
    assert second.of("1") == ("\\x1b[31m", "1")


def test_of_an_alertmanager_in_the_place_of_a_tocsin_node_no_version_is_told() -> None:
    def member(name: str, meta: bytes) -> Any:
        return SimpleNamespace(
            name=name, meta=meta, address=Address("10.0.0.1", 1), state=MemberState.ALIVE, state_changed=0.0
        )

    gossip = SimpleNamespace(
        members=[member("1", META), member("2", META), member("3", b"")],
        endpoint=SimpleNamespace(of_peers=SimpleNamespace(round_trips={})),
    )
    cluster: Any = SimpleNamespace(
        gossip=gossip,
        settings=SimpleNamespace(name="1"),
        convergence=SimpleNamespace(last=lambda _name: None),
    )
    view = ClusterView(
        cluster,
        transport="tls",
        names_bound=False,
        clear_text=lambda: False,
        about=lambda _name: ("0.2.0", "77"),  # also of 3, which was a Tocsin node until it was replaced
    )

    async def ask() -> Sequence[Member]:
        return view.members()

    assert [(each.tocsin, each.version, each.configuration) for each in asyncio.run(ask())] == [
        (True, "0.2.0", "77"),
        (True, "0.2.0", "77"),
        (False, "", ""),
    ]
