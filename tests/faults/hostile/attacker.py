"""A machine with bad intent: raw connections to a node, with a valid certificate or without one."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tocsin.certificates import NodeFiles
from tocsin.gossip.transport.mux.session import MuxSession
from tocsin.gossip.transport.mux.settings import MuxConfig
from tocsin.gossip.transport.mux.stream import MuxStream
from tocsin.gossip.wire.framing import STREAM_HEADER, encode_packet_frame
from tocsin.gossip.wire.mux import PROTOCOL

SOURCE = "127.0.0.9"
"""Not the nodes' own host: what is bounded for each host is bounded for this one."""
CLAIMED = f"{SOURCE}:9094"
BROKEN = (OSError, ssl.SSLError)
"""What a node does to whoever it does not like."""


class Link:
    """A TLS connection in Alertmanager's framing."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.progress = 0

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def packets(self, packets: list[bytes]) -> None:
        self.sock.sendall(b"".join(encode_packet_frame(data, CLAIMED) for data in packets))

    def stream(self, data: bytes, *, answer: float = 0.0) -> bytes:
        """Turn into a stream and write; then read for ``answer`` seconds, until the peer closes."""
        self.sock.sendall(STREAM_HEADER)
        self.sock.sendall(data)
        return drain(self.sock, answer)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()


class Mux(Link):
    """A connection that speaks ``tocsin/1``, after its greeting. :meth:`frame` need not keep the rules."""

    def __init__(self, sock: ssl.SSLSocket, *, greet: bool = True) -> None:
        super().__init__(sock)
        self.session = MuxSession(
            MuxConfig(max_queued_packets=1 << 20, max_queued_bytes=1 << 30), 0, dialler=True
        )
        self.broken = ""
        if greet:
            self.session.send_hello(instance=bytes(16), address=CLAIMED, sequence=1, current=0, two_way=False)
            self.pump(lambda: self.session.open, 10.0)

    def pump(self, until: Callable[[], bool], limit: float) -> bool:
        """Send and receive until a condition holds; whether it does."""
        end = time.monotonic() + limit
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            data = self.session.data_to_send(256 * 1024)
            if data:
                self.sock.sendall(data)
                continue
            if not self.sock.pending() and not select.select([self.sock], [], [], min(left, 0.05))[0]:
                continue
            received = self.sock.recv(65536)
            if not received:
                raise ConnectionResetError("closed by the node")
            while self.session.receive(received, 0.0):
                received = b""
            self.session.events()
        return True

    def packets(self, packets: list[bytes]) -> None:
        for data in packets:
            self.session.send_packet(data)
        self.flush()

    def flush(self) -> None:
        """Send what is queued; wait for nothing."""
        while data := self.session.data_to_send(256 * 1024):
            self.sock.sendall(data)

    def open(self) -> MuxStream:
        return self.session.open_stream()

    def stream(self, data: bytes, *, answer: float = 0.0) -> bytes:
        stream = self.open()
        self.session.write(stream, data)
        self.session.finish(stream)
        got: list[bytes] = []

        def over() -> bool:
            if stream.unread:
                got.append(self.session.read(stream))
            return stream.over or bool(stream.error)

        self.pump(over, answer or 30.0)
        return b"".join(got)


@dataclass
class Attacker:
    """Connects to one node. What it leaves open is kept in ``held`` until it is closed."""

    host: str
    port: int
    files: NodeFiles | None = None
    carrier: str = "framing"
    other: str = CLAIMED
    """The address of another member."""
    held: list[Link | socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for one in self.held:
            with contextlib.suppress(OSError):
                one.close()
        self.held.clear()

    def tcp(self, timeout: float = 15.0, source: str = "") -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, source_address=(source or SOURCE, 0))

    def context(self, *protocols: str) -> ssl.SSLContext:
        """Takes any server, and shows the attacker's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if self.files is not None:
            context.load_cert_chain(self.files.certificate, self.files.key)
        return context

    def tls(self, *protocols: str, small_window: bool = False) -> ssl.SSLSocket:
        context = self.context(*protocols)
        plain = self.tcp()
        if small_window:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            return context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def link(self, *, greet: bool = True, small_window: bool = False) -> Link:
        """A connection of the carrier under attack."""
        if self.carrier == "framing":
            return Link(self.tls(small_window=small_window))
        return Mux(self.tls(PROTOCOL, small_window=small_window), greet=greet)

    def mux(self, *, greet: bool = True) -> Mux:
        return Mux(self.tls(PROTOCOL), greet=greet)

    def hold(self, one: Link) -> Link:
        self.held.append(one)
        return one

    def packets(self, packets: list[bytes]) -> None:
        """Over a connection of its own, closed in an orderly way once the node has taken them."""
        link = self.link()
        try:
            link.packets(packets)
            if isinstance(link, Mux):
                stream = link.open()
                link.session.finish(stream)  # An empty stream: answered only after the packets.
                link.pump(lambda: stream.over or bool(stream.error), 30.0)
            else:
                link.sock.unwrap()
        finally:
            link.close()

    def datagrams(self, packets: list[bytes]) -> None:
        """By UDP, in clear text."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((SOURCE, 0))
            for data in packets:
                sock.sendto(data, (self.host, self.port))

    def stream(self, data: bytes, *, answer: float = 5.0) -> bytes:
        """One stream on a connection of its own."""
        link = self.link()
        try:
            return link.stream(data, answer=answer)
        finally:
            link.close()


def drain(sock: ssl.SSLSocket, seconds: float) -> bytes:
    """What the node answers, until it closes or the time is over."""
    got: list[bytes] = []
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            data = sock.recv(65536)
            if not data:
                break
            got.append(data)
    with contextlib.suppress(OSError):
        sock.settimeout(15.0)
    return b"".join(got)
