"""``http_config``: how a receiver is reached. The sections of the file, and what the domain gets of them."""

# ruff: noqa: RUF009 - an option is a field, as dataclasses.field() is

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tocsin.alerting.config import (
    Authorization,
    BasicAuth,
    HTTPClientConfig,
    HTTPHeader,
    ProxyConfig,
    TLSClientConfig,
)
from tocsin.node.config.scalars import boolean, mask_password, url
from tocsin.node.config.schema import (
    Reader,
    Secret,
    Section,
    list_of,
    map_of,
    option,
    refused,
    secret,
    section,
    text,
)
from tocsin.node.config.yaml import Mark, Node, Scalar

TLS_VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
_NO_SECRET = Secret("")

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

_secret_store = refused(
    "secrets by reference need a secret store, which is not offered", "use the _file form"
)


def tls_version(node: Node) -> str:
    """``TLS10`` to ``TLS13``."""
    written = text(node)
    if written not in TLS_VERSIONS:
        raise node.mark.error(f"unknown TLS version: {written}", f"use one of {', '.join(TLS_VERSIONS)}")
    return written


@dataclass(kw_only=True)
class TLSSection(Section):
    """``tls_config`` of a client, also the ``tls_client_config`` of the cluster's TLS file."""

    ca: str = option(text, "")
    cert: str = option(text, "")
    key: Secret = option(secret, _NO_SECRET)
    ca_file: str = option(text, "")
    cert_file: str = option(text, "")
    key_file: str = option(text, "")
    ca_ref: str = option(_secret_store, "")
    cert_ref: str = option(_secret_store, "")
    key_ref: str = option(_secret_store, "")
    server_name: str = option(text, "")
    insecure_skip_verify: bool = option(boolean, False, always=True)
    min_version: str = option(tls_version, "")
    max_version: str = option(tls_version, "")


def check_tls(tls: TLSSection) -> None:
    """One source each; certificate and key together; versions in order."""
    at_most_one(tls, "ca", "ca_file")
    at_most_one(tls, "cert", "cert_file")
    at_most_one(tls, "key", "key_file")
    certificate, private_key = bool(tls.cert or tls.cert_file), bool(tls.key or tls.key_file)
    if certificate and not private_key:
        raise tls.mark.error(
            "a client certificate needs its key: exactly one of key or key_file", "add key_file"
        )
    if private_key and not certificate:
        raise tls.mark.error(
            "a client key needs its certificate: exactly one of cert or cert_file", "add cert_file"
        )
    check_versions(tls, tls.min_version, tls.max_version)


def check_versions(where: Section, lowest: str, highest: str) -> None:
    """``min_version`` is not above ``max_version``: Go takes that too, and then no handshake can succeed."""
    if lowest and highest and TLS_VERSIONS.index(lowest) > TLS_VERSIONS.index(highest):
        raise where.at("min_version").error(
            f"min_version {lowest} is above max_version {highest}: no connection could be made", "swap them"
        )


def at_most_one(where: Section, *names: str, what: str = "") -> None:
    """Refuse a section that gives more than one of ``names``."""
    given = [name for name in names if getattr(where, name)]
    if len(given) > 1:
        problem = f"at most one of {what}{' & '.join(names)} must be configured"
        raise where.at(given[1]).error(problem, f"remove {given[1]}")


@dataclass(kw_only=True)
class BasicAuthSection(Section):
    """``basic_auth``."""

    username: str = option(text, "")
    username_file: str = option(text, "")
    username_ref: str = option(_secret_store, "")
    password: Secret = option(secret, _NO_SECRET)
    password_file: str = option(text, "")
    password_ref: str = option(_secret_store, "")


def _check_basic_auth(auth: BasicAuthSection) -> None:
    at_most_one(auth, "username", "username_file", what="basic_auth ")
    at_most_one(auth, "password", "password_file", what="basic_auth ")


@dataclass(kw_only=True)
class AuthorizationSection(Section):
    """``authorization``."""

    type: str = option(text, "")
    credentials: Secret = option(secret, _NO_SECRET)
    credentials_file: str = option(text, "")
    credentials_ref: str = option(_secret_store, "")


def _check_authorization(auth: AuthorizationSection) -> None:
    at_most_one(auth, "credentials", "credentials_file", what="authorization ")
    auth.type = auth.type.strip() or "Bearer"
    if auth.type.lower() == "basic":
        raise auth.at("type").error('authorization type cannot be set to "basic"', 'use "basic_auth" instead')


@dataclass(kw_only=True)
class HeaderSection(Section):
    """One of ``http_headers``."""

    values: tuple[str, ...] = option(list_of(text), ())
    secrets: tuple[Secret, ...] = option(list_of(secret), ())
    files: tuple[str, ...] = option(list_of(text), ())


def _canonical_header(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _headers(node: Node) -> dict[str, HeaderSection]:
    found = map_of(section(HeaderSection))(node)
    for name, header in found.items():
        if _canonical_header(name) in _RESERVED_HEADERS:
            raise header.mark.error(f'setting header "{_canonical_header(name)}" is not allowed', "remove it")
        if not name.isascii() or not name.isprintable() or not name or set(name) & set(' ()<>@,;:\\"/[]?={}'):
            raise header.mark.error(f"{name!r} cannot be the name of a header")
    return found


def _proxy_headers(node: Node) -> dict[str, tuple[Secret, ...]]:
    def one_or_more(value: Node) -> tuple[Secret, ...]:
        return (secret(value),) if isinstance(value, Scalar) else list_of(secret)(value)

    return map_of(one_or_more)(node)


@dataclass(kw_only=True)
class HTTPClientSection(Section):
    """``http_config``."""

    basic_auth: BasicAuthSection | None = option(section(BasicAuthSection, _check_basic_auth), None)
    authorization: AuthorizationSection | None = option(
        section(AuthorizationSection, _check_authorization), None
    )
    oauth2: Any = option(
        refused("oauth2 is not offered by this version", "use authorization with credentials_file"), None
    )
    bearer_token: Secret = option(secret, _NO_SECRET)
    bearer_token_file: str = option(text, "")
    tls_config: TLSSection | None = option(section(TLSSection, check_tls), None)
    follow_redirects: bool = option(boolean, True, always=True)
    enable_http2: bool = option(boolean, True, always=True)
    proxy_url: str = option(url, "", show=mask_password)
    no_proxy: str = option(text, "")
    proxy_from_environment: bool = option(boolean, False)
    proxy_connect_header: dict[str, tuple[Secret, ...]] = option(_proxy_headers, {})
    http_headers: dict[str, HeaderSection] | None = option(_headers, None)


def _check_http(http: HTTPClientSection) -> None:
    at_most_one(http, "bearer_token", "bearer_token_file")
    bearer = http.bearer_token or http.bearer_token_file
    if http.basic_auth is not None and bearer:
        raise http.mark.error(
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"
        )
    if http.authorization is not None:
        if bearer:
            raise http.mark.error(
                "authorization is not compatible with bearer_token & bearer_token_file", "remove the latter"
            )
        if http.basic_auth is not None:
            raise http.mark.error("at most one of basic_auth, oauth2 & authorization must be configured")
    elif bearer:
        # The old keys are shown, as they are used, in their new form.
        http.authorization = AuthorizationSection(
            mark=http.mark,
            type="Bearer",
            credentials=http.bearer_token,
            credentials_file=http.bearer_token_file,
        )
        http.bearer_token, http.bearer_token_file = _NO_SECRET, ""
    if http.proxy_from_environment and (http.proxy_url or http.no_proxy):
        given = "proxy_url" if http.proxy_url else "no_proxy"
        problem = f"if proxy_from_environment is configured, {given} must not be configured"
        raise http.at(given).error(problem, f"remove {given}")
    if http.no_proxy and not http.proxy_url:
        raise http.at("no_proxy").error("if no_proxy is configured, proxy_url must also be configured")
    if http.proxy_connect_header and not (http.proxy_url or http.proxy_from_environment):
        raise http.at("proxy_connect_header").error(
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be"
            " configured"
        )


read_http: Reader[HTTPClientSection] = section(HTTPClientSection, _check_http)


def resolver(directory: str) -> Callable[[str], str]:
    """Joins a relative path to ``directory``; empty stays empty."""
    return lambda path: posixpath.normpath(posixpath.join(directory, path)) if path else ""


def resolve_files(http: HTTPClientSection, directory: str) -> None:
    """Resolve every file name of the section against ``directory``, in place: so they are shown too."""
    join = resolver(directory)
    for part in (http.basic_auth, http.authorization, http.tls_config):
        if part is None:
            continue
        for declared in dataclasses.fields(part):
            if declared.name.endswith("_file"):
                setattr(part, declared.name, join(getattr(part, declared.name)))
    for header in (http.http_headers or {}).values():
        header.files = tuple(map(join, header.files))


def http_client_config(http: HTTPClientSection) -> HTTPClientConfig:
    """What the domain gets."""
    basic, authorization = http.basic_auth, http.authorization
    tls = http.tls_config or TLSSection(mark=Mark("", 1, 1))
    return HTTPClientConfig(
        basic_auth=None
        if basic is None
        else BasicAuth(
            username=basic.username,
            username_file=basic.username_file,
            password=basic.password,
            password_file=basic.password_file,
        ),
        authorization=None
        if authorization is None
        else Authorization(
            type=authorization.type,
            credentials=authorization.credentials,
            credentials_file=authorization.credentials_file,
        ),
        tls=TLSClientConfig(
            ca=tls.ca,
            ca_file=tls.ca_file,
            cert=tls.cert,
            cert_file=tls.cert_file,
            key=tls.key,
            key_file=tls.key_file,
            server_name=tls.server_name,
            insecure_skip_verify=tls.insecure_skip_verify,
            min_version=tls.min_version,
            max_version=tls.max_version,
        ),
        proxy=ProxyConfig(
            url=http.proxy_url,
            no_proxy=http.no_proxy,
            from_environment=http.proxy_from_environment,
            connect_header=MappingProxyType(dict(http.proxy_connect_header)),
        ),
        follow_redirects=http.follow_redirects,
        enable_http2=http.enable_http2,
        headers=MappingProxyType(
            {
                name: HTTPHeader(values=header.values, secrets=header.secrets, files=header.files)
                for name, header in (http.http_headers or {}).items()
            }
        ),
    )
