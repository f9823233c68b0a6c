"""What senders get: texts, errors that name the place, bounds, and an event loop that goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from tocsin.gotemplate.bounds import Bounds
from tocsin.notify.template import Data, Field, Renderer, RenderError, data_from_json, load_templates

ALERTS: list[dict[str, Any]] = [
    {"status": "firing", "labels": {"alertname": "Up", "n": str(n)}, "startsAt": "2026-01-02T03:04:05Z"}
    for n in range(3)
]


def data(**more: Any) -> Data:
    return data_from_json({"status": "firing", "receiver": "ops", "alerts": ALERTS, **more})


def many(count: int) -> Data:
    return data(alerts=ALERTS * (count // len(ALERTS)))


def test_texts_are_plain_and_html_is_escaped() -> None:
    templates = load_templates([])
    told = data(commonLabels={"x": "<b>"})
    assert templates.text(Field("f", "{{ .CommonLabels }}"), told) == "x=<b>"
    assert templates.html(Field("f", '<i title="{{ .CommonLabels.x }}">'), told) == '<i title="&lt;b&gt;">'
    assert templates.text(Field("f", ""), told) == ""
    assert templates.html(Field("f", "a<!-- b -->c"), told) == "ac"


def test_an_error_names_field_template_line_and_word(tmp_path: Path) -> None:
    (tmp_path / "own.tmpl").write_text('{{ define "own" }}\n{{ .Nope }}{{ end }}')
    templates = load_templates(["own.tmpl"], str(tmp_path))
    with pytest.raises(RenderError) as caught:
        templates.text(Field('receiver "ops", slack_configs[0].title', '{{ template "own" . }}'), data())
    error = caught.value
    assert (error.kind, error.field, error.template, error.line, error.word, error.bound) == (
        "exec",
        'receiver "ops", slack_configs[0].title',
        "own.tmpl",
        2,
        ".Nope",
        "",
    )
    assert str(error).startswith(
        'receiver "ops", slack_configs[0].title: template own.tmpl: line 2: at <.Nope>'
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{ range .Alerts }}{{ .CommonLabels }}{{ end }}", r"\$ is the whole"),
        ("{{ .Labels.x }}", "belongs to an alert"),
        ("{{ .Alerts.Labels }}", "within {{ range .Alerts }}"),
        ('{{ template "slack.defalt.title" . }}', "did you mean slack.default.title?"),
        ("{{ titel .Status }}", "did you mean title?"),
    ],
)
def test_errors_that_many_make_have_a_hint(text: str, hint: str) -> None:
    with pytest.raises(RenderError, match=hint.replace("{", "\\{").replace("?", "\\?")):
        load_templates([]).text(Field("f", text), data())


def test_a_field_is_checked_when_it_is_loaded() -> None:
    templates = load_templates([])
    templates.check(Field("f", "{{ .Status }}"))
    with pytest.raises(RenderError) as caught:
        templates.check(Field("f", "{{ if }}"))
    assert caught.value.kind == "parse"
    with pytest.raises(RenderError) as caught:
        templates.check(Field("f", "<a href='{{ .Status }}"), "html")
    assert caught.value.kind == "escape"


@pytest.mark.parametrize("kind", ["text", "html"])
def test_a_template_that_nobody_defines_is_missed_when_it_is_rendered(kind: Literal["text", "html"]) -> None:
    templates, field = load_templates([]), Field("f", '{{ template "nowhere" . }}')
    templates.check(field, kind)
    with pytest.raises(RenderError, match="nowhere"):
        getattr(templates, kind)(field, data())


def test_a_secret_in_a_field_is_not_told() -> None:
    field = Field("webhook_configs[0].url", "https://token@example.org/{{ .Nope }}")
    assert "token" not in repr(field)
    with pytest.raises(RenderError) as caught:
        load_templates([]).text(field, data())
    assert "token" not in str(caught.value)


LOOP = '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}'
THRICE = "{{ range $.Alerts }}" * 3 + "{{ $x = print $x $x }}" + "{{ end }}" * 3
DOUBLE = '{{ $x := "0123456789" }}' + THRICE
NESTED = "{{ range $.Alerts }}" * 8 + "x" * 100 + "{{ end }}" * 8


@pytest.mark.parametrize(
    ("bound", "text", "bounds"),
    [
        ("depth", LOOP, Bounds()),
        ("steps", NESTED, Bounds(steps=5000)),
        ("output", NESTED, Bounds(output_bytes=50_000)),
        ("value", DOUBLE, Bounds()),
        ("time", NESTED * 3, Bounds(seconds=0)),
    ],
)
@pytest.mark.parametrize("kind", ["text", "html"])
def test_each_bound_ends_a_rendering_and_is_counted(kind: str, bound: str, text: str, bounds: Bounds) -> None:
    reached: list[str] = []
    templates = load_templates([], bounds=bounds, on_bound=reached.append)
    with pytest.raises(RenderError) as caught:
        getattr(templates, kind)(Field("f", text), data())
    assert (caught.value.kind, caught.value.bound) == ("bound", bound)
    assert f"the bound of {bound if bound != 'value' else 'values'}" in str(caught.value)
    assert reached == [bound]


def test_the_fields_of_a_message_share_one_budget() -> None:
    render = load_templates([], bounds=Bounds(output_bytes=1000)).renderer(data())
    field = Field("f", "{{ range .Alerts }}" + "x" * 200 + "{{ end }}")
    assert len(render.text(field)) == 600
    with pytest.raises(RenderError, match="bound of output"):
        render.text(field)


def test_a_python_attribute_is_out_of_reach() -> None:
    templates = load_templates([])
    for text in (
        "{{ .__class__ }}",
        "{{ .Alerts.items }}",
        "{{ .CommonLabels.go_type }}",
        "{{ .Status.upper }}",
    ):
        try:
            shown = templates.text(Field("f", text), data(commonLabels={}))
        except RenderError:
            continue
        assert shown == ""  # a label that is not there


def test_labels_of_the_route_are_templates_of_their_own() -> None:
    templates = load_templates([])
    told = data(
        routeLabels={"a": '{{ routeLabels "b" }}!', "b": "{{ .Status }}", "c": '{{ routeLabels "c" }}'}
    )
    assert templates.text(Field("f", '{{ routeLabels "a" }}{{ routeLabels "none" }}'), told) == "firing!"
    with pytest.raises(RenderError, match="route label cycle detected: c -> c"):
        templates.text(Field("f", '{{ routeLabels "c" }}'), told)


def where(render: Renderer) -> tuple[str, str]:
    text = render.text(Field("f", "{{ range .Alerts }}{{ .Labels.n }}{{ end }}"))
    return threading.current_thread().name, text


def test_small_messages_are_composed_at_once_and_large_ones_by_another_thread() -> None:
    templates = load_templates([])

    async def main() -> None:
        at_once, text = await templates.compose(data(), where)
        assert text == "012"
        beside, text = await templates.compose(many(3000), where)
        assert len(text) == 3000
        assert at_once == threading.current_thread().name != beside

    asyncio.run(main())


def test_a_message_that_turns_out_to_be_large_goes_on_by_another_thread() -> None:
    reached: list[str] = []
    templates = load_templates([], on_bound=reached.append)
    threads = []
    slow = Field("f", "{{ range .Alerts }}" * 9 + "{{ .Status }}" + "{{ end }}" * 9)

    def build(render: Renderer) -> int:
        threads.append(threading.current_thread().name)
        return len(render.text(Field("f", slow.text.replace("{{ range .Alerts }}", "{{ range $.Alerts }}"))))

    async def main() -> None:
        assert await templates.compose(data(), build) == 3**9 * len("firing")

    asyncio.run(main())
    assert len(threads) == 2
    assert threads[0] != threads[1]
    assert reached == []


def test_errors_of_a_message_come_back_from_either_thread() -> None:
    templates = load_templates([])

    def fail(render: Renderer) -> str:
        return render.text(Field("f", "{{ .Nope }}"))

    async def main() -> None:
        for told in (data(), many(3000)):
            with pytest.raises(RenderError, match="Nope"):
                await templates.compose(told, fail)

    asyncio.run(main())


def test_a_payload_is_rendered_and_read_again_as_yaml() -> None:
    render = load_templates([]).renderer(data(commonLabels={"colon": "a: b", "n": "012"}))
    tree: Mapping[Any, Any] = {
        "{{ .Status }}": "{{ len .Alerts }}",
        "text": "{{ .Receiver }}",
        "quoted": '"{{ len .Alerts }}"',
        "list": ["{{ toJson .CommonLabels }}", "yes", 5, None, True, "2026-01-02", ""],
        "colon": "{{ .CommonLabels.colon }}",
        "octal": "{{ .CommonLabels.n }}",
        "whole": ["{{ 1.5e3 }}", "-1.5e3", 1.5],
        "bad": "{ {{ .Status }}",
        1: "left out",
    }
    assert render.copy("webhook_configs[0].payload", tree) == {
        "firing": 3,
        "text": "ops",
        "quoted": '"3"',
        "list": [{"colon": {"a": "b"}, "n": 10}, True, 5, None, True, "2026-01-02", None],
        "colon": {"a": "b"},
        "octal": 10,
        "whole": [1500, -1500, 1.5],
        "bad": "{ firing",
    }
    with pytest.raises(RenderError, match=r"payload: line 1: at <.Nope>"):
        render.copy("payload", ["{{ .Nope }}"])


def test_a_label_of_the_route_is_html_where_a_field_is() -> None:
    templates = load_templates([])
    told = data(routeLabels={"plain": "a<!-- b -->c", "open": "<a href='"})
    assert templates.text(Field("f", '{{ routeLabels "plain" }}'), told) == "a<!-- b -->c"
    assert templates.html(Field("f", '{{ routeLabels "plain" }}'), told) == "ac"
    with pytest.raises(RenderError, match="routeLabels"):
        templates.html(Field("f", '{{ routeLabels "open" }}'), told)


def test_a_bound_that_another_thread_reaches_is_counted_once() -> None:
    reached: list[str] = []
    templates = load_templates([], on_bound=reached.append)
    field = Field("f", '{{ printf "%3000000d" 1 }}')

    async def main() -> None:
        for told in (data(), many(3000)):
            with pytest.raises(RenderError) as caught:
                await templates.compose(told, lambda render: render.text(field))
            assert caught.value.bound == "value"

    asyncio.run(main())
    assert reached == ["value", "value"]
