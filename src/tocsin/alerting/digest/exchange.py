"""The asking side of an exchange, without I/O. ``responder.py`` is the other.

It holds all that must be remembered and drives. What is exchanged is merged as if it came by gossip, so
changes while an exchange runs do no harm: they are seen by this round or a later one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from tocsin.alerting.digest.memory import Mark, Memory
from tocsin.alerting.digest.messages import (
    MAX_STATES,
    Body,
    Content,
    Envelope,
    Groups,
    Item,
    Later,
    Leaves,
    Message,
    Same,
    StateGroups,
    StateSummary,
    Summary,
    Transfer,
    Transferred,
    short,
)
from tocsin.alerting.digest.replica import (
    ENTRY_BYTES_AT_ONCE,
    WANTS_AT_ONCE,
    Replica,
    check_cutoff,
    gather,
)
from tocsin.alerting.digest.tree import (
    GROUPS,
    LEAF_AT_ONCE,
    LEAVES,
    LEAVES_IN_GROUP,
    DigestView,
    Fingerprint,
    Part,
    Tombstone,
    cutoff_of,
    leaf_of,
    order_of,
)
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import StateError

MAX_ROUNDS: Final = 4
"""Comparisons in one exchange. The first and a second that confirms; more while others change the state."""
MAX_LATER: Final = 3
MAX_PASSED: Final = 200_000
"""Entries that are passed over in one exchange, each way together; what is left is found by the next one."""
TOMBSTONES_AT_ONCE: Final = 2_000
ENTRIES_IN_STEP: Final = 256


@dataclass(slots=True)
class Outcome:
    """How an exchange ended. ``agreed``: equal, but for what one side will not have (``declined``)."""

    agreed: bool = False
    rounds: int = 0
    received: int = 0
    """Bytes of entries; so is :attr:`given`."""
    given: int = 0
    removed: int = 0
    declined: int = 0


class Exchange:
    """The asking side. Send what :meth:`request` gives, feed the answer to :meth:`receive`, merge what
    :meth:`entries` gives, and go on until :attr:`finished`.

    Sending a request twice does no harm. ``nonce`` identifies this exchange among ours.
    """

    def __init__(
        self, name: str, replicas: Mapping[str, Replica], memory: Memory, nonce: int, now: Nanoseconds
    ) -> None:
        if len(replicas) > MAX_STATES:
            raise ValueError(f"more than {MAX_STATES} states")
        self.outcome = Outcome()
        self.finished = False
        self.nonce = nonce
        self._name = name
        self._replicas = replicas
        self._memory = memory
        self._cutoff = cutoff_of(now)
        self._laters = 0
        self._received: list[tuple[str, bytes]] = []
        self._passed: set[Mark] = set()
        self._moved = False  # something was passed over in this round
        self._partly = False  # there was more in this round than is compared in one exchange
        self._states: list[StateGroups] = []
        self._whole: set[str] = set()  # keys of the states of which most is missing here
        self._next_leaf = 0
        self._wants: list[bytes] = []
        self._gives: list[bytes] = []
        self._tombstones: list[tuple[bytes, Tombstone]] = []
        self._sent_wants = self._sent_gives = self._sent_bytes = 0
        self._views: dict[str, DigestView] = {}
        """The digests as of this round. Those for a peer whose clock is ahead do not follow what changes."""
        # Of the class: a method of its own would keep it, and digests that it copied, until a collection.
        self._request: Callable[[Exchange], Body] = Exchange._summary

    def request(self, now: Nanoseconds) -> Message:
        """:meth:`requesting` at once."""
        return finish(self.requesting(now))

    def requesting(self, now: Nanoseconds) -> Steps[Message]:
        """The next question, in steps."""
        for replica in self._replicas.values():
            yield from replica.digests.moving(cutoff_of(now))
        self._cutoff = max(self._cutoff, cutoff_of(now))
        if self._request == Exchange._summary:
            for key, replica in self._replicas.items():
                self._views[key] = yield from replica.digests.viewing(self._cutoff)
        return Message(Envelope(self._name, self.nonce, self._cutoff), self._request(self))

    def receive(self, message: Message, now: Nanoseconds) -> None:
        """:meth:`receiving` at once."""
        finish(self.receiving(message, now))

    def receiving(self, message: Message, now: Nanoseconds) -> Steps[None]:
        """The answer, in steps. Raises StateError for one that does not fit; the exchange is then over."""
        if self.finished or message.envelope.exchange != self.nonce:
            raise StateError("a digest message of another exchange")
        asked = self._request
        try:
            check_cutoff(message, now)
            match message.body:
                case Same() if asked == Exchange._summary:
                    self.outcome.rounds += 1
                    self._end(agreed=True)
                case Later() if asked == Exchange._summary and self._laters < MAX_LATER:
                    self._laters += 1
                    self._cutoff = max(self._cutoff, message.envelope.cutoff)
                case Groups(states) if asked == Exchange._summary and self._views:
                    self._begin_round(states)
                case Content() as content if asked == Exchange._leaves:
                    yield from self._compare(content, now)
                case Transferred() as done if asked == Exchange._transfer:
                    self._take(done)
                case other:
                    raise StateError(f"a digest message that was not asked for: {type(other).__name__}")
        except StateError:
            self._end(agreed=False)
            raise

    def entries(self) -> list[tuple[str, bytes]]:
        """``(state key, delimited entries)`` received, to be merged before the next request, or beside it."""
        received, self._received = self._received, []
        return received

    @property
    def goes_on(self) -> bool:
        """Whether the next request is about other entries than came last, and so need not wait for them."""
        return not self.finished and self._request != Exchange._summary

    # -- the steps

    def _summary(self) -> Summary:
        self._moved = self._partly = False
        return Summary(tuple(StateSummary(key, view.size, view.root) for key, view in self._views.items()))

    def _begin_round(self, states: tuple[StateGroups, ...]) -> None:
        self.outcome.rounds += 1
        self.outcome.declined = 0
        self._states = [state for state in states if state.key in self._replicas]
        # A leaf may be empty because we refused its content: lists are shorter to get again and again.
        first, own = self.outcome.rounds == 1, self._views
        self._whole = {each.key for each in self._states if first and own[each.key].size * 2 <= each.size}
        self._next_leaf = 0
        self._go_on()

    def _go_on(self) -> None:
        """Choose the next question after a step."""
        if self._wants or self._gives or self._tombstones:
            self._request = Exchange._transfer
            return
        if len(self._passed) >= MAX_PASSED:
            self._end(agreed=False)
            return
        if self._next_leaf >= LEAVES:
            self._states.pop(0)
            self._next_leaf = 0
        if self._states:
            self._request = Exchange._leaves
            return
        self._request = Exchange._summary
        if not self._moved:
            self._end(agreed=not self._partly)  # all that is left is what one side will not have
        elif self.outcome.rounds >= MAX_ROUNDS:
            self._end(agreed=False)

    def _leaves(self) -> Leaves:
        state = self._states[0]
        view = self._views[state.key]
        digests = {
            group: tuple(map(short, view.leaves[group * LEAVES_IN_GROUP : (group + 1) * LEAVES_IN_GROUP]))
            for group in range(self._next_leaf // LEAVES_IN_GROUP, GROUPS)
            if short(view.groups[group]) != state.groups[group]
        }
        return Leaves(state.key, self._next_leaf, state.key in self._whole, digests)

    def _compare(self, content: Content, now: Nanoseconds) -> Steps[None]:
        state = self._states[0]
        if content.key != state.key or content.next_leaf <= self._next_leaf:
            raise StateError("a digest message about other leaves than those asked for")
        self._next_leaf = content.next_leaf
        replica = self._replicas[state.key]
        tree = replica.digests
        items = {item.identity: item for item in content.items}
        blocked = dict(content.tombstones)
        told = Counter(map(leaf_of, _identities(content)))
        looked = 0
        for leaf in content.listed:
            own_part = yield from self._own_part(content, leaf, told)
            for identity, known in own_part.members:
                looked += 1
                if not looked % ENTRIES_IN_STEP:
                    yield
                item = items.get(identity)
                if item is None or (item.stamp <= known.stamp and item.version != short(known.version)):
                    mark = (state.key, identity, short(known.version), True)
                    tombstone = blocked.get(identity)
                    if tombstone is not None and self._beaten(tombstone, known.stamp, mark):
                        self.outcome.removed += replica.add_tombstone(identity, tombstone, now)
                        self._moved = True
                    else:
                        self._pass(self._gives, mark, now)
        for item in content.items:
            looked += 1
            if not looked % ENTRIES_IN_STEP:
                yield
            own = tree.find(item.identity)
            tombstone = tree.blocking(item.identity, self._cutoff)
            mark = (state.key, item.identity, item.version, False)
            if tombstone is not None and self._beaten(tombstone, item.stamp, mark):
                self._tombstones.append((item.identity, tombstone))
                self._moved = True
            elif tombstone is not None or own is None or self._older(own, item):
                self._pass(self._wants, mark, now)
        self._keep(content.key, content.entries)
        self._go_on()

    def _own_part(self, content: Content, leaf: int, told: Counter[int]) -> Steps[Part]:
        """Of a leaf that is listed what we hold of that which the list is about."""
        tree = self._replicas[content.key].digests
        if told[leaf] < LEAF_AT_ONCE:
            part = yield from tree.looking(leaf, self._cutoff, self.nonce)
        else:  # There is more of it, which comes later in the order.
            places = [order_of(each, self.nonce) for each in _identities(content) if leaf_of(each) == leaf]
            part = yield from tree.looking(leaf, self._cutoff, self.nonce, max(places))
            self._partly = True
        self._partly |= not part.whole
        return part

    def _beaten(self, tombstone: Tombstone, stamp: Nanoseconds, mark: Mark) -> bool:
        """Whether an entry must go because of a tombstone.

        With equal stamps the holder of the tombstone has to see the entry before we know: if it did and still
        has the tombstone, the entry is the lesser of the two.
        """
        return tombstone.stamp > stamp or (tombstone.stamp == stamp and mark in self._passed)

    @staticmethod
    def _older(own: Fingerprint, item: Item) -> bool:
        return own.stamp < item.stamp or (own.stamp == item.stamp and short(own.version) != item.version)

    def _pass(self, queue: list[bytes], mark: Mark, now: Nanoseconds) -> None:
        """Have an entry passed over, unless that was of no use before."""
        if mark in self._passed:
            self._memory.decline(mark, now)
        if self._memory.declined(mark, now):
            self.outcome.declined += 1
            return
        if len(self._passed) >= MAX_PASSED:
            return
        self._passed.add(mark)
        self._moved = True
        queue.append(mark[1])

    def _transfer(self) -> Transfer:
        state = self._states[0]
        found, sent = gather(self._replicas[state.key], self._gives, ENTRY_BYTES_AT_ONCE)
        self._sent_gives = sent
        self._sent_wants = min(len(self._wants), WANTS_AT_ONCE)
        entries = b"".join(found)
        self._sent_bytes = len(entries)
        return Transfer(
            state.key,
            tuple(self._wants[: self._sent_wants]),
            tuple(self._tombstones[:TOMBSTONES_AT_ONCE]),
            entries,
        )

    def _take(self, done: Transferred) -> None:
        if done.key != self._states[0].key or done.covered > self._sent_wants:
            raise StateError("a digest message about another transfer")
        if self._sent_wants and not done.covered:
            raise StateError("a peer that gives nothing of what it listed")
        del self._wants[: done.covered]
        del self._gives[: self._sent_gives]
        del self._tombstones[:TOMBSTONES_AT_ONCE]
        self.outcome.given += self._sent_bytes
        self._keep(done.key, done.entries)
        self._go_on()

    def _keep(self, key: str, entries: bytes) -> None:
        if entries:
            self.outcome.received += len(entries)
            self._received.append((key, entries))
            self._moved = True

    def _end(self, *, agreed: bool) -> None:
        self.outcome.agreed = agreed
        self.finished = True


def _identities(content: Content) -> list[bytes]:
    """Of all that is listed."""
    return [*(item.identity for item in content.items), *(identity for identity, _ in content.tombstones)]
