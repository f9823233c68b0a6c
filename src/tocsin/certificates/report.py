"""Describes a certificate to a person: who, which hosts, until when, whether its files fit together."""

from __future__ import annotations

import stat
from dataclasses import field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tocsin.certificates.folder import read_certificate, read_key
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError


@dataclass(slots=True)
class Report:
    """Lines of (heading, text) about one certificate, and what is wrong with it."""

    path: Path
    lines: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        width = max(len(heading) for heading, _ in self.lines)
        rows = [f"  {heading:<{width}}  {text}" for heading, text in self.lines]
        rows += [f"  {'PROBLEM':<{width}}  {problem}" for problem in self.problems]
        return "\n".join([str(self.path), *rows])


def describe(path: Path, *, now: datetime, key: Path | None = None, authority: Path | None = None) -> Report:
    """Read the certificate at ``path`` and check it. Raises ConfigError if a named file cannot be read.

    Without ``key`` or ``authority`` the files that `certs init` and `certs issue` put beside it are used, if
    they are there.
    """
    certificate = read_certificate(path)
    report = Report(path)
    report.lines.append(("subject", _name(certificate.subject)))
    is_authority = _is_authority(certificate)
    if not is_authority:
        hosts = _hosts(certificate)
        report.lines.append(("hosts", ", ".join(hosts) or "none"))
        if not hosts:
            report.problems.append("no host: peers that dial this node cannot verify it")
    _uses(report, certificate, is_authority)
    _validity(report, certificate, now)
    report.lines.append(("issuer", _name(certificate.issuer)))
    _issuer(report, certificate, authority or _beside(path, ["ca.pem"]))
    _key(report, certificate, key or _beside(path, _key_names(path)))
    report.lines.append(("SHA-256", certificate.fingerprint(hashes.SHA256()).hex(":").upper()))
    return report


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if len(common) == 1 == len(list(name)) else name.rfc4514_string() or "(empty)"


def _hosts(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _uses(report: Report, certificate: x509.Certificate, is_authority: bool) -> None:
    if is_authority:
        report.lines.append(("use", "authority: signs the nodes' certificates"))
        return
    try:
        usage = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        report.lines.append(("use", "server and client (not limited)"))
        return
    uses = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
    has = [
        use
        for use, oid in uses.items()
        if oid in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage
    ]
    report.lines.append(("use", " and ".join(has) or "neither server nor client"))
    report.problems += [f"not for use as a {use}: a cluster node is both" for use in uses if use not in has]


def _validity(report: Report, certificate: x509.Certificate, now: datetime) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    text = f"{begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"
    if now < begins:
        report.problems.append("not valid yet")
    elif now > ends:
        report.problems.append("expired")
    else:
        days = (ends - now).days
        text += f" ({days} day{'' if days == 1 else 's'} left)"
    report.lines.append(("valid", text))


def _issuer(report: Report, certificate: x509.Certificate, authority: Path | None) -> None:
    if authority is None:
        report.lines.append(("signed by", "not checked (no ca.pem beside it; give --ca FILE)"))
        return
    try:
        certificate.verify_directly_issued_by(read_certificate(authority))
    except (ValueError, TypeError, InvalidSignature):
        report.lines.append(("signed by", f"not by {authority}"))
        report.problems.append(f"{authority} did not sign it")
    else:
        report.lines.append(("signed by", str(authority)))


def _key(report: Report, certificate: x509.Certificate, path: Path | None) -> None:
    if path is None:
        report.lines.append(("key", "not checked (none beside it; give --key FILE)"))
        return
    try:
        key = read_key(path)
    except ConfigError as error:
        report.lines.append(("key", str(path)))
        report.problems.append(str(error))
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    public = getattr(key, "public_key", None)
    if public is None or public() != certificate.public_key():
        report.lines.append(("key", f"{path} does not fit"))
        report.problems.append(f"{path} is the key of another certificate")
    else:
        report.lines.append(("key", f"{path} fits, mode {mode:04o}"))
    if mode & 0o077:
        report.problems.append(f"{path} can be read by others (mode {mode:04o}): chmod 600 {path}")


def _key_names(path: Path) -> list[str]:
    names = {"cert.pem": "key.pem", "ca.pem": "ca-key.pem"}
    return [names[path.name]] if path.name in names else [f"{path.stem}-key.pem", f"{path.stem}.key"]


def _beside(path: Path, names: list[str]) -> Path | None:
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)
