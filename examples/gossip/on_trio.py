"""A driver for trio: the core does no I/O, so sockets, a clock and a loop are all that is needed:
the hundred lines before ``main``."""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random

import trio
from trio import current_time

import tocsin.gossip as gossip
from tocsin.gossip import Address, OpenStream, SendPacket


class TrioGossip:
    """memberlist's UDP and TCP. ``run`` works until its nursery is cancelled."""

    def __init__(self, config: gossip.GossipConfig, on_event: Callable[[gossip.Event], None]) -> None:
        self._config = config
        self._on_event = on_event
        self._codec = gossip.StreamCodec(config.label)
        self._udp = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._wake = trio.Event()

    async def run(self, name: str, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED) -> None:
        listener, *_ = await trio.open_tcp_listeners(0, host="127.0.0.1")
        address = Address(*listener.socket.getsockname())
        await self._udp.bind(tuple(address))
        now = current_time()
        self.endpoint = gossip.Endpoint(self._config, name=name, address=address, now=now, random=Random())
        self.endpoint.start(now)
        with self._udp:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._packets)
                nursery.start_soon(trio.serve_listeners, self._answer, [listener])
                task_status.started(address)
                await self._work(nursery)

    def join(self, address: Address) -> None:
        self.endpoint.join(address, current_time())
        self._wake.set()

    async def _work(self, nursery: trio.Nursery) -> None:
        """Do what the core wants; then sleep until something happens or its next timeout."""
        while True:
            for effect in self.endpoint.drain():
                if isinstance(effect, SendPacket):
                    await self._udp.sendto(effect.data, tuple(effect.destination))
                elif isinstance(effect, OpenStream):
                    nursery.start_soon(self._exchange, effect)
                else:
                    self._on_event(effect)
            due = self.endpoint.next_timeout()
            with trio.move_on_at(float("inf") if due is None else due):
                await self._wake.wait()
            self._wake = trio.Event()
            self.endpoint.handle_timeout(current_time())

    async def _packets(self) -> None:
        while True:
            data, (host, port) = await self._udp.recvfrom(65_536)
            self.endpoint.receive_packet(data, Address(host, port), current_time())
            self._wake.set()

    async def _answer(self, stream: trio.SocketStream) -> None:
        with trio.move_on_after(self._config.stream_timeout):
            async with stream:
                remote = Address(*stream.socket.getpeername())
                message = await read(stream, self._codec.decoder())
                for data in self.endpoint.receive_stream(message, remote, current_time()):
                    await stream.send_all(data)
        self._wake.set()

    async def _exchange(self, action: OpenStream) -> None:
        error = "no outcome by the deadline"
        with trio.move_on_at(action.deadline):
            try:
                async with await trio.open_tcp_stream(*action.destination) as stream:
                    for data in action.writes:
                        await stream.send_all(data)
                    decoder = self._codec.decoder(reply=True)
                    reply = await read(stream, decoder) if action.expects_reply else None
                self.endpoint.stream_replied(action.exchange, reply, current_time())
                error = ""
            except (OSError, trio.BrokenResourceError, ValueError) as failure:
                error = str(failure)
        if error:
            self.endpoint.stream_failed(action.exchange, error, current_time())
        self._wake.set()


async def read(stream: trio.SocketStream, decoder: gossip.StreamDecoder) -> gossip.Message:
    async for data in stream:
        if (message := decoder.feed(bytes(data))) is not None:
            return message
    raise ValueError("the stream ended without a message")


async def main() -> None:
    async with trio.open_nursery() as nursery:
        alice, bob = (TrioGossip(gossip.GossipConfig.local(), print) for _ in range(2))
        address: Address = await nursery.start(alice.run, "alice")
        await nursery.start(bob.run, "bob")
        bob.join(address)
        with trio.fail_after(30):
            while len(alice.endpoint.members()) < 2:
                await trio.sleep(0.01)
        print(*sorted(member.name for member in alice.endpoint.members()))
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
