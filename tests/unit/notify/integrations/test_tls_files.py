"""Files of receivers' certificates: read again when they change, without a reload; bad ones change none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import client, run, served, server_tls
from tests.support.pki import authority, issue
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import NotifyError
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.tlscontext import CHECK_SECONDS, TLSContexts, tls_context


class Time:
    """Goes on when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self) -> None:
        self.now += CHECK_SECONDS


def replace(file: Path, content: bytes) -> None:
    """As a tool that rotates does it: a new file in its place."""
    new = file.with_suffix(".new")
    new.write_bytes(content)
    new.replace(file)


def test_a_client_certificate_is_read_again_when_it_changes(tmp_path: Path) -> None:
    ours, others = CertificateAuthority(), CertificateAuthority("others")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(ours.certificate)
    cert, key = others.issue().write(tmp_path, "client")
    section = TLSClientConfig(ca_file=str(ca), cert_file=str(cert), key_file=str(key))

    async def story() -> None:
        time, statistics = Time(), ClientStatistics()
        contexts = TLSContexts(statistics=statistics, now=time)
        tls = server_tls(ours, tmp_path, clients=True)
        async with (
            served(tls) as server,
            client(HTTPClientConfig(tls_config=section), contexts=contexts) as http,
        ):
            with pytest.raises(NotifyError):
                await http.post(f"{server.url}/a", b"{}")
            good = ours.issue()
            replace(cert, good.certificate)
            time.pass_by()  # The key is still the old one's: nobody is worse off than before.
            with pytest.raises(NotifyError):
                await http.post(f"{server.url}/a", b"{}")
            assert (statistics.tls_files_unusable, statistics.tls_files_reloaded) == (1, 0)
            replace(key, good.key)
            with pytest.raises(NotifyError):  # Not yet looked at.
                await http.post(f"{server.url}/a", b"{}")
            time.pass_by()
            assert (await http.post(f"{server.url}/a", b"{}")).status == 200
            assert (statistics.tls_files_unusable, statistics.tls_files_reloaded) == (1, 1)
            assert len(server.requests) == 1

    run(story)


def test_an_authority_that_is_exchanged_counts_for_kept_connections_too(tmp_path: Path) -> None:
    ours, others = CertificateAuthority(), CertificateAuthority("others")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(ours.certificate)

    async def story() -> None:
        time = Time()
        config = HTTPClientConfig(tls_config=TLSClientConfig(ca_file=str(ca)))
        async with (
            served(server_tls(ours, tmp_path)) as server,
            client(config, contexts=TLSContexts(now=time)) as http,
        ):
            assert (await http.get(server.url)).status == 200
            replace(ca, others.certificate)
            time.pass_by()
            with pytest.raises(NotifyError, match="failed to verify certificate"):
                await http.get(server.url)
            replace(ca, ours.certificate + others.certificate)
            time.pass_by()
            assert (await http.get(server.url)).status == 200

    run(story)


def test_files_are_looked_at_once_in_a_while_however_many_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(CertificateAuthority().certificate)
    looks = 0

    def counted(files: tuple[Path, ...]) -> tuple[None, ...]:
        nonlocal looks
        looks += bool(files)
        return (None,)

    async def story() -> None:
        time = Time()
        contexts = TLSContexts(now=time)
        config = TLSClientConfig(ca_file=str(ca))
        contexts.get(config)
        monkeypatch.setattr("tocsin.notify.integrations.tlscontext.marks", counted)
        await asyncio.gather(*[contexts.current(config) for _ in range(100)])
        assert looks == 0
        time.pass_by()
        await asyncio.gather(*[contexts.current(config) for _ in range(100)])
        assert looks == 1
        without_files = TLSClientConfig()
        time.pass_by()
        await contexts.current(without_files)
        time.pass_by()
        await contexts.current(without_files)
        assert looks == 1

    run(story)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    made = issue("me", authority())
    locked = made.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hush"),
    )
    with pytest.raises(ConfigError, match="cannot be used for TLS"):
        tls_context(TLSClientConfig(cert=made.pem.decode(), key=locked.decode()))
