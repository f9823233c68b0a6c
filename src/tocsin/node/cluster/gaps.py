"""What is missing from a cluster: peers that should be members, and sources of peers that do not answer."""

from __future__ import annotations

from typing import Final

from tocsin.dataclass import dataclass

_HINTS: Final = (
    (
        "is not valid for",
        "issue it anew with that address or name, as `tocsinctl certs issue NAME --host ...` does",
    ),
    ("accept our certificate", "see `tocsinctl certs show`, and the log of that peer"),
    (
        "no installed key opens it",
        "that peer has other keys: copy its keyring file to this node's --cluster.keyring-file, and restart",
    ),
    ("encryption is not configured", "that peer has a keyring: give this node --cluster.keyring-file too"),
    (
        "remote state is not encrypted",
        "that peer has no keyring: give it --cluster.keyring-file",
    ),
    ("what it sent is not TLS", "does that peer have --cluster.tls-config?"),
    ("ended during the TLS handshake", "does that peer have --cluster.tls-config? See also its log"),
    ("label: ", "--cluster.label must be the same on all nodes"),
)
"""Hints, by a text that the error contains."""
SHOWN: Final = 16
"""Gaps of each kind that a line of the log names."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One peer or source. ``why`` is the last error, with a hint; empty while the first answer is awaited."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})" if self.why else self.name


@dataclass(frozen=True, slots=True)
class Gaps:
    """All gaps at one moment."""

    peers: tuple[Gap, ...] = ()
    sources: tuple[Gap, ...] = ()

    @property
    def whole(self) -> bool:
        """Nothing is missing."""
        return not self.peers and not self.sources

    @property
    def unverified(self) -> int:
        """Peers that are missing for a certificate, theirs or ours."""
        return sum(["certificate" in gap.why for gap in self.peers])

    @property
    def shown(self) -> dict[str, str]:
        """For the log."""
        return {
            what: ", ".join(
                [*map(str, gaps[:SHOWN]), *([f"and {len(gaps) - SHOWN} more"] * (len(gaps) > SHOWN))]
            )
            for what, gaps in (("missing", self.peers), ("sources", self.sources))
            if gaps
        }


def explained(error: str) -> str:
    """An error of joining, with its hint."""
    for part, hint in _HINTS:
        if part in error:
            return f"{error}; {hint}"
    return error
