"""Whatever a value is, it does not leave its place: the page has the same elements and attributes with it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.gotemplate import Budget, TemplateSet
from tocsin.gotemplate.html import escaped

_MARKS = r"""< > " ' & ` = / \ </script> <script> <!-- --> ]]> </style> </title> </textarea> javascript: data:
http: ${ } expression( url( /* */ // ; : ? # %3c %zz &lt; &#39; &quot onload= x y"""
_PIECES = st.one_of(
    st.text(max_size=12), st.sampled_from([*_MARKS.split(), " ", "\0", "\n", "\r", "\t", "\u2028", "\ufeff"])
)
VALUES = st.lists(_PIECES, max_size=8).map("".join)

PAGE = """<!DOCTYPE html>
<title>{{ . }}</title><style>p { color: {{ . }}; background: url("{{ . }}"); font: '{{ . }}' }</style>
<p class="a {{ . }}" title='{{ . }}' style="width: {{ . }}">{{ . }}</p>
<a href="{{ . }}" data-href='/x/{{ . }}' my-src="/{{ . }}">{{ . }}</a><a href="?q={{ . }}#{{ . }}">x</a>
<img srcset="{{ . }} 2x, {{ . }}" alt="{{ . }}"><meta http-equiv=refresh content="0;url={{ . }}">
<b onclick="f({{ . }}, '{{ . }}', /{{ . }}/, `{{ . }}`)">x</b><textarea>{{ . }}</textarea><!-- {{ . }} -->
<script>var a = {{ . }}, b = "{{ . }}", c = '{{ . }}', d = /{{ . }}/, e = `{{ . }}${ {{ . }} }`; // {{ . }}
/* {{ . }} */ end()</script><i>end</i>"""


class _Shape(HTMLParser):
    """The elements of a page and the names of their attributes, and what is in them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: list[tuple[str, ...]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, *(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self.shape.append(("/" + tag,))
        self._open = ""

    def handle_comment(self, data: str) -> None:
        self.shape.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.shape.append(("declaration", decl))

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open, data))

    def text(self, tag: str) -> str:
        return "".join(data for name, data in self.texts if name == tag)

    def attribute(self, tag: str, name: str) -> list[str]:
        return [value for at, named, value in self.attributes if (at, named) == (tag, name)]


def _page(text: str) -> TemplateSet:
    templates = TemplateSet()
    templates.parse("", text)
    return escaped(templates, "", Budget())


def _shape(templates: TemplateSet, value: str) -> _Shape:
    shape = _Shape()
    shape.feed(templates.execute("", value, Budget()))
    shape.close()
    return shape


_TEMPLATES = _page(PAGE)
_HARMLESS = _shape(_TEMPLATES, "x")


@given(VALUES)
@example("")
@example("</script><script>alert(1)</script>")
@example("' onmouseover=alert(1) x='")
def test_a_value_does_not_leave_its_place(value: str) -> None:
    shape = _shape(_TEMPLATES, value)
    assert shape.shape == _HARMLESS.shape
    for _, name, link in shape.attributes:
        if name in ("href", "src", "data-href", "my-src"):
            scheme, colon, _ = link.strip().partition(":")
            assert (
                not colon or "/" in scheme or "?" in scheme or scheme.lower() in ("http", "https", "mailto")
            )


@given(VALUES)
def test_a_value_arrives_as_it_is(value: str) -> None:
    shape = _shape(_page('<p title="{{ . }}"></p><b>{{ . }}</b><title>{{ . }}</title>'), value)
    expected = value.replace("\0", "\ufffd")
    assert shape.attribute("p", "title") == [expected]
    assert shape.text("b") == expected
    assert shape.text("title") == expected or "&" in shape.text("title")


@given(
    st.recursive(
        VALUES | st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53), st.lists, max_leaves=5
    )
)
def test_a_value_in_a_script_is_json(value: object) -> None:
    from tocsin.gotemplate.values import ANYS, Slice

    def go(plain: object) -> object:
        return Slice(ANYS, [go(item) for item in plain]) if isinstance(plain, list) else plain

    written = _page("<script>{{ . }}</script>").execute("", go(value), Budget())
    body = written.removeprefix("<script>").removesuffix("</script>")
    assert json.loads(body) == value
    assert not re.search("[<>&\u2028\u2029]", body)


@given(VALUES)
def test_a_value_without_quotation_marks_is_one_value(value: str) -> None:
    # Python's parser takes more for white space than HTML does, so the page is looked at as it is.
    written = _page("<p id={{ . }} class=a{{ . }} style=color:{{ . }} onclick=f({{ . }}) x>").execute(
        "", value, Budget()
    )
    assert re.fullmatch(r"""<p( (?:id|class|style|onclick)=[^ \t\n\f\r<>"'`=]+){4} x>""", written)


@given(VALUES)
def test_a_string_of_a_script_ends_where_the_template_ends_it(value: str) -> None:
    for mark in "'\"`":
        written = _page(f"<script>{mark}{{{{ . }}}}{mark}</script>").execute("", value, Budget())
        body = written.removeprefix(f"<script>{mark}").removesuffix(f"{mark}</script>")
        assert re.fullmatch(r"(?:[^\\<>&'\"`\n\r\u2028\u2029]|\\[^\n])*", body)
        if mark == "`":
            assert "${" not in body
        read = json.loads('"' + body.replace("\\/", "/") + '"')
        assert read == value


@given(VALUES)
def test_a_value_of_a_style_ends_nothing(value: str) -> None:
    written = _page("<style>p { color: {{ . }}; }</style>").execute("", value, Budget())
    body = written.removeprefix("<style>p { color: ").removesuffix("; }</style>")
    assert not re.search(r"[;{}()<>\"'/\\@\[\]`]", body)
