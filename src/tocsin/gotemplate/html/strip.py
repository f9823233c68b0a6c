"""Takes the tags out of a piece of HTML, for contexts that take only its text."""

from __future__ import annotations

from tocsin.gotemplate.html.context import IN_TAG, TEXT, Context, Delim, Element, State
from tocsin.gotemplate.html.markup import TRANSITIONS, value_end


def strip_tags(text: str) -> str:
    """The text without tags, comments and attributes; the text of special elements stays."""
    context, at, end = TEXT, 0, len(text)
    kept: list[str] = []
    only_text = True
    while at < end:
        if context.delim is not Delim.NONE:
            at = value_end(context.delim, text, at, end)
            if at == end:
                break
            at += context.delim is not Delim.SPACE
            context = Context(State.TAG, element=context.element)
            continue
        state = context.state
        if context.element is not Element.NONE and state not in IN_TAG:
            state = State.RCDATA
        following, stop = TRANSITIONS[state](context, text, at, end)
        if context.state in (State.TEXT, State.RCDATA):
            last = stop
            if following.state is not context.state:
                tag = text.rfind("<", at, stop)
                last = stop if tag < 0 else tag
            kept.append(text[at:last])
        else:
            only_text = False
        context, at = following, stop
    if only_text:
        return text
    if context.state in (State.TEXT, State.RCDATA):
        kept.append(text[at:])
    return "".join(kept)
