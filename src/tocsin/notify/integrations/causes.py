"""What the system said, beneath the errors of libraries."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Final

_DEPTH: Final = 10


def system_said(error: BaseException, *, connecting: bool = False) -> str:
    """What the system or TLS said, if that is what is behind ``error``; else empty. It names no address: an
    attempt's error says once where it went."""
    found: BaseException | None = error
    for _ in range(_DEPTH):
        if isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if isinstance(found, ssl.SSLCertVerificationError):
            return f"tls: failed to verify certificate: {found.verify_message}"
        if isinstance(found, ssl.SSLError):
            return f"tls: {found.reason or found}"
        if isinstance(found, OSError) and found.errno is not None and found.strerror:
            if isinstance(found, socket.gaierror):
                return f"lookup of the host: {found.strerror.lower()}"
            kind = "connect" if connecting else "connection"
            # asyncio has a message of its own, with the address, instead of the system's.
            said = os.strerror(found.errno) if found.errno > 0 else found.strerror
            return f"{kind}: {said.lower()}"
        following = found.__cause__ or found.__context__ if found is not None else None
        if following is None:
            break
        found = following
    return ""


def cause(error: BaseException, *, connecting: bool = False) -> str:
    """What went wrong with a connection, for people: what the system said, or else the error."""
    said = system_said(error, connecting=connecting)
    return said or f"{type(error).__name__}: {error}".removesuffix(": ")
