"""Reading request bodies into typed fields, with go-openapi's errors for what does not fit."""

from __future__ import annotations

from typing import Any

from tocsin.node.api.go_json import GoJSONError, Pairs, Value, mismatch, without_surrogates
from tocsin.node.api.times import parse_time


class BodyError(Exception):
    """A request that go-openapi refuses. ``code`` is go-openapi's, from which the HTTP status follows."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """Codes of 600 and more are validation failures: 422."""
        return 422 if self.code >= 600 else self.code


def required(name: str) -> BodyError:
    return BodyError(602, f"{name} in body is required")


def unparsable(name: str, error: GoJSONError) -> BodyError:
    return BodyError(400, f'parsing {name} body from "" failed, because {error}')


def fields_of(value: Value, go_type: str) -> dict[str, list[Any]]:
    """An object's fields by lower-case name: Go takes names in any case. ``null`` is an object without any.

    A field that comes twice has two values: Go decodes each, the last one counts.
    """
    if value is None:
        return {}
    if not isinstance(value, Pairs):
        raise mismatch(value, "Go value", go_type)
    fields: dict[str, list[Any]] = {}
    for name, content in value:
        fields.setdefault(name.lower(), []).append(content)
    return fields


def text_of(fields: dict[str, list[Any]], name: str, path: str) -> str | None:
    """A text field; None if it is missing or ``null``."""
    result: str | None = None
    for value in fields.get(name.lower(), ()):
        if value is not None and not isinstance(value, str):
            raise mismatch(value, f"Go struct field {path}.{name}", "string")
        result = None if value is None else without_surrogates(value)
    return result


def flag_of(fields: dict[str, list[Any]], name: str, path: str) -> bool | None:
    """A field that is true or false; None if it is missing or ``null``."""
    result: bool | None = None
    for value in fields.get(name.lower(), ()):
        if value is not None and not isinstance(value, bool):
            raise mismatch(value, f"Go struct field {path}.{name}", "bool")
        result = value
    return result


def opaque_text_of(fields: dict[str, list[Any]], name: str) -> str | None:
    """A text field of a type that decodes itself: Go does not know its path."""
    result: str | None = None
    for value in fields.get(name.lower(), ()):
        if value is not None and not isinstance(value, str):
            raise mismatch(value, "Go value", "string")
        result = None if value is None else without_surrogates(value)
    return result


def time_of(fields: dict[str, list[Any]], name: str) -> int | None:
    """A field that is a time; None if it is missing or ``null``."""
    text = opaque_text_of(fields, name)
    return None if text is None else parse_time(text)


def label_set_of(fields: dict[str, list[Any]], name: str, path: str) -> dict[str, str] | None:
    """An object of texts; None if it is missing or ``null``. A ``null`` within it is an empty text."""
    result: dict[str, str] | None = None
    for value in fields.get(name.lower(), ()):
        if value is None:
            result = None
            continue
        if not isinstance(value, Pairs):
            raise mismatch(value, f"Go struct field {path}.{name}", "models.LabelSet")
        result = {} if result is None else result
        for key, text in value:
            if text is not None and not isinstance(text, str):
                raise mismatch(text, f"Go struct field {path}.{name}.{key}", "string")
            result[without_surrogates(key)] = "" if text is None else without_surrogates(text)
    return result
