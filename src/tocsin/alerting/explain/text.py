"""A story as text for people: what became of the alert first, then why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tocsin.alerting.duration import format_duration
from tocsin.alerting.explain.story import DeliveryStory, GroupStory, RouteStep, SilenceNote, Story
from tocsin.alerting.firstseen import TOLERANCE
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_rfc3339

ALIKE: Final = 10 * SECOND
MAX_ROUTES: Final = 30
"""That are shown although the alert does not take them."""
MAX_LINES: Final = 5
"""Of the history of a group."""
MAX_COMMENT: Final = 200
"""Characters of a silence's."""
_WORDS: Final = {
    "sent": "SENT",
    "sent by a peer": "SENT BY A PEER",
    "muted": "NOT SENT",
    "failed": "FAILED",
    "not needed": "NOTHING NEW",
    "under way": "UNDER WAY",
    "would have sent": "NOT SENT",
}


def render(story: Story) -> str:
    """The whole text, with a line feed at its end. Labels and errors of others are in it as they are: whoever
    shows it on a terminal makes them fit."""
    return "".join(f"{line}\n" for line in _lines(story))


def _lines(story: Story) -> Iterator[str]:
    yield f"{story.labels}"
    yield f"  {_states(story)}"
    if story.inhibited_by:
        yield f"  inhibited now by {story.inhibited_by}"
    if story.silenced_by:
        yield f"  silenced now by {', '.join(story.silenced_by)}"
        for silence in story.silences:
            yield f"    {_silence(silence, story.at)}"
    for other in story.elsewhere:
        if other.inhibited_by and not story.inhibited_by:
            yield f"  inhibited now at {other.node} by {other.inhibited_by}"
        if other.silenced_by and not story.silenced_by:
            yield f"  silenced now at {other.node} by {', '.join(other.silenced_by)}"
    for group in story.groups:
        yield ""
        yield from _group(group, story)
    yield ""
    yield from route_lines(story.routes)


def _silence(silence: SilenceNote, now: Nanoseconds) -> str:
    comment = " ".join(silence.comment.split())
    if len(comment) > MAX_COMMENT:
        comment = f"{comment[:MAX_COMMENT]}..."
    return (
        f"{silence.id[:8]}: by {silence.creator or 'nobody named'}, until {_when(silence.until, now)}:"
        f" {comment or 'no comment'}"
    )


def route_lines(routes: Iterable[RouteStep]) -> Iterator[str]:
    """The routes that were taken, and those that were not."""
    yield "routes"
    left_out = 0
    not_taken = 0
    for route in routes:
        if route.taken:
            yield f"  + {route.receiver}: {route.id}"
            continue
        not_taken += 1
        if not_taken > MAX_ROUTES:
            left_out += 1
        else:
            yield f"  - {route.receiver}: {route.id}: {route.why}"
    if left_out:
        yield f"  and {left_out} more that it does not take"


def _states(story: Story) -> str:
    """``firing at a, b since … (10m ago); not known at c``: nodes that answer the same are shown together."""
    found: dict[tuple[str, Nanoseconds | None], list[str]] = {}
    everybody = [(story.node, story.state, story.since)]
    everybody += [(each.node, each.state, each.since) for each in story.elsewhere]
    for node, state, since in everybody:
        rounded = since // SECOND if since is not None else None
        found.setdefault((state, rounded), []).append(node)
    return "; ".join(
        state
        + (f" at {', '.join(nodes)}" if any(nodes) else "")
        + (f" since {_when(since * SECOND, story.at)}" if since is not None else "")
        for (state, since), nodes in found.items()
    )


def _group(group: GroupStory, story: Story) -> Iterator[str]:
    yield f"{group.receiver}: {verdict(group, story)}"
    yield f"  group {group.labels}"
    if group.muted_by:
        yield f"  the route is muted now by {', '.join(group.muted_by)}"
    if group.next_flush is not None:
        yield f"  next flush {_when(group.next_flush, story.at)}"
    if group.logged:
        yield f"  {group.logged}"
    lines = _merged(group.outcomes)
    for nodes, outcome in lines[:MAX_LINES]:
        yield f"  {_line(nodes, outcome, story.at)}"
    if len(lines) > MAX_LINES:
        yield f"  and {len(lines) - MAX_LINES} earlier"


def _merged(outcomes: Iterable[DeliveryStory]) -> list[tuple[list[str], DeliveryStory]]:
    """What several nodes did alike, at about the same time, is one."""
    found: list[tuple[list[str], DeliveryStory]] = []
    for each in outcomes:
        for nodes, other in found:
            alike = (each.integration, each.what, each.why) == (other.integration, other.what, other.why)
            if alike and each.node and each.node not in nodes and other.at - each.at <= ALIKE:
                nodes.append(each.node)
                break
        else:
            found.append(([each.node] if each.node else [], each))
    return found


def verdict(group: GroupStory, story: Story) -> str:
    """What became of the alert there, in a few words.

    What has nothing new to notify is skipped for what came before it.
    """
    decided = _decisive(group, story.at)
    decisive = decided[0] if decided else None
    if decisive is None:
        if group.outcomes:
            return f"NOTHING NEW, {group.outcomes[0].why}"
        if all(state == "not known" for state in (story.state, *(each.state for each in story.elsewhere))):
            return "NOT SENT, nobody holds the alert or has a record of it"
        if group.next_flush is not None and group.next_flush > story.at:
            return f"WAITING, the group is flushed {_when(group.next_flush, story.at)}"
        return "NOT SENT, and no record says why"
    earlier = next((outcome for outcome in group.outcomes if _is_sent(outcome)), None)
    before = ""
    if earlier is not None and not any(map(_is_sent, decided)):
        before = f"; last sent {_when(earlier.at, story.at)}"
    if len({each.what for each in decided}) == 1:
        found = _decided(decisive, story, "")
    else:
        found = "; ".join([_decided(each, story, each.integration) for each in decided])
    if any(each.what == "under way" for each in decided) and (muted := _muted_now(story)):
        found = f"{muted}, while its group is {found}"  # which may or may not still notify it
    return found + before


def _muted_now(story: Story) -> str:
    """What mutes the alert now, here or else at another node; empty: nothing does."""
    everywhere = [(story.silenced_by, story.inhibited_by)]
    everywhere += [(each.silenced_by, each.inhibited_by) for each in story.elsewhere]
    for silenced_by, inhibited_by in everywhere:
        if silenced_by:
            return f"SILENCED by {', '.join(silenced_by)}"
        if inhibited_by:
            return f"INHIBITED by {inhibited_by}"
    return ""


def _decisive(group: GroupStory, now: Nanoseconds) -> list[DeliveryStory]:
    """The newest of weight, of each integration; newest first. What a clock that was ahead has stamped is not
    newer than what came after it: it counts where there is nothing else."""
    listed = [outcome for outcome in group.outcomes if outcome.at - now <= TOLERANCE] or group.outcomes
    sent = {outcome.integration for outcome in listed if _is_sent(outcome)}
    found: dict[str, DeliveryStory] = {}
    for outcome in listed:
        imagined = outcome.waits or outcome.what == "would have sent"
        if outcome.what == "not needed" or (imagined and outcome.integration in sent):
            continue
        if not outcome.integration:  # of all of them
            return [*found.values()] or [outcome]
        found.setdefault(outcome.integration, outcome)
    return list(found.values())


def _decided(outcome: DeliveryStory, story: Story, integration: str) -> str:
    word = _WORDS[outcome.what] + (" AS RESOLVED" if _is_sent(outcome) and outcome.resolved else "")
    to = f" to {integration.rpartition('/')[2]}" if integration else ""
    return f"{word}{to} {_when(outcome.at, story.at)}{_by(outcome)}, {outcome.why}"


def _is_sent(outcome: DeliveryStory) -> bool:
    return outcome.what in ("sent", "sent by a peer")


def _by(outcome: DeliveryStory) -> str:
    return f" by {outcome.node}" if outcome.node and _is_sent(outcome) else ""


def _line(nodes: Sequence[str], outcome: DeliveryStory, now: Nanoseconds) -> str:
    to = f" {outcome.integration}" if outcome.integration else ""
    node = f" [{', '.join(sorted(nodes))}]" if nodes else ""
    ahead = (
        outcome.again_at is not None and outcome.again_at > now - SECOND
    )  # what was ahead then may be past now
    again = f"; again {_when(outcome.again_at, now)}" if outcome.again_at is not None and ahead else ""
    resolved = " as resolved" if _is_sent(outcome) and outcome.resolved else ""
    what = (
        outcome.why
        if outcome.why.startswith(f"{outcome.what} ")
        else f"{outcome.what}{resolved}: {outcome.why}"
    )
    return f"{clock(outcome.at)}{node}{to} {what}{again}"


def clock(moment: Nanoseconds) -> str:
    """``2027-01-15T08:00:00Z``."""
    return format_rfc3339(moment // SECOND * SECOND)


def _when(moment: Nanoseconds, now: Nanoseconds) -> str:
    """``2027-01-15T08:00:00Z (12m ago)``."""
    apart = (now - moment) // SECOND * SECOND if now >= moment else -((moment - now) // SECOND * SECOND)
    if not apart:
        return f"{clock(moment)} (now)"
    words = f"{format_duration(apart)} ago" if apart > 0 else f"in {format_duration(-apart)}"
    return f"{clock(moment)} ({words})"
