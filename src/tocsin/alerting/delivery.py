"""A delivery: one flush for one integration, from the end of its wait for earlier peers to its end.

It reads the notification log and the intents of others, makes an attempt when one is needed and nobody
else is at it, tries again after a failure until its deadline, and records what was sent. Of each group and
integration one node at a time makes an attempt; a node that has failed lets the others try while it backs
off. The messages between nodes are in :mod:`tocsin.alerting.intent`.

Pure: its holder performs its effects, reports their outcome, and lets time pass.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.backoff import Backoff
from tocsin.alerting.content import Content, DeliveryContext, Spared
from tocsin.alerting.decisions import (
    Claimed,
    DeliveryDecision,
    Failed,
    GivenUp,
    Muted,
    Needed,
    NotNeeded,
    Overdue,
    Sent,
    TooLate,
    Withheld,
    Yielded,
)
from tocsin.alerting.effects import Attempt, Record
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import Integration
from tocsin.alerting.intent import GUARD, Lease, Obstacle
from tocsin.alerting.nflog import Entry, ReceiverData
from tocsin.alerting.notification import Reason
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND, Nanoseconds

MAX_YIELD = 30 * SECOND
"""By how much a deadline is put off in all, for the time of letting others go first."""
ATTEMPT_GRACE = SECOND
"""How long after its deadline an attempt that the node has not reported is given up."""
STEPS = 16
"""Time of one evaluation, before other work runs."""
TIMED_OUT = "context deadline exceeded"
"""Alertmanager's message."""

DeliveryEffect: TypeAlias = Attempt | Record | DeliveryDecision


class DeliveryState(Enum):
    """Where a delivery is."""

    WAITING = "waiting"
    """For the peers that come before us; :meth:`Delivery.begin` ends that."""
    YIELDING = "yielding"
    """To another node's intent."""
    CLAIMING = "claiming"
    """Announced, and listening whether another node has a better claim."""
    READY = "ready"
    """For an attempt: its holder calls :meth:`Delivery.attempt` when the integration has room."""
    SENDING = "sending"
    BACKING_OFF = "backing off"
    """Until it evaluates again: after a failure, or since the evaluation is not finished."""
    DONE = "done"


class Delivery:
    """The machine of one flush for one integration."""

    __slots__ = (
        "_attempt_began",
        "_attempts",
        "_backoff",
        "_content",
        "_context",
        "_deadline",
        "_digest",
        "_due",
        "_effects",
        "_evaluating",
        "_failure",
        "_kept_long",
        "_lease",
        "_needed",
        "_patience",
        "_yielded_at",
        "attempt_id",
        "began",
        "error",
        "flush",
        "integration",
        "intent_key",
        "state",
    )

    def __init__(
        self,
        context: DeliveryContext,
        flush: Flush,
        integration: Integration,
        alerts: tuple[Alert, ...],
        *,
        seen: Entry | None,
        now: Nanoseconds,
    ) -> None:
        """``alerts``: those of the flush that are not muted. ``seen``: the log's entry as the flush came."""
        self.flush = flush
        self.integration = integration
        self.began = now
        """Since when it has been waiting for earlier peers."""
        self.state = DeliveryState.WAITING
        self.error = ""
        """Why it failed, once it is done; empty: it did not."""
        self.attempt_id = 0
        """The id of the last attempt."""
        self.intent_key = b""
        """What intents know it by, once it has had to do with them."""
        self._context = context
        self._effects: list[DeliveryEffect] = []
        self._content = Content(context, flush, integration, alerts, seen)
        self._digest = 0  # of the content, for intents
        self._needed = False
        self._deadline: Nanoseconds = 0
        self._due: Nanoseconds = 0  # when to evaluate again
        self._lease: Lease | None = None  # our announced intent
        self._evaluating: Steps[list[Muted]] | None = None  # not at its end
        self._yielded_at: Nanoseconds = 0
        self._patience = MAX_YIELD
        self._kept_long = False  # by others' intents, until its deadline
        self._attempts = 0
        self._attempt_began: Nanoseconds = 0
        self._backoff = Backoff()
        self._failure = "", ""  # reason and error of the last attempt

    @property
    def size(self) -> int:
        """How many alerts are to be sent."""
        return len(self._content.alerts)

    @property
    def claims(self) -> bool:
        """Whether an intent is announced under which nothing is being sent."""
        return self._lease is not None and self.state is not DeliveryState.SENDING

    def drain(self) -> list[DeliveryEffect]:
        """What is to be done and what was decided, in order, since the last call."""
        effects, self._effects = self._effects, []
        return effects

    # -- what happens to it

    def begin(self, deadline: Nanoseconds, now: Nanoseconds) -> None:
        """The wait for earlier peers is over, or nearly."""
        self._deadline = deadline
        if now >= deadline:
            self._decided(TooLate(self.flush, self.integration, now, deadline))
            self._end(now, TIMED_OUT)
        else:
            self.evaluate(now)

    def evaluate(self, now: Nanoseconds) -> None:
        """Compare with the log and with the intents of others, and go on if need be. Many alerts are compared
        in steps, some of them now and the rest at the next timeout."""
        content = self._content
        entry = content.query()
        if self._evaluating is None:
            self._evaluating = content.evaluate(entry, self._deadline)
        if self._evaluating is not None:
            if not self._evaluate_on(self._evaluating, now):
                return
            entry = content.query()  # Peers may have notified during the steps.
        if self.intent_key:
            self._digest = content.digest
        found = content.compare(entry, now)
        if isinstance(found, Spared):
            self._decided(
                NotNeeded(
                    self.flush, self.integration, now, found.reason, content.answer(entry), found.remind_at
                )
            )
            self._end(now)
            return
        if content.notification is not None:
            content.renew(entry, found)
        else:
            self._decided(
                Needed(
                    self.flush,
                    self.integration,
                    now,
                    found,
                    content.answer(entry),
                    content.firing,
                    content.resolved,
                    self._needed,
                )
            )
            self._needed = True
            if not content.make(entry, found):
                # An entry that is written while another node notifies the group would hide that one's.
                obstacle = None if self._context.withhold else self._blocked(entry, now)
                if obstacle is not None and obstacle.until < self._deadline:
                    self._yield(obstacle, now)
                    return
                answer = content.answer(entry)
                self._decided(
                    NotNeeded(self.flush, self.integration, now, "resolved alerts are not sent", answer)
                )
                if self._context.withhold:
                    self._withhold("", now)
                else:
                    self._record(content.record(now), now)
                return
        if self._context.withhold:
            self._withhold(found, now)
        else:
            self._wait_for_others(entry, now)

    def _evaluate_on(self, steps: Steps[list[Muted]], now: Nanoseconds) -> bool:
        """Continue the evaluation; whether it is finished."""
        self._content.now = now
        try:
            for _ in range(STEPS):
                next(steps)
        except StopIteration as done:
            self._evaluating = None
            self._effects += done.value
            return True
        self._due = now + 1  # Not at once: other work runs first.
        if self.state in (DeliveryState.WAITING, DeliveryState.READY):
            self.state = DeliveryState.BACKING_OFF
        return False

    def evaluate_again(self, now: Nanoseconds) -> None:
        """Evaluate anew, as peers may have sent meanwhile, or time out."""
        if now < self._deadline:
            self.evaluate(now)
        elif self._is_kept and now - self._deadline < ATTEMPT_GRACE:  # Later: this node itself stood still.
            # For all its time others were about to send. A duplicate is better than a loss.
            self._kept_long = True
            self._patience = 0
            self._deadline = now + MAX_YIELD
            self._context.intents.statistics.held_too_long += 1
            self.evaluate(now)
        else:
            self._time_out(now)

    def attempt(self, now: Nanoseconds) -> None:
        """The integration has room for an attempt."""
        context, notification = self._context, self._content.notification
        assert notification is not None  # noqa: S101  (made before it was READY, dropped at the end)
        if not context.intents.alone(now):
            bound = self._deadline + 2 * ATTEMPT_GRACE
            self._lease = context.intents.sending(self._lease, self.intent_key, self._digest, bound, now)
        self.state = DeliveryState.SENDING
        self.attempt_id = next(context.attempt_ids)
        self._attempt_began = now
        self._effects.append(
            Attempt(
                id=self.attempt_id,
                integration=self.integration,
                notification=notification,
                deadline=self._deadline,
                flush=self.flush,
                at=now,
                number=self._attempts + 1,
            )
        )

    def attempt_succeeded(self, now: Nanoseconds, receiver_data: ReceiverData | None) -> None:
        """See :meth:`tocsin.alerting.pipeline.Pipeline.attempt_succeeded`."""
        self._attempts += 1
        self._decided(Sent(self.flush, self.integration, now, self._attempts, self._attempt_began))
        self._record(self._content.record(now, receiver_data), now)

    def attempt_failed(self, now: Nanoseconds, retry: bool, reason: str, error: str) -> None:
        """See :meth:`tocsin.alerting.pipeline.Pipeline.attempt_failed`."""
        self._attempts += 1
        self._release(now)
        error = error or reason
        again_at = None
        if retry and now < self._deadline:
            self._failure = reason, error
            self.state = DeliveryState.BACKING_OFF
            again_at = max(now, self._attempt_began + self._backoff.next(self._context.random))
            self._due = again_at
        number, began = self._attempts, self._attempt_began
        self._decided(Failed(self.flush, self.integration, now, number, began, reason, error, again_at))
        if not retry:
            self._give_up("due to unrecoverable error ", reason, error, now)
        elif again_at is None:
            self._time_out(now)

    def wake(self, now: Nanoseconds) -> None:
        """The intent that it yields to has changed: evaluate again at the next timeout."""
        if self.state is DeliveryState.YIELDING:
            self._due = now

    def withdraw(self, now: Nanoseconds) -> None:
        """Release a claim under which nothing is being sent."""
        if self.claims:
            self._release(now)

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        match self.state:
            case DeliveryState.WAITING | DeliveryState.DONE:
                return None
            case DeliveryState.READY:
                return self._deadline
            case DeliveryState.SENDING:
                return self._deadline + ATTEMPT_GRACE
            case _:
                return min(self._due, self._deadline)

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Let time pass."""
        due = self.next_timeout()
        if due is None or now < due:
            return
        if self.state is DeliveryState.SENDING:
            self._attempts += 1
            self._decided(Overdue(self.flush, self.integration, now, self._attempts, self._attempt_began))
            self._time_out(now)
        else:
            self.evaluate_again(now)

    # -- peer position and intents

    @property
    def _is_kept(self) -> bool:
        """Nothing but intents of others has kept it from sending."""
        waits = self.state in (DeliveryState.YIELDING, DeliveryState.CLAIMING)
        return waits and not self._attempts and not self._kept_long

    def _wait_for_others(self, entry: Entry | None, now: Nanoseconds) -> None:
        """Become ready for an attempt, unless another node makes one or may make one."""
        intents = self._context.intents
        if not (intents.alone(now) or self._kept_long):
            obstacle = self._blocked(entry, now)
            if obstacle is not None:
                self._yield(obstacle, now)
                return
            if self.state is DeliveryState.CLAIMING and now < self._due:
                return
            if self._lease is None and not intents.immediate(now) and self._claim(now):
                return
        self._stop_yielding(now)
        self.state = DeliveryState.READY

    def _blocked(self, entry: Entry | None, now: Nanoseconds) -> Obstacle | None:
        """The intent of another node that has to be waited for."""
        intents = self._context.intents
        if intents.alone(now) or self._kept_long:
            return None
        if not self.intent_key:
            self.intent_key = self._content.intent_key()
            self._digest = self._content.digest
        stamp = entry.timestamp if entry is not None else 0
        return intents.blocked(self.intent_key, self._digest, stamp, now, self._lease)

    def _yield(self, obstacle: Obstacle, now: Nanoseconds) -> None:
        self._release(now)
        self._due = obstacle.until
        if self.state is not DeliveryState.YIELDING:
            self._context.intents.statistics.yielded += 1
            self.state = DeliveryState.YIELDING
            self._yielded_at = now
            self._decided(
                Yielded(self.flush, self.integration, now, obstacle.peer, obstacle.kind, obstacle.until)
            )

    def _claim(self, now: Nanoseconds) -> bool:
        """Announce the intent and listen; False if it cannot be announced."""
        bound = self._deadline + ATTEMPT_GRACE
        self._lease = self._context.intents.claim(self.intent_key, self._digest, bound, now)
        if self._lease is None:
            return False
        self._stop_yielding(now)
        self.state = DeliveryState.CLAIMING
        self._due = now + GUARD
        self._decided(Claimed(self.flush, self.integration, now, self._due))
        return True

    def _release(self, now: Nanoseconds) -> None:
        self._context.intents.release(self._lease, now)
        self._lease = None

    def _stop_yielding(self, now: Nanoseconds) -> None:
        """Extend the deadline by the time spent waiting for others, within bounds."""
        if self.state is DeliveryState.YIELDING:
            more = min(max(now - self._yielded_at, 0), self._patience)
            self._patience -= more
            self._deadline += more

    # -- its end

    def _record(self, entry: Entry, now: Nanoseconds) -> None:
        self._effects.append(Record(entry))
        self._context.intents.done(self._lease, entry.timestamp, now)
        self._end(now)

    def _withhold(self, reason: Reason | Literal[""], now: Nanoseconds) -> None:
        entry = self._content.record(now)
        self._effects.append(Withheld(self.flush, self.integration, now, entry, reason))
        self._end(now)

    def _time_out(self, now: Nanoseconds) -> None:
        """The deadline has passed: the last failure before it is reported."""
        reason, error = self._failure
        if not error:
            reason, error = "contextDeadlineExceeded", TIMED_OUT
        self._give_up("", reason, error, now)

    def _give_up(self, why: str, reason: str, error: str, now: Nanoseconds) -> None:
        attempts = self._attempts
        self._decided(GivenUp(self.flush, self.integration, now, attempts, reason, error))
        self._end(now, f"{self.integration}: notify retry canceled {why}after {attempts} attempts: {error}")

    def _end(self, now: Nanoseconds, error: str = "") -> None:
        self._release(now)
        self.state = DeliveryState.DONE
        self.error = error
        self._evaluating = None
        self._content.clear()

    def _decided(self, decision: DeliveryDecision) -> None:
        self._effects.append(decision)
