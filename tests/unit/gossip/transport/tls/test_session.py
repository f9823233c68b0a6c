"""A TLS session without sockets: two of them talk through a few lines of test code."""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.certificates import DAY, CertificateAuthority
from tests.support.tls_records import application_records
from tocsin.errors import TransportError
from tocsin.gossip.transport.tls.session import TLSSession
from tocsin.tls.identity import build_client_context, build_server_context
from tocsin.tls.refusal import REASONS, RefusalError
from tocsin.tls.settings import TLSClientConfig, TLSServerConfig

AUTHORITY = CertificateAuthority()
CONFIG = AUTHORITY.cluster_config()
SERVER = build_server_context(CONFIG.server)
CLIENT = build_client_context(CONFIG.client)


class Pair:
    """A client and a server; what went wrong on either side is kept."""

    def __init__(
        self,
        server: ssl.SSLContext = SERVER,
        client: ssl.SSLContext = CLIENT,
        *,
        hostname: str = "127.0.0.1",
        resume: ssl.SSLSession | None = None,
    ) -> None:
        self.client = TLSSession(client, 0.0, handshake_timeout=5.0, server_hostname=hostname, resume=resume)
        self.server = TLSSession(server, 0.0, handshake_timeout=5.0)
        self.refusals: dict[str, RefusalError] = {}
        self.pump()

    def pump(self) -> tuple[bytes, bytes]:
        """Carry bytes until both are silent; what the client and the server received."""
        got = {"client": b"", "server": b""}
        while True:
            to_server, to_client = self.client.data_to_send(), self.server.data_to_send()
            if not to_server and not to_client:
                return got["client"], got["server"]
            for name, side, data in (("server", self.server, to_server), ("client", self.client, to_client)):
                if data and name not in self.refusals:
                    try:
                        got[name] += side.receive(data)
                    except RefusalError as error:
                        self.refusals[name] = error
                        if name == "client":
                            got["client"] += b""

    def reasons(self) -> tuple[str, str]:
        """Of the client and of the server."""
        assert all(error.reason in REASONS for error in self.refusals.values())
        return self.refusals["client"].reason, self.refusals["server"].reason


def pair(server: TLSServerConfig, client: TLSClientConfig, hostname: str = "127.0.0.1") -> Pair:
    return Pair(build_server_context(server), build_client_context(client), hostname=hostname)


def test_plaintext_goes_both_ways() -> None:
    both = Pair()
    assert both.client.established
    assert both.server.established
    assert both.client.next_timeout() is None
    both.client.write(b"there")
    both.server.write(b"and back")
    assert both.pump() == (b"and back", b"there")


@settings(max_examples=many(50))
@given(writes=st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=8), data=st.data())
def test_any_split_of_the_network_gives_the_same_plaintext(writes: list[bytes], data: st.DataObject) -> None:
    both = Pair()
    both.client.data_to_send()
    for one in writes:
        both.client.write(one)
    sealed = both.client.data_to_send()
    cut = data.draw(st.integers(0, len(sealed)))
    assert both.server.receive(sealed[:cut]) + both.server.receive(sealed[cut:]) == b"".join(writes)


@settings(max_examples=many(50))
@given(sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=6))
def test_one_write_is_one_record_up_to_16_kib(sizes: list[int]) -> None:
    both = Pair()
    expected = []
    for size in sizes:
        both.client.write(bytes(size))
        expected += [16384] * (size // 16384) + ([size % 16384] if size % 16384 else [])
    assert application_records(both.client.data_to_send()) == expected


def test_a_session_is_resumed_with_the_same_context_only() -> None:
    first = Pair()
    ticket = first.client.tls.session
    assert ticket is not None
    assert ticket.has_ticket
    again = Pair(resume=ticket)
    assert again.client.tls.session_reused
    assert again.server.tls.getpeercert()
    elsewhere = Pair(client=build_client_context(CONFIG.client), resume=ticket)
    assert elsewhere.client.established
    assert not elsewhere.client.tls.session_reused


def test_an_orderly_close_delivers_what_was_written_before() -> None:
    both = Pair()
    both.client.write(b"last words")
    both.client.close()
    both.client.close()
    assert both.pump() == (b"", b"last words")
    assert both.server.peer_closed
    both.server.receive_eof()
    both.server.write(b"still heard")
    both.server.close()
    assert both.pump() == (b"still heard", b"")
    assert both.client.peer_closed


def test_an_end_without_a_close_is_an_error() -> None:
    both = Pair()
    with pytest.raises(TransportError, match="without a TLS close"):
        both.server.receive_eof()
    young = TLSSession(SERVER, 0.0, handshake_timeout=5.0)
    with pytest.raises(RefusalError, match="during the TLS handshake"):
        young.receive_eof()


def test_the_handshake_has_a_deadline() -> None:
    session = TLSSession(SERVER, 10.0, handshake_timeout=5.0)
    assert session.next_timeout() == 15.0
    session.handle_timeout(14.9)
    with pytest.raises(RefusalError, match="took too long"):
        session.handle_timeout(15.0)


def test_closing_before_the_handshake_is_done_sends_nothing() -> None:
    session = TLSSession(SERVER, 0.0, handshake_timeout=5.0)
    session.close()
    assert session.data_to_send() == b""


def test_a_tampered_record_is_a_transport_error() -> None:
    both = Pair()
    both.client.write(b"secret")
    sealed = bytearray(both.client.data_to_send())
    sealed[-1] ^= 1
    with pytest.raises(TransportError, match="broken TLS record"):
        both.server.receive(bytes(sealed))


@settings(max_examples=many(200))
@given(garbage=st.binary(min_size=1, max_size=400))
def test_garbage_instead_of_a_handshake_is_refused_or_waited_for(garbage: bytes) -> None:
    session = TLSSession(SERVER, 0.0, handshake_timeout=5.0)
    with suppress(RefusalError):
        assert session.receive(garbage) == b""
    assert not session.established


def test_http_is_named() -> None:
    session = TLSSession(SERVER, 0.0, handshake_timeout=5.0)
    with pytest.raises(RefusalError, match="HTTP") as caught:
        session.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert caught.value.reason == "not_tls"


OTHER = CertificateAuthority("another authority")
EXPIRED = AUTHORITY.issue(ends=-DAY)
FUTURE = AUTHORITY.issue(starts=2 * DAY, ends=5 * DAY)
OTHER_HOST = OTHER.issue()


@pytest.mark.parametrize(
    ("server", "client", "hostname", "reasons"),
    [
        (CONFIG.server, CONFIG.client, "127.0.0.9", ("wrong_name", "bad_certificate")),
        (CONFIG.server, CONFIG.client, "node.example", ("wrong_name", "bad_certificate")),
        (
            CONFIG.server,
            replace(CONFIG.client, ca=OTHER.certificate),
            "127.0.0.1",
            ("unknown_authority", "unknown_authority"),
        ),
        (
            replace(CONFIG.server, cert=EXPIRED.certificate, key=EXPIRED.key),
            CONFIG.client,
            "127.0.0.1",
            ("expired", "expired"),
        ),
        (
            CONFIG.server,
            replace(CONFIG.client, cert=OTHER_HOST.certificate, key=OTHER_HOST.key),
            "127.0.0.1",
            ("unknown_authority", "unknown_authority"),
        ),
        (
            CONFIG.server,
            replace(CONFIG.client, cert=EXPIRED.certificate, key=EXPIRED.key),
            "127.0.0.1",
            ("expired", "expired"),
        ),
        (
            CONFIG.server,
            replace(CONFIG.client, cert=None, key=None),
            "127.0.0.1",
            ("no_certificate", "no_certificate"),
        ),
        (
            replace(CONFIG.server, max_version="TLS12"),
            replace(CONFIG.client, min_version="TLS13"),
            "127.0.0.1",
            ("no_common_parameters", "no_common_parameters"),
        ),
    ],
)
def test_both_ends_know_why_a_peer_was_refused(
    server: TLSServerConfig, client: TLSClientConfig, hostname: str, reasons: tuple[str, str]
) -> None:
    both = pair(server, client, hostname)
    assert both.reasons() == reasons
    assert both.refusals["client"].by_peer is not both.refusals["server"].by_peer


def test_a_certificate_from_the_future_is_not_yet_valid() -> None:
    both = pair(CONFIG.server, replace(CONFIG.client, cert=FUTURE.certificate, key=FUTURE.key))
    assert both.refusals["server"].reason == "not_yet_valid"


def test_a_configured_server_name_replaces_the_address() -> None:
    named = AUTHORITY.issue("cluster.example")
    both = pair(
        replace(CONFIG.server, cert=named.certificate, key=named.key), CONFIG.client, "cluster.example"
    )
    assert both.server.established
