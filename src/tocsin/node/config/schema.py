"""A configuration section is a dataclass; its fields say how each key is read and how it is shown.

::

    @dataclass(kw_only=True)
    class HeaderSection(Section):
        values: tuple[str, ...] = option(list_of(text), ())
        secrets: tuple[str, ...] = option(list_of(secret), ())

    read = section(HeaderSection)      # Node -> HeaderSection

A :data:`Reader` turns a node of the tree into a value or raises :class:`ConfigError` at the node's place.
Unknown keys are refused with the nearest known one. :meth:`Section.shown` gives the section back as
Alertmanager shows it: in the order of the fields, empty values left out, secrets masked.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast

from tocsin.errors import ConfigError
from tocsin.node.config.yaml import Mapping as MappingNode
from tocsin.node.config.yaml import Mark, Node, Scalar, Sequence

T = TypeVar("T")
S = TypeVar("S", bound="Section")
Reader: TypeAlias = Callable[[Node], T]

SECRET_TEXT = "<secret>"  # noqa: S105 - what is shown in a secret's place
_READER = "reader"
_NAME = "name"
_ALWAYS = "always"
_SHOW = "show"


class Secret(str):
    """Text that is never shown: its ``repr`` and the re-marshalled configuration have ``<secret>`` for it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return SECRET_TEXT


class Inline(tuple[Any, ...]):
    """A list that Alertmanager shows on one line."""

    __slots__ = ()


@dataclass(kw_only=True)
class Section:
    """A map of the file, read. ``marks`` holds the place of each key's value that the file gives."""

    mark: Mark = field(default_factory=lambda: Mark("", 1, 1), repr=False, compare=False)
    marks: dict[str, Mark] = field(default_factory=dict, repr=False, compare=False)

    def at(self, name: str) -> Mark:
        """Where the value of the key ``name`` is, or else the section."""
        return self.marks.get(name, self.mark)

    def has(self, name: str) -> bool:
        """Whether the file gives the key (with any value, null too)."""
        return name in self.marks

    def shown(self) -> dict[str, Any]:
        """The section as Alertmanager marshals it."""
        found: dict[str, Any] = {}
        for declared in dataclasses.fields(self):
            if _READER not in declared.metadata:
                continue
            value = getattr(self, declared.name)
            if declared.metadata[_ALWAYS] or not _is_empty(value):
                show = declared.metadata[_SHOW]
                found[_key_of(declared)] = show(value) if show is not None else _shown(value)
        return found


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (not isinstance(value, Section) and not value)


def _shown(value: Any) -> Any:
    if isinstance(value, Section):
        return value.shown()
    if isinstance(value, Secret):
        return SECRET_TEXT if value else None
    if isinstance(value, Inline):
        return Inline(_shown(item) for item in value)
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _shown(value[name]) for name in sorted(value)}
    return value


def option(
    reader: Reader[T],
    default: T,
    *,
    name: str = "",
    always: bool = False,
    show: Callable[[T], Any] | None = None,
) -> T:
    """A field of a section: read by ``reader``, ``default`` when absent or null. ``name`` when it is not
    the field's.

    ``always``: shown even when empty. ``show``: what is shown for a value.
    """
    metadata = {_READER: reader, _NAME: name, _ALWAYS: always, _SHOW: show}
    made: Any = field(default_factory=lambda: copy(default), metadata=metadata)
    return cast("T", made)


def _key_of(declared: dataclasses.Field[Any]) -> str:
    return declared.metadata[_NAME] or declared.name


def section(cls: type[S], check: Callable[[S], None] | None = None) -> Reader[S]:
    """The reader of a section. ``check`` sees the whole of it and raises :class:`ConfigError`."""
    declared = {_key_of(each): each for each in dataclasses.fields(cls) if _READER in each.metadata}

    def read(node: Node) -> S:
        if isinstance(node, Scalar) and node.is_null:
            made = cls(mark=node.mark)
        else:
            if not isinstance(node, MappingNode):
                raise node.mark.error(f"expected a map, found {describe(node)}")
            values: dict[str, Any] = {}
            marks: dict[str, Mark] = {}
            for name, (written, value) in node.entries.items():
                if name not in declared:
                    raise unknown_key(written, declared)
                marks[name] = value.mark
                if not (isinstance(value, Scalar) and value.is_null):
                    values[declared[name].name] = declared[name].metadata[_READER](value)
            made = cls(mark=node.mark, marks=marks, **values)
        if check is not None:
            check(made)
        return made

    return read


def unknown_key(written: Scalar, known: Mapping[str, object]) -> ConfigError:
    """The error for a key that no one knows, with the nearest one that is known."""
    near = difflib.get_close_matches(written.text, known, n=1, cutoff=0.6)
    mend = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(known))}"
    return written.mark.error(f"unknown key {written.text!r}", mend)


def describe(node: Node) -> str:
    """What a node is, for an error. Never its text: it may be a secret in the wrong place."""
    if isinstance(node, MappingNode):
        return "a map"
    if isinstance(node, Sequence):
        return "a list"
    if node.is_null:
        return "nothing"
    return "plain text" if node.plain else "quoted text"


def refused(reason: str, mend: str) -> Reader[Any]:
    """A key that Alertmanager knows and this version does not offer: an error as soon as it has a value."""

    def read(node: Node) -> Any:
        if isinstance(node, Sequence) and not node.items:
            return None
        raise node.mark.error(reason, mend)

    return read


def deferred(reader: Callable[[], Reader[T]]) -> Reader[T]:
    """A reader that is not defined yet: for sections that hold themselves."""
    return lambda node: reader()(node)


def list_of(item: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list, each of its items read by ``item``."""

    def read(node: Node) -> tuple[T, ...]:
        if not isinstance(node, Sequence):
            raise node.mark.error(f"expected a list, found {describe(node)}", "begin each item with '- '")
        return tuple(item(each) for each in node.items)

    return read


def inline_list_of(item: Reader[T]) -> Reader[tuple[T, ...] | None]:
    """As :func:`list_of`, and shown on one line."""
    read = list_of(item)
    return lambda node: Inline(read(node))


def map_of(value: Reader[T]) -> Reader[dict[str, T]]:
    """A map with free keys, each of its values read by ``value``."""

    def read(node: Node) -> dict[str, T]:
        if not isinstance(node, MappingNode):
            raise node.mark.error(f"expected a map, found {describe(node)}")
        return {name: value(each) for name, (_, each) in node.entries.items()}

    return read


def parsed(parse: Callable[[str], T], *, mend: str = "") -> Reader[T]:
    """Text that ``parse`` understands; its ``ValueError`` is the problem."""

    def read(node: Node) -> T:
        try:
            return parse(text(node))
        except ValueError as error:
            raise node.mark.error(str(error), mend) from None

    return read


def text(node: Node) -> str:
    """Any scalar, as written; null is empty."""
    if not isinstance(node, Scalar):
        raise node.mark.error(f"expected text, found {describe(node)}")
    return "" if node.is_null else node.text


def secret(node: Node) -> Secret:
    """Text that is never shown."""
    return Secret(text(node))
