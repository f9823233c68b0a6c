"""Which requests go through which proxy: the rules of Go's httpproxy, case by case."""

from __future__ import annotations

import pytest

from tocsin.config.httpclient import ProxyConfig
from tocsin.notify.integrations.proxies import NoProxy, proxy_chooser

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("10.0.0.0/8", "10.9.9.9", 80, True),
        ("10.0.0.0/8", "11.9.9.9", 80, False),
        ("10.0.0.0/8", "ten.example", 80, False),  # a name is not looked up
        ("2001:db8::/32", "2001:db8::7", 443, True),
        ("10.9.9.9", "10.9.9.9", 80, True),
        ("10.9.9.9:81", "10.9.9.9", 80, False),
        ("10.9.9.9:80", "10.9.9.9", 80, True),
        ("[2001:db8::7]:443", "2001:db8::7", 443, True),
        ("[2001:db8::7]:443", "2001:db8::7", 80, False),
        ("example.org", "example.org", 80, True),
        ("example.org", "a.example.org", 80, True),
        ("example.org", "anexample.org", 80, False),
        (".example.org", "example.org", 80, False),
        (".example.org", "a.example.org", 80, True),
        ("*.example.org", "a.example.org", 80, True),
        ("*.example.org", "example.org", 80, False),
        ("example.org:8080", "example.org", 8080, True),
        ("example.org:8080", "example.org", 80, False),
        ("EXAMPLE.org , other.org", "Example.ORG", 80, True),
        ("a.org b.org", "b.org", 80, False),  # commas divide, spaces do not
        ("*", "anything.example", 80, True),
        ("", "localhost", 80, True),
        ("", "127.8.9.1", 80, True),
        ("", "::1", 80, True),
        ("", "anything.example", 80, False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, port: int, direct: bool) -> None:
    assert NoProxy(no_proxy).covers(host, port) is direct


def test_without_no_proxy_this_machine_goes_through_the_proxy_too() -> None:
    choose = proxy_chooser(ProxyConfig(proxy_url=PROXY), {})
    assert choose("http", "127.0.0.1", 80) == PROXY
    choose = proxy_chooser(ProxyConfig(proxy_url=PROXY, no_proxy="a.example"), {})
    assert choose("http", "127.0.0.1", 80) == ""
    assert choose("https", "b.example", 443) == PROXY


@pytest.mark.parametrize(
    ("environment", "scheme", "expected"),
    [
        ({"HTTP_PROXY": "p:1"}, "http", "http://p:1"),
        ({"http_proxy": "http://p:1"}, "http", "http://p:1"),
        ({"HTTP_PROXY": "p:1"}, "https", ""),
        ({"HTTPS_PROXY": "socks5://p:1"}, "https", "socks5://p:1"),
        ({"HTTP_PROXY": "p:1", "NO_PROXY": "h.example"}, "http", ""),
        ({"HTTP_PROXY": "p:1", "no_proxy": ".example"}, "http", ""),
        ({"HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"}, "http", ""),
        ({}, "http", ""),
    ],
)
def test_the_environment(environment: dict[str, str], scheme: str, expected: str) -> None:
    choose = proxy_chooser(ProxyConfig(proxy_from_environment=True), environment)
    assert choose(scheme, "h.example", 80) == expected
    assert proxy_chooser(ProxyConfig(), environment)(scheme, "h.example", 80) == ""
