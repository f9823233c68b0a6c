"""Distinguished names, compared as OpenSSL compares them."""

from __future__ import annotations

import re
import string
from collections.abc import Hashable
from typing import Final

from cryptography import x509
from cryptography.x509.name import _ASN1Type

_TEXTS: Final = frozenset(
    {
        _ASN1Type.UTF8String,
        _ASN1Type.BMPString,
        _ASN1Type.UniversalString,
        _ASN1Type.PrintableString,
        _ASN1Type.T61String,
        _ASN1Type.IA5String,
        _ASN1Type.VisibleString,
    }
)
_SPACES: Final = " \t\n\v\f\r"
_RUN: Final = re.compile(f"[{_SPACES}]+")
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def canonical(name: x509.Name) -> Hashable:
    """Equal for two names that OpenSSL takes for the same.

    The kind of string does not count, nor do the case of ASCII letters, spaces at the ends, and how many
    spaces there are elsewhere (RFC 5280, 7.1, as far as OpenSSL goes).
    """
    try:
        return tuple(frozenset(_attribute(one) for one in part) for part in name.rdns)
    except ValueError:  # The bytes are no valid string of that type.
        return name.public_bytes()


def _attribute(one: x509.NameAttribute[str | bytes]) -> Hashable:
    if one._type not in _TEXTS or not isinstance(one.value, str):
        return one.oid, one._type, one.value
    return one.oid, _RUN.sub(" ", one.value.strip(_SPACES)).translate(_LOWER)
