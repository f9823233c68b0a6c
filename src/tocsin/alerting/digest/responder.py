"""The answering side of an exchange, without I/O.

It remembers nothing between two messages, so it cannot be filled up, and either side may restart at any time.
Each answer is bounded in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tocsin.alerting.digest.messages import (
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
from tocsin.alerting.digest.tree import LEAVES, LEAVES_IN_GROUP, Tombstone, cutoff_of
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import StateError

LEAVES_AT_ONCE: Final = 512
ITEMS_AT_ONCE: Final = 1_500
"""Items and tombstones, after which no further leaf is listed: with those of one more there are fewer than a
message may have of either."""
LEAVES_IN_STEP: Final = 64


class Responder:
    """Answers the messages of others."""

    def __init__(self, name: str, replicas: Mapping[str, Replica]) -> None:
        self._name = name
        self._replicas = replicas

    def entries(self, message: Message) -> tuple[str, bytes] | None:
        """``(state key, delimited entries)`` that are to be merged before the next question of the sender is
        answered."""
        body = message.body
        return (body.key, body.entries) if isinstance(body, Transfer) and body.entries else None

    def answer(self, message: Message, now: Nanoseconds) -> Message:
        """:meth:`answering` at once."""
        return finish(self.answering(message, now))

    def answering(self, message: Message, now: Nanoseconds) -> Steps[Message]:
        """The answer to a question, in steps: a small one may be about all entries. Raises StateError for
        what is not a question."""
        cutoff = cutoff_of(now)
        check_cutoff(message, now)
        for replica in self._replicas.values():
            yield from replica.digests.moving(cutoff)
        cutoff = max(cutoff, message.envelope.cutoff)
        body: Body
        match message.body:
            case Summary() as summary:
                later = cutoff > message.envelope.cutoff
                body = Later() if later else (yield from self._compare(summary, cutoff))
            case Leaves() as leaves:
                body = yield from self._content(leaves, cutoff, message.envelope.exchange)
            case Transfer() as transfer:
                body = yield from self._transferred(transfer, now)
            case other:
                raise StateError(f"a digest message that answers nothing: {type(other).__name__}")
        return Message(Envelope(self._name, message.envelope.exchange, cutoff), body)

    def _replica(self, key: str) -> Replica:
        replica = self._replicas.get(key)
        if replica is None:
            raise StateError(f"a digest message about the unknown state {key!r}")
        return replica

    def _compare(self, summary: Summary, cutoff: int) -> Steps[Body]:
        differing = []
        for state in summary.states:
            replica = self._replicas.get(state.key)
            if replica is None:
                continue  # of a version that has more states than we
            view = yield from replica.digests.viewing(cutoff)
            if view.root != state.root:
                differing.append(StateGroups(state.key, view.size, tuple(map(short, view.groups))))
        return Groups(tuple(differing)) if differing else Same()

    def _content(self, leaves: Leaves, cutoff: int, salt: int) -> Steps[Content]:
        replica = self._replica(leaves.key)
        tree = replica.digests
        view = yield from tree.viewing(cutoff)
        listed: list[int] = []
        items: list[Item] = []
        tombstones: list[tuple[bytes, Tombstone]] = []
        entries: list[bytes] = []
        size = told = 0
        next_leaf = LEAVES
        for leaf in range(leaves.first, LEAVES):
            group, place = divmod(leaf, LEAVES_IN_GROUP)
            theirs = leaves.digests.get(group)
            if theirs is None or theirs[place] == short(view.leaves[leaf]):
                continue
            if (
                told >= LEAVES_AT_ONCE
                or len(items) + len(tombstones) >= ITEMS_AT_ONCE
                or size >= ENTRY_BYTES_AT_ONCE
            ):
                next_leaf = leaf
                break
            part = yield from tree.looking(leaf, cutoff, salt)
            told += 1
            tombstones += part.blocking
            if not told % LEAVES_IN_STEP:
                yield
            if leaves.whole and not theirs[place] and part.whole:
                identities = [identity for identity, _ in part.members]
                found, dealt = gather(replica, identities, ENTRY_BYTES_AT_ONCE)
                if dealt == len(identities):
                    entries += found
                    size += sum(map(len, found))
                    continue
            listed.append(leaf)
            items += [Item(identity, known.stamp, short(known.version)) for identity, known in part.members]
        return Content(
            leaves.key,
            next_leaf,
            tuple(listed),
            tuple(items),
            tuple(tombstones),
            b"".join(entries),
        )

    def _transferred(self, transfer: Transfer, now: Nanoseconds) -> Steps[Transferred]:
        replica = self._replica(transfer.key)
        for place, (identity, tombstone) in enumerate(transfer.tombstones, 1):
            replica.add_tombstone(identity, tombstone, now)
            if not place % LEAVES_IN_STEP:
                yield
        found, covered = gather(replica, list(transfer.wants[:WANTS_AT_ONCE]), ENTRY_BYTES_AT_ONCE)
        return Transferred(transfer.key, covered, b"".join(found))
