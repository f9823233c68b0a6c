"""One case, rendered here and by amtool 0.33.1."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tocsin.gotemplate.gojson import name_fields
from tocsin.gotemplate.values import Struct, struct
from tocsin.notify.template import Field, RenderError, Templates, data_from_json, load_templates
from tocsin.notify.template.data import DATA, DATA_NAMES

_NEWER: Final = frozenset({"RouteLabels"})
_ADDRESS: Final = re.compile(rb"(?<=\{)( *\S+ +\S+ +)[^ }]+\}")
"""A time printed as a struct ends with the address of its zone."""
_ZONE: Final = re.compile(rb"time\.location(?:=|&#61;)?(?:&|%26|\\u0026|\{)", re.IGNORECASE)
"""Or what a zone is made of, where a verb does not fit: that has addresses anywhere, and is not compared."""
_PLAIN: Final = (
    ("template.Strings", "[]string"),
    ("TEMPLATE.STRINGS", "[]STRING"),
    ("template.strings", "[]string"),
    ("Template.strings", "[]String"),
)
DATA_033: Final = struct(
    "template.Data",
    {name: go_type for name, go_type in DATA.fields.items() if name not in (*_NEWER, "routeLabelsRendered")},
)
"""0.33.1 has no labels of routes, and amtool hands the data over by value."""
name_fields(DATA_033, {name: json_name for name, json_name in DATA_NAMES.items() if name not in _NEWER})


@dataclass(frozen=True)
class Case:
    """A template, and the data that it is rendered with."""

    kind: str
    text: str
    data: dict[str, Any]

    def told(self) -> str:
        """As one line."""
        return json.dumps({"kind": self.kind, "text": self.text, "data": self.data}, ensure_ascii=True)

    @classmethod
    def read(cls, line: str) -> Case:
        """What :meth:`told` has written."""
        told = json.loads(line)
        return cls(told["kind"], told["text"], told["data"])


@dataclass(frozen=True)
class Outcome:
    """``error`` is empty, or the class of the error; ``told`` is its message, for people."""

    output: bytes
    error: str = ""
    told: str = ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outcome):
            return NotImplemented
        if self.error or other.error:
            return self.error == other.error
        if _ZONE.search(self.output) and _ZONE.search(other.output):
            return True
        return _comparable(self.output) == _comparable(other.output)

    __hash__ = None  # type: ignore[assignment]


def _comparable(output: bytes) -> bytes:
    return _ADDRESS.sub(rb"\1}", output.replace(b"&#32;", b" "))


def by_amtool(amtool: Path, case: Case) -> Outcome:
    """What the real one makes of it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(case.data, file)
        file.flush()
        done = subprocess.run(
            [
                amtool,
                "template",
                "render",
                "--template.glob=/dev/null",
                f"--template.type={case.kind}",
                f"--template.data={file.name}",
                f"--template.text={case.text}",
            ],
            capture_output=True,
            check=False,
            env={**os.environ, "TZ": "UTC", "HOME": "/nonexistent"},
            timeout=60,
        )
    if done.returncode == 0:
        return Outcome(done.stdout)
    told = done.stderr.decode("utf-8", "replace").strip()
    return Outcome(b"", _class(told), told)


def _class(told: str) -> str:
    if ': executing "' in told:
        return "exec"
    return "escape" if "html/template" in told else "parse"


def templates() -> Templates:
    """Without the defaults, as amtool has none of its own."""
    return load_templates([], defaults=False)


def here(loaded: Templates, case: Case) -> Outcome:
    """What Tocsin makes of it."""
    data = data_from_json(case.data)
    fields = {name: data.fields[name] for name in DATA_033.fields}
    data.value = Struct(DATA_033, fields)  # type: ignore[assignment]
    field = Field("case", case.text)
    try:
        rendered = loaded.html(field, data) if case.kind == "html" else loaded.text(field, data)
    except RenderError as error:
        return Outcome(b"", error.kind, str(error))
    # 0.33.1's names and values are plain slices.
    for named, plain in _PLAIN:
        rendered = rendered.replace(named, plain)
    return Outcome(rendered.encode("utf-8", "surrogateescape"))
