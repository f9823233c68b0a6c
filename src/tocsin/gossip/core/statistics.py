"""Counters of one endpoint. Every bound of the core has one here."""

from __future__ import annotations

from dataclasses import field

from tocsin.dataclass import dataclass


@dataclass(slots=True)
class Statistics:
    """Counts since the endpoint was made; they only grow."""

    packets_received: int = 0
    packet_bytes_received: int = 0
    packets_sent: int = 0
    packet_bytes_sent: int = 0
    packets_failed: int = 0
    """Deliveries that the transport knows to have failed."""
    packets_refused: int = 0
    """Packets of which nothing could be read."""
    packets_unsealed: int = 0
    """Packets taken although no key of ours had sealed them: there is no keyring, or it lets them in."""
    messages_received: dict[str, int] = field(default_factory=dict)
    """By the message's type name, from packets."""
    messages_refused: int = 0
    """Messages whose content breaks a rule (no name, bad versions, meta too long, unknown state, ...)."""
    probes: int = 0
    probes_acked: int = 0
    probes_failed: int = 0
    probes_hopeless: int = 0
    """Of the failed ones, those that did not have to wait for their deadline."""
    probes_out_of_turn: int = 0
    """Probes of members to which a packet had failed."""
    pings_failed_at_once: int = 0
    """Direct pings whose packet was known not to arrive."""
    indirect_pings_sent: int = 0
    nacks_received: int = 0
    stream_pings_acked: int = 0
    """Probes that only the stream ping saved: packets are lost on the way."""
    pings_answered: int = 0
    pings_misaddressed: int = 0
    """Pings meant for another name; not answered."""
    relays: int = 0
    relays_refused: int = 0
    """Indirect pings dropped because too many were pending."""
    suspicions: int = 0
    confirmations: int = 0
    refutations: int = 0
    accusations_outdated: int = 0
    """Accusations at an incarnation that the member has outbid; answered with the newer state."""
    unrefutable: int = 0
    """Messages about others with the highest incarnation there is, which nobody could refute; dropped."""
    verdicts_put: int = 0
    """Messages of others that a live member is dead or has left, put to that member first."""
    name_conflicts: int = 0
    membership_ignored: int = 0
    """What peers said of others' membership while discovery decides it."""
    members_refused: int = 0
    """Joins past ``max_members``."""
    members_reaped: int = 0
    members_quarantined: int = 0
    """Members taken out because the certificate shown at their address is of another name."""
    names_refused: dict[str, int] = field(default_factory=dict)
    """Names that a certificate does not carry: "claimed" by the peer itself, "contacted", "known" from an
    earlier contact, "state": a push/pull whose sender hides its own name."""
    newcomers_confirmed: int = 0
    newcomers_expired: int = 0
    """Never answered."""
    newcomers_refused: dict[str, int] = field(default_factory=dict)
    """For a bound: "certificate", "host", "total"; "conflict": two addresses for a name that waits."""
    joins_refused: int = 0
    """Joins past what one certificate and address may do in a time; not answered."""
    broadcasts_dropped: int = 0
    """Messages that a full queue pushed out, both queues, oversize ones included."""
    push_pulls_started: int = 0
    push_pulls_answered: int = 0
    merges_refused: int = 0
    exchanges_failed: int = 0
    exchanges_refused: int = 0
    """Exchanges not begun because too many were under way."""
    streams_received: int = 0
    user_messages_received: int = 0
    senders_doubted: int = 0
    """Of those in packets, the ones of a peer that names another's address as its own."""
