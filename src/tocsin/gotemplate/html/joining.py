"""Joins branches: the context after both, or an error."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.gotemplate.html.context import (
    VALUE_STATES,
    Attr,
    Context,
    Delim,
    Slash,
    State,
    UrlPart,
    failure,
)


def nudge(context: Context) -> Context:
    """The context of an action here: behind ``<p title=`` it is already a value."""
    if context.state is State.TAG:
        return context._replace(state=State.ATTR_NAME)
    if context.state is State.BEFORE_VALUE:
        return context._replace(state=VALUE_STATES[context.attr], delim=Delim.SPACE, attr=Attr.NONE)
    if context.state is State.AFTER_NAME:
        return context._replace(state=State.ATTR_NAME, attr=Attr.NONE)
    return context


def join(one: Context, other: Context, branch: str, place: Callable[[Context], Context]) -> Context:
    """The context behind a branch whose ways end in these two. ``place`` adds its location to an error."""
    joined = _common(one, other)
    if joined is not None:
        return joined
    said = f"{{{{{branch}}}}} branches end in different contexts: {one}, {other}"
    return place(failure("ErrBranchEnd", said))


def _common(one: Context, other: Context) -> Context | None:
    if one.state is State.ERROR or other.state is State.DEAD or one == other:
        return one
    if other.state is State.ERROR or one.state is State.DEAD:
        return other
    if one._replace(url=other.url) == other:
        return one._replace(url=UrlPart.UNKNOWN)
    if one._replace(slash=other.slash) == other:
        return one._replace(slash=Slash.UNKNOWN)
    nudged, other_nudged = nudge(one), nudge(other)
    if nudged == one and other_nudged == other:
        return None
    return _common(nudged, other_nudged)
