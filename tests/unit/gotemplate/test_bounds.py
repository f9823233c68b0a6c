"""A hostile template reaches a bound, and says which."""

from __future__ import annotations

import tracemalloc

import pytest

from tocsin.gotemplate import BoundError, Bounds, Budget, TemplateSet

GROWING = '{{ $x := "aaaaaaaaaaaaaaaa🔥" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}'
HOARDING = "".join(f'{{{{ $v{number} := printf "%99999s🔥" "" }}}}' for number in range(500))


class Clock:
    """Gives a second more each time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def reach(text: str, budget: Budget | None = None) -> BoundError:
    made = TemplateSet()
    made.parse("hostile.tmpl", text)
    with pytest.raises(BoundError) as caught:
        made.execute("hostile.tmpl", None, budget or Budget())
    assert caught.value.template == "hostile.tmpl"
    assert caught.value.error_class == "exec"
    return caught.value


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("{{ range 1000000000 }}{{ range 1000000000 }}x{{ end }}{{ end }}", "steps"),
        ("{{ range 1000000000 }}{{ end }}", "steps"),
        ('{{ $x := printf "%900000s" "" }}{{ range 100000 }}{{ $y := eq $x $x }}{{ end }}', "steps"),
        ('{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}', "depth"),
        (
            '{{ define "r" }}{{ with 1 }}{{ template "r" }}{{ end }}{{ end }}{{ template "r" }}',
            "depth",
        ),
        ('{{ $x := printf "%100000s" "" }}{{ range 1000 }}{{ $x }}{{ end }}', "output"),
        ('{{ $x := printf "%100000s🔥" "" }}{{ range 1000 }}{{ $x }}{{ end }}', "output"),
        (GROWING, "value"),
        (HOARDING, "value"),
        ('{{ $x := printf "%200000s" "" }}{{ range 100 }}{{ $y := html $x }}{{ end }}', "value"),
    ],
)
def test_a_hostile_template_reaches_a_bound(text: str, bound: str) -> None:
    error = reach(text)
    assert error.bound == bound
    assert "the bound of" in str(error)


def test_time_is_bounded_by_the_clock_that_is_given() -> None:
    error = reach("{{ range 1000000 }}{{ end }}", Budget(Bounds(seconds=5.0), Clock()))
    assert error.bound == "time"


def test_each_bound_can_be_set() -> None:
    assert reach("{{ range 100 }}{{ . }}{{ end }}", Budget(Bounds(steps=50))).bound == "steps"
    assert reach("0123456789", Budget(Bounds(output_bytes=9))).bound == "output"
    assert reach("ééééé", Budget(Bounds(output_bytes=9))).bound == "output"
    assert reach('{{ printf "%50s" "" }}', Budget(Bounds(value_bytes=49))).bound == "value"


@pytest.mark.parametrize("text", [GROWING, HOARDING, '{{ printf "%1000000000d" 1 }}'])
def test_the_memory_that_it_takes_is_bounded(text: str) -> None:
    made = TemplateSet()
    made.parse("hostile.tmpl", text)
    tracemalloc.start()
    try:
        made.execute("hostile.tmpl", None, Budget())
    except BoundError:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
