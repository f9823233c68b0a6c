"""One silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

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


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as it is stored, or (without id) as it is asked for.

    An alert is held back if it fulfils all matchers of at least one of ``matcher_sets``. The API of
    Alertmanager 0.33 has room for one set only; it cannot show a silence with several, and neither can peers
    older than 0.32, which act on the first.

    ``encoded`` is the delimited MeshSilence as it came or as it was made, with the fields we do not know;
    empty until the silence is stored.
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
    encoded: bytes = field(default=b"", repr=False, compare=False)
    version: int = field(default=0, repr=False, compare=False)
    """Of the canonical encoding of ``encoded``, as digests have it; 0: not worked out yet."""

    @property
    def regex_cost(self) -> Cost:
        """Of all its patterns."""
        costs = [
            matcher.regex.cost
            for matchers in self.matcher_sets
            for matcher in matchers
            if matcher.regex is not None
        ]
        if not costs:
            return NO_COST
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
