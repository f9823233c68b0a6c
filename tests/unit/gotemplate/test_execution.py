"""Values, fields, methods, functions and scopes, as Go's text/template has them."""

from __future__ import annotations

import pytest

from tocsin.gotemplate import Budget, ExecError, TemplateSet
from tocsin.gotemplate.values import (
    ANY,
    ANYS,
    INT,
    STRING,
    STRINGS,
    Func,
    Function,
    GoError,
    Int64,
    Map,
    Pointer,
    Signature,
    Slice,
    Struct,
    Value,
    basic,
    func_type,
    map_of,
    pointer_to,
    slice_of,
    struct,
)
from tocsin.gotemplate.values.types import Kind

PERSON = struct("x.Person", {"Name": STRING, "Tags": STRINGS, "secret": STRING, "Boss": ANY})


@PERSON.method("Hello", (STRING,), STRING, fails=True)
def _hello(person: Struct, to: str) -> str:
    if not to:
        raise GoError("nobody to greet")
    return f"{person.fields['Name']} greets {to}"


@PERSON.method("Rename", (), STRING, pointer=True)
def _rename(person: Struct) -> str:
    return f"new {person.fields['Name']}"


@PERSON.method("Two", (), (STRING, INT))
def _two(person: Struct) -> Value:
    raise AssertionError("nobody may call it")


class Color(str):
    """A named string."""

    __slots__ = ()
    go_type = basic(Kind.STRING, "x.Color")


Color.go_type.make = Color


def person(name: str = "Ada", boss: Value = None) -> Struct:
    return Struct(PERSON, {"Name": name, "Tags": Slice(STRINGS, ["a", "b"]), "secret": "s", "Boss": boss})


DATA = Map(
    map_of(STRING, ANY),
    {
        "p": person(),
        "ptr": Pointer(person("Bob", Pointer(person("Cy")))),
        "nil": None,
        "nilptr": Pointer(None, pointer_to(PERSON)),
        "n": Int64(5),
        "m": Map(map_of(STRING, INT), {"b": 2, "a": 1}),
        "nums": Map(map_of(INT, STRING), {10: "ten", 9: "nine"}),
        "color": Color("red"),
        "raw": b"\xff\x00",
        "some": Slice(ANYS, [1, None, "x", person()]),
        "add": Func("add", func_type(Signature((INT, INT), INT)), lambda one, other: one + other),
    },
)


def render(text: str, data: Value = DATA, *, missing_key: str = "default") -> str:
    functions = {
        "paint": Function("paint", (Color.go_type,), STRING, lambda color: f"painted {color}"),
        "join": Function("join", (STRINGS,), STRING, lambda items: "-".join(items.items)),
        "fail": Function("fail", (), STRING, _fail, fails=True),
    }
    made = TemplateSet(functions, missing_key=missing_key)  # type: ignore[arg-type]
    return made.execute(made.parse("t", text), data, Budget())


def _fail() -> str:
    raise GoError("it does")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("{{ .p.Name }} {{ .ptr.Name }} {{ .ptr.Boss.Name }}", "Ada Bob Cy"),
        ('{{ .p.Hello "you" }}|{{ "me" | .ptr.Hello }}', "Ada greets you|Bob greets me"),
        ("{{ .ptr.Rename }}", "new Bob"),
        ("{{ .none }}|{{ .none.x.y }}|{{ .nil }}", "<no value>|<no value>|<no value>"),
        ("{{ range .some }}[{{ . }}]{{ end }}", "[1][<no value>][x][{Ada [a b] s <nil>}]"),
        ("{{ range $k, $v := .m }}{{ $k }}{{ $v }} {{ end }}", "a1 b2 "),
        ("{{ range $k, $v := .nums }}{{ $k }}{{ $v }} {{ end }}", "9nine 10ten "),
        ("{{ range .n }}{{ . }}{{ end }}|{{ range .raw }}{{ . }},{{ end }}", "01234|255,0,"),
        ("{{ call .add 1 2 }} {{ index .nums 9 }} {{ index .m `z` }} {{ len .raw }}", "3 nine 0 2"),
        ('{{ paint "blue" }} {{ paint .color }} {{ eq .color "red" }}', "painted blue painted red true"),
        ("{{ join .p.Tags }} {{ join nil }}|{{ .n }} {{ eq .n 5 }}", "a-b |5 true"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}", "32"),
        ("{{ $i := 9 }}{{ range $i = slice .p.Tags 2 }}{{ else }}{{ $i }}{{ end }}{{ $i }}", "[][]"),
        ("{{ range $x := 3 }}{{ if $x }}{{ break }}{{ end }}{{ $x }}{{ end }}", "0"),
        ("{{ with .none }}a{{ else with .n }}{{ . }}{{ else }}b{{ end }}", "5"),
        ('{{ block "b" .n }}{{ . }}{{ $ }}{{ end }}', "55"),
        ("{{ or .none .n fail }} {{ and .none fail }}", "5 <no value>"),
        ("{{ slice (slice .p.Tags 0 1) 0 2 }}", "[a b]"),
        ('{{ print "a" 1 2 "b" }} {{ printf "%T %T" .n .color }} {{ println }}', "a1 2b int64 x.Color \n"),
    ],
)
def test_a_template_renders(text: str, want: str) -> None:
    assert render(text) == want


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ .p.Nope }}", "can't evaluate field Nope in type x.Person"),
        ("{{ .p.secret }}", "secret is an unexported field of struct type x.Person"),
        ("{{ .p.go_type }}", "can't evaluate field go_type in type x.Person"),
        ("{{ .p.__class__ }}", "can't evaluate field __class__ in type x.Person"),
        ("{{ .n.real }}", "can't evaluate field real in type int64"),
        ('{{ .p.Hello "" }}', "error calling Hello: nobody to greet"),
        ("{{ .p.Hello }}", "wrong number of args for Hello: want 1 got 0"),
        ("{{ .p.Hello 1 }}", "expected string; found 1"),
        ("{{ .p.Two }}", "second return value should be error"),
        ("{{ .nil.x }}", "nil pointer evaluating interface {}.x"),
        ("{{ .nilptr.Name }}", "nil pointer evaluating *x.Person.Name"),
        (
            "{{ range .some }}{{ if not . }}{{ .x }}{{ end }}{{ end }}",
            "nil pointer evaluating interface {}.x",
        ),
        ("{{ .p.Name 1 }}", "Name has arguments but cannot be invoked as function"),
        ("{{ .add }}", "can't print"),
        ("{{ fail }}", "error calling fail: it does"),
        ("{{ paint .n }}", "wrong type for value; expected x.Color; got int64"),
        ("{{ paint .none }}", "invalid value; expected x.Color"),
        ("{{ join .some }}", "wrong type for value; expected []string; got []interface {}"),
        ("{{ lt .p 1 }}", "invalid type for comparison"),
        ("{{ template `no` }}", 'template "no" not defined'),
        ("{{ range .p }}{{ end }}", "range can't iterate over"),
    ],
)
def test_a_template_fails_as_go_says(text: str, message: str) -> None:
    with pytest.raises(ExecError) as caught:
        render(text)
    assert message in caught.value.message
    assert (caught.value.template, caught.value.line) == ("t", 1)
    assert caught.value.word


def test_what_a_map_has_not_is_as_the_option_says() -> None:
    assert render("{{ .m.x }}", missing_key="zero") == "0"
    assert render("{{ .x }}", missing_key="zero") == "<no value>"
    with pytest.raises(ExecError, match="map has no entry for key"):
        render("{{ .m.x }}", missing_key="error")
    with pytest.raises(ExecError, match="nil pointer evaluating"):
        render("{{ .x.y }}", missing_key="zero")


def test_bytes_that_are_no_text_survive() -> None:
    assert render('{{ slice "größe" 0 3 }}').encode("utf-8", "surrogateescape") == b"gr\xc3"
    halves = '{{ $a := slice "é" 0 1 }}{{ $b := slice "é" 1 2 }}{{ eq (print $a $b) "é" }}{{ $a }}{{ $b }}'
    assert render(halves).encode("utf-8", "surrogateescape").decode() == "trueé"


def test_a_later_definition_replaces_unless_it_is_blank() -> None:
    made = TemplateSet()
    made.parse("one", "{{ define `x` }}first{{ end }}")
    blank = made.clone()
    blank.parse("two", "{{ define `x` }} \n {{ end }}")
    assert blank.execute("x", None, Budget()) == "first"
    blank.parse("three", "{{ define `x` }}{{ `second` }}{{ end }}")
    assert blank.execute("x", None, Budget()) == "second"
    assert made.execute("x", None, Budget()) == "first"
    assert made.names() == ["one", "x"]


def test_what_is_no_value_of_go_is_refused() -> None:
    with pytest.raises(TypeError, match="object is not a value of Go"):
        render("{{ .x }}", object())


def test_a_type_has_a_pointer_and_a_slice_of_its_own() -> None:
    assert pointer_to(PERSON) is pointer_to(PERSON)
    assert slice_of(PERSON).name == "[]x.Person"
