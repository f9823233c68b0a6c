"""Why a TLS handshake failed: a text for the log and a label for the metrics."""

from __future__ import annotations

import ssl
from types import MappingProxyType
from typing import Final

from tocsin.errors import PeerRefusedError

REASONS: Final = (
    "unknown_authority",
    "expired",
    "not_yet_valid",
    "revoked",
    "wrong_name",
    "name_not_allowed",
    "no_certificate",
    "bad_certificate",
    "no_common_parameters",
    "not_tls",
    "timeout",
    "closed",
    "other",
)
"""Every value of :attr:`RefusalError.reason`."""

_VERIFY_CODES: Final = MappingProxyType(
    {
        9: ("not_yet_valid", "certificate is not yet valid"),
        10: ("expired", "certificate has expired"),
        18: ("unknown_authority", "certificate signed by unknown authority"),
        19: ("unknown_authority", "certificate signed by unknown authority"),
        20: ("unknown_authority", "certificate signed by unknown authority"),
        21: ("unknown_authority", "certificate signed by unknown authority"),
        23: ("revoked", "certificate is revoked"),
        62: ("wrong_name", "certificate is for another name"),
        64: ("wrong_name", "certificate is for another address"),
    }
)
"""OpenSSL's ``X509_V_ERR_*``."""

_ALERTS: Final = MappingProxyType(
    {
        "UNKNOWN_CA": ("unknown_authority", "our certificate is signed by an authority it does not know"),
        "CERTIFICATE_EXPIRED": ("expired", "our certificate has expired"),
        "CERTIFICATE_REVOKED": ("revoked", "our certificate is revoked"),
        "CERTIFICATE_REQUIRED": ("no_certificate", "it requires a certificate and we showed none"),
        "CERTIFICATE_UNKNOWN": ("bad_certificate", "it does not accept our certificate"),
        # Older Go peers send this one when a certificate is missing, too.
        "BAD_CERTIFICATE": (
            "bad_certificate",
            "it does not accept our certificate (is it for the address that was dialled?), or misses one",
        ),
        "UNSUPPORTED_CERTIFICATE": ("bad_certificate", "it does not support our certificate's kind"),
        "ACCESS_DENIED": ("name_not_allowed", "it does not allow our certificate's names"),
        "HANDSHAKE_FAILURE": (
            "no_common_parameters",
            "no common TLS parameters, or it requires a certificate and we showed none",
        ),
        "PROTOCOL_VERSION": ("no_common_parameters", "no common TLS version"),
    }
)
"""TLS alerts that the peer sent, by the end of OpenSSL's reason."""

_LOCAL: Final = MappingProxyType(
    {
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": ("no_certificate", "it showed no certificate"),
        "NO_SHARED_CIPHER": ("no_common_parameters", "no common cipher suite"),
        "UNSUPPORTED_PROTOCOL": ("no_common_parameters", "no common TLS version"),
        "NO_SUITABLE_KEY_SHARE": ("no_common_parameters", "no common curve"),
        "NO_SUITABLE_GROUPS": ("no_common_parameters", "no common curve"),
        "NO_SHARED_GROUPS": ("no_common_parameters", "no common curve"),
        "WRONG_VERSION_NUMBER": ("not_tls", "what it sent is not TLS"),
        "HTTP_REQUEST": ("not_tls", "what it sent is HTTP, not TLS"),
        "UNEXPECTED_MESSAGE": ("not_tls", "an unexpected TLS message"),
        "PACKET_LENGTH_TOO_LONG": ("not_tls", "what it sent is not TLS"),
        "RECORD_LAYER_FAILURE": ("not_tls", "what it sent is not TLS"),
        "BAD_RECORD_TYPE": ("not_tls", "what it sent is not TLS"),
    }
)


class RefusalError(PeerRefusedError):
    """We refused a peer or (``by_peer``) the peer refused us. ``reason`` is one of :data:`REASONS`."""

    def __init__(self, reason: str, text: str, *, by_peer: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.by_peer = by_peer


def refusal_from(error: ssl.SSLError) -> RefusalError:
    """The refusal behind an error of OpenSSL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return verification_refusal(error.verify_code, error.verify_message)
    return named_refusal(error.reason or "", str(error))


def verification_refusal(code: int, message: str) -> RefusalError:
    """The refusal behind one of OpenSSL's ``X509_V_ERR_*`` and its text."""
    reason, text = _VERIFY_CODES.get(code, ("bad_certificate", "certificate is not valid"))
    return RefusalError(reason, f"{text} ({message.rstrip('.')})")


def named_refusal(name: str, message: str = "") -> RefusalError:
    """The refusal behind one of OpenSSL's reasons, such as ``TLSV1_ALERT_UNKNOWN_CA``."""
    _, mark, alert = name.partition("_ALERT_")
    if mark:
        reason, text = _ALERTS.get(alert, ("other", f"alert {alert.replace('_', ' ').lower()}"))
        return RefusalError(reason, text, by_peer=True)
    reason, text = _LOCAL.get(name, ("other", name.replace("_", " ").lower() or message))
    return RefusalError(reason, text)
