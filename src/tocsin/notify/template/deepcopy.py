"""Trees of YAML whose texts are templates: payloads, details, fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tocsin.notify.template.yamlvalues import NotYamlError, read


def copy_rendered(value: Any, render: Callable[[str], str]) -> Any:
    """A copy of ``value`` with every text and every key rendered.

    What a text renders to is read as YAML, as Alertmanager does it: ``"{{ 1 }}"`` becomes a number, a list
    becomes a list, and nothing becomes None; where it is a text, or no YAML, it stays as it was rendered.
    Keys are not read so, and keys that are no texts are left out. What was read is not rendered again.
    """
    if isinstance(value, str):
        return _reread(render(value))
    if isinstance(value, Mapping):
        return {
            render(key): copy_rendered(item, render) for key, item in value.items() if isinstance(key, str)
        }
    if isinstance(value, (list, tuple)):
        return [copy_rendered(item, render) for item in value]
    return value


def _reread(text: str) -> Any:
    try:
        read_value = read(text)
    except NotYamlError:
        return text
    return text if isinstance(read_value, str) else _with_text_keys(read_value)


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_text_keys(item) for key, item in value.items() if isinstance(key, str)}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    return value
