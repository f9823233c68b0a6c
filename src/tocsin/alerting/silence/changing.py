"""When a silence may be changed under its id, and whether one that is imported is there already."""

from __future__ import annotations

from tocsin.alerting.silence.silence import Silence, SilenceState
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_milliseconds

_MILLISECOND = SECOND // 1000
"""What an export has of a time."""


def can_update(old: Silence, new: Silence, now: Nanoseconds) -> bool:
    """Whether ``new`` may replace ``old`` under its id: matchers and the past stay as they are."""
    if old.matcher_sets != new.matcher_sets:
        return False
    state = old.state_at(now)
    if state is SilenceState.ACTIVE:
        return old.starts_at // SECOND == new.starts_at // SECOND and new.ends_at >= now
    return state is SilenceState.PENDING and new.starts_at >= now


def differences(here: Silence, imported: Silence, now: Nanoseconds) -> list[str]:
    """What of the content of ``imported`` is otherwise ``here``, with the API's field names; none: it is
    equal.

    Times are compared to the millisecond. A start in the past counts as the moment when a silence comes, so
    two of them are no difference.
    """
    found: list[str] = []
    if [frozenset(each) for each in here.matcher_sets] != [frozenset(each) for each in imported.matcher_sets]:
        found.append("matchers")
    begun = max(here.starts_at, imported.starts_at) <= now
    if not begun and here.starts_at // _MILLISECOND != imported.starts_at // _MILLISECOND:
        found.append(f"startsAt ({format_milliseconds(here.starts_at)} here)")
    if here.ends_at // _MILLISECOND != imported.ends_at // _MILLISECOND:
        found.append(f"endsAt ({format_milliseconds(here.ends_at)} here)")
    if here.created_by != imported.created_by:
        found.append("createdBy")
    if here.comment != imported.comment:
        found.append("comment")
    if here.annotations != imported.annotations:
        found.append("annotations")
    return found
