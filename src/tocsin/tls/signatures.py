"""Who signed a certificate, found by the key alone."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


def is_signed_by(certificate: x509.Certificate, key: PublicKeyTypes) -> bool:
    """Whether the holder of ``key`` has signed ``certificate``, whatever names say."""
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    try:
        how, digest = certificate.signature_algorithm_parameters, certificate.signature_hash_algorithm
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            key.verify(signature, signed, how)
        elif (
            isinstance(key, rsa.RSAPublicKey)
            and isinstance(how, padding.PKCS1v15 | padding.PSS)
            and digest is not None
        ):
            key.verify(signature, signed, how, digest)
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) and how is None:
            key.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
