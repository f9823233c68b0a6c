"""``tocsin/1`` without I/O: a session that multiplexes packets and streams on one connection."""
