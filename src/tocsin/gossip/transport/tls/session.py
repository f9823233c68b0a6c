"""A TLS session without I/O: bytes of the network in, plaintext out, and the other way round.

Built on ``ssl.MemoryBIO`` because record borders matter: Alertmanager's reader throws away what follows the
first frame in a TLS record (wire 3.2.1), so one :meth:`TLSSession.write` is always records of
its own. It also allows what asyncio's TLS does not: resuming a session, and a context for each connection.
"""

from __future__ import annotations

import ssl
from typing import Final

from tocsin.errors import TransportError
from tocsin.tls.refusal import RefusalError, refusal_from

_READ_SIZE: Final = 64 * 1024


class TLSSession:
    """One side of one TLS connection. Times are seconds on any monotonic clock.

    After an exception :meth:`data_to_send` may still hold the alert that gives the peer the reason.
    """

    __slots__ = (
        "_deadline",
        "_incoming",
        "_outgoing",
        "_tls",
        "close_sent",
        "established",
        "peer_closed",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        now: float,
        *,
        handshake_timeout: float,
        server_hostname: str | None = None,
        resume: ssl.SSLSession | None = None,
    ) -> None:
        """A client session when ``server_hostname`` (a name or an IP address to verify) is given."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
        )
        if resume is not None:
            try:
                self._tls.session = resume
            except ValueError:
                pass  # A session of an older context: a full handshake is exactly what is wanted then.
        self._deadline: float | None = now + handshake_timeout
        self.established: bool = False
        self.peer_closed: bool = False
        """The peer ended its direction in an orderly way; everything it wrote was delivered."""
        self.close_sent: bool = False
        if server_hostname is not None:
            self._handshake()

    @property
    def tls(self) -> ssl.SSLObject:
        """For asking about certificates, versions and resumption."""
        return self._tls

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network; the plaintext they complete (often none).

        :class:`RefusalError` for a failed handshake or an alert, :class:`TransportError` for a broken record.
        """
        self._incoming.write(data)
        if not self.established and not self._handshake():
            return b""
        if self.peer_closed:
            return b""
        chunks: list[bytes] = []
        try:
            while chunk := self._tls.read(_READ_SIZE):
                chunks.append(chunk)
            self.peer_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.peer_closed = True
        except ssl.SSLError as error:
            refusal = refusal_from(error)
            if refusal.by_peer:
                raise refusal from None
            raise TransportError(f"broken TLS record: {refusal}") from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def receive_eof(self) -> None:
        """The network has ended. :class:`TransportError` if that was not announced: data may be missing."""
        if not self.established:
            raise RefusalError("closed", "the connection ended during the TLS handshake", by_peer=True)
        if not self.peer_closed:
            raise TransportError("the connection ended without a TLS close")

    def write(self, data: bytes | memoryview) -> None:
        """Seal ``data`` into records of its own. Only on an established session."""
        rest = memoryview(data)
        try:
            while rest:
                # One call makes one record of up to 16 KiB.
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            raise TransportError(f"TLS write failed: {refusal_from(error)}") from None

    def close(self) -> None:
        """Announce that nothing more will be written. Reading goes on."""
        if not self.established or self.close_sent:
            return
        self.close_sent = True
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # Mostly "want read": the announcement is out, the peer's has not come yet.

    def data_to_send(self) -> bytes:
        """Bytes for the network, each given once."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def next_timeout(self) -> float | None:
        """When the handshake must be done, if it is not."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """:class:`RefusalError` when the handshake's time is over."""
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            raise RefusalError("timeout", "the TLS handshake took too long")

    def _handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise refusal_from(error) from None
        except ssl.CertificateError as error:
            raise RefusalError("wrong_name", str(error)) from None
        self.established = True
        self._deadline = None
        return True
