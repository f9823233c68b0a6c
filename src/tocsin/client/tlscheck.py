"""Checks a node's cluster port: what it offers, and whether the handshake of a peer succeeds."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tocsin.dataclass import dataclass
from tocsin.gossip.discovery.resolve import literal
from tocsin.gossip.wire.mux import PROTOCOL
from tocsin.node.config.tls import load_cluster_tls
from tocsin.tls.identity import ClusterIdentity, subject_alternative_names
from tocsin.tls.refusal import RefusalError, refusal_from
from tocsin.tls.trust import peer_chain

_VERSIONS: Final = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
_SOON: Final = 14
"""A certificate that expires within so many days is reported as a problem."""

_HINTS: Final = {
    "unknown_authority": "each side needs the CA of the other's certificate (client_ca_file, ca_file)",
    "expired": "issue a new certificate; running nodes take it without a restart",
    "not_yet_valid": "compare the clocks of both machines",
    "revoked": "issue a new certificate with a new key",
    "wrong_name": "issue a certificate with that name or address, or set server_name",
    "name_not_allowed": "add one of the certificate's names to the list, or issue one with a listed name",
    "no_certificate": "give this side a client certificate: cert_file and key_file in tls_client_config",
    "bad_certificate": "see its log for the reason; a certificate needs the uses server and client",
    "no_common_parameters": "compare min_version, max_version and cipher_suites of both files",
    "not_tls": "is it another port, or a node without --cluster.tls-config?",
    "timeout": "a firewall that drops, or an overloaded node",
    "closed": "see its log for the reason",
}


@dataclass(slots=True)
class TLSReport:
    """The report: lines of (heading, text), and the problems, each with a hint."""

    place: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def fail(self, problem: str, hint: str) -> None:
        """Add a problem."""
        self.problems.append(f"{problem} ({hint})" if hint else problem)

    def refused(self, error: RefusalError, *, here: str, there: str) -> None:
        """Add a refusal, and which side refused."""
        who = there if error.by_peer else here
        self.fail(f"{who}: {error}", _HINTS.get(error.reason, ""))

    def __str__(self) -> str:
        width = max([len(heading) for heading, _ in self.lines] + [len("PROBLEM")])
        rows = [f"  {heading:<{width}}  {text}" for heading, text in self.lines]
        rows += [f"  {'PROBLEM':<{width}}  {problem}" for problem in self.problems]
        return "\n".join([self.place, *rows])


@dataclass(frozen=True, slots=True)
class _Outcome:
    version: str
    protocol: str
    certificate: bytes | None
    chain: list[bytes]
    refusal: RefusalError | None
    """A refusal after the handshake: with TLS 1.3 the server checks the client certificate only then."""


def check(host: str, port: int, config: Path | None, *, timeout: float, now: datetime) -> TLSReport:
    """Dial and report. ``timeout`` is seconds for each step.

    :class:`~tocsin.errors.ConfigError` when ``config`` cannot be used.
    """
    report = TLSReport(f"{host}:{port}")
    identity = ClusterIdentity(load_cluster_tls(config), [PROTOCOL]) if config is not None else None
    try:
        with socket.create_connection((host, port), timeout):
            pass
    except OSError as error:
        report.fail(
            f"no connection: {error.strerror or error}", "is the node up, and does it listen on that address?"
        )
        return report
    offered: dict[str, _Outcome] = {}
    refusals: list[RefusalError] = []
    for name, version in _VERSIONS.items():
        try:
            offered[name] = _shake(host, port, _open_context(version), host, timeout)
        except RefusalError as error:
            refusals.append(error)
    _report_offer(report, offered, refusals, now)
    if identity is not None and (offered or any(error.reason == "no_certificate" for error in refusals)):
        _try_as_a_peer(report, identity, host, port, timeout)
    return report


def _open_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that accepts any certificate, in order to show it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols([PROTOCOL])
    return context


def _shake(host: str, port: int, context: ssl.SSLContext, name: str, timeout: float) -> _Outcome:
    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            refusal: RefusalError | None = None
            # A refusal closes the connection, and its state is lost.
            version, protocol = connection.version() or "", connection.selected_alpn_protocol() or ""
            certificate, chain = connection.getpeercert(binary_form=True), peer_chain(connection)
            connection.settimeout(min(timeout, 1.0))
            try:
                if not connection.recv(1):
                    refusal = RefusalError("closed", "it closed the connection", by_peer=True)
            except TimeoutError:
                pass  # Let in: it waits for our first frame.
            except ssl.SSLError as error:
                refusal = refusal_from(error)
            except OSError as error:
                refusal = RefusalError("closed", f"it closed the connection: {error.strerror}", by_peer=True)
            return _Outcome(version, protocol, certificate, chain, refusal)
    except ssl.SSLError as error:
        raise refusal_from(error) from None
    except TimeoutError:
        raise RefusalError("timeout", "the TLS handshake took too long") from None
    except OSError as error:
        raise RefusalError(
            "closed", f"the handshake failed: {error.strerror or error}", by_peer=True
        ) from None


def _report_offer(
    report: TLSReport, offered: dict[str, _Outcome], refusals: list[RefusalError], now: datetime
) -> None:
    wants = [one for one in refusals if one.reason in ("no_certificate", "no_common_parameters")]
    if not offered:
        first = (wants or refusals)[0]
        report.fail(f"no handshake succeeded: {first}", _HINTS.get(first.reason, ""))
        return
    shown = next(iter(reversed(offered.values())))
    asked = any(one.refusal is not None and one.refusal.reason != "closed" for one in offered.values())
    # With TLS 1.2 a client without a certificate is refused within the handshake, as if the version were.
    also = " (and TLS 1.2 perhaps: it cannot be seen without a certificate)" if asked and wants else ""
    report.lines.append(("versions", ", ".join(offered) + also))
    report.lines.append(("protocol", shown.protocol or "Alertmanager's framing (no ALPN)"))
    report.lines.append(("client certificate", "required" if asked else "not required"))
    if not asked:
        report.fail(
            "anybody who reaches the port is let in",
            "set client_auth_type: RequireAndVerifyClientCert and client_ca_file there",
        )
    if shown.certificate is None:
        return
    certificates = [shown.certificate, *[one for one in shown.chain if one != shown.certificate]]
    for number, der in enumerate(certificates):
        _report_certificate(report, der, now, "certificate" if number == 0 else f"chain {number}")


def _report_certificate(report: TLSReport, der: bytes, now: datetime, heading: str) -> None:
    found = x509.load_der_x509_certificate(der)
    subject = found.subject.rfc4514_string() or "(empty)"
    report.lines.append((heading, f"{subject}, by {found.issuer.rfc4514_string()}"))
    if heading == "certificate":
        names = sorted(subject_alternative_names(der))
        report.lines.append(("names", ", ".join(names) or "none"))
        if not names:
            report.fail("the certificate has no name", _HINTS["wrong_name"])
        with suppress(x509.ExtensionNotFound):
            uses = set(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
            for use, oid in (
                ("server", ExtendedKeyUsageOID.SERVER_AUTH),
                ("client", ExtendedKeyUsageOID.CLIENT_AUTH),
            ):
                if not uses & {oid, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}:
                    report.fail(
                        f"the certificate is not for use as a {use}",
                        "a node needs one for both",
                    )
    ends = found.not_valid_after_utc
    days = (ends - now).days
    report.lines.append(
        ("  valid", f"{found.not_valid_before_utc:%Y-%m-%d} to {ends:%Y-%m-%d %H:%M} UTC, {days} days left")
    )
    if ends < now:
        report.fail(f"{heading}: expired", _HINTS["expired"])
    elif days < _SOON:
        report.fail(f"{heading}: expires in {days} days", _HINTS["expired"])
    if found.not_valid_before_utc > now:
        report.fail(f"{heading}: not valid yet", _HINTS["not_yet_valid"])


def _try_as_a_peer(
    report: TLSReport, identity: ClusterIdentity, host: str, port: int, timeout: float
) -> None:
    name = identity.config.client.server_name or literal(host) or host
    report.lines.append(
        ("verified as", f"{name}{' (server_name)' if identity.config.client.server_name else ''}")
    )
    here, there = "this file's node refuses it", "it refuses this file's certificate"
    try:
        outcome = _shake(host, port, identity.client_context(), name, timeout)
        identity.check_server(outcome.certificate)
    except RefusalError as error:
        report.refused(error, here=here, there=there)
        return
    if outcome.refusal is not None:
        report.refused(outcome.refusal, here=here, there=there)
        return
    report.lines.append(("as a peer", f"let in with {outcome.version}"))
