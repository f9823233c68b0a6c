"""What chance has found, as amtool 0.33.1 has it: nil compared, loops whose variables have one name."""

from __future__ import annotations

import pytest

from tocsin.notify.template import Field, RenderError, data_from_json, load_templates

DATA = data_from_json(
    {"alerts": [{"labels": {"a": "b"}}], "commonLabels": {"a": "b"}, "groupLabels": None, "status": "firing"}
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ ne .Alerts nil }} {{ eq nil .Alerts }} {{ eq .CommonLabels nil }}", "true false false"),
        ("{{ eq .GroupLabels nil }} {{ eq .GroupLabels .GroupLabels }}", "true true"),
        ("{{ eq .GroupLabels .CommonLabels }} {{ eq .CommonLabels .GroupLabels }}", "false false"),
        ("{{ eq (dict) nil }} {{ eq (list 1) nil }} {{ eq (index .Alerts 0) nil }}", "false false false"),
        ("{{ eq (index .Alerts 0) (index .Alerts 0).StartsAt }}", "false"),
    ],
)
def test_with_nil_everything_can_be_compared(text: str, shown: str) -> None:
    assert load_templates([]).text(Field("f", text), DATA) == shown


@pytest.mark.parametrize(
    "text",
    [
        "{{ eq .Alerts .Alerts }}",
        "{{ eq .Alerts .CommonLabels }}",
        "{{ eq .Alerts nil 1 }}",
        "{{ eq (list) nil (list) }}",
        "{{ eq (index .Alerts 0).StartsAt (index .Alerts 0) }}",
    ],
)
def test_what_cannot_be_compared_is_an_error(text: str) -> None:
    with pytest.raises(RenderError, match="compar"):
        load_templates([]).text(Field("f", text), DATA)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ range $x, $x := list 5 6 }}{{ $x }},{{ end }}", "5,6,"),
        ("{{ $x := 1 }}{{ range $x, $x = list 5 6 }}{{ $x }},{{ end }}{{ $x }}", "5,6,6"),
        ("{{ range $k, $k := .CommonLabels }}{{ $k }}{{ end }}", "b"),
        ("{{ range $, $x := list 5 6 }}{{ $ }},{{ end }}", "0,1,"),
    ],
)
def test_two_variables_of_one_name_are_the_element(text: str, shown: str) -> None:
    assert load_templates([]).text(Field("f", text), DATA) == shown
