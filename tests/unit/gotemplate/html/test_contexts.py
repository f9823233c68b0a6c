"""A value is escaped as the place asks for in which it stands."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.gotemplate import Bounds, Budget, TemplateSet
from tocsin.gotemplate.errors import BoundError, ExecError, ParseError
from tocsin.gotemplate.gotime import UTC
from tocsin.gotemplate.gotime.bindings import LOCATION, Duration, Time, as_zone
from tocsin.gotemplate.html import CSS, HTML, JS, URL, HTMLAttr, JSStr, Srcset, escaped
from tocsin.gotemplate.values import ANY, ANYS, STRING, Map, Pointer, Slice, Struct, map_of, struct

EVIL = "<a b='c' d=\"e\">&\\`+/"
PAIR = struct("main.Pair", {"Name": STRING, "Value": ANY})


def render(text: str, data: Any = None, **others: str) -> str:
    templates = TemplateSet()
    for name, other in others.items():
        templates.parse(name, other)
    templates.parse("", text)
    return escaped(templates, "", Budget()).execute("", data, Budget())


PLACES: list[tuple[str, Any, str]] = [
    # HTML
    ("<p>{{ . }}</p>", EVIL, "<p>&lt;a b=&#39;c&#39; d=&#34;e&#34;&gt;&amp;\\`&#43;/</p>"),
    ('<p title="{{ . }}">', EVIL, '<p title="&lt;a b=&#39;c&#39; d=&#34;e&#34;&gt;&amp;\\`&#43;/">'),
    (
        "<p title={{ . }}>",
        EVIL,
        "<p title=&lt;a&#32;b&#61;&#39;c&#39;&#32;d&#61;&#34;e&#34;&gt;&amp;\\&#96;&#43;/>",
    ),
    ("<p title={{ . }}>", "", "<p title=ZgotmplZ>"),
    ("<p title={{ . }}>", "\ufdd0\udcff", "<p title=&#xfdd0;&#xfffd;>"),
    ("<title>{{ . }}</title>", "</title>", "<title>&lt;/title&gt;</title>"),
    ("<textarea>{{ . }}</textarea>", "&", "<textarea>&amp;</textarea>"),
    ("<p {{ . }}>", "hidden", "<p hidden>"),
    ('<p onclick="f({{ . }})">', Pointer(as_zone(UTC), LOCATION), '<p onclick="f({})">'),
    ('<p title="{{ . }}">', Pointer(as_zone(UTC), LOCATION), '<p title="UTC">'),
    ("<p {{ . }}=1>", "\u0130d", "<p id=1>"),
    ("<p {{ . }}=1>", "\u0130\u03a3", "<p ZgotmplZ=1>"),
    ('<p style="color: {{ . }}">', "ExpressI\u0130on", '<p style="color: ZgotmplZ">'),
    ('<p style="color: {{ . }}">', "Express\u0130on", '<p style="color: Express\u0130on">'),
    ("<p {{ . }}=1>", "onclick", "<p ZgotmplZ=1>"),
    ("<p {{ . }}=1>", "a b", "<p ZgotmplZ=1>"),
    ("<p data-{{ . }}=1>", "X", "<p data-x=1>"),
    ("a<!-- {{ . }} -->b", "x", "ab"),
    ("1 < 2 <3 {{ . }}", "x", "1 &lt; 2 &lt;3 x"),
    ("<!DOCTYPE html>{{ . }}", "x", "<!DOCTYPE html>x"),
    ("\0{{ . }}", "\0", "\0\ufffd"),
    # URLs
    ('<a href="{{ . }}">', "https://h/ä b?c=d&e=%20'", "https://h/%c3%a4%20b?c=d&amp;e=%20%27"),
    ('<a href="{{ . }}">', "javascript:alert(1)", "#ZgotmplZ"),
    ('<a href="{{ . }}">', "x/y:z", "x/y:z"),
    ('<a href="{{ . }}">', "mailto:a@b", "mailto:a@b"),
    ('<a href="{{ . }}">', "HTTP\u017f:x", "HTTP%c5%bf:x"),
    ('<a href="/{{ . }}">', "javascript:x", "/javascript:x"),
    ('<a href="/?q={{ . }}">', "a&b=c d/é", "/?q=a%26b%3dc%20d%2f%c3%a9"),
    ('<a href="/#{{ . }}">', "a&b", "/#a%26b"),
    ('<a href="{{ "/x" }}?y={{ . }}">', "&", "/x?y=%26"),
    ('<a href=" {{ . }}">', "data:x", " #ZgotmplZ"),
    ('<img srcset="{{ . }}">', "/ä 2x, javascript:x 3x", "/%c3%a4 2x,#ZgotmplZ"),
    ('<img srcset="{{ . }}">', " /a,b.png 2x", " /a,b.png 2x"),
    ('<meta content="0;URL={{ . }}">', "javascript:x", "0;URL=#ZgotmplZ"),
    ('<meta content="0;url={{ "/a" }};{{ . }}">', "javascript:x", "0;url=/a;javascript:x"),
    ('<p xlink:href="{{ . }}">', "x:y", "#ZgotmplZ"),
    ('<p my-url="{{ . }}">', "x:y", "#ZgotmplZ"),
    # CSS
    ('<p style="color: {{ . }}">', "#f00", "color: #f00"),
    ('<p style="color: {{ . }}">', "red; x: y", "color: ZgotmplZ"),
    ('<p style="color: {{ . }}">', "e\\78pression", "color: ZgotmplZ"),
    ('<p style="color: {{ . }}">', "<!--", "color: ZgotmplZ"),
    ("<p style=\"font: '{{ . }}'\">", "a'b", "font: 'a\\27 b'"),
    ('<p style="background: url({{ . }})">', "a b)", "background: url(a%20b%29)"),
    ("<style>p { a: {{ . }} }</style>", "1px", "<style>p { a: 1px }</style>"),
    ('<style>p { a: url("/{{ . }}") }</style>', "ä", '<style>p { a: url("/%c3%a4") }</style>'),
    ("<style>/* {{ . }} */p{}</style>", "x", "<style>  p{}</style>"),
    # JavaScript
    ("<script>x = {{ . }}</script>", EVIL, r'''x = "\u003ca b='c' d=\"e\"\u003e\u0026\\`+/"'''),
    ("<script>x = '{{ . }}'</script>", "'</script>\n", r"x = '\u0027\u003c\/script\u003e\n'"),
    ("<script>x = `{{ . }}`</script>", "${a}`", r"x = `\u0024\u007ba\u007d\u0060`"),
    ("<script>x = `${ {{ . }} }`</script>", "a", 'x = `${ "a" }`'),
    ("<script>x = `${ {a: {b: 1}} }{{ . }}`</script>", "'", r"x = `${ {a: {b: 1}} }\u0027`"),
    ("<script>x = /{{ . }}/</script>", "a.b*", r"x = /a\.b\*/"),
    ("<script>x = /{{ . }}/</script>", "", "x = /(?:)/"),
    ("<script>x = {{ . }}</script>", 5, "x =  5 "),
    ("<script>x = {{ . }}</script>", None, "x =  null "),
    ("<script>x = {{ . }}</script>", Slice(ANYS, [1, "a", None]), 'x = [1,"a",null]'),
    ("<script>x = {{ . }}</script>", Map(map_of(STRING, ANY), {"<": "\u2028"}), r'x = {"\u003c":"\u2028"}'),
    ("<script>x = {{ . }}</script>", 1j, "x =  /* json: unsupported type: complex128 */null "),
    ("<script>x = {{ . }}</script>", Duration(1_000_000_000), 'x = "1s"'),
    ("<script>x = {{ . }}</script>", Time(0), 'x = "1970-01-01T00:00:00Z"'),
    (
        "<script>x = {{ . }}</script>",
        Pointer(Struct(PAIR, {"Name": "a", "Value": 1.5})),
        'x = {"Name":"a","Value":1.5}',
    ),
    ('<a onclick="f({{ . }})">', '"', "f(&#34;\\&#34;&#34;)"),
    ("<a onclick=\"f('{{ . }}')\">", "'", r"f('\u0027')"),
    ("<script>a // {{ . }}\nb</script>", "x", "<script>a \nb</script>"),
    ("<script>a /* {{ . }}\n */ b</script>", "x", "<script>a  \n b</script>"),
    ("<script>a <!-- {{ . }}\nb</script>", "x", "<script>a \nb</script>"),
    (
        "<script>x = '<script>' + '</script>'{{ . }}</script>",
        1,
        r"x = '\x3Cscript>' + '\x3C/script>' 1 </script>",
    ),
    ("<script>i = a++ / {{ . }} / 2</script>", 1, "i = a++ /  1  / 2"),
    ("<script>a} /'/; x = {{ . }}</script>", "b", """a} /'/; x = "b\""""),
    ("<script>a) /'/; x = {{ . }}'</script>", "b", "a) /'/; x = b'"),
    ("<script>return /[/]/{{ . }}</script>", 1, "return /[/]/ 1 "),
    ('<script type="text/template">{{ . }}</script>', "<", '<script type="text/template">&lt;</script>'),
    ('<script type="module">{{ . }}</script>', "<", r'<script type="module">"\u003c"</script>'),
    ('<script type="application/ld+json">{{ . }}</script>', "<", r'"\u003c"'),
]


@pytest.mark.parametrize(("text", "value", "written"), PLACES)
def test_a_place(text: str, value: Any, written: str) -> None:
    assert written in render(text, value)


SAFE: list[tuple[str, Any, str]] = [
    ("<p>{{ . }}</p>", HTML("<b>x</b>"), "<p><b>x</b></p>"),
    (
        '<p title="{{ . }}">',
        HTML('<b class="x">a &amp; "b"</b><!-- c -->'),
        '<p title="a &amp; &#34;b&#34;">',
    ),
    ("<p title={{ . }}>", HTML("<b>a b</b>"), "<p title=a&#32;b>"),
    ("<title>{{ . }}</title>", HTML("<b>&amp;"), "<title>&lt;b&gt;&amp;</title>"),
    ("<p {{ . }}>", HTMLAttr('dir="ltr"'), '<p dir="ltr">'),
    ('<p style="{{ . }}">', CSS("a: b(c)"), '<p style="a: b(c)">'),
    ('<a href="{{ . }}">', URL("javascript:f('x')"), '<a href="javascript:f%28%27x%27%29">'),
    ('<a href="?q={{ . }}">', URL("a&b"), '<a href="?q=a&amp;b">'),
    ('<img srcset="{{ . }}">', URL("a,b c"), '<img srcset="a%2cb%20c">'),
    ('<img srcset="{{ . }}">', Srcset("x:y 2x"), '<img srcset="x:y 2x">'),
    ("<script>{{ . }}</script>", JS("f()"), "<script>f()</script>"),
    ("<script>{{ . }}</script>", JSStr("a\\nb"), '<script>"a\\nb"</script>'),
    ("<script>'{{ . }}'</script>", JSStr("a\\n'"), "<script>'a\\n\\u0027'</script>"),
    ("<script>{{ . }}</script>", HTML("<"), '<script>"\\u003c"</script>'),
    ("<p>{{ . }}</p>", URL("<"), "<p>&lt;</p>"),
]


@pytest.mark.parametrize(("text", "value", "written"), SAFE)
def test_a_safe_string_passes_where_it_is_meant(text: str, value: Any, written: str) -> None:
    assert render(text, value) == written


OWN = [
    ("{{ html . }}", "<", "&lt;"),
    ("{{ . | html }}", "<", "&lt;"),
    ("{{ html 1 . 2 }}", "<", "1&lt;2"),
    ("{{ html }}", "<", ""),
    ('<a href="?q={{ . | urlquery }}">', "a b", '<a href="?q=a&#43;b">'),
    ('<a href="{{ . | urlquery }}">', "x/y:z", '<a href="x%2Fy%3Az">'),
    ("<script>'{{ . | html }}'</script>", "<", r"<script>'\u0026lt;'</script>"),
    ("{{ $x := . }}{{ $x }}", "<", "&lt;"),
    ("{{ (html .) }}", "<", "&amp;lt;"),
]


@pytest.mark.parametrize(("text", "value", "written"), OWN)
def test_escaping_by_name_joins_the_escaping_by_place(text: str, value: str, written: str) -> None:
    assert render(text, value) == written


def test_a_template_is_escaped_for_each_place_that_calls_it() -> None:
    text = (
        '<p title="{{ template "v" . }}">{{ template "v" . }}</p><a href="?{{ template "v" . }}">'
        '<script>{{ template "v" . }}</script>'
    )
    assert render(text, "<&", v="{{ . }}") == (
        '<p title="&lt;&amp;">&lt;&amp;</p><a href="?%3c%26"><script>"\\u003c\\u0026"</script>'
    )


def test_a_template_may_leave_the_context_changed() -> None:
    assert render('{{ template "open" }}{{ . }}">x</a>', "a b", open='<a href="') == '<a href="a%20b">x</a>'
    assert (
        render('<a {{ template "attr" . }}>x</a>', "x:y", attr='href="{{ . }}"')
        == '<a href="#ZgotmplZ">x</a>'
    )


def test_a_template_may_call_itself() -> None:
    tree = '<b>{{ . }}{{ if . }}{{ template "t" "" }}{{ end }}</b>'
    assert render('{{ template "t" . }}', "<", t=tree) == "<b>&lt;<b></b></b>"


def test_branches_join() -> None:
    text = '<a href="{{ if . }}/a{{ else }}/b{{ end }}?x={{ . }}"{{ if . }} id="a"{{ end }}>'
    assert render(text, "&") == '<a href="/a?x=%26" id="a">'
    assert render("{{ with . }}<b>{{ else }}<i>{{ end }}", "") == "<i>"
    assert render(
        "{{ range . }}<p>{{ if . }}{{ break }}{{ end }}</p>{{ else }}-{{ end }}", Slice(ANYS, [0, 1])
    ) == ("<p></p><p>")


def test_the_given_templates_stay_as_they_are() -> None:
    templates = TemplateSet()
    templates.parse("", "<p>{{ . }}</p>")
    assert templates.execute("", "<", Budget()) == "<p><</p>"
    safe = escaped(templates, "", Budget())
    assert safe.execute("", "<", Budget()) == "<p>&lt;</p>"
    assert templates.execute("", "<", Budget()) == "<p><</p>"


def test_only_what_is_reached_is_analysed_and_kept() -> None:
    templates = TemplateSet()
    templates.parse("broken", '<a href="')
    templates.parse("", "fine")
    safe = escaped(templates, "", Budget())
    assert safe.execute("", None, Budget()) == "fine"
    with pytest.raises(ExecError):
        safe.execute("broken", None, Budget())


def test_no_text_can_name_the_functions_that_escape() -> None:
    templates = TemplateSet()
    with pytest.raises(ParseError):
        templates.parse("", "{{ _html_template_htmlescaper . }}")
    templates.parse("", "{{ . }}")
    escaped(templates, "", Budget())
    with pytest.raises(ParseError):
        templates.parse("other", "{{ _eval_args_ . }}")


LARGE = [
    "<p>{{ . }}</p>",
    "<p title={{ . }}>",
    '<a href="/{{ . }}">',
    '<a href="?{{ . }}">',
    "<style>p { a: '{{ . }}' }</style>",
    "<script>x = '{{ . }}'</script>",
    "<script>x = {{ . }}</script>",
]


@pytest.mark.parametrize("text", LARGE)
def test_a_large_value_may_grow_up_to_the_bound(text: str) -> None:
    templates = TemplateSet()
    templates.parse("", text)
    safe = escaped(templates, "", Budget())
    bounds = Bounds(value_bytes=200_000)
    harmless = "x" * 90_000
    assert harmless in safe.execute("", harmless, Budget(bounds))
    with pytest.raises(BoundError) as caught:
        safe.execute("", "<" * 90_000, Budget(bounds))
    assert caught.value.bound == "value"
