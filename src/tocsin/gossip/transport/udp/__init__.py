"""memberlist's default transport: packets as UDP datagrams, streams as TCP connections, one port number."""
