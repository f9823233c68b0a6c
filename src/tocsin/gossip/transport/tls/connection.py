"""One TCP connection with a TLS session on it: an asyncio protocol that drives :class:`TLSSession`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.session import TLSSession
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.tls.identity import certificate_expiry, check_validity
from tocsin.tls.names import subject_alternative_names
from tocsin.tls.refusal import RefusalError

_log = logging.getLogger(__name__)

PROVEN_AFTER: Final = 1.0
"""Seconds after which the end of a connection that we dialled no longer counts as a late refusal."""

SHORT_LINGER: Final = 0.05
"""Seconds that an orderly close of a packet connection waits for a peer that has no answer to send."""

_SHOW_REFUSAL_TIME: Final = 1.0
"""Seconds for which a refused connection is drained, so that a reset does not overtake the TLS alert that
says why."""


class ConnectionOwner(Protocol):
    """Gets the events of a connection. Called on the event loop; never raises, save where it says so."""

    def connection_established(self, connection: TLSConnection) -> None:
        """The handshake is done. May raise :class:`RefusalError` to refuse the peer."""

    def connection_received(self, connection: TLSConnection, data: bytes) -> None:
        """Plaintext, never empty."""

    def connection_ended(
        self, connection: TLSConnection, error: RefusalError | TransportError | None
    ) -> None:
        """Nothing more will be received; ``None`` for an orderly end. Called once."""

    def connection_writable(self, connection: TLSConnection) -> None:
        """The kernel accepted everything written so far; before, ``writable`` had become false."""


class TLSConnection(asyncio.Protocol):
    """A connection of either direction: a client's when ``server_hostname`` is given.

    Its states: handshake, established, ended (nothing more is received), closing (nothing more is sent),
    closed.
    """

    def __init__(
        self,
        config: TLSTransportConfig,
        statistics: TransportStatistics,
        owner: ConnectionOwner,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        resume: ssl.SSLSession | None = None,
        tickets_received: Callable[[TLSConnection], None] | None = None,
    ) -> None:
        self.owner: ConnectionOwner = owner
        self.remote: Address = Address("0.0.0.0", 0)
        self.writable: bool = False
        """Established, and the kernel has accepted everything."""
        self.established_at: float | None = None
        self.expires_at: float | None = None
        """When the peer's certificate expires, Unix time; None without one, or before the handshake."""
        self.session: TLSSession | None = None
        self._peer: PeerIdentity | None = None
        self._certificate = b""
        self.context = context
        self._config = config
        self._statistics = statistics
        self._server_hostname = server_hostname
        self._resume = resume
        self._tickets_received = tickets_received
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event = asyncio.Event()
        self._drained.set()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        """Done when the socket is gone."""
        self._ended = False
        self._error: RefusalError | TransportError | None = None
        self._closing = False
        self._received = False
        self._close_deadline = 0.0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (asyncio's own promise)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        if peer:
            self.remote = Address(*_host_port(peer))
        self._tune(transport.get_extra_info("socket"))
        # Zero: any byte that the kernel does not accept at once starts the write deadline.
        transport.set_write_buffer_limits(high=0)
        try:
            self.session = TLSSession(
                self.context,
                self._loop.time(),
                handshake_timeout=self._config.handshake_timeout,
                server_hostname=self._server_hostname,
                resume=self._resume,
            )
        except RefusalError as error:
            self._fail(error)
            return
        self._arm(self.session.next_timeout(), self._handshake_timed_out)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes of the network."""
        session = self.session
        if session is None or self._ended:
            return
        try:
            plaintext = session.receive(data)
            if session.established and self.established_at is None:
                self._establish(session)
        except (RefusalError, TransportError) as error:
            self._fail(error)
            return
        self._flush()
        if self._tickets_received is not None and session.established and not (plaintext and self._received):
            # TLS 1.3 delivers what resumes a session after the handshake, in records without plaintext, which
            # may come together with the first of those that have some.
            self._tickets_received(self)
        if plaintext:
            self._received = True
            if not self._closing:
                self.owner.connection_received(self, plaintext)
        if session.peer_closed:
            self._end(None)

    def eof_received(self) -> bool:
        """The peer sends no more. Keeps our direction open after an orderly close."""
        if self.session is None or self._ended:
            return self._ended and not self._closing
        try:
            self.session.receive_eof()
        except (RefusalError, TransportError) as error:
            self._end(error)
            return False
        self._end(None)
        return not self._closing

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._cancel_timer()
        self.writable = False
        self._drained.set()
        if not self._ended:
            if self.established_at is None:
                error: RefusalError | TransportError = RefusalError(
                    "closed", f"the connection ended during the TLS handshake{_detail(exc)}", by_peer=True
                )
            else:
                error = TransportError(f"connection lost{_detail(exc)}")
            self._end(None if self._closing else error)
        if self.established_at is not None:
            self._statistics.connections_open -= 1
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """The kernel accepted only a part: the write deadline runs from here."""
        self.writable = False
        self._drained.clear()
        if self._timer is None:
            self._arm(self._loop.time() + self._config.write_timeout, self._write_timed_out)

    def resume_writing(self) -> None:
        """The kernel has accepted everything written."""
        self._drained.set()
        if self.established_at is None or self._closing:
            return
        self._cancel_timer()
        self.writable = True
        self.owner.connection_writable(self)

    # our side

    def hand_over(self, owner: ConnectionOwner) -> None:
        """Give the connection to ``owner``, who also learns of an end that came before."""
        self.owner = owner
        if self._ended:
            owner.connection_ended(self, self._error)

    def write(self, data: bytes | memoryview) -> None:
        """Seal ``data`` into records of its own and pass them to the kernel. Only while established.

        :class:`TransportError` if the connection is over.
        """
        if self.session is None or self._transport is None or self._transport.is_closing() or self._closing:
            raise TransportError("the connection is closed")
        self.session.write(data)
        self._flush()

    async def drain(self) -> None:
        """Wait until the kernel accepted everything, or the connection ended; the write deadline bounds
        it."""
        await self._drained.wait()

    def pause_reading(self) -> None:
        """Take no more from the network until :meth:`resume_reading`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Undo :meth:`pause_reading`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def application_protocol(self) -> str:
        """What ALPN has chosen; empty for Alertmanager's framing."""
        tls = self.session.tls if self.session is not None else None
        return (tls.selected_alpn_protocol() or "") if tls is not None else ""

    @property
    def ended(self) -> bool:
        """Nothing more will be received."""
        return self._ended

    @property
    def certificate(self) -> bytes:
        """The certificate that the peer has shown in its handshake, DER; empty without one."""
        return self._certificate

    @property
    def server_hostname(self) -> str | None:
        """What the peer's certificate was verified for; None when the peer has dialled."""
        return self._server_hostname

    @property
    def server_side(self) -> bool:
        """The peer has dialled."""
        return self._server_hostname is None

    @property
    def peer(self) -> PeerIdentity:
        """The peer's identity by the handshake; computed once."""
        if self._peer is None:
            certificate = self._certificate
            names = frozenset([name.lower() for name in subject_alternative_names(certificate)])
            identifier = hashlib.sha256(certificate).hexdigest() if certificate else ""
            self._peer = PeerIdentity(identifier, names, self.remote.host)
        return self._peer

    def refuse(self, error: RefusalError) -> None:
        """End it at once: the peer is no longer trusted."""
        self._end(error)
        self.abort()

    @property
    def tcp_socket(self) -> socket.socket | None:
        """The TCP socket, for socket options."""
        return None if self._transport is None else self._transport.get_extra_info("socket")

    @property
    def quiet(self) -> bool:
        """Whether this is a client's connection on which the peer will send nothing by itself any more.

        Until its session tickets have come, closing could cause a reset that overtakes our data.
        """
        tls = self.session.tls if self.session is not None else None
        if tls is None or self.established_at is None:
            return False
        return tls.version() != "TLSv1.3" or bool(tls.session and tls.session.has_ticket)

    def start_close(self, linger: float | None = None) -> None:
        """Close in an orderly way: what was written, our close_notify, then wait for the peer's.

        Waits ``linger`` seconds once the kernel has everything; by default the configured time.
        """
        if self._closing:
            return
        self._closing = True
        self.writable = False
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self.session is None or self.established_at is None:
            self.abort()
            return
        self.session.close()
        self._flush()
        now = self._loop.time()
        self._close_deadline = now + self._config.close_timeout
        wait = self._config.close_timeout if linger is None else min(linger, self._config.close_timeout)
        self._arm(now + wait, self._lingered)
        if self._ended:
            transport.close()
            return
        transport.resume_reading()
        with suppress(OSError):
            transport.write_eof()

    def _lingered(self) -> None:
        """The linger time is over: abort, but not before the kernel has accepted everything written."""
        if self._drained.is_set() or self._loop.time() >= self._close_deadline:
            self.abort()
        else:
            self._arm(self._close_deadline, self.abort)

    async def close(self) -> None:
        """:meth:`start_close` and wait for its end."""
        self.start_close()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed."""
        if self._transport is not None:
            await asyncio.shield(self.closed)

    def abort(self) -> None:
        """Drop it at once."""
        self._closing = True
        self.writable = False
        if self._transport is not None:
            self._transport.abort()

    # inside

    def _establish(self, session: TLSSession) -> None:
        if session.tls.session_reused:
            check_validity(session.tls, time.time())
            self._statistics.resumptions += 1
        self._cancel_timer()
        self._statistics.handshakes += 1
        self._statistics.connections_open += 1
        self.established_at = self._loop.time()
        self.expires_at = certificate_expiry(session.tls)
        # Read now: once an alert has ended the session, OpenSSL no longer returns it.
        self._certificate = session.tls.getpeercert(binary_form=True) or b""
        self.writable = self._drained.is_set()
        if not self.writable:
            self._arm(self.established_at + self._config.write_timeout, self._write_timed_out)
        self.owner.connection_established(self)

    def _flush(self) -> None:
        assert self.session is not None  # noqa: S101
        data = self.session.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _fail(self, error: RefusalError | TransportError) -> None:
        """End it, but let the alert that says why reach the peer."""
        if self.session is not None:
            self._flush()
        self._end(error)
        self._closing = True
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if isinstance(error, RefusalError) and not error.by_peer:
            self._arm(self._loop.time() + _SHOW_REFUSAL_TIME, self.abort)
            with suppress(OSError):
                transport.write_eof()
        else:
            transport.abort()

    def _end(self, error: RefusalError | TransportError | None) -> None:
        if self._ended:
            return
        self._ended = True
        error = self._error = self._explain(error)
        self.writable = False
        if isinstance(error, RefusalError):
            counter = self._statistics.refused_by_peer if error.by_peer else self._statistics.refusals
            counter[error.reason] += 1
        self.owner.connection_ended(self, error)

    def _explain(self, error: RefusalError | TransportError | None) -> RefusalError | TransportError | None:
        """With TLS 1.3 a refusal comes after our side of the handshake; not every peer sends an alert."""
        if (
            error is None
            or isinstance(error, RefusalError)
            or self._server_hostname is None
            or self.established_at is None
            or self._received
            or self._loop.time() - self.established_at >= PROVEN_AFTER
        ):
            return error
        text = f"{error}, right after the handshake: it may not accept our certificate"
        return RefusalError("closed", text, by_peer=True)

    def _handshake_timed_out(self) -> None:
        try:
            if self.session is not None:
                self.session.handle_timeout(self._loop.time())
        except RefusalError as error:
            self._end(error)
            self.abort()

    def _write_timed_out(self) -> None:
        self._statistics.connections_lost["write_timeout"] += 1
        self._end(TransportError(f"the peer took no data for {self._config.write_timeout:g} s"))
        self.abort()

    def _arm(self, when: float | None, callback: object) -> None:
        self._cancel_timer()
        if when is not None:
            assert callable(callback)  # noqa: S101
            self._timer = self._loop.call_at(when, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tune(self, sock: socket.socket | None) -> None:
        if sock is None:
            return
        with suppress(OSError):
            # asyncio does so only for sockets that name their protocol, which those accepted here do not.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                # A black hole lets the kernel buffer data for ever; this makes the kernel give up.
                milliseconds = int(self._config.write_timeout * 1000)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _host_port(peer: tuple[str, int]) -> tuple[str, int]:
    host = peer[0].partition("%")[0]
    return host.removeprefix("::ffff:") if "." in host else host, peer[1]


def _detail(error: Exception | None) -> str:
    return f": {error}" if error is not None else ""
