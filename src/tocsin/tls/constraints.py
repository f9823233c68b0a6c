"""Name constraints of authorities (RFC 5280, 4.2.1.10)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509

from tocsin.tls.distinguished import canonical


def within(certificate: x509.Certificate, constraints: x509.NameConstraints) -> bool:
    """Whether all names of ``certificate`` are permitted and none is excluded.

    DNS names, IP addresses and the subject are compared; a name of another kind that is constrained at all is
    outside.
    """
    names: list[x509.GeneralName] = [x509.DirectoryName(certificate.subject)] if certificate.subject else []
    try:
        names += certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    permitted, excluded = constraints.permitted_subtrees or (), constraints.excluded_subtrees or ()
    return all(_allowed(name, permitted, excluded) for name in names)


def _allowed(
    name: x509.GeneralName, permitted: Iterable[x509.GeneralName], excluded: Iterable[x509.GeneralName]
) -> bool:
    inside = [one for one in permitted if type(one) is type(name)]
    outside = [one for one in excluded if type(one) is type(name)]
    if not isinstance(name, x509.DNSName | x509.IPAddress | x509.DirectoryName):
        return not inside and not outside
    return (not inside or any(_below(name, one) for one in inside)) and not any(
        _below(name, one) for one in outside
    )


def _below(name: x509.GeneralName, base: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName) and isinstance(base, x509.DNSName):
        text, suffix = name.value.lower(), base.value.lower()
        return not suffix or text == suffix or text.endswith(f".{suffix.removeprefix('.')}")
    if isinstance(name, x509.IPAddress) and isinstance(base, x509.IPAddress):
        network = base.value
        if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
            return name.value == network
        return name.value in network
    if isinstance(name, x509.DirectoryName) and isinstance(base, x509.DirectoryName):
        whole, start = canonical(name.value), canonical(base.value)
        return isinstance(whole, tuple) and isinstance(start, tuple) and whole[: len(start)] == start
    return False
