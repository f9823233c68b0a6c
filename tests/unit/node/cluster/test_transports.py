"""From flags to a transport."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.certificates import CertificateFolder
from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.settings import PACKET_BYTES
from tocsin.gossip.transport.dtls.transport import DTLSTransport
from tocsin.node.cluster.transports import make_transport, packet_bytes
from tocsin.node.config.arguments import parse_flags

DTLS = "--cluster.transport=dtls"
HERE = Address("127.0.0.1", 0)


def tls_file(folder: Path) -> Path:
    authority = CertificateFolder(folder)
    now = datetime.now(UTC)
    authority.initialise("CA", now=now, lifetime=timedelta(days=2))
    return authority.issue("node", ["127.0.0.1"], now=now, lifetime=timedelta(days=1)).tls_config


def test_dtls_takes_the_same_file_as_tls_and_keeps_packets_within_a_datagram(tmp_path: Path) -> None:
    flags = parse_flags([DTLS, f"--cluster.tls-config={tls_file(tmp_path)}"])
    assert isinstance(make_transport(flags, HERE, None), DTLSTransport)
    assert packet_bytes(flags) + 5 == PACKET_BYTES == 1360
    assert packet_bytes(parse_flags([f"--cluster.tls-config={tls_file(tmp_path / 'tls')}"])) == 1400


def test_dtls_is_never_in_the_clear() -> None:
    with pytest.raises(ConfigError, match=r"--cluster\.tls-config"):
        parse_flags([DTLS])


def test_what_dtls_cannot_keep_of_the_file_stops_the_start(tmp_path: Path) -> None:
    file = tls_file(tmp_path)
    file.write_text(
        file.read_text().replace("tls_server_config:", "tls_server_config:\n  min_version: TLS13", 1)
    )
    flags = parse_flags([DTLS, f"--cluster.tls-config={file}"])
    with pytest.raises(ConfigError, match="TLS13 cannot be kept"):
        make_transport(flags, HERE, None)
