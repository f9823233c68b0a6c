"""What comparisons came to: counted, and the differences kept."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from tocsin.alerting.shadow.model import Judgement, Result, ShadowStatistics
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.bounded import Memo

MAX_DIFFERENCES: Final = 1_000
"""Differences that are kept; of more the newest."""
MAX_JUDGED: Final = 4_096
"""Of our notifications that were compared lately it is known what they came to."""
MAX_COUNTED: Final = 4_000
"""Results at receivers that are counted by themselves; entries of others name receivers."""
MAX_GROUPS: Final = 1_000
"""Groups at integrations with differences that are counted by themselves."""
OTHERS: Final = "(others)"


class Results:
    """Of one node, since it began to compare."""

    def __init__(self, statistics: ShadowStatistics, max_differences: int = MAX_DIFFERENCES) -> None:
        self.counts: Counter[tuple[Result, str]] = Counter()
        """By result and receiver."""
        self.differences: deque[Judgement] = deque(maxlen=max_differences)
        """Those that are late too; the newest last."""
        self._statistics = statistics
        self._by_group: Memo[tuple[str, str], Counter[Result]] = Memo(MAX_GROUPS)
        self._judged: Memo[tuple[str, str, Nanoseconds], Judgement] = Memo(MAX_JUDGED)

    def add(self, judgement: Judgement, *, is_ours: bool) -> None:
        """A notification, ours or the others', was judged."""
        counted = judgement.result, judgement.receiver
        if counted not in self.counts and len(self.counts) >= MAX_COUNTED:
            counted = judgement.result, OTHERS
        self.counts[counted] += 1
        compared = judgement.integration, judgement.group_key
        if is_ours and judgement.ours is not None:
            self._judged.put((*compared, judgement.ours), judgement)
        group = self._by_group.get(compared)
        if judgement.result != "agreed":
            if len(self.differences) == self.differences.maxlen:
                self._statistics.differences_forgotten += 1
            self.differences.append(judgement)
            self._statistics.differences = len(self.differences)
            group = group if group is not None else Counter()
            self._by_group.put(compared, group)
        if group is not None:
            group[judgement.result] += 1

    def by_receiver(self) -> dict[str, Counter[Result]]:
        """How much there was of each result."""
        found: dict[str, Counter[Result]] = {}
        for (result, receiver), count in self.counts.items():
            found.setdefault(receiver, Counter())[result] = count
        return found

    def by_group(self) -> list[tuple[tuple[str, str], Counter[Result]]]:
        """The same of groups at integrations that have differed, each from then on; the one that did last
        first."""
        return [
            (key, counts) for key in reversed(list(self._by_group)) if (counts := self._by_group.get(key))
        ]

    def of(self, integration: str, group_key: str, began: Nanoseconds) -> Judgement | None:
        """What became of our notification of the flush that ``began`` then; None: it is not known, or waits
        for the others'."""
        return self._judged.get((integration, group_key, began))
