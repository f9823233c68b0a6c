"""Leaf, authority and revocation list change in a running mixed cluster: alerts flow, no member is lost."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.support.alertmanager import alertmanager
from tests.support.api import Api
from tests.support.certificates import Certificate, CertificateAuthority
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind, metric
from tocsin.certificates import NodeFiles

pytestmark = pytest.mark.interop

_OUR_CONFIG = """\
tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_ca_file: ca.pem
  client_crl_file: crl.pem
  client_auth_type: RequireAndVerifyClientCert
tls_client_config:
  cert_file: cert.pem
  key_file: key.pem
  ca_file: ca.pem
  crl_file: crl.pem
"""
_THEIR_CONFIG = "".join(line for line in _OUR_CONFIG.splitlines(keepends=True) if "crl" not in line)


class Rotated:
    """A node and its files, which are replaced as an operator would."""

    def __init__(self, cluster: Cluster, kind: NodeKind, name: str, authority: CertificateAuthority) -> None:
        self.files = NodeFiles(cluster.folder / "tls" / name)
        self.files.directory.mkdir(parents=True)
        self.ours = kind.version is None
        self.files.tls_config.write_text(_OUR_CONFIG if self.ours else _THEIR_CONFIG)
        self.certificate = self.issue(authority)
        self.trust(authority)
        self.revoke(authority)
        self.node = cluster.add(kind, name, peer_name=name, tls=self.files)

    def put(self, file: Path, content: bytes) -> None:
        new = file.with_suffix(".new")
        new.write_bytes(content)
        new.replace(file)

    def issue(self, authority: CertificateAuthority) -> Certificate:
        made = self.certificate = authority.issue("127.0.0.1")
        self.put(self.files.key, made.key)
        self.put(self.files.certificate, made.certificate)
        return made

    def trust(self, *authorities: CertificateAuthority) -> None:
        self.put(self.files.authority, b"".join(one.certificate for one in authorities))

    def revoke(self, authority: CertificateAuthority, *certificates: Certificate) -> None:
        self.put(self.files.directory / "crl.pem", authority.revoke(*certificates))

    def metrics(self) -> str:
        return self.node.api.http.get("/metrics").text

    def in_use(self) -> bool:
        """The files as they are now are what it uses, on every connection."""
        text = self.metrics()
        return metric(
            text, "tocsin_tls_last_reload_successful"
        ) == 1 and self.served() == ssl.PEM_cert_to_DER_cert(self.certificate.certificate.decode())

    def served(self) -> bytes | None:
        """The certificate that its cluster port shows now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.node.cluster_port), 10) as plain,
            context.wrap_socket(plain) as connection,
        ):
            return connection.getpeercert(binary_form=True)

    def lets_in(self, certificate: Certificate, folder: Path) -> bool:
        """Whether a peer with that certificate may stay."""
        pair = certificate.write(folder, f"knock-{self.node.name}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(*pair)
        with (
            socket.create_connection(("127.0.0.1", self.node.cluster_port), 10) as plain,
            context.wrap_socket(plain) as connection,
        ):
            connection.settimeout(1)
            try:
                connection.recv(1)
            except TimeoutError:
                return True  # it waits for our first frame
            except OSError:
                return False
            return False


@contextlib.contextmanager
def alerts_flowing(urls: list[str]) -> Iterator[list[str]]:
    """An alert of a new name to all nodes, again and again, as Prometheus does; the names so far."""
    sent: list[str] = []
    done = threading.Event()

    def send() -> None:
        apis = [Api(url) for url in urls]
        for number in count():
            name = f"alert-{number}"
            for api in apis:
                with contextlib.suppress(httpx.HTTPError):  # the Go node is being restarted
                    api.post_alerts({"labels": {"alertname": name}})
            sent.append(name)
            if done.wait(0.5):
                break
        for api in apis:
            api.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        done.set()
        thread.join()


def test_everything_is_rotated_under_way(tmp_path: Path, ours: NodeKind) -> None:
    if ours.version is not None:
        pytest.skip("an Alertmanager needs restarts and knows no revocation list")
    old, new = CertificateAuthority("old authority"), CertificateAuthority("new authority")
    with Cluster(tmp_path) as cluster:
        first = Rotated(cluster, ours, "00-first", old)
        theirs = Rotated(cluster, alertmanager("0.33"), "50-theirs", old)
        last = Rotated(cluster, ours, "zz-last", old)
        us, all_of_us = (first, last), (first, theirs, last)
        cluster.wait_whole()
        members = {node.cluster_address for node in cluster.nodes}

        def reloaded(step: str) -> None:
            for one in us:
                eventually(one.in_use, f"{one.node!r} uses what it was given: {step}")
            for node in cluster.nodes:
                node.wait_members(cluster.nodes)
            for one in us:
                eventually(
                    lambda: metric(one.metrics(), "tocsin_tls_reloads_total") >= 1,  # noqa: B023
                    f"{one.node!r} has counted it",
                )
                assert one.node.api.peer_addresses() == members, step

        def restart_theirs() -> None:
            theirs.node.stop()
            theirs.node.restart()
            for node in cluster.nodes:
                node.wait_members(cluster.nodes)

        with alerts_flowing([one.node.url for one in all_of_us]) as sent:
            stolen = first.certificate
            for one in all_of_us:
                one.issue(old)
            reloaded("a new leaf")
            # Go reads certificate and key with each handshake.
            shown = ssl.PEM_cert_to_DER_cert(theirs.certificate.certificate.decode())
            eventually(lambda: theirs.served() == shown, "Alertmanager shows its new leaf without a restart")

            for one in us:
                assert one.lets_in(stolen, tmp_path)
                one.revoke(old, stolen)
            for one in us:
                eventually(lambda: not one.lets_in(stolen, tmp_path), "the replaced leaf is revoked")  # noqa: B023
            assert theirs.lets_in(stolen, tmp_path), "Go's Alertmanager has no revocation list"
            reloaded("a revocation list")

            for one in all_of_us:
                one.trust(old, new)
            reloaded("both authorities")
            eventually(lambda: first.lets_in(new.issue("127.0.0.1"), tmp_path), "the new authority counts")
            # Go reads authorities at its start only.
            assert not theirs.lets_in(new.issue("127.0.0.1"), tmp_path)
            restart_theirs()
            assert theirs.lets_in(new.issue("127.0.0.1"), tmp_path)

            for one in all_of_us:
                one.issue(new)
            reloaded("leaves of the new authority")
            shown = ssl.PEM_cert_to_DER_cert(theirs.certificate.certificate.decode())
            eventually(lambda: theirs.served() == shown, "Alertmanager shows a leaf of the new authority")

            for one in us:
                one.revoke(new)
                one.trust(new)
            theirs.trust(new)
            for one in us:
                eventually(lambda: not one.lets_in(stolen, tmp_path), "the old authority is gone")  # noqa: B023
            reloaded("the new authority alone")
            restart_theirs()
            reached = len(sent) + 3
            eventually(lambda: len(sent) > reached, "alerts go on for a while")

        eventually(
            lambda: set(sent) <= {name for got in cluster.sink.all() for name in got.alert_names},
            "each alert was notified",
            deadline=60,
        )
        for one in us:
            log = one.node.process.text()
            assert not [line for line in log.splitlines() if "peer failed" in line]
            assert metric(one.metrics(), "tocsin_transport_connections_renewed_total") > 0
        for node in cluster.nodes:
            node.wait_members(cluster.nodes)


def test_a_revoked_node_is_cut_off_and_a_good_one_stays(tmp_path: Path, ours: NodeKind) -> None:
    if ours.version is not None:
        pytest.skip("an Alertmanager knows no revocation list")
    authority = CertificateAuthority()
    with Cluster(tmp_path) as cluster:
        first = Rotated(cluster, ours, "first", authority)
        second = Rotated(cluster, ours, "second", authority)
        thief = Rotated(cluster, ours, "thief", authority)
        cluster.wait_whole()
        good: list[Node] = [first.node, second.node]
        for one in (first, second):
            one.revoke(authority, thief.certificate)
        for node in good:
            node.wait_members(good, deadline=60)
        for one in (first, second):
            assert metric(one.metrics(), "tocsin_transport_connections_cut_total", reason="revoked") >= 1
            shown = re.findall(r'tocsin_tls_peer_certificate_expiry_\w+\{peer="', one.metrics())
            assert len(shown) == 1


def test_a_reload_on_demand_says_what_is_wrong_with_the_files(tmp_path: Path, ours: NodeKind) -> None:
    if ours.version is not None:
        pytest.skip("an Alertmanager does not reload its authorities")
    authority = CertificateAuthority()
    with Cluster(tmp_path) as cluster:
        one = Rotated(cluster, ours, "one", authority)
        good = one.files.key.read_bytes()
        one.put(one.files.key, authority.issue().key)
        answer = one.node.api.http.post("/-/reload")
        assert answer.status_code == 500
        assert "key.pem" in answer.text
        text = one.metrics()
        assert metric(text, "tocsin_tls_last_reload_successful") == 0
        assert metric(text, "tocsin_tls_reload_failures_total") >= 1
        assert metric(text, "alertmanager_config_last_reload_successful") == 0, "a reload has one outcome"
        one.put(one.files.key, good)
        one.issue(authority)
        one.node.process.send(signal.SIGHUP)
        eventually(one.in_use, "the new certificate is in use after SIGHUP")
