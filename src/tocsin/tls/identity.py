"""Who we are and whom we trust, renewed as a whole when files change (docs/identity-and-rotation.md)."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.tls.contexts import build_client_context, build_server_context
from tocsin.tls.files import Files, Mark, are_small, digest, marks, named_files
from tocsin.tls.kept import wanted_or_kept
from tocsin.tls.names import is_for, subject_alternative_names
from tocsin.tls.refusal import RefusalError
from tocsin.tls.settings import ClientAuthType, ClusterTLSConfig
from tocsin.tls.trust import Trust, leaf, load_trust, peer_chain

__all__ = [
    "ClusterIdentity",
    "build_client_context",
    "build_server_context",
    "check_validity",
    "subject_alternative_names",
]

_log = logging.getLogger(__name__)

HostPort: TypeAlias = "tuple[str, int]"
"""IP address and port."""


@dataclass(frozen=True, slots=True)
class _Material:
    """All that one load of the files gives: in use together, or not at all."""

    config: ClusterTLSConfig
    server: ssl.SSLContext
    client: ssl.SSLContext
    clients: Trust
    servers: Trust
    expiries: Mapping[str, float]
    beginnings: Mapping[str, float]
    """Since when, or from when on, our own certificates are valid, by side."""
    shown: bytes
    """What we show to who dials us (DER)."""
    content: bytes
    """A digest of the files."""


class ClusterIdentity:
    """The current contexts and rules.

    Before each handshake it checks whether a file was changed (time, size, inode); :meth:`poll`
    compares contents. Small files are read then and there, large ones, as revocation lists may be, in a
    thread, and in use some moments later. A change gives new contexts, which also drops resumable sessions:
    a peer that was trusted under the old files is verified anew. Files that cannot be used leave the old
    ones in use; they are logged and counted once per change.
    """

    def __init__(
        self,
        config: ClusterTLSConfig | None = None,
        protocols: Sequence[str] = (),
        *,
        source: Callable[[], ClusterTLSConfig] | None = None,
        watched: Sequence[Path] = (),
    ) -> None:
        """Reads everything; :class:`ConfigError` if it cannot be used. ``protocols``: ALPN, both ways.

        With ``source`` the configuration itself is read anew, from the files ``watched``.
        """
        self._source = source
        self._watched = tuple(watched)
        self._protocols = list(protocols)
        self._subscribers: list[Callable[[], None]] = []
        self.reloads: int = 0
        self.reload_failures: int = 0
        self.reload_successful: bool = True
        self.reloaded_at: float = time.time()
        """Unix time of the last successful load."""
        self._expected: dict[HostPort, str] = {}
        self._polling: asyncio.Task[None] | None = None
        self._loading = asyncio.Lock()
        if config is None:
            if source is None:
                raise ValueError("neither a configuration nor a source of one")
            config = source()
        # Marks before contents: a file that changes in between is read once more, never missed.
        self._files = self._all_files(config)
        self._marks: tuple[Mark, ...] = marks(self._files)
        self._tried = digest(self._files)
        self._now = self._load(config)
        for side, ends in self._now.expiries.items():
            if ends < time.time():
                _log.error(
                    "our certificate in tls_%s_config has expired on %s: peers will refuse it; put a new one"
                    " in its place, which needs no restart",
                    side,
                    _minute(ends),
                )
        self._log_early_ones()

    # -- what is in use

    @property
    def config(self) -> ClusterTLSConfig:
        """The configuration in use."""
        return self._now.config

    @property
    def expiries(self) -> Mapping[str, float]:
        """When our own certificates run out, Unix time: "server" and, if there is one, "client"."""
        return self._now.expiries

    @property
    def crl_updates(self) -> Mapping[str, float]:
        """When revocation lists should have been replaced, Unix time: "clients", "servers"."""
        due = {side: trust.revocations.next_update for side, trust in self.sides.items()}
        return {side: when for side, when in due.items() if when is not None}

    @property
    def shown(self) -> bytes:
        """The certificate that we show to who dials us, DER."""
        return self._now.shown

    @property
    def sides(self) -> Mapping[str, Trust]:
        """Whom we trust, by side: "clients" and "servers"."""
        return {"clients": self._now.clients, "servers": self._now.servers}

    def server_context(self) -> ssl.SSLContext:
        """For the next inbound handshake."""
        self.refresh()
        return self._now.server

    def client_context(self) -> ssl.SSLContext:
        """For the next outbound handshake."""
        self.refresh()
        return self._now.client

    # -- names

    def is_for(self, host: str) -> bool:
        """Whether peers who dial us as ``host``, an IP address or a DNS name, may take our certificate.

        Peers are taken to have our settings: with a ``server_name``, it is that which they verify.
        """
        return is_for(self._now.shown, self.config.client.server_name or host)

    @property
    def hosts(self) -> Sequence[str]:
        """The names in the certificate that we show."""
        return sorted(subject_alternative_names(self._now.shown))

    def expect(self, names: Mapping[HostPort, str]) -> list[HostPort]:
        """Verify what is dialled at these addresses by a DNS name each, instead of by the IP address.

        Returns the addresses of which something else is expected than before.
        """
        old, self._expected = self._expected, dict(names)
        return [one for one in {**old, **self._expected} if old.get(one) != self._expected.get(one)]

    def server_hostname(self, host: str, port: int = 0) -> str:
        """The name to verify when dialling the IP address ``host``."""
        expected = self._expected.get((host, port)) if self._expected else None
        return (self.config.client.server_name or expected or host).removesuffix(".")

    # -- peers

    def check_client(self, certificate: bytes | None) -> None:
        """Revocation and ``client_allowed_sans`` for a verified client's DER certificate, or none.

        :class:`RefusalError`.
        """
        self._now.clients.check(certificate)

    def check_server(self, certificate: bytes | None) -> None:
        """Revocation and ``server_allowed_sans`` for a verified server's DER certificate.

        :class:`RefusalError`.
        """
        self._now.servers.check(certificate)

    def check_open(self, session: ssl.SSLObject, *, server_side: bool) -> None:
        """Whether a peer would still be let in; ``server_side``: if it dialled us. :class:`RefusalError`."""
        trust = self._now.clients if server_side else self._now.servers
        trust.check_again(session.getpeercert(binary_form=True), peer_chain(session), datetime.now(UTC))

    def admit(self, session: ssl.SSLObject, context: ssl.SSLContext, *, server_side: bool) -> None:
        """After a handshake under ``context``, which may have been replaced meanwhile.

        :class:`RefusalError`.
        """
        if context is not (self._now.server if server_side else self._now.client):
            self.check_open(session, server_side=server_side)
        elif server_side:
            self.check_client(session.getpeercert(binary_form=True))
        else:
            self.check_server(session.getpeercert(binary_form=True))

    # -- reloading

    def refresh(self) -> None:
        """Load if a file has changed by its times and by its content; large files soon, if there is an event
        loop."""
        found = marks(self._files)
        if found == self._marks:
            return
        if not are_small(found) and self._poll_soon():
            return
        self._marks = found
        content = digest(self._files)
        if content != self._tried:
            self._tried = content
            with suppress(ConfigError):  # Said and counted.
                self._replace()

    async def poll(self) -> None:
        """Load if any content has changed; reads the files in a thread."""
        with suppress(ConfigError):  # Said and counted.
            await self._load_aside(again=False)

    def reload(self) -> None:
        """Load now if anything has changed or could not be used; :class:`ConfigError` when it cannot be
        used: the old stay."""
        self._marks = marks(self._files)
        content = digest(self._files)
        if content != self._tried or not self.reload_successful:
            self._tried = content
            self._replace()

    async def reload_aside(self) -> None:
        """:meth:`reload`, with all reading done in a thread."""
        await self._load_aside(again=True)

    def _poll_soon(self) -> bool:
        """Whether a task could be begun that loads, or is under way."""
        if self._polling is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return False
            self._polling = loop.create_task(self._poll_once())
        return True

    async def _poll_once(self) -> None:
        try:
            await self.poll()
        except Exception:
            _log.exception("watching the TLS files failed")
        finally:
            self._polling = None

    async def _load_aside(self, *, again: bool) -> None:
        """``again``: what could not be used is tried once more. One after the other: who waits gets what was
        loaded last."""
        async with self._loading:
            await self._load_what_changed(again=again)

    async def _load_what_changed(self, *, again: bool) -> None:
        found = marks(self._files)
        content = await asyncio.to_thread(digest, self._files)
        self._marks = found
        if content == self._tried and not (again and not self.reload_successful):
            return
        self._tried = content
        config, refusal = await asyncio.to_thread(wanted_or_kept, self.config, self._source)
        try:
            files = self._all_files(config)
            if files != self._files:
                self._files, self._marks = files, marks(files)
                self._tried = content = await asyncio.to_thread(digest, files)
            loaded = await asyncio.to_thread(self._loaded, config)
        except ConfigError as error:
            if self._tried == content:
                raise self._neither(error, refusal) from None
            if self.reload_successful:
                return  # Something newer is in use already.
            raise
        if self._tried == content:  # Else something newer has been loaded meanwhile.
            self._adopt(loaded, refusal)

    def _replace(self) -> None:
        config, refusal = wanted_or_kept(self.config, self._source)
        try:
            self._watch(self._all_files(config))
            loaded = self._loaded(config)
        except ConfigError as error:
            raise self._neither(error, refusal) from None
        self._adopt(loaded, refusal)

    def _loaded(self, config: ClusterTLSConfig) -> _Material:
        """What the files give, if it can be used; :class:`ConfigError`."""
        try:
            loaded = self._load(config)
        except ValueError as error:  # A certificate with something in it that nobody can read.
            raise ConfigError("TLS files", f"cannot be used: {error}", "check them") from None
        for side, ends in loaded.expiries.items():
            if ends < time.time():
                raise ConfigError(
                    f"tls_{side}_config", "the certificate has expired", "issue and install a new one"
                )
        return loaded

    def _failed(self, error: ConfigError) -> None:
        self.reload_failures += 1
        self.reload_successful = False
        _log.error("changed TLS files are not usable, the old ones stay in use: %s", error)

    def _neither(self, error: ConfigError, refusal: ConfigError | None) -> ConfigError:
        """What is to be raised if files cannot be used: why the configuration that names others is not in
        use, if it is not, comes first."""
        if refusal is None:
            refusal = error
        else:
            _log.error("files of the old TLS configuration are not usable: %s", error)
        self._failed(refusal)
        return refusal

    def _adopt(self, loaded: _Material, refusal: ConfigError | None) -> None:
        if refusal is None or loaded.content != self._now.content:
            self._take(loaded)
        if refusal is not None:
            self._failed(refusal)
            raise refusal

    def _take(self, loaded: _Material) -> None:
        self._now = loaded
        self.reloads += 1
        self.reload_successful = True
        self.reloaded_at = time.time()
        _log.info("changed TLS files are in use")
        self._log_early_ones()
        for changed in tuple(self._subscribers):
            changed()

    def _log_early_ones(self) -> None:
        """They are used nevertheless, since it may be our clock that is wrong, and time mends it."""
        for side, begins in self._now.beginnings.items():
            if begins > time.time():
                _log.error(
                    "our certificate in tls_%s_config is not valid before %s: peers will refuse it until"
                    " then; is this machine's clock right?",
                    side,
                    _minute(begins),
                )

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` after each change, with the new contexts in use, until what this returns is
        called."""
        self._subscribers.append(changed)

        def unsubscribe() -> None:
            if changed in self._subscribers:
                self._subscribers.remove(changed)

        return unsubscribe

    def _watch(self, files: tuple[Path, ...]) -> None:
        """Before they are read, so that no change is missed."""
        if files != self._files:
            self._files, self._marks = files, marks(files)
            self._tried = digest(files)

    def _all_files(self, config: ClusterTLSConfig) -> tuple[Path, ...]:
        return tuple(dict.fromkeys([*self._watched, *named_files(config)]))

    def _load(self, config: ClusterTLSConfig) -> _Material:
        server, client, files = config.server, config.client, Files()
        content = digest(named_files(config))  # Before they are read, so that no change is missed.
        server_context = build_server_context(server, files)
        client_context = build_client_context(client, files)
        shown = leaf(files, "tls_server_config", server.cert_file, server.cert)
        own = {"server": shown}
        if client.cert_file is not None or client.cert is not None:
            own["client"] = leaf(files, "tls_client_config", client.cert_file, client.cert)
        for context in (server_context, client_context):
            if self._protocols:
                context.set_alpn_protocols(self._protocols)
        required = server.client_auth_type is ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT
        clients = load_trust(
            files,
            "tls_server_config",
            authority=("client_ca", server.client_ca_file, server.client_ca),
            revocations=("client_crl", server.client_crl_file, server.client_crl),
            allow_list="client_allowed_sans",
            allowed=server.client_allowed_sans,
            required=required,
            verified=server_context.verify_mode is not ssl.CERT_NONE,
            servers=False,
        )
        servers = load_trust(
            files,
            "tls_client_config",
            authority=("ca", client.ca_file, client.ca),
            revocations=("crl", client.crl_file, client.crl),
            allow_list="server_allowed_sans",
            allowed=client.server_allowed_sans,
            required=True,
            verified=client_context.verify_mode is not ssl.CERT_NONE,
            servers=True,
        )
        return _Material(
            config,
            server_context,
            client_context,
            clients,
            servers,
            expiries={side: each.not_valid_after_utc.timestamp() for side, each in own.items()},
            beginnings={side: each.not_valid_before_utc.timestamp() for side, each in own.items()},
            shown=shown.public_bytes(Encoding.DER),
            content=content,
        )


def _minute(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"


def check_validity(session: ssl.SSLObject, now: float) -> None:
    """Refuse a certificate that ran out since it was verified; ``now`` is Unix time in seconds.

    A resumed session repeats no verification, so without this a peer could go on with an expired certificate
    for as long as it keeps resuming. :class:`RefusalError`.
    """
    certificate = session.getpeercert()
    if certificate and ssl.cert_time_to_seconds(str(certificate["notAfter"])) < now:
        raise RefusalError("expired", "certificate has expired")


def certificate_expiry(session: ssl.SSLObject) -> float | None:
    """When the peer's verified certificate runs out, Unix time; None without one."""
    certificate = session.getpeercert()
    return ssl.cert_time_to_seconds(str(certificate["notAfter"])) if certificate else None
