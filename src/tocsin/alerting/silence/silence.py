"""One silence."""

from __future__ import annotations

from enum import Enum

import msgspec

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, matches_all
from tocsin.alerting.regex_cost import Cost
from tocsin.alerting.timestamp import Nanoseconds

MatcherSet = tuple[Matcher, ...]

NO_ANNOTATIONS = Labels()
NO_COST = Cost(0, 0, 0)


class SilenceState(Enum):
    """Where a silence is in its life; the values are the API's."""

    ACTIVE = "active"
    PENDING = "pending"
    EXPIRED = "expired"


# A structure, not a dataclass: 50,000 of them are made by a join, in a tenth of the time.
class Silence(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A silence as it is stored, or (without id) as it is asked for.

    An alert is held back if it fulfils all matchers of at least one of ``matcher_sets``. The API of
    Alertmanager 0.33 has room for one set only; it cannot show a silence with several, and neither can peers
    older than 0.32, which act on the first.

    ``encoded`` is the delimited MeshSilence as it came or as it was made, with the fields we do not know;
    empty until the silence is stored. It does not count where silences are compared.
    """

    id: str
    matcher_sets: tuple[MatcherSet, ...]
    starts_at: Nanoseconds
    ends_at: Nanoseconds
    updated_at: Nanoseconds = 0
    created_by: str = ""
    comment: str = ""
    annotations: Labels = NO_ANNOTATIONS
    expires_at: Nanoseconds = 0
    encoded: bytes = b""
    version: int = 0
    """Of the canonical encoding of ``encoded``, as digests have it; 0: not worked out yet."""

    def _compared(self) -> tuple[object, ...]:
        return (
            self.id,
            self.matcher_sets,
            self.starts_at,
            self.ends_at,
            self.updated_at,
            self.created_by,
            self.comment,
            self.annotations,
            self.expires_at,
        )

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if isinstance(other, Silence) else NotImplemented

    def __ne__(self, other: object) -> bool:  # msgspec's own knows nothing of __eq__.
        return not self == other

    def __hash__(self) -> int:
        return hash(self._compared())

    @property
    def has_patterns(self) -> bool:
        """Whether any of its matchers has a regular expression."""
        for matchers in self.matcher_sets:
            for matcher in matchers:
                if matcher.regex is not None:
                    return True
        return False

    @property
    def regex_cost(self) -> Cost:
        """Of all its patterns; NO_COST itself if it has none."""
        if not self.has_patterns:
            return NO_COST
        costs = [
            matcher.regex.cost
            for matchers in self.matcher_sets
            for matcher in matchers
            if matcher.regex is not None
        ]
        return Cost(
            sum([cost.size for cost in costs]),
            sum([cost.work for cost in costs]),
            sum([cost.parts for cost in costs]),
            sum([cost.slow for cost in costs]),
        )

    @property
    def key(self) -> str:
        """What identifies a silence in the replicated state."""
        return self.id

    @property
    def stamp(self) -> Nanoseconds:
        """What identifies a version of a silence in the replicated state."""
        return self.updated_at

    @property
    def matchers(self) -> MatcherSet:
        """The first matcher set: all that the API shows."""
        return self.matcher_sets[0]

    def state_at(self, now: Nanoseconds) -> SilenceState:
        """Pending before the start, expired after the end, active from the one to the other inclusive."""
        if now < self.starts_at:
            return SilenceState.PENDING
        return SilenceState.EXPIRED if now > self.ends_at else SilenceState.ACTIVE

    def has_matchers(self, asked: frozenset[Matcher]) -> bool:
        """Whether all of them are, literally, among those of one matcher set."""
        return any(asked <= frozenset(matchers) for matchers in self.matcher_sets)

    def matches(self, labels: Labels) -> bool:
        """Whether the label set fulfils one of the matcher sets, whatever the time."""
        return any(matches_all(matchers, labels) for matchers in self.matcher_sets)
