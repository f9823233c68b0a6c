"""Files of expectations for ``tocsinctl template test``: what templates should render to.

A file of YAML::

    templates: ['*.tmpl']            # globs, relative to the file
    tests:
      - name: the title of a firing group
        text: '{{ template "ops.title" . }}'
        type: text                   # or html
        data: firing.json            # a file, or the data itself; without it amtool's sample
        want: '[FIRING] DiskFull'
      - name: an unknown template fails
        text: '{{ template "nowhere" . }}'
        error: not defined           # a part of the error
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.notify.template.data import Data, data_from_json
from tocsin.notify.template.errors import RenderError
from tocsin.notify.template.loading import load_templates
from tocsin.notify.template.sample import sample
from tocsin.notify.template.templates import Field, Templates

_KEYS: Final = frozenset({"name", "text", "type", "data", "want", "error"})


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one expectation. ``problem`` is empty when it was fulfilled."""

    name: str
    problem: str


def read_data(path: Path) -> Data:
    """The data of a JSON file. Raises ConfigError."""
    try:
        return data_from_json(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(
            str(path), f"is not data of a notification: {error}", "docs/templates.md has an example"
        ) from None


def check_file(path: Path) -> Iterator[Result]:
    """The result of each expectation in the file. Raises ConfigError for a file that is not of this form."""
    told = _mapping(_load(path), str(path), {"templates", "tests", "defaults"})
    globs = told.get("templates") or []
    if not isinstance(globs, list) or not all(isinstance(each, str) for each in globs):
        raise ConfigError(f"{path}: templates", "a list of globs is wanted")
    loaded = load_templates(globs, str(path.parent), defaults=bool(told.get("defaults", True)))
    tests = told.get("tests")
    if not isinstance(tests, list) or not tests:
        raise ConfigError(f"{path}: tests", "a list of tests is wanted")
    for number, test in enumerate(tests, 1):
        place = f"{path}: test {number}"
        yield _check(loaded, _mapping(test, place, _KEYS), place, path.parent)


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise ConfigError(str(path), f"is not YAML: {error}") from None


def _mapping(told: Any, place: str, keys: frozenset[str] | set[str]) -> Mapping[str, Any]:
    if not isinstance(told, Mapping):
        raise ConfigError(place, f"a map is wanted, with {', '.join(sorted(keys))}")
    unknown = sorted(str(key) for key in told if key not in keys)
    if unknown:
        raise ConfigError(place, f"unknown key {unknown[0]}", f"known are {', '.join(sorted(keys))}")
    return told


def _check(loaded: Templates, test: Mapping[str, Any], place: str, folder: Path) -> Result:
    for key in ("text", "want", "error", "name", "type"):
        if not isinstance(test.get(key, ""), str):
            raise ConfigError(f"{place}: {key}", "a text is wanted", "quote it")
    kind = test.get("type", "text")
    if kind not in ("text", "html"):
        raise ConfigError(f"{place}: type", "text or html is wanted")
    if ("want" in test) == ("error" in test):
        raise ConfigError(place, "either want or error is wanted")
    name = test.get("name", place)
    field = Field(place, test.get("text", ""))
    data = _data(test.get("data"), place, folder)
    try:
        rendered = loaded.html(field, data) if kind == "html" else loaded.text(field, data)
    except RenderError as error:
        if "error" in test and test["error"] in str(error):
            return Result(name, "")
        return Result(name, str(error))
    if "error" in test:
        return Result(name, f"no error, but {rendered!r}")
    if rendered != test["want"]:
        return Result(name, f"wanted {test['want']!r}\n  got    {rendered!r}")
    return Result(name, "")


def _data(told: Any, place: str, folder: Path) -> Data:
    if told is None:
        return sample(time.time_ns())
    if isinstance(told, str):
        return read_data(folder / told)
    try:
        return data_from_json(told)
    except ValueError as error:
        raise ConfigError(f"{place}: data", str(error)) from None
