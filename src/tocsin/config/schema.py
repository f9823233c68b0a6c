"""A section of a configuration file is a class; each of its keys is written once, as a field.

::

    class HeaderValues(Section):
        values: tuple[str, ...] = option(list_of(text), default=())
        secrets: tuple[Secret, ...] = option(list_of(secret), default=())

    class ClientConfig(Section):
        http_headers: dict[str, HeaderValues] = option(map_of(HeaderValues.read), default={})

The class is what the file is read into (:meth:`Section.read`), what is shown of it (:meth:`Section.shown`:
in the order of the fields, empty values left out, secrets masked) and what the program uses. An instance is
immutable, compared by value, and can be made in code with the fields as keyword arguments. The metadata of a
field (:func:`option`) say how a value is read, what its absence and a null mean, and which key of ``global``
stands in for it.

A :data:`~tocsin.config.yaml.Reader` (:mod:`tocsin.config.readers`) converts a node of the tree to a value or
raises :class:`ConfigError` at the node's location. Unknown keys are refused with the nearest known one.
Classes are made without generated code, as there are many and most of them are needed at each start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import FrozenInstanceError
from typing import Any, ClassVar, Final, Self, TypeVar, cast, dataclass_transform

from tocsin.config.texts import SECRET_TEXT, Inline, MaskedURL, Secret, Template
from tocsin.config.yaml import Mapping as MappingNode
from tocsin.config.yaml import Mark, Node, Reader, Scalar, describe
from tocsin.errors import ConfigError

T = TypeVar("T")

NOWHERE: Final = Mark("", 1, 1)
_SAME: Final[Any] = object()


class Option:
    """The metadata of a field: see :func:`option`."""

    __slots__ = (
        "always",
        "attribute",
        "default",
        "empty",
        "inherit",
        "name",
        "null",
        "reader",
        "show",
        "text",
    )

    def __init__(
        self,
        reader: Reader[Any],
        default: Any,
        null: Any,
        name: str,
        always: bool,
        show: Callable[[Any], Any] | None,
        inherit: str,
        empty: bool = False,
    ) -> None:
        self.reader = reader
        self.default = default
        self.null = _zero_of(default) if null is _SAME else null
        self.name = name
        self.attribute = ""
        self.always = always
        self.show = show
        self.inherit = inherit
        self.empty = empty
        self.text: type[str] = type(default) if isinstance(default, str) else str


def option(
    reader: Reader[T],
    *,
    default: T,
    null: Any = _SAME,
    name: str = "",
    always: bool = False,
    show: Callable[[T], Any] | None = None,
    inherit: str = "",
    empty: bool = False,
) -> T:
    """A field of a section, read by ``reader``; ``default`` when the file does not give the key.

    ``null``: what a key without a value means. If not said, the zero of the default's type (``False``, 0,
    no text, an empty list), as Go has it: not the default. ``name``: the key, if it is not the field's
    name. ``always``: shown even when empty. ``empty``: shown when the file gives something empty. ``show``:
    what is shown for a value. ``inherit``: the key of ``global`` whose value is used when this one is
    absent, null or empty (of a key and its ``_file`` form: when both are; a bool is never empty).
    """
    return cast("T", Option(reader, default, null, name, always, show, inherit, empty))


def derived(*, default: Any) -> Any:
    """A field that is computed from the others and is not a key of the file."""
    return Option(_no_reader, default, None, "", False, None, "")


def _no_reader(node: Node) -> Any:
    raise node.mark.error("is in no file")


def _partner(name: str) -> str:
    return name.removesuffix("_file") if name.endswith("_file") else f"{name}_file"


def _zero_of(default: Any) -> Any:
    if default is None or isinstance(default, Section):
        return default
    if isinstance(default, bool):
        return False
    return type(default)()


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option, derived))
class Section:
    """A map of a file. Subclasses declare its keys; :meth:`check` says what they must be together."""

    options: ClassVar[dict[str, Option]] = {}
    """By the name in the file, in the order in which they are shown."""
    _attributes: ClassVar[dict[str, Option]] = {}
    _heirs: ClassVar[tuple[Option, ...]] = ()
    _marks: Mapping[str, Mark]
    _mark: Mark
    _unseen: bool = False

    def __init_subclass__(cls) -> None:
        """Collect the keys: the parents' first, then those of this class."""
        attributes: dict[str, Option] = {}
        for base in cls.__bases__:
            if issubclass(base, Section):
                attributes |= base._attributes
        for attribute, each in list(vars(cls).items()):
            if isinstance(each, Option):
                each.attribute = attribute
                each.name = each.name or attribute
                if isinstance(each.default, Template):
                    each.default.where = each.name
                attributes[attribute] = each
                delattr(cls, attribute)
        cls._attributes = attributes
        cls._settle()

    @classmethod
    def _settle(cls) -> None:
        declared = [each for each in cls._attributes.values() if each.reader is not _no_reader]
        cls.options = {each.name: each for each in declared}
        cls._heirs = tuple(each for each in declared if each.inherit)

    @classmethod
    def extend(cls, name: str, reader: Reader[Any], *, default: Any) -> None:
        """Add a key whose name is only known at run time; ``section[name]`` returns its value."""
        added = Option(reader, default, _SAME, name, False, None, "")
        added.attribute = name
        cls._attributes[name] = added
        cls._settle()

    def __init__(self, **values: Any) -> None:
        held = self.__dict__
        for attribute, each in self._attributes.items():
            if attribute not in values:
                held[attribute] = each.default
                continue
            value = values.pop(attribute)
            # A secret or template stays one, however the section is made.
            plain = type(value) is str and each.text is not str
            held[attribute] = each.text(value) if plain else value
        held["_mark"] = NOWHERE
        held["_marks"] = {}
        if values:
            raise TypeError(f"{type(self).__name__} has no field {next(iter(values))!r}")

    @classmethod
    def unseen(cls) -> Self:
        """What null means for a section that is a pointer in Go: the section without keys, and never
        shown."""
        made = cls()
        made.__dict__["_unseen"] = True
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __repr__(self) -> str:
        held = self.__dict__
        given = (
            f"{name}={held[name]!r}" for name, each in self._attributes.items() if held[name] != each.default
        )
        return f"{type(self).__name__}({', '.join(given)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *(_hashable(value) for value in self._values())))

    def _values(self) -> tuple[Any, ...]:
        held = self.__dict__
        return tuple([held[attribute] for attribute in self._attributes])

    @classmethod
    def read(cls, node: Node) -> Self:
        """The section that ``node`` holds; itself a :data:`Reader`."""
        values: dict[str, Any] = {}
        marks: dict[str, Mark] = {}
        if not (isinstance(node, Scalar) and node.is_null):
            if not isinstance(node, MappingNode):
                raise node.mark.error(f"expected a map, found {describe(node)}")
            for name, (written, value) in node.entries.items():
                each = cls.options.get(name)
                if each is None:
                    raise unknown_key(written, cls.options)
                marks[name] = value.mark
                null = isinstance(value, Scalar) and value.is_null
                values[each.attribute] = each.null if null else each.reader(value)
        inherited: dict[str, Any] = {}
        globals_ = node.mark.reading.globals
        if globals_ is not None:
            for each in cls._heirs:
                partner = cls.options.get(_partner(each.name))
                own = values.get(each.attribute)
                given = own or own is False or (partner is not None and values.get(partner.attribute))
                if not given:
                    inherited[each.attribute] = globals_[each.inherit]
            values |= inherited
        made = cls(**values)
        made.__dict__["_mark"] = node.mark
        made.__dict__["_marks"] = marks
        made.check()
        return made

    def check(self) -> None:
        """Called when the section has been read. Raise :class:`ConfigError` (``self.at(key).error(…)``) for
        values that do not fit together; :meth:`amend` values that are given in an older form."""

    def amend(self, **values: Any) -> None:
        """Change fields. Allowed within :meth:`check` only, before the section is in use."""
        self.__dict__.update(values)

    def replaced(self, **values: Any) -> Self:
        """A copy with other values."""
        made = type(self)(**{attribute: self.__dict__[attribute] for attribute in self._attributes} | values)
        made.__dict__["_mark"], made.__dict__["_marks"] = self._mark, self._marks
        return made

    def __getitem__(self, name: str) -> Any:
        """The value of the key ``name``."""
        return self.__dict__[self.options[name].attribute]

    @property
    def mark(self) -> Mark:
        """Where the section is."""
        return self._mark

    @property
    def given(self) -> Mapping[str, Mark]:
        """The keys that the file gives, null too, with the locations of their values."""
        return self._marks

    def at(self, name: str) -> Mark:
        """Where the value of the key ``name`` is, or else the section."""
        return self._marks.get(name, self._mark)

    def has(self, name: str) -> bool:
        """Whether the file gives the key (with any value, null too)."""
        return name in self._marks

    def at_most_one(self, *names: str, what: str = "", least: str = "") -> None:
        """Refuse a section that gives more than one of ``names``; or none, when ``least`` is the hint."""
        found = [name for name in names if self[name]]
        if len(found) > 1:
            problem = f"at most one of {what}{' & '.join(names)} must be configured"
            raise self.at(found[1]).error(problem, f"remove {found[1]}")
        if least and not found:
            raise self.mark.error(f"one of {what}{' or '.join(names)} must be configured", least)

    def shown(self) -> dict[str, Any]:
        """The section as Alertmanager marshals it."""
        found: dict[str, Any] = {}
        for each in self.options.values():
            value = self.__dict__[each.attribute]
            if isinstance(value, Section) and value._unseen:
                continue
            given = each.empty and value is not each.default
            if each.always or given or not _is_empty(value, each.default):
                found[each.name] = each.show(value) if each.show is not None else _shown(value)
        return found

    def all_templates(self) -> Iterable[tuple[str, Template]]:
        """Every template of the section and of those in it, with the key that holds it."""
        for name, each in self.options.items():
            yield from ((name, found) for found in _templates(self.__dict__[each.attribute]))


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((name, _hashable(each)) for name, each in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _is_empty(value: Any, default: Any) -> bool:
    """As Go's omitempty: what has no default (a pointer there) is empty when it is absent, and not when it is
    0; a section that has one is when nothing in it is set."""
    if value is None or (default is None and isinstance(value, int)):
        return value is None
    if isinstance(value, Section):
        return default is not None and value == type(value)()
    return value is False or not value


def _shown(value: Any) -> Any:
    if isinstance(value, Section):
        return value.shown()
    if isinstance(value, Secret):
        return SECRET_TEXT if value else None
    if isinstance(value, MaskedURL):
        return value.masked
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Inline):
        return Inline(_shown(item) for item in value)
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _shown(value[name]) for name in sorted(value)}
    return value


def _templates(value: Any) -> Iterable[Template]:
    if isinstance(value, Template):
        yield value
    elif isinstance(value, Section):
        for _, found in value.all_templates():
            yield found
    elif isinstance(value, tuple):
        for item in value:
            yield from _templates(item)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _templates(name)
            yield from _templates(item)


def unknown_key(written: Scalar, known: Mapping[str, object]) -> ConfigError:
    """The error for an unknown key, with the most similar known one."""
    from difflib import get_close_matches  # only for a mistake

    near = get_close_matches(written.text, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(known))}"
    return written.mark.error(f"unknown key {written.text!r}", hint)
