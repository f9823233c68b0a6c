"""One DTLS association without I/O: datagrams and the time in, datagrams and plaintext out.

OpenSSL does the cryptography and the handshake's messages. Ours are the datagrams (OpenSSL glues records
together), and the timer: its own runs on the system's clock only. A flight is sent again as it was, byte
for byte; a receiver drops the records that it has seen. Nothing is ever sealed twice under one number, since
nothing is sealed again.

The dialling side has the timer. The other repeats its flight when the dialling side repeats its own, and
never by itself: so a handshake that was given up does not disturb the next one from the same address.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from tocsin.errors import TransportError
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.dtls.openssl import SSL
from tocsin.gossip.transport.dtls.records import (
    ALERT,
    DATA,
    HANDSHAKE,
    Record,
    access_denied,
    pack_datagrams,
    read_records,
)
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig
from tocsin.gossip.transport.dtls.verification import Rule, Verification
from tocsin.tls.names import subject_alternative_names
from tocsin.tls.refusal import RefusalError, named_refusal

_READ_SIZE: Final = 2**14
_SEEN_LIMIT: Final = 64
"""Pieces of handshake messages remembered, to notice that the peer repeats itself; there are about ten."""
MAX_HANDSHAKE_BYTES: Final = 64 * 1024
"""All messages of a peer's handshake together. OpenSSL keeps what comes early, and takes the room for a whole
message with its first piece: eleven of 100 KB each, before anybody has shown a certificate."""
MAX_MESSAGES: Final = 16
"""Of a peer's handshake, and pieces of them in one record: a whole handshake has seven at most. Each that is
announced costs a look at its header and an entry here."""
MAX_EARLY: Final = 16
"""Records under keys that are not there yet, which OpenSSL keeps too, each in a buffer of 16 KB."""
MAX_OTHERS: Final = 64
"""Records in clear beside the messages of a handshake: one changes the cipher, and is said again with its
flight. OpenSSL drops those that are out of place, one by one."""
_KEYS_ARE_THERE: Final = b"SSLv3/TLS read change cipher spec"
"""OpenSSL's word for it. From then on it opens records of epoch 1 at once, and drops forged ones."""
MAX_LATE: Final = 64
"""Records of a handshake that is over: a peer repeats its last message."""


class State(Enum):
    """Of an association, in this order."""

    HANDSHAKING = "handshaking"
    ESTABLISHED = "established"
    FAILED = "failed"
    """The handshake; its last flight is still repeated to a peer that did not get them."""
    CLOSED = "closed"


class Association:
    """One side of one association; :meth:`dial` and :meth:`accept` make it.

    :meth:`drain` gives what is to be sent, :attr:`error` why it failed or ended.
    """

    __slots__ = (
        "_announced",
        "_announced_bytes",
        "_config",
        "_connection",
        "_deadline",
        "_flight",
        "_others",
        "_out_of_time",
        "_outgoing",
        "_over",
        "_peer",
        "_retransmit_at",
        "_seen",
        "_sent_at",
        "_timeout",
        "_verification",
        "client",
        "context",
        "error",
        "established_at",
        "random",
        "records_refused",
        "reported",
        "retransmissions",
        "state",
    )

    def __init__(
        self, config: DTLSTransportConfig, context: SSL.Context, rule: Rule, now: float, *, client: bool
    ) -> None:
        self.client: bool = client
        self.context: Any = context
        self.state: State = State.HANDSHAKING
        self.error: RefusalError | TransportError | None = None
        self.established_at: float = 0.0
        self.random: bytes = b""
        """Of the client's hello: it identifies a handshake."""
        self.retransmissions: int = 0
        self.records_refused: int = 0
        self.reported: bool = False
        """For the owner: the error was counted."""
        self._config = config
        self._verification = Verification(rule)
        self._connection = SSL.Connection(context, None)
        self._connection.set_app_data(self._verification)
        self._connection.set_ciphertext_mtu(config.mtu)
        self._peer: PeerIdentity | None = None
        self._outgoing: list[bytes] = []
        self._flight: list[bytes] = []
        self._seen: set[bytes] = set()
        self._announced: dict[int, int] = {}
        self._announced_bytes = 0
        self._over = False
        self._out_of_time = 0
        self._others = 0
        self._timeout = config.retransmit_minimum
        self._sent_at = now
        self._retransmit_at: float | None = None
        limit = config.tls.handshake_timeout
        self._deadline: float | None = now + (min(limit, config.attempt_timeout) if client else limit)

    @classmethod
    def dial(cls, config: DTLSTransportConfig, context: SSL.Context, rule: Rule, now: float) -> Association:
        """Begin a handshake: its first hello waits in :meth:`drain`."""
        association = cls(config, context, rule, now, client=True)
        association._connection.set_connect_state()
        association._handshake(now)
        association.random = association._connection.client_random() or b""
        return association

    @classmethod
    def accept(
        cls,
        config: DTLSTransportConfig,
        context: SSL.Context,
        rule: Rule,
        hello: Record,
        random: bytes,
        now: float,
    ) -> Association:
        """Answer a hello whose cookie was checked."""
        association = cls(config, context, rule, now, client=False)
        association.random = random
        connection = association._connection
        connection.set_accept_state()
        connection.bio_write(hello.data)
        association._seen.add(hello.handshake_header)
        association._fits(hello)
        try:
            connection.DTLSv1_listen()
        except SSL.Error as error:
            association._fail(_refusal(error))
            return association
        association._handshake(now)
        return association

    def receive(self, record: Record, now: float) -> list[bytes]:
        """Take one record; the plaintext of packets that it holds, mostly one or none. Never raises."""
        if self.state is State.CLOSED:
            return []
        if self._repeats(record):
            self._repeat(now)
        handshaking = self.state is State.HANDSHAKING
        if not handshaking and (self.state is State.FAILED or record.epoch == 0):
            return []
        if not self._fits(record):
            self.records_refused += 1
            return []
        if handshaking:
            self._connection.bio_write(record.data)
            self._handshake(now)
            return []
        return self._open(record, now)

    def peer(self, host: str) -> PeerIdentity:
        """Whom the handshake has shown, at ``host``; read once."""
        if self._peer is None:
            certificate = self._verification.shown
            names = frozenset([name.lower() for name in subject_alternative_names(certificate)])
            identifier = hashlib.sha256(certificate).hexdigest() if certificate else ""
            self._peer = PeerIdentity(identifier, names, host)
        return self._peer

    def send(self, plaintext: bytes) -> bool:
        """Seal one packet into a datagram of its own. False when it cannot be: the association is over."""
        if self.state is not State.ESTABLISHED:
            return False
        try:
            self._connection.send(plaintext)
        except SSL.Error as error:
            self._end(TransportError(f"sealing failed: {_refusal(error)}"))
            return False
        self._outgoing += self._records()
        return True

    def close(self) -> None:
        """Send close_notify once; no answer is expected."""
        if self.state is State.ESTABLISHED:
            try:
                self._connection.shutdown()
            except SSL.Error:
                pass  # It is over in any case.
            self._outgoing += self._records()
        self._end(None)

    def drain(self) -> list[bytes]:
        """Datagrams to be sent, each given once."""
        found, self._outgoing = self._outgoing, []
        return found

    def next_timeout(self) -> float | None:
        """When :meth:`handle_timeout` is due."""
        if self._deadline is None:
            return None
        return self._deadline if self._retransmit_at is None else min(self._deadline, self._retransmit_at)

    def handle_timeout(self, now: float) -> None:
        """Send the flight again, or give up."""
        if self._deadline is not None and now >= self._deadline:
            if self.state is State.FAILED:
                self._end(self.error)
            else:
                self._end(RefusalError("timeout", "the DTLS handshake took too long"))
        elif self._retransmit_at is not None and now >= self._retransmit_at:
            self._timeout = min(self._timeout * 2, self._config.retransmit_maximum)
            self._send_flight(now)
            self._retransmit_at = now + self._timeout

    # inside

    def _handshake(self, now: float) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._take_flight(now)
            return
        except SSL.ZeroReturnError:
            self._fail(RefusalError("closed", "it ended the handshake", by_peer=True))
            return
        except SSL.Error as error:
            self._fail(self._verification.refusal or _refusal(error))
            return
        if not self._verification.checked and not self._check_certificate():
            return
        self.state = State.ESTABLISHED
        self.established_at = now
        self._deadline = self._retransmit_at = None
        self._flight = []
        self._take_flight(now)
        self._retransmit_at = None

    def _check_certificate(self) -> bool:
        """The rule, where OpenSSL has not called ours: there was nothing to verify."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        der = certificate.public_bytes(Encoding.DER) if certificate is not None else None
        if self._verification.certificate(der):
            return True
        self._fail(self._verification.refusal or RefusalError("other", "refused"))
        return False

    def _take_flight(self, now: float) -> None:
        """What the handshake has to say becomes the flight that is repeated until it is answered."""
        datagrams = self._records()
        if not datagrams:
            return
        self._flight = datagrams
        self._outgoing += datagrams
        self._sent_at = now
        self._timeout = self._config.retransmit_minimum
        if self.client:
            self._retransmit_at = now + self._timeout

    def _repeats(self, record: Record) -> bool:
        header = record.handshake_header
        if not header:
            return False
        if header in self._seen:
            return True
        if len(self._seen) < _SEEN_LIMIT:
            self._seen.add(header)
        return False

    def _fits(self, record: Record) -> bool:
        """Whether OpenSSL gets the record: what it may keep of a peer that is not known yet is little."""
        if record.epoch:
            if self.state is State.ESTABLISHED and record.kind != HANDSHAKE:
                return True
            handshaking = self.state is State.HANDSHAKING
            if handshaking and record.epoch == 1 and self._connection.get_state_string() == _KEYS_ARE_THERE:
                return not self._over
            self._out_of_time += 1
            return self._out_of_time <= (MAX_EARLY if handshaking else MAX_LATE)
        if record.kind != HANDSHAKE:
            self._others += 1
            return self._others <= MAX_OTHERS
        if not self._over:
            self._over = not self._announces_little(record)
        return not self._over

    def _announces_little(self, record: Record) -> bool:
        """Whether its messages fit beside the others. If not, the handshake has come to its end: nothing more
        of the peer is even looked at."""
        messages = record.handshake_messages
        if len(messages) > MAX_MESSAGES:
            return False
        for number, length in messages:
            more = length - self._announced.get(number, 0)
            if more > 0 or number not in self._announced:
                self._announced[number] = length
                self._announced_bytes += more
        return len(self._announced) <= MAX_MESSAGES and self._announced_bytes <= MAX_HANDSHAKE_BYTES

    def _repeat(self, now: float) -> None:
        """The peer has not got our flight. Not for each record of its own flight, nor for a flood of them."""
        if self._flight and now - self._sent_at >= self._config.retransmit_minimum / 2:
            self._send_flight(now)

    def _send_flight(self, now: float) -> None:
        if self._flight:
            self.retransmissions += 1
            self._sent_at = now
            self._outgoing += self._flight

    def _open(self, record: Record, now: float) -> list[bytes]:  # noqa: ARG002
        self._connection.bio_write(record.data)
        found: list[bytes] = []
        try:
            while True:
                found.append(self._connection.recv(_READ_SIZE))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self._end(None)
        except SSL.Error as error:
            self._end(_refusal(error))
        if record.kind == HANDSHAKE:
            self._outgoing += self._records()  # OpenSSL answers a repeated last message by itself.
        elif record.kind == DATA and found:
            self._flight = []  # The peer is through: it will not ask for it again.
        return found

    def _records(self) -> list[bytes]:
        try:
            glued = self._connection.bio_read(2**16)
        except SSL.WantReadError:
            return []
        return pack_datagrams([record.data for record in read_records(glued)], self._config.mtu)

    def _fail(self, error: RefusalError) -> None:
        """The handshake has failed. The alert that says why is repeated if the peer goes on."""
        self.state = State.FAILED
        self.error = error
        self._retransmit_at = None
        datagrams = self._records()
        if self._verification.denied:
            datagrams = [access_denied()]
        self._outgoing += datagrams
        self._flight = [
            datagram for datagram in datagrams if any(each.kind == ALERT for each in read_records(datagram))
        ]
        if error.by_peer or not self._flight:
            self._end(error)

    def _end(self, error: RefusalError | TransportError | None) -> None:
        self.state = State.CLOSED
        self.error = error
        self._flight = []
        self._deadline = self._retransmit_at = None
        self._connection.set_app_data(None)


def _refusal(error: SSL.Error) -> RefusalError:
    """The last reason that pyOpenSSL gives, as refusals name it."""
    reasons = error.args[0] if error.args else None
    name = ""
    if isinstance(reasons, (list, tuple)) and reasons and isinstance(reasons[0], tuple):
        name = str(reasons[-1][-1])
    return named_refusal(name.replace(" ", "_").upper(), str(error) or type(error).__name__)
