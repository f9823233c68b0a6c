"""What a handshake asks of the peer's certificate beside its chain, and why it was refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tocsin.gossip.transport.dtls.openssl import SSL, crypto
from tocsin.tls.refusal import RefusalError, verification_refusal

Rule = Callable[["bytes | None"], None]
"""Takes a verified certificate as DER, or None when the peer showed none; :class:`RefusalError`."""


class Verification:
    """Of one handshake; :attr:`refusal` is why it failed, where OpenSSL itself only says that it did."""

    __slots__ = ("_rule", "checked", "denied", "refusal", "shown")

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.refusal: RefusalError | None = None
        self.denied = False
        """The rule refused, so OpenSSL does not know why."""
        self.shown = b""
        """The peer's certificate, DER; empty without one."""
        self.checked = False
        """The rule was applied to a certificate."""

    def certificate(self, certificate: bytes | None) -> bool:
        """Apply the rule."""
        self.checked = True
        self.shown = certificate or b""
        try:
            self._rule(certificate)
        except RefusalError as refusal:
            self.refusal = refusal
            self.denied = True
        return self.refusal is None

    def failed(self, code: int, depth: int) -> None:
        """OpenSSL does not accept the chain."""
        self.refusal = verification_refusal(code, f"OpenSSL's error {code} at depth {depth}")


def verify(
    connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, accepted: int
) -> bool:
    """pyOpenSSL calls this for each certificate of a chain, the peer's own (depth 0) last."""
    verification = connection.get_app_data()
    if not isinstance(verification, Verification):
        return False
    if not accepted:
        verification.failed(code, depth)
        return False
    if depth:
        return True
    return verification.certificate(certificate.to_cryptography().public_bytes(Encoding.DER))


def name_rule(wanted: str) -> Rule:
    """The certificate must have the name or IP address ``wanted`` among its alternative names.

    As Go has it: the common name does not count, and ``*`` stands for one whole first label.
    """

    def check(certificate: bytes | None) -> None:
        found = _names(certificate)
        if not _matches(wanted, *found):
            shown = ", ".join([*found[0], *map(str, found[1])]) or "none"
            raise RefusalError(
                "wrong_name", f"certificate is for another name than {wanted!r} (it has: {shown})"
            )

    return check


def no_rule(certificate: bytes | None) -> None:
    """Everything goes."""


def _names(certificate: bytes | None) -> tuple[list[str], list[object]]:
    if not certificate:
        return [], []
    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [], []
    return names.get_values_for_type(x509.DNSName), list(names.get_values_for_type(x509.IPAddress))


def _matches(wanted: str, names: list[str], addresses: list[object]) -> bool:
    try:
        return ipaddress.ip_address(wanted) in addresses
    except ValueError:
        pass
    wanted = wanted.lower().removesuffix(".")
    parent = wanted.partition(".")[2]
    patterns = {wanted, f"*.{parent}"} if "." in parent else {wanted}
    return any(name.lower().removesuffix(".") in patterns for name in names)
