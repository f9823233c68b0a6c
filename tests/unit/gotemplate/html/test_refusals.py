"""What cannot be made safe is refused, with html/template's code and the place."""

from __future__ import annotations

import pytest

from tocsin.gotemplate import Bounds, Budget, TemplateSet
from tocsin.gotemplate.errors import BoundError, EscapeError
from tocsin.gotemplate.html import escaped


def refusal(text: str, **others: str) -> EscapeError:
    templates = TemplateSet()
    for name, other in others.items():
        templates.parse(name, other)
    templates.parse("page.tmpl", text)
    with pytest.raises(EscapeError) as caught:
        escaped(templates, "page.tmpl", Budget())
    return caught.value


REFUSED = [
    ('<a href="{{ if . }}/a{{ else }}?b={{ end }}{{ . }}">', "ErrAmbigContext", 1),
    ("<p a'b={{ . }}>", "ErrBadHTML", 1),
    ("x\n<a href=/?q={{ . }}>", "ErrBadHTML", 2),
    ("<p title=`{{ . }}`>", "ErrBadHTML", 1),
    ("<p =x>", "ErrBadHTML", 1),
    ('{{ if . }}<a title="{{ else }}<b>{{ end }}', "ErrBranchEnd", 1),
    ('\n\n{{ range . }}<p title="{{ end }}', "ErrBranchEnd", 3),
    ('{{ range . }}<p title="{{ if . }}{{ break }}{{ end }}">{{ end }}', "ErrBranchEnd", 1),
    ('{{ range . }}<p title="{{ if . }}{{ continue }}{{ end }}">{{ end }}', "ErrBranchEnd", 1),
    ("{{ with . }}<script>{{ end }}", "ErrBranchEnd", 1),
    ("<p", "ErrEndContext", 0),
    ("<script>x", "ErrEndContext", 0),
    ("<!-- x", "ErrEndContext", 0),
    ("<title>", "ErrEndContext", 0),
    ("<style>p {}", "ErrEndContext", 0),
    ('a\n{{ template "none" }}', "ErrNoSuchTemplate", 2),
    ("<script>x = /a[{{ . }}]/</script>", "ErrPartialCharset", 1),
    ("<script>x = 'a\\{{ . }}'</script>", "ErrPartialEscape", 1),
    ("<script>x = `a\\{{ . }}`</script>", "ErrPartialEscape", 1),
    ("<style>p { a: 'b\\{{ . }}' }</style>", "ErrPartialEscape", 1),
    ("<script>{{ if . }}x = 1{{ end }}\n/ {{ . }} /</script>", "ErrSlashAmbig", 1),
    ("{{ . | html | print }}", "ErrPredefinedEscaper", 1),
    ("{{ . | urlquery | html }}", "ErrPredefinedEscaper", 1),
    ("<p title={{ html . }}>", "ErrPredefinedEscaper", 1),
]


@pytest.mark.parametrize(("text", "code", "line"), REFUSED)
def test_a_refusal(text: str, code: str, line: int) -> None:
    error = refusal(text)
    assert (error.code, error.error_class, error.template) == (code, "escape", "page.tmpl")
    assert error.line >= line if line else error.line == 0


def test_a_refusal_names_the_file_in_which_it_is() -> None:
    error = refusal('{{ template "part.tmpl" . }}', **{"part.tmpl": "\n\n<a b'c>"})
    assert (error.template, error.line) == ("part.tmpl", 3)
    assert str(error).startswith("html/template: part.tmpl:3:")


def test_a_template_that_calls_itself_into_another_context_is_refused() -> None:
    error = refusal('<a title="{{ template "t" . }}', t='{{ if . }}{{ template "t" 0 }}{{ end }}{{ . }}",')
    assert error.code == "ErrOutputContext"


def test_an_analysis_that_grows_without_end_is_bounded() -> None:
    templates = TemplateSet()
    depth = 24  # each loop's body is followed twice
    templates.parse("", "{{ range . }}" * depth + "{{ . }}" + "{{ end }}" * depth)
    with pytest.raises(BoundError) as caught:
        escaped(templates, "", Budget(Bounds(steps=5_000)))
    assert caught.value.bound == "steps"


def test_a_long_chain_of_templates_is_bounded() -> None:
    templates = TemplateSet()
    for number in range(2000):
        templates.parse(f"t{number}", f'{{{{ template "t{number + 1}" . }}}}')
    templates.parse("t2000", "x")
    with pytest.raises(BoundError) as caught:
        escaped(templates, "t0", Budget())
    assert caught.value.bound == "depth"
