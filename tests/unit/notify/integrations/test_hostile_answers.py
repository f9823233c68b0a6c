"""A receiver that answers with more than anybody wants to read: packed, or without end."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

import pytest

from tocsin.config.httpclient import HTTPClientConfig
from tocsin.notify.integrations.base import NotifyError
from tocsin.notify.integrations.http import MAX_ANSWER_BYTES, HTTPClient

PACKED = gzip.compress(bytes(64 << 20))


@pytest.mark.parametrize("status", [200, 500, 302])
@pytest.mark.parametrize("kind", ["packed", "endless"])
def test_no_answer_takes_much_memory(status: int, kind: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        again = b" /again" in asked.partition(b"\r\n")[0]
        head = [f"HTTP/1.1 {500 if again else status} x", "Location: /again", "Connection: close"]
        if kind == "packed":
            head += ["Content-Encoding: gzip", f"Content-Length: {len(PACKED)}"]
        writer.write("\r\n".join([*head, "", ""]).encode())
        try:
            if kind == "packed":
                writer.write(PACKED)
            else:
                for _ in range(64 << 4):
                    writer.write(bytes(1 << 16))
                    await writer.drain()
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    async def story() -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        place = server.sockets[0].getsockname()
        client = HTTPClient(HTTPClientConfig(follow_redirects=True))
        tracemalloc.start()
        try:
            answer = await client.post(f"http://127.0.0.1:{place[1]}/", b"{}")
            assert len(answer.body) <= MAX_ANSWER_BYTES
        except NotifyError:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await client.close()
        server.close()
        return peak

    assert asyncio.run(story()) < 16 << 20
