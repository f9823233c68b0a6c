"""Packets: messages and the layers around them (wire 1.9).

Sending: compound if several, compress if smaller, checksum, encrypt, label. Receiving is the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import WireError
from tocsin.gossip.wire import checksum as crc
from tocsin.gossip.wire import lzw
from tocsin.gossip.wire.codec import decode_message
from tocsin.gossip.wire.compound import MAX_PART_BYTES, MAX_PARTS, encode_compound, split_compound
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.label import label_header, strip_label
from tocsin.gossip.wire.limits import DEFAULT_LIMITS, Limits
from tocsin.gossip.wire.messages import Message, MessageType
from tocsin.gossip.wire.msgpack import octets, pack, unpack_fields, unsigned

_LAYER: Final = "packet"
_WORTH_COMPRESSING: Final = 64
"""Below it the map around the result alone makes the packet longer."""


@dataclass(slots=True)
class DecodedPacket:
    """What a packet held. A part that cannot be read is a problem; the parts beside it are good."""

    messages: list[Message] = field(default_factory=list)
    problems: list[WireError] = field(default_factory=list)
    sealed: bool = False
    """It was opened with a key of ours."""


class PacketCodec:
    """The layers of one cluster: its label and keyring, and whether to compress what is sent."""

    def __init__(
        self,
        label: bytes = b"",
        keyring: Keyring | None = None,
        compression: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.limits = limits
        self._label = label
        self._header = label_header(label)
        self._keyring = keyring
        self._compression = compression

    @property
    def overhead(self) -> int:
        """Bytes that label and encryption add; a checksum is not counted, as in Go's budgets."""
        return len(self._header) + (self._keyring.overhead if self._keyring is not None else 0)

    def encode(self, messages: Sequence[bytes], *, checksum: bool) -> list[bytes]:
        """Encoded messages as packets: a single one bare, several as compounds of up to 255.

        A message too long for a compound's table of lengths goes in a packet of its own.
        """
        if len(messages) == 1:
            return [self._wrap(messages[0], checksum)]
        small = [message for message in messages if len(message) <= MAX_PART_BYTES]
        packets = [self._wrap(m, checksum) for m in messages if len(m) > MAX_PART_BYTES]
        for start in range(0, len(small), MAX_PARTS):
            chunk = small[start : start + MAX_PARTS]
            packets.append(self._wrap(chunk[0] if len(chunk) == 1 else encode_compound(chunk), checksum))
        return packets

    def decode(self, data: bytes) -> DecodedPacket:
        """All messages of a packet. Never raises: what cannot be read, up to the whole, is a problem."""
        packet = DecodedPacket()
        try:
            if len(data) > self.limits.packet:
                raise WireError(_LAYER, f"{len(data)} bytes, at most {self.limits.packet} are allowed")
            data = strip_label(data, self._label)
            if self._keyring is not None:
                try:
                    data = self._keyring.open(data, self._label)
                    packet.sealed = True
                except WireError:
                    if self._keyring.verify_incoming:
                        raise
            if data[:1] == b"\x0c":
                data = crc.verify_checksum(data)
        except WireError as error:
            packet.problems.append(_light(error))
            return packet
        # The bound holds for all that the packet unpacks to, however many layers share it.
        budget = min(self.limits.packet, self.limits.unpacked)
        layers = [(data, 0)]
        while layers and len(packet.problems) < self.limits.packet_problems:
            data, depth = layers.pop()
            try:
                if depth > self.limits.depth:
                    raise WireError(_LAYER, f"more than {self.limits.depth} layers")
                kind = data[0] if data else -1
                if kind == MessageType.COMPOUND:
                    parts, cut = split_compound(data[1:])
                    layers.extend((part, depth + 1) for part in reversed(parts))
                    if cut:
                        raise WireError("compound", f"{cut} messages are cut off")
                elif kind == MessageType.COMPRESS:
                    unpacked = self._decompress(data, budget)
                    budget -= len(unpacked)
                    layers.append((unpacked, depth + 1))
                elif len(packet.messages) < self.limits.packet_messages:
                    packet.messages.append(decode_message(data, self.limits))
                else:
                    layers.clear()
                    raise WireError(_LAYER, f"more than {self.limits.packet_messages} messages")
            except WireError as error:
                packet.problems.append(_light(error))
        return packet

    def _wrap(self, data: bytes, checksum: bool) -> bytes:
        if self._compression and _WORTH_COMPRESSING < len(data) <= self.limits.header:
            data = min(data, compressed(data), key=len)
        if checksum:
            data = crc.add_checksum(data)
        if self._keyring is not None and self._keyring.verify_outgoing:
            data = self._keyring.seal(data, self._label)
        return self._header + data

    def _decompress(self, data: bytes, maximum: int) -> bytes:
        if len(data) > self.limits.header:
            raise WireError("lzw", f"{len(data)} compressed bytes, at most {self.limits.header} are allowed")
        fields = unpack_fields(data[1:], self.limits)
        if (algorithm := unsigned(fields, b"Algo")) != 0:
            raise WireError("lzw", f"compression algorithm {algorithm} is unknown")
        return lzw.decompress(octets(fields, b"Buf", self.limits.header), maximum)


def _light(error: WireError) -> WireError:
    """``error`` without the frames that raised it: they hold what the bomb had unpacked to."""
    error.__context__ = None
    return error.with_traceback(None)


def compressed(data: bytes) -> bytes:
    """``data`` as a compress message: type 9, then the map of algorithm (0, LZW) and bytes."""
    return b"\x09" + pack({"Algo": 0, "Buf": lzw.compress(data)})
