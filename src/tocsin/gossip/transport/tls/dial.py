"""Dialling: TCP, then TLS with the current identity, resuming the last session with the same peer."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict

from tocsin.dataclass import dataclass
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.problems import dial_problem
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import TLSConnection
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError


@dataclass(frozen=True, slots=True)
class _Resumable:
    session: ssl.SSLSession
    context: ssl.SSLContext
    name: str
    verified_at: float


class SessionCache:
    """The last resumable session of each destination, least recently stored first out.

    A resumed handshake verifies no name, so a session serves for the name that its own handshake verified,
    and for no other. It counts from its *full* handshake, however often it was resumed since: after
    ``lifetime`` the peer's certificate is verified again.
    """

    def __init__(self, limit: int, lifetime: float) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self._sessions: OrderedDict[Address, _Resumable] = OrderedDict()

    def get(
        self, destination: Address, context: ssl.SSLContext, name: str, now: float
    ) -> ssl.SSLSession | None:
        """A session for ``context`` and the ``name`` to verify, if there is one."""
        known = self._sessions.get(destination)
        if known is None:
            return None
        if known.context is not context or known.name != name or now - known.verified_at > self._lifetime:
            del self._sessions[destination]
            return None
        return known.session

    def store(self, destination: Address, connection: TLSConnection, now: float) -> None:
        """Keep the session of ``connection``, which the peer accepted."""
        if connection.session is None or connection.established_at is None:
            return
        tls = connection.session.tls
        session = tls.session
        if session is None or not session.has_ticket:
            return
        known = self._sessions.pop(destination, None)
        name = connection.server_hostname or ""
        resumed = tls.session_reused and known is not None and known.context is connection.context
        verified_at = known.verified_at if resumed and known is not None else now
        self._sessions[destination] = _Resumable(session, connection.context, name, verified_at)
        while len(self._sessions) > self._limit:
            self._sessions.popitem(last=False)

    def forget(self, destination: Address) -> None:
        """After a refusal: start afresh."""
        self._sessions.pop(destination, None)


class _Dial:
    """The owner of a connection until its handshake is done."""

    def __init__(self, identity: ClusterIdentity) -> None:
        self._identity = identity
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_established(self, connection: TLSConnection) -> None:
        assert connection.session is not None  # noqa: S101
        self._identity.admit(connection.session.tls, connection.context, server_side=False)
        if not self.done.done():
            self.done.set_result(None)

    def connection_received(self, connection: TLSConnection, data: bytes) -> None:
        pass  # The accepting side of a fresh connection has nothing to say.

    def connection_ended(
        self,
        connection: TLSConnection,  # noqa: ARG002
        error: RefusalError | TransportError | None,
    ) -> None:
        if not self.done.done():
            self.done.set_exception(error or TransportError("the peer closed the connection at once"))

    def connection_writable(self, connection: TLSConnection) -> None:
        pass


class Dialer:
    """Opens TLS connections to peers."""

    def __init__(
        self, config: TLSTransportConfig, identity: ClusterIdentity, statistics: TransportStatistics
    ) -> None:
        self.sessions: SessionCache = SessionCache(config.max_sessions, config.session_lifetime)
        self.open: set[TLSConnection] = set()
        """Every connection that was dialled and is not closed yet."""
        self._config = config
        self._identity = identity
        self._statistics = statistics

    async def dial(self, destination: Address, limit: float) -> TLSConnection:
        """An established connection within ``limit`` seconds. The caller calls ``hand_over``.

        :class:`RefusalError` when TLS refused, :class:`TransportError` when the network failed. With TLS 1.3
        a refusal of *our* certificate comes only after this returned.
        """
        loop = asyncio.get_running_loop()
        statistics = self._statistics
        statistics.dials += 1
        context = self._identity.client_context()
        name = self._identity.server_hostname(destination.host, destination.port)
        dial = _Dial(self._identity)
        connection = TLSConnection(
            self._config,
            statistics,
            dial,
            context,
            server_hostname=name,
            resume=self.sessions.get(destination, context, name, loop.time()),
            tickets_received=lambda one: self.sessions.store(destination, one, loop.time()),
        )
        try:
            async with asyncio.timeout(limit):
                await loop.create_connection(lambda: connection, destination.host, destination.port)
                await dial.done
        except TimeoutError:
            connection.abort()
            statistics.dial_failures["timeout"] += 1
            raise TransportError(f"dialling {destination} took longer than {limit:g} s") from None
        except OSError as error:
            statistics.dial_failures["connect"] += 1
            raise TransportError(f"dialling {destination} failed: {dial_problem(error)}") from None
        except RefusalError:
            self.sessions.forget(destination)
            statistics.dial_failures["refused"] += 1
            raise
        except TransportError:
            statistics.dial_failures["connect"] += 1
            raise
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            if dial.done.done() and not dial.done.cancelled():
                dial.done.exception()  # Retrieved, even if nobody waits.
        self.open.add(connection)
        connection.closed.add_done_callback(lambda _: self.open.discard(connection))
        return connection
