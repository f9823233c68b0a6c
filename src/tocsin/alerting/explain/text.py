"""A story as text for people: what became of the alert first, then why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tocsin.alerting.duration import format_duration
from tocsin.alerting.explain.story import GroupTold, Story, Told
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_rfc3339

MAX_LINES: Final = 5
"""Of the history of a group."""
_WORDS: Final = {
    "sent": "SENT",
    "sent by a peer": "SENT BY A PEER",
    "muted": "NOT SENT",
    "failed": "FAILED",
    "not needed": "NOTHING NEW",
    "under way": "UNDER WAY",
}


def render(story: Story) -> str:
    """The whole text, with a line feed at its end. Labels and errors of others are in it as they are: whoever
    shows it on a terminal makes them fit."""
    return "".join(f"{line}\n" for line in _lines(story))


def _lines(story: Story) -> Iterator[str]:
    since = f" since {_when(story.since, story.at)}" if story.since is not None else ""
    here = f" at {story.node}" if story.node else ""
    yield f"{story.labels}"
    yield f"  {story.state}{here}{since}"
    if story.inhibited_by:
        yield f"  inhibited now by {story.inhibited_by}"
    if story.silenced_by:
        yield f"  silenced now by {', '.join(story.silenced_by)}"
    for group in story.groups:
        yield ""
        yield from _group(group, story)
    yield ""
    yield "routes"
    for route in story.routes:
        sign = "+" if route.taken else "-"
        why = f": {route.why}" if route.why else ""
        yield f"  {sign} {route.id} to {route.receiver}{why}"


def _group(group: GroupTold, story: Story) -> Iterator[str]:
    yield f"{group.receiver}: {_verdict(group, story)}"
    yield f"  group {group.labels}"
    if group.muted_by:
        yield f"  the route is muted now by {', '.join(group.muted_by)}"
    if group.next_flush is not None:
        yield f"  next flush {_when(group.next_flush, story.at)}"
    for told in group.told[:MAX_LINES]:
        yield f"  {_told(told, story.at)}"
    if len(group.told) > MAX_LINES:
        yield f"  and {len(group.told) - MAX_LINES} earlier"


def _verdict(group: GroupTold, story: Story) -> str:
    """In a few words. What has nothing new to tell is passed over for what came before it."""
    decisive = next((told for told in group.told if told.what != "not needed"), None)
    if decisive is None:
        if group.told:
            return f"NOTHING NEW, {group.told[0].why}"
        if story.state == "not known":
            return "NOT SENT, this node neither holds the alert nor has a record of it"
        if group.next_flush is not None and group.next_flush > story.at:
            return f"WAITING, the group is flushed {_when(group.next_flush, story.at)}"
        return "NOT SENT, and no record says why"
    word = _WORDS[decisive.what]
    return f"{word} {_when(decisive.at, story.at)}{_by(decisive)}, {decisive.why}"


def _by(told: Told) -> str:
    return f" by {told.node}" if told.node and told.what == "sent" else ""


def _told(told: Told, now: Nanoseconds) -> str:
    to = f" {told.integration}" if told.integration else ""
    node = f" [{told.node}]" if told.node else ""
    again = f"; again {_when(told.again_at, now)}" if told.again_at is not None else ""
    return f"{_clock(told.at)}{node}{to} {told.what}: {told.why}{again}"


def _clock(moment: Nanoseconds) -> str:
    return format_rfc3339(moment // SECOND * SECOND)


def _when(moment: Nanoseconds, now: Nanoseconds) -> str:
    """``2027-01-15T08:00:00Z (12m ago)``."""
    apart = (now - moment) // SECOND * SECOND if now >= moment else -((moment - now) // SECOND * SECOND)
    if not apart:
        return f"{_clock(moment)} (now)"
    words = f"{format_duration(apart)} ago" if apart > 0 else f"in {format_duration(-apart)}"
    return f"{_clock(moment)} ({words})"
