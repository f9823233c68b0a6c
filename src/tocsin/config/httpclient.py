"""``http_config``: how a receiver is reached, as Prometheus' clients understand it."""

from __future__ import annotations

from typing import Any

from tocsin.config.readers import file_path, list_of, map_of, secret, text, unserved
from tocsin.config.scalars import any_url, boolean
from tocsin.config.schema import Section, option
from tocsin.config.texts import MaskedURL, Secret
from tocsin.config.values import any_value
from tocsin.config.yaml import Mapping, Node, Reader, describe

TLS_VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ALGORITHMS = ("RS256", "RS384", "RS512")
_NO_SECRET = Secret("")
_NO_PROXY = MaskedURL("")

_RESERVED_HEADERS = frozenset(
    (
        "Authorization",
        "Host",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "User-Agent",
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Www-Authenticate",
        "Accept-Encoding",
        "X-Prometheus-Remote-Write-Version",
        "X-Prometheus-Remote-Read-Version",
        "X-Prometheus-Scrape-Timeout-Seconds",
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
    )
)

_secret_store: Reader[Any] = unserved(
    "secrets by reference need a secret store, which is not supported", "use the _file form", default=""
)


def tls_version(node: Node) -> str:
    """``TLS10`` to ``TLS13``."""
    written = text(node)
    if written not in TLS_VERSIONS:
        raise node.mark.error(f"unknown TLS version: {written}", f"use one of {', '.join(TLS_VERSIONS)}")
    return written


class TLSClientConfig(Section):
    """``tls_config`` of a client. ``ca``, ``cert`` and ``key`` hold PEM text, the ``_file`` forms a path."""

    ca: str = option(text, default="")
    cert: str = option(text, default="")
    key: str = option(secret, default=_NO_SECRET)
    ca_file: str = option(file_path, default="")
    cert_file: str = option(file_path, default="")
    key_file: str = option(file_path, default="")
    ca_ref: str = option(_secret_store, default="")
    cert_ref: str = option(_secret_store, default="")
    key_ref: str = option(_secret_store, default="")
    server_name: str = option(text, default="")
    insecure_skip_verify: bool = option(boolean, default=False, always=True)
    min_version: str = option(tls_version, default="")
    max_version: str = option(tls_version, default="")

    def check(self) -> None:
        """One source each; certificate and key together; versions in order."""
        self.at_most_one("ca", "ca_file")
        self.at_most_one("cert", "cert_file")
        self.at_most_one("key", "key_file")
        certificate, private_key = bool(self.cert or self.cert_file), bool(self.key or self.key_file)
        if certificate and not private_key:
            raise self.mark.error(
                "a client certificate needs its key: exactly one of key or key_file", "add key_file"
            )
        if private_key and not certificate:
            raise self.mark.error(
                "a client key needs its certificate: exactly one of cert or cert_file", "add cert_file"
            )
        check_versions(self, self.min_version, self.max_version)


class WorkingFolderTLS(TLSClientConfig):
    """``tls_config`` of ``email_configs``: relative file names start at the working directory, as in
    Alertmanager."""

    ca_file: str = option(text, default="")
    cert_file: str = option(text, default="")
    key_file: str = option(text, default="")


def check_versions(where: Section, lowest: str, highest: str) -> None:
    """``min_version`` is not above ``max_version``: Go takes that too, and then no handshake can succeed."""
    if lowest and highest and TLS_VERSIONS.index(lowest) > TLS_VERSIONS.index(highest):
        raise where.at("min_version").error(
            f"min_version {lowest} is above max_version {highest}: no connection could be made", "swap them"
        )


class BasicAuth(Section):
    """``basic_auth``. Each part is a value, or a file that is read at each request. Empty means absent."""

    username: str = option(text, default="")
    username_file: str = option(file_path, default="")
    username_ref: str = option(_secret_store, default="")
    password: str = option(secret, default=_NO_SECRET)
    password_file: str = option(file_path, default="")
    password_ref: str = option(_secret_store, default="")

    def check(self) -> None:
        """One source each."""
        self.at_most_one("username", "username_file", what="basic_auth ")
        self.at_most_one("password", "password_file", what="basic_auth ")


class Authorization(Section):
    """``authorization``: ``TYPE CREDENTIALS`` in the header. ``bearer_token`` is this with type Bearer."""

    type: str = option(text, default="Bearer", null="")
    credentials: str = option(secret, default=_NO_SECRET)
    credentials_file: str = option(file_path, default="")
    credentials_ref: str = option(_secret_store, default="")

    def check(self) -> None:
        """One source; not basic."""
        self.at_most_one("credentials", "credentials_file", what="authorization ")
        self.amend(type=self.type.strip() or "Bearer")
        if self.type.lower() == "basic":
            raise self.at("type").error(
                'authorization type cannot be set to "basic"', 'use "basic_auth" instead'
            )


class HTTPHeader(Section):
    """One of ``http_headers``: all of its values are sent, files read at each request."""

    values: tuple[str, ...] = option(list_of(text), default=())
    secrets: tuple[str, ...] = option(list_of(secret), default=())
    files: tuple[str, ...] = option(list_of(file_path), default=())


def _canonical_header(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def read_headers(node: Node) -> dict[str, HTTPHeader]:
    """Headers that may be set."""
    found = map_of(HTTPHeader.read)(node)
    for name, header in found.items():
        if _canonical_header(name) in _RESERVED_HEADERS:
            raise header.mark.error(f'setting header "{_canonical_header(name)}" is not allowed', "remove it")
        if not name.isascii() or not name.isprintable() or not name or set(name) & set(' ()<>@,;:\\"/[]?={}'):
            raise header.mark.error(f"{name!r} cannot be the name of a header")
    return found


def _secrets(node: Node) -> tuple[str, ...]:
    return list_of(secret)(node)


class ProxyConfig(Section):
    """The keys that say through which proxy a client goes; part of ``http_config`` and ``oauth2``."""

    proxy_url: str = option(any_url, default=_NO_PROXY, null=_NO_PROXY, empty=True)
    no_proxy: str = option(text, default="")
    proxy_from_environment: bool = option(boolean, default=False)
    proxy_connect_header: dict[str, tuple[str, ...]] = option(map_of(_secrets), default={})

    def check(self) -> None:
        """One source of the proxy; keys that only concern a proxy need one."""
        if self.proxy_from_environment and (self.proxy_url or self.no_proxy):
            given = "proxy_url" if self.proxy_url else "no_proxy"
            problem = f"if proxy_from_environment is configured, {given} must not be configured"
            raise self.at(given).error(problem, f"remove {given}")
        if self.no_proxy and not self.has("proxy_url"):
            raise self.at("no_proxy").error("if no_proxy is configured, proxy_url must also be configured")
        if self.proxy_connect_header and not (self.proxy_url or self.proxy_from_environment):
            raise self.at("proxy_connect_header").error(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be"
                " configured"
            )


def _claims(node: Node) -> dict[str, Any]:
    if not isinstance(node, Mapping):
        raise node.mark.error(f"expected a map, found {describe(node)}")
    found: dict[str, Any] = any_value(node)
    return found


class _OAuth2Keys(Section):
    """Keys that are shown before those of the proxy."""

    client_id: str = option(text, default="")
    client_secret: str = option(secret, default=_NO_SECRET)
    client_secret_file: str = option(file_path, default="")
    client_secret_ref: str = option(_secret_store, default="")
    client_certificate_key_id: str = option(text, default="")
    client_certificate_key: str = option(secret, default=_NO_SECRET)
    client_certificate_key_file: str = option(file_path, default="")
    client_certificate_key_ref: str = option(_secret_store, default="")
    grant_type: str = option(text, default="")
    signature_algorithm: str = option(text, default="")
    iss: str = option(text, default="")
    audience: str = option(text, default="")
    claims: dict[str, Any] = option(_claims, default={})
    scopes: tuple[str, ...] = option(list_of(text), default=())
    token_url: str = option(text, default="")
    endpoint_params: dict[str, str] = option(map_of(text), default={})
    tls_config: TLSClientConfig = option(TLSClientConfig.read, default=TLSClientConfig())


class OAuth2(_OAuth2Keys, ProxyConfig):
    """``oauth2``: the client-credentials grant (RFC 6749, 4.4), or the JWT bearer grant (RFC 7523)."""

    def check(self) -> None:
        """The client and the token URL are given; the secret that the grant needs has one source."""
        super().check()
        for name in ("client_id", "token_url"):
            if not self[name]:
                raise self.mark.error(f"oauth2 {name} must be configured", f"add {name}:")
        if self.grant_type == JWT_BEARER:
            self.at_most_one("client_certificate_key", "client_certificate_key_file", what="oauth2 ")
            if self.signature_algorithm and self.signature_algorithm not in _ALGORITHMS:
                raise self.at("signature_algorithm").error(
                    "valid signature algorithms are RS256, RS384 and RS512"
                )
        else:
            self.at_most_one("client_secret", "client_secret_file", what="oauth2 ")


class _ClientKeys(Section):
    """Keys that are shown before those of the proxy."""

    basic_auth: BasicAuth | None = option(BasicAuth.read, default=None)
    authorization: Authorization | None = option(Authorization.read, default=None)
    oauth2: OAuth2 | None = option(OAuth2.read, default=None)
    bearer_token: str = option(secret, default=_NO_SECRET)
    bearer_token_file: str = option(file_path, default="")
    tls_config: TLSClientConfig = option(TLSClientConfig.read, default=TLSClientConfig())
    follow_redirects: bool = option(boolean, default=True, always=True)
    enable_http2: bool = option(boolean, default=True, always=True)


class HTTPClientConfig(_ClientKeys, ProxyConfig):
    """``http_config`` as in Prometheus."""

    http_headers: dict[str, HTTPHeader] | None = option(read_headers, default=None)

    def check(self) -> None:
        """One kind of credentials. ``bearer_token`` and ``bearer_token_file`` become ``authorization``, which
        is what is used and shown."""
        self.at_most_one("bearer_token", "bearer_token_file")
        bearer = self.bearer_token or self.bearer_token_file
        if (self.basic_auth is not None or self.oauth2 is not None) and bearer:
            raise self.mark.error(
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"
            )
        if self.authorization is not None and bearer:
            raise self.mark.error(
                "authorization is not compatible with bearer_token & bearer_token_file", "remove the latter"
            )
        if sum(each is not None for each in (self.basic_auth, self.authorization, self.oauth2)) > 1:
            raise self.mark.error("at most one of basic_auth, oauth2 & authorization must be configured")
        if bearer:
            authorization = Authorization(
                credentials=self.bearer_token, credentials_file=self.bearer_token_file
            )
            self.amend(authorization=authorization, bearer_token=_NO_SECRET, bearer_token_file="")
        super().check()
