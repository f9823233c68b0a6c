"""TLS handshakes in memory: two contexts, no network."""

from __future__ import annotations

import ssl


def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, wanted: str | None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends, established. ``ssl.SSLError`` of whichever end refuses first.

    ``wanted``: the name or address that the client verifies.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_out, server_out = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        (client.wrap_bio(to_client, client_out, server_hostname=wanted), client_out, to_server),
        (server.wrap_bio(to_server, server_out, server_side=True), server_out, to_client),
    )
    done: set[int] = set()
    for _ in range(8):
        for number, (session, out, far) in enumerate(ends):
            try:
                session.do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                pass
            if out.pending:
                far.write(out.read())
        if len(done) == 2 and not client_out.pending and not server_out.pending:
            return ends[0][0], ends[1][0]
    raise AssertionError("the handshake does not end")
