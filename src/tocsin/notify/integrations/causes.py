"""The operating system's or TLS's error beneath the errors of libraries."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Final

_DEPTH: Final = 10


def system_said(error: BaseException, *, connecting: bool = False) -> str:
    """The operating system's or TLS's error behind ``error``, or an empty text. It has no address, which the
    attempt's error has already."""
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
            # asyncio replaces the system's message by its own, which has the address.
            said = os.strerror(found.errno) if found.errno > 0 else found.strerror
            return f"{kind}: {said.lower()}"
        following = found.__cause__ or found.__context__ if found is not None else None
        if following is None:
            break
        found = following
    return ""


def cause(error: BaseException, *, connecting: bool = False) -> str:
    """The text of a connection's error: the operating system's, or else that of ``error``."""
    said = system_said(error, connecting=connecting)
    return said or f"{type(error).__name__}: {error}".removesuffix(": ")
