"""Follows a template's text from a context, and finds the changes that it needs."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tocsin.gotemplate.html.context import COMMENTS, SCRIPT_LITERALS, Context, Delim, State
from tocsin.gotemplate.html.markup import Walk

_PLAIN_LESS_THAN: Final = re.compile(r"<(?!!doctype)", re.IGNORECASE)
_SCRIPT_TAG: Final = re.compile(r"<(/?script|!--)", re.IGNORECASE | re.ASCII)
_JS_BREAKS: Final = re.compile("[\n\r\u2028\u2029]")
_OPENINGS: Final = {State.HTML_COMMENT: 4, State.JS_OPEN_COMMENT: 4, State.JS_CLOSE_COMMENT: 3}
_PLAIN: Final = frozenset({State.TEXT, State.RCDATA})


class Followed(NamedTuple):
    """The context behind a text; what the text becomes, None if it stays; where an error is."""

    behind: Context
    changed: str | None
    error_at: int


def follow_text(context: Context, text: str) -> Followed:
    """Follows the text.

    Comments are removed. ``<`` that does not begin a tag becomes ``&lt;``. In the strings of a script
    ``<script``, ``</script`` and ``<!--`` are written so that they neither begin nor end anything.
    """
    walk = Walk(text)
    at = written = error_at = 0
    pieces: list[str] = []
    while at < walk.end:
        following, stop = walk.advance(context, at)
        state = context.state
        if state in _PLAIN:
            tag = text.rfind("<", at, stop) if following.state is not state else -1
            for match in _PLAIN_LESS_THAN.finditer(text, at, stop if tag < 0 else tag):
                pieces += (text[written : match.start()], "&lt;")
                written = match.end()
        elif state in COMMENTS and context.delim is Delim.NONE:
            pieces.append(_instead_of_comment(state, text, written, stop))
            written = stop
        elif state in SCRIPT_LITERALS and _SCRIPT_TAG.search(text, at, stop):
            pieces += (text[written:at], _SCRIPT_TAG.sub(r"\\x3C\1", text[at:stop]))
            written = stop
        opened = following.state
        if opened is not state and opened in COMMENTS and following.delim is Delim.NONE:
            pieces.append(text[written : stop - _OPENINGS.get(opened, 2)])
            written = stop
        if following.error is not None and context.error is None:
            error_at = at
        context, at = following, stop
    if not written or context.error is not None:
        return Followed(context, None, error_at)
    if context.state not in COMMENTS or context.delim is not Delim.NONE:
        pieces.append(text[written:])
    return Followed(context, "".join(pieces), 0)


def _instead_of_comment(state: State, text: str, start: int, end: int) -> str:
    """A block comment is a blank; in a script it is a line end if it has one, as that may end a statement."""
    if state is State.JS_BLOCK_COMMENT:
        return "\n" if _JS_BREAKS.search(text, start, end) else " "
    return " " if state is State.CSS_BLOCK_COMMENT else ""
