"""Every bound of the wire, with its reason. Sizes are bytes."""

from __future__ import annotations

from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may make us hold or do. Go peers take lengths as they are sent; we do not."""

    packet: int = 4 * 1024 * 1024
    """One packet. Go sends up to about 1,407; over TLS a packet may be larger."""
    unpacked: int = 64 * 1024
    """All that one packet unpacks to. Go compresses packets of about 1,407 bytes and a datagram holds 65,507;
    LZW packs zeros 1,000 to 1, so more would let a kilobyte hold the event loop."""
    depth: int = 8
    """Compound in compound, compress in compound and so on. Go peers never nest more than two."""
    compound_parts: int = 255
    """The count is one byte."""
    packet_messages: int = 1024
    """Messages in one packet, nested ones included. Go fills a packet with at most 255; each costs a few
    microseconds, and a packet is taken at once."""
    packet_problems: int = 32
    """Parts of one packet that cannot be read; past it the rest is ignored."""
    stream: int = 40 * 1024 * 1024
    """What one stream message unpacks to. memberlist's own cap since 0.6."""
    sealed: int = 20 * 1024 * 1024
    """The announced length of an encrypted stream message; memberlist's own cap."""
    user_state: int = 20 * 1024 * 1024
    """``UserStateLen`` and ``UserMsgLen``; memberlist's own cap."""
    nodes: int = 32768
    """Entries of one push/pull, twice what a member keeps. memberlist allows 1,048,576, which no cluster of
    Alertmanagers comes near."""
    maps: int = 12 * 1024 * 1024
    """All maps of one stream message, together: read they take about twice as much."""
    header: int = 64 * 1024
    """One map: a message of a packet (user messages have none), or of a stream the header or one node. Values
    are built before their keys are known, and an empty array of one byte becomes 64."""
    text: int = 1024
    """A node's name. Host names end at 253 and ULIDs at 26."""
    error_text: int = 4096
    array: int = 1024
    """A byte string may come as an array of small integers; msgpack reserves memory for announced lengths."""
    map_pairs: int = 64
    """Keys of a message, known and unknown."""


DEFAULT_LIMITS = Limits()
