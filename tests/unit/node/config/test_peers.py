"""What --cluster.peer may say, and what a file of peers may hold."""

from __future__ import annotations

import pytest

from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.sources import MAX_ENTRIES, File, Literal, Name, Service, Source
from tocsin.node.config.peers import MAX_FILE_BYTES, parse_dns_server, parse_peer, parse_peer_file


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("10.0.0.1:9094", Literal(Address("10.0.0.1", 9094))),
        ("[::1]:9094", Literal(Address("::1", 9094))),
        ("[::ffff:10.0.0.1]:9094", Literal(Address("10.0.0.1", 9094))),
        ("node1.example:9094", Name("node1.example", 9094)),
        ("dns+pool.example:9094", Name("pool.example", 9094, dns=True)),
        ("dnssrv+_gossip._tcp.example.org", Service("_gossip._tcp.example.org")),
        ("file:/etc/tocsin/peers", File("/etc/tocsin/peers")),
        ("file:peers.yml", File("peers.yml")),
    ],
)
def test_every_form_is_read_and_shown_as_it_was_written(text: str, source: Source) -> None:
    assert parse_peer(text) == source
    assert str(source) == text.replace("[::ffff:10.0.0.1]", "10.0.0.1")


@pytest.mark.parametrize(
    "text",
    [
        "node1.example",
        "dns+pool.example",
        "dns+10.0.0.1:9094",
        "dnssrv+example.org",
        "dnssrv+_gossip._tcp",
        "dnssrv+gossip.tcp.example",
        "file:",
        ":9094",
        "http://node1:9094",
        "a b:1",
        "srv+x:1",
    ],
)
def test_what_is_none_of_them_is_refused_with_the_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--cluster\.peer"):
        parse_peer(text)


def test_a_file_has_one_peer_a_line_and_comments() -> None:
    text = b"# ours\n10.0.0.1:9094\n\n  node2:9094  # the second\ndns+pool:1\n10.0.0.1:9094\n"
    assert parse_peer_file("peers", text) == (
        Literal(Address("10.0.0.1", 9094)),
        Name("node2", 9094),
        Name("pool", 1, dns=True),
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("p.json", '[{"targets": ["10.0.0.1:9094", "b:1"], "labels": {"x": "y"}}, {"targets": []}]'),
        ("p.yml", "- targets: [10.0.0.1:9094, 'b:1']\n  labels: {x: y}\n- targets: []\n"),
        ("p.yaml", "- targets:\n  - 10.0.0.1:9094\n- targets:\n  - b:1\n"),
    ],
)
def test_a_file_may_be_as_prometheus_has_it(path: str, text: str) -> None:
    assert parse_peer_file(path, text.encode()) == (Literal(Address("10.0.0.1", 9094)), Name("b", 1))


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("p", b"a:1\nb\n", "p:2: missing port"),
        ("p", b"file:other\n", "another file"),
        ("p", b"\xff\xfe", "UTF-8"),
        ("p", b"x" * (MAX_FILE_BYTES + 1), "larger than"),
        ("p", b"".join(b"n%d:1\n" % n for n in range(MAX_ENTRIES + 1)), f"more than {MAX_ENTRIES}"),
        ("p.json", b"{", "cannot be read"),
        ("p.json", b'{"targets": []}', "has no list"),
        ("p.json", b'["a:1"]', "has no list"),
        ("p.json", b"[" * 100_000, "cannot be read"),
        ("p.yml", b"- targets: [[a]]", "has no list"),
        ("p.yml", b"a: [", "cannot be read"),
        ("p.yml", b"- !!python/object:os.system {}", "has no list"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(path: str, text: bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_peer_file(path, text)


def test_an_empty_file_lists_nobody() -> None:
    for path in ("p", "p.yml"):
        assert parse_peer_file(path, b"") == ()


def test_a_dns_server_is_an_address() -> None:
    assert parse_dns_server("10.0.0.1") == ("10.0.0.1", 53)
    assert parse_dns_server("10.0.0.1:5353") == ("10.0.0.1", 5353)
    assert parse_dns_server("::1") == ("::1", 53)
    assert parse_dns_server("[::1]:5353") == ("::1", 5353)
    for text in ("dns.example", "10.0.0.1:0", "10.0.0.1:x", ""):
        with pytest.raises(ValueError, match="not an address of a DNS server"):
            parse_dns_server(text)
