"""Which proxy a request goes through: ``proxy_url``, ``no_proxy``, and the environment's variables.

The rules are those of Go's ``golang.org/x/net/http/httpproxy``, which Prometheus' clients use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from tocsin.config.httpclient import ProxyConfig
from tocsin.dataclass import dataclass

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Rule:
    """An entry of ``no_proxy``. ``port`` 0 means any."""

    network: IPv4Network | IPv6Network | None = None
    host: str = ""
    subdomains: str = ""
    port: int = 0

    def covers(self, host: str, port: int) -> bool:
        if self.port and self.port != port:
            return False
        if self.network is not None:
            address = _address(host)
            return address is not None and address in self.network
        return bool((self.host and host == self.host) or (self.subdomains and host.endswith(self.subdomains)))


class NoProxy:
    """The hosts that are reached directly: names (their subdomains too; after a leading dot or ``*.`` those
    alone), addresses, networks, each with a port or without; ``*`` is all."""

    def __init__(self, text: str) -> None:
        self._all = False
        self._rules: list[_Rule] = []
        for entry in text.split(","):
            entry = entry.strip().lower()
            if entry == "*":
                self._all = True
            elif entry:
                self._rules += _rules(entry)

    def covers(self, host: str, port: int) -> bool:
        """Whether ``host`` is reached directly. Loopback addresses and ``localhost`` always are."""
        host = host.lower().strip("[]").rstrip(".")
        address = _address(host)
        if self._all or host == "localhost" or (address is not None and address.is_loopback):
            return True
        return any(rule.covers(host, port) for rule in self._rules)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _rules(entry: str) -> list[_Rule]:
    if "/" in entry:
        try:
            return [_Rule(network=ip_network(entry, strict=False))]
        except ValueError:
            pass
    host, port = _split(entry)
    address = _address(host.strip("[]"))
    if address is not None:
        return [_Rule(network=ip_network(address), port=port)]
    if not host:
        return []
    if host.startswith("*."):
        host = host[1:]
    if host.startswith("."):
        return [_Rule(subdomains=host, port=port)]
    return [_Rule(host=host, subdomains=f".{host}", port=port)]


def _split(entry: str) -> tuple[str, int]:
    """Host and port. An IPv6 address without brackets has no port."""
    host, colon, port = entry.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or not port.isdecimal():
        return entry, 0
    return host, int(port)


def proxy_chooser(config: ProxyConfig, environment: Mapping[str, str]) -> Callable[[str, str, int], str]:
    """A function of scheme, host and port that gives the proxy's URL, empty for none."""
    if config.proxy_from_environment:
        return _from_environment(environment)
    if not config.proxy_url:
        return lambda _scheme, _host, _port: ""
    if not config.no_proxy:
        return lambda _scheme, _host, _port: config.proxy_url
    direct = NoProxy(config.no_proxy)
    return lambda _scheme, host, port: "" if direct.covers(host, port) else config.proxy_url


def _from_environment(environment: Mapping[str, str]) -> Callable[[str, str, int], str]:
    def variable(name: str) -> str:
        return environment.get(name, "") or environment.get(name.lower(), "")

    # In a CGI program HTTP_PROXY may be a header of the request.
    plain = "" if environment.get("REQUEST_METHOD") else variable("HTTP_PROXY")
    proxies = {"http": _with_scheme(plain), "https": _with_scheme(variable("HTTPS_PROXY"))}
    direct = NoProxy(variable("NO_PROXY"))

    def choose(scheme: str, host: str, port: int) -> str:
        proxy = proxies.get(scheme, "")
        return "" if not proxy or direct.covers(host, port) else proxy

    return choose


def _with_scheme(proxy: str) -> str:
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def default_port(scheme: str) -> int:
    """The default port of ``http`` or ``https``."""
    return _PORTS[scheme]
