"""The names in a certificate, and whether it is for the one that is wanted: as OpenSSL has it."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tocsin.text import plain

_LABEL: Final = re.compile(r"[A-Za-z0-9-]+")


def subject_alternative_names(certificate: bytes) -> frozenset[str]:
    """Every DNS, e-mail, IP and URI name of a DER certificate as text; empty when it has none."""
    names = _alternatives(certificate)
    if names is None:
        return frozenset()
    return frozenset(
        [
            *names.get_values_for_type(x509.DNSName),
            *names.get_values_for_type(x509.RFC822Name),
            *names.get_values_for_type(x509.UniformResourceIdentifier),
            *map(str, names.get_values_for_type(x509.IPAddress)),
        ]
    )


def is_for(certificate: bytes | None, wanted: str) -> bool:
    """Whether a dial to ``wanted``, an IP address or a DNS name, may take this certificate (DER).

    The rules are those of OpenSSL without the common name (``hostname_checks_common_name`` off): an address
    is found among IP names only, a name among DNS names only; ``*`` stands for one whole first label, before
    two more at least. Contexts ask OpenSSL itself; this is for where it cannot be asked.
    """
    names = _alternatives(certificate or b"")
    if names is None:
        return False
    try:
        return ipaddress.ip_address(wanted) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass
    wanted = wanted.lower().removesuffix(".")
    label, _, parent = wanted.partition(".")
    patterns = {wanted}
    if "." in parent and _LABEL.fullmatch(label):
        patterns.add(f"*.{parent}")
    return any(name.lower() in patterns for name in names.get_values_for_type(x509.DNSName))


def is_for_servers(certificate: bytes) -> bool:
    """Whether its extended key usage, if it has one, allows to serve."""
    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        usage = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def shown_name(certificate: x509.Certificate) -> str:
    """Whose it is, for a person: the subject's common name, else its first alternative names. Escaped; proves
    nothing."""
    common = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    der = certificate.public_bytes(Encoding.DER)
    found = common or sorted(subject_alternative_names(der))[:3] or ["nobody"]
    return plain(", ".join(found), 128)


def _alternatives(certificate: bytes) -> x509.SubjectAlternativeName | None:
    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None
