"""Replicated state: what each member holds a copy of, and how the copies become the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from tocsin.errors import NotFoundError, UserError, WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import Event, ProtocolError, RemoteState, UserMessage
from tocsin.gossip.services.statistics import ServiceStatistics
from tocsin.gossip.wire.envelope import (
    MAX_STATES,
    Envelope,
    EnvelopeKind,
    decode_envelope,
    decode_states,
    encode_envelope,
    encode_states,
)

_log = logging.getLogger(__name__)


class ReplicatedState(Protocol):
    """A state that all members hold, each its own copy. It is changed first here, then broadcast.

    Merging must be commutative, associative and idempotent (a CRDT): parts come in any order, and more than
    once. Both methods run on the event loop, so they must be quick.
    """

    def snapshot(self) -> bytes:
        """All of it, for :meth:`merge` of another member."""
        ...

    def merge(self, payload: bytes) -> bytes:
        """Take in what another member sent, a snapshot or a change of the same form.

        Returns what of it was new, in that form, which goes on to the others; empty if nothing was. It
        raises ValueError for a payload that is not valid, and has changed nothing then.
        """
        ...


class Replicas:
    """The replicated states of one member, by name. ``send`` spreads an envelope that holds a change."""

    def __init__(
        self,
        states: Mapping[str, ReplicatedState],
        statistics: ServiceStatistics,
        *,
        send: Callable[[bytes], None],
        emit: Callable[[Event], None],
    ) -> None:
        if len(states) > MAX_STATES:
            raise UserError(f"a member has at most {MAX_STATES} replicated states, not {len(states)}")
        self._states = dict(states)
        self._statistics = statistics
        self._send = send
        self._emit = emit

    def snapshot(self) -> bytes:
        """All states, for a push/pull; nothing if there are none."""
        if not self._states:
            return b""
        return encode_states({name: state.snapshot() for name, state in self._states.items()})

    def share(self, name: str, change: bytes) -> None:
        """Broadcast a change to all members; :class:`~tocsin.errors.NotFoundError` for an unknown state."""
        if name not in self._states:
            raise NotFoundError(f"no replicated state is named {name!r}")
        self._send(encode_envelope(Envelope(EnvelopeKind.CHANGE, change, name)))

    def take(self, event: Event) -> bool:
        """Whether an event was for these states, and is done."""
        if not self._states or not isinstance(event, UserMessage | RemoteState):
            return False
        try:
            envelope = decode_envelope(event.payload)
            if envelope is None:
                return False
            if envelope.kind is EnvelopeKind.CHANGE:
                parts = {envelope.name: envelope.payload}
            elif envelope.kind is EnvelopeKind.STATES:
                parts = decode_states(envelope.payload)
            else:
                return False
        except WireError as error:
            self._refused(error.layer, error.problem, event.source)
            return True
        for name, payload in parts.items():
            self._merge(name, payload, event.source)
        return True

    def _merge(self, name: str, payload: bytes, source: Address) -> None:
        self._statistics.changes_received += 1
        state = self._states.get(name)
        if state is None:
            self._statistics.states_unknown += 1
            return
        try:
            fresh = state.merge(payload)
        except ValueError as error:
            self._refused("state", f"{name}: {error}", source)
            return
        except Exception:
            self._statistics.callback_errors += 1
            _log.exception("the application failed to merge the state %r", name)
            return
        if fresh:
            self.share(name, fresh)

    def _refused(self, reason: str, detail: str, source: Address) -> None:
        self._statistics.states_refused += 1
        self._emit(ProtocolError(reason, detail, source))
