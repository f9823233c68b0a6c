"""Trees of YAML whose texts are templates: payloads, details, fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tocsin.notify.template.yamlvalues import NotYamlError, read

_LARGEST_WHOLE: Final = 1e21


def copy_rendered(value: Any, render: Callable[[str], str]) -> Any:
    """A copy of ``value`` with every text and every key rendered.

    What a text renders to is read as YAML, as Alertmanager does it: ``"{{ 1 }}"`` becomes a number, a list
    becomes a list, and nothing becomes None; where it is a text, or no YAML, it stays as it was rendered.
    So are texts in what was read. Keys are not read so, and keys that are no texts are left out. What was
    read is not rendered again, as Alertmanager does it: labels would be templates then.
    """
    if isinstance(value, str):
        return _reread(render(value))
    if isinstance(value, Mapping):
        return {
            render(key): copy_rendered(item, render) for key, item in value.items() if isinstance(key, str)
        }
    if isinstance(value, (list, tuple)):
        return [copy_rendered(item, render) for item in value]
    return _number(value)


def _reread(text: str) -> Any:
    try:
        read_value = read(text)
    except NotYamlError:
        return text
    return text if isinstance(read_value, str) else _reread_within(read_value)


def _reread_within(value: Any) -> Any:
    if isinstance(value, str):
        return _reread(value)
    if isinstance(value, dict):
        return {key: _reread_within(item) for key, item in value.items() if isinstance(key, str)}
    if isinstance(value, list):
        return [_reread_within(item) for item in value]
    return _number(value)


def _number(value: Any) -> Any:
    """A float without a fraction becomes an integer below 1e21, as Go writes it in JSON."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE
    return int(value) if whole else value
