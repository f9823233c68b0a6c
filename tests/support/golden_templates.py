"""The golden template cases: what real Go rendered, and what is rendered here."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tocsin.errors import ConfigError
from tocsin.gotemplate.errors import ParseError, TemplateError
from tocsin.gotemplate.gotime.bindings import Time
from tocsin.notify.template.data import Data, data_from_json
from tocsin.notify.template.errors import RenderError
from tocsin.notify.template.loading import load_templates
from tocsin.notify.template.templates import Field, Templates

VECTORS = Path(__file__).parents[1] / "vectors" / "templates"


@dataclass(frozen=True)
class Case:
    """One line of the file."""

    name: str
    kind: str
    text: str
    data: str
    templates: dict[str, str] = field(default_factory=dict)
    now: str | None = None
    want: bytes | None = None
    error_class: str | None = None
    code: str | None = None

    @property
    def group(self) -> str:
        """The part of the name before the number."""
        return self.name.split("/")[0]


def cases() -> Iterator[Case]:
    """All cases of the file."""
    for line in (VECTORS / "cases.jsonl").read_text("utf-8").split("\n"):
        if not line:
            continue
        told: dict[str, Any] = json.loads(line)
        want = told.get("want")
        raw = base64.b64decode(told["want_b64"]) if "want_b64" in told else None
        yield Case(
            name=told["name"],
            kind=told["kind"],
            text=told["text"],
            data=told["data"],
            templates=told.get("templates", {}),
            now=told.get("now"),
            want=raw if want is None else want.encode(),
            error_class=told.get("error_class"),
            code=told.get("code"),
        )


@lru_cache(maxsize=1)
def _data_sets() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((VECTORS / "data.json").read_text("utf-8"))
    return told


@lru_cache(maxsize=16)
def data_set(name: str) -> Data:
    """A data set by its name."""
    return data_from_json(_data_sets()[name])


def _present(now: str | None) -> Time:
    return _time(now or "2026-03-14T12:00:00.25Z")


def _time(text: str) -> Time:
    told = {"alerts": [{"startsAt": text}]}
    moment: Time = data_from_json(told).fields["Alerts"].items[0].fields["StartsAt"]
    return moment


@lru_cache(maxsize=64)
def _plain(now: str | None) -> Templates:
    return load_templates([], present=lambda: _present(now))


def outcome(case: Case, folder: Path) -> bytes | tuple[str, str]:
    """What is rendered here: the bytes, or the error's class and code. Files are written to the folder."""
    templates = _plain(case.now)
    if case.templates:
        for name, text in case.templates.items():
            (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        try:
            templates = load_templates([str(folder / "*")], present=lambda: _present(case.now))
        except ConfigError as error:
            if not isinstance(error.__cause__ or error.__context__, ParseError):
                raise
            return "parse", ""
    field_ = Field(case.name, case.text)
    render = templates.html if case.kind == "html" else templates.text
    try:
        return render(field_, data_set(case.data)).encode("utf-8", "surrogateescape")
    except RenderError as error:
        cause = error.__cause__
        if not isinstance(cause, TemplateError):
            raise
        return cause.error_class, getattr(cause, "code", "")


def expected(case: Case) -> bytes | tuple[str, str]:
    """What real Go rendered, in the form of `outcome`."""
    if case.want is not None:
        return case.want
    return case.error_class or "", case.code or ""
