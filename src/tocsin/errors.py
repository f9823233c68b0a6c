"""The exception tree. The type says who is to blame; each class says what it did to our state.

Anything that bytes, files or people from outside can provoke is a :class:`TocsinError`. Any other exception
that escapes is a bug of ours.
"""

from __future__ import annotations


class TocsinError(Exception):
    """Base of every error that Tocsin raises on purpose."""


class RemoteError(TocsinError):
    """A peer is to blame: what it sent or showed is not acceptable.

    Effect on state: none; what was being read is dropped. Whether its connection can go on is the catcher's
    decision (see :class:`WireError`).
    """


class WireError(RemoteError):
    """Bytes that are not the protocol, or are past a limit (``tocsin.gossip.wire.limits``).

    The only exception that functions of ``tocsin.gossip.wire`` raise on hostile bytes. Effect on state: none.

    ``layer`` names the codec that refused ("label", "lzw", "packet", ...): a metric label, from a fixed set.
    """

    def __init__(self, layer: str, problem: str) -> None:
        super().__init__(f"{layer}: {problem}")
        self.layer = layer
        self.problem = problem


class StateError(RemoteError):
    """Replicated state (a silence, a notification log entry) from a peer or a file that must not be stored.

    Effect on state: none, the whole payload or the one entry is refused as the raiser documents.
    """


class PeerRefusedError(RemoteError):
    """The handshake or an identity rule refused a peer, or the peer refused us. The connection is closed."""


class UserError(TocsinError):
    """The person or program that asked is to blame: a flag, a file, an API body. Nothing was changed."""


class ConfigError(UserError):
    """A file (or flag) that cannot be used. One line: the location, what is wrong, how to fix it.

    ``location`` is ``file:line:column`` or a flag's name.
    """

    def __init__(self, location: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{location}: {problem}" + (f" ({hint})" if hint else ""))
        self.location = location
        self.problem = problem
        self.hint = hint


class ValidationError(UserError):
    """A value given through the API is not valid; the text is Alertmanager's own wording (HTTP 400)."""


class NotFoundError(UserError):
    """The named thing does not exist (HTTP 404)."""


class ConflictError(UserError):
    """The named thing exists, and is not what the caller takes it for (HTTP 409). Nothing was changed."""


class TransportError(TocsinError):
    """The network is to blame: a dial, read or write failed or took too long. The message may be lost."""


class StorageError(TocsinError):
    """The disk is to blame: a change could not be kept, so nothing was changed (HTTP 503)."""


class ClosedError(TocsinError):
    """The object was closed before or while it was asked. Nothing was changed."""
