"""The functions that Alertmanager 0.34 gives to templates, beside Go's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tocsin.gotemplate.casing import to_lower, to_upper
from tocsin.gotemplate.gojson import marshal
from tocsin.gotemplate.gotime import UTC, TimeError, load_location, parse_time
from tocsin.gotemplate.gotime.bindings import DURATION, TIME, Duration, Time
from tocsin.gotemplate.gotime.bindings import ZERO as ZERO_TIME
from tocsin.gotemplate.html.content import HTML, URL
from tocsin.gotemplate.values import (
    ANY,
    ANYS,
    BOOL,
    STRING,
    STRINGS,
    Function,
    GoError,
    Map,
    Slice,
    Type,
    Value,
    map_of,
)
from tocsin.notify.template import casing, conversions, regexes
from tocsin.notify.template.data import join
from tocsin.notify.template.rendering import Rendering

_DICT: Final = map_of(STRING, ANY)
_PIECE: Final = 8192
_SMALL: Final = 64
"""Characters of a text that is too short to reach a bound."""


def _text(change: Callable[[str], str]) -> Callable[[Any, str], str]:
    """Wraps a function of one text whose cost grows with the length of the text."""

    def changed(budget: Any, text: str) -> str:
        if len(text) <= _SMALL:
            return change(text)
        budget.claim(len(text))
        budget.spend(len(text) >> 6)
        return change(text)

    return changed


def _chars(change: Callable[[str], str]) -> Callable[[Any, str], str]:
    """Wraps a function that maps each character by itself: a long text is processed in pieces, and can be
    stopped."""

    def changed(budget: Any, text: str) -> str:
        if len(text) <= _SMALL:
            return change(text)
        budget.claim(len(text))
        if len(text) <= _PIECE:
            return change(text)
        pieces = []
        for start in range(0, len(text), _PIECE):
            budget.spend(_PIECE >> 3)
            pieces.append(change(text[start : start + _PIECE]))
        return "".join(pieces)

    return changed


def _title(budget: Any, text: str) -> str:
    budget.claim(len(text))
    return casing.title(text, lambda: budget.spend(casing.STRIDE >> 1))


def _url_unescape(budget: Any, text: str) -> str:
    budget.claim(len(text))
    return conversions.url_unescape(text, budget.spend)


def _date(budget: Any, layout: str, time: Time) -> str:
    budget.claim(len(layout) * 9)  # the longest that a layout's character becomes is a part of "September"
    budget.spend(1 + (len(layout) >> 2))
    return time.format(layout)


def _tz(name: str, time: Time) -> Time:
    try:
        return Time.of(time.within(load_location(name)))
    except TimeError as error:
        raise GoError(str(error)) from None


def _must_to_date(layout: str, text: str) -> Time:
    try:
        return Time.of(parse_time(layout, text, UTC))
    except TimeError as error:
        raise GoError(str(error)) from None


def _to_date(layout: str, text: str) -> Time:
    try:
        return _must_to_date(layout, text)
    except GoError:
        return ZERO_TIME


def _since(rendering: Rendering, time: Time) -> Duration:
    return Duration(rendering.now.sub(time))


def _now(rendering: Rendering) -> Time:
    return rendering.now


def _route_label(rendering: Rendering, name: str) -> str:
    return rendering.route_label(name)


def _list(budget: Any, *items: Value) -> Slice:
    budget.claim(16 * len(items))
    return Slice(ANYS, items)


def _append(budget: Any, before: Slice, *items: Value) -> Slice:
    if before.nil and not items:
        return before
    budget.claim(16 * (len(before.items) + len(items)))
    return Slice(ANYS, [*before.items, *items])


def _dict(budget: Any, *items: Value) -> Map:
    if len(items) % 2:
        raise GoError("dict requires an even number of arguments")
    budget.claim(32 * len(items))
    if any(type(key) is not str for key in items[::2]):
        raise GoError("dict keys must be strings")
    return Map(_DICT, dict(zip(items[::2], items[1::2], strict=True)))


def _table() -> dict[str, Function]:
    table: dict[str, Function] = {}

    def add(
        name: str,
        params: tuple[Type, ...],
        result: Type,
        impl: Callable[..., Value],
        *,
        variadic: bool = False,
        fails: bool = False,
        budgeted: bool = False,
    ) -> None:
        table[name] = Function(name, params, result, impl, variadic=variadic, fails=fails, budgeted=budgeted)

    add("toUpper", (STRING,), STRING, _chars(to_upper), budgeted=True)
    add("toLower", (STRING,), STRING, _chars(to_lower), budgeted=True)
    for name, change in (
        ("trimSpace", casing.trim_space),
        ("base64encode", conversions.base64_encode),
    ):
        add(name, (STRING,), STRING, _text(change), budgeted=True)
    add("title", (STRING,), STRING, _title, budgeted=True)
    add("urlUnescape", (STRING,), STRING, _url_unescape, budgeted=True, fails=True)
    add("base64decode", (STRING,), STRING, _text(conversions.base64_decode), budgeted=True, fails=True)
    add("join", (STRING, STRINGS), STRING, join, budgeted=True)
    add("match", (STRING, STRING), BOOL, regexes.match, budgeted=True, fails=True)
    add("safeHtml", (STRING,), HTML.go_type, HTML)
    add("safeUrl", (STRING,), URL.go_type, URL)
    # Go's panics where the pattern is wrong, which text/template makes an error of.
    add("reReplaceAll", (STRING, STRING, STRING), STRING, regexes.replace_all, budgeted=True, fails=True)
    add("stringSlice", (STRING,), STRINGS, lambda *texts: Slice(STRINGS, texts), variadic=True)
    add("routeLabels", (STRING,), STRING, _route_label, budgeted=True, fails=True)
    add("date", (STRING, TIME), STRING, _date, budgeted=True)
    add("tz", (STRING, TIME), TIME, _tz, fails=True)
    add("now", (), TIME, _now, budgeted=True)
    add("since", (TIME,), DURATION, _since, budgeted=True)
    add("humanizeDuration", (ANY,), STRING, conversions.humanize_duration, fails=True)
    add("toDate", (STRING, STRING), TIME, _to_date)
    add("mustToDate", (STRING, STRING), TIME, _must_to_date, fails=True)
    add("toJson", (ANY,), STRING, marshal, budgeted=True, fails=True)
    add("list", (ANY,), ANYS, _list, variadic=True, fails=True, budgeted=True)
    add("append", (ANYS, ANY), ANYS, _append, variadic=True, budgeted=True)
    add("dict", (ANY,), _DICT, _dict, variadic=True, fails=True, budgeted=True)
    return table


FUNCTIONS: Final = _table()
"""The functions by name. The budget that they get is a
:class:`~tocsin.notify.template.rendering.Rendering`."""
