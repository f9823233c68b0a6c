"""The only import of pyOpenSSL, which comes with the extra ``tocsin[dtls]``: ``ssl`` has no DTLS."""

from __future__ import annotations

from tocsin.errors import ConfigError

try:
    from OpenSSL import SSL, crypto
except ImportError as _error:
    raise ConfigError(
        "--cluster.transport=dtls",
        f"needs pyOpenSSL, which cannot be used here: {_error}",
        "pip install tocsin[dtls]",
    ) from None

__all__ = ["SSL", "crypto"]
