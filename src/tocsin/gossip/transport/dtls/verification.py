"""What a handshake asks of the peer's certificate beside its chain, and why it was refused."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding

from tocsin.gossip.transport.dtls.openssl import SSL, crypto
from tocsin.text import plain
from tocsin.tls.names import is_for, subject_alternative_names
from tocsin.tls.refusal import RefusalError, verification_refusal

Rule = Callable[["bytes | None"], None]
"""Takes a verified certificate as DER, or None when the peer showed none; :class:`RefusalError`."""


class Verification:
    """Of one handshake; :attr:`refusal` is why it failed, where OpenSSL itself only says that it did."""

    __slots__ = ("_rule", "checked", "denied", "refusal", "shown")

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.refusal: RefusalError | None = None
        self.denied: bool = False
        """The rule refused, so OpenSSL does not know why."""
        self.shown: bytes = b""
        """The peer's certificate, DER; empty without one."""
        self.checked: bool = False
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
    """The certificate must have the name or IP address ``wanted`` among its alternative names."""

    def check(certificate: bytes | None) -> None:
        if not is_for(certificate, wanted):
            shown = plain(", ".join(sorted(subject_alternative_names(certificate or b"")))) or "none"
            raise RefusalError(
                "wrong_name", f"certificate is for another name than {wanted!r} (it has: {shown})"
            )

    return check


def no_rule(certificate: bytes | None) -> None:
    """Everything goes."""
