"""``dataclass`` as in :mod:`dataclasses`, whose methods are generated when they are first used.

The standard one writes and compiles the methods of each class as it is defined: up to a millisecond for each,
in each process anew, and a node defines some 140 before its first answer. Most are never compared, hashed or
shown, and many never made. All else is the standard one's: fields, ``replace``, ``__match_args__``.

Differences: classes have slots, none can be ordered, and what is frozen refuses every assignment. The
standard decorator's ``frozen=True`` cannot be given to a subclass of one of these.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *, slots: bool, frozen: bool = False, eq: bool = True, kw_only: bool = False
    ) -> Callable[[type], type]:
        """As the standard library's, which type checkers see here. ``slots`` has to be True."""
        if not slots:
            raise TypeError("a dataclass of tocsin.dataclass has slots")

        def decorate(cls: type) -> type:
            cls.__doc__ = cls.__doc__ or cls.__name__  # else the standard one makes up a signature
            written = dict(cls.__dict__)
            cls = dataclasses.dataclass(slots=True, kw_only=kw_only, init=False, repr=False, eq=False)(cls)
            methods: dict[str, Any] = {
                "__init__": _Generated(cls, "__init__", _frozen_init if frozen else _init),
                "__repr__": _repr,
            }
            if eq:
                methods["__eq__"] = _Generated(cls, "__eq__", _eq)
                methods["__hash__"] = _Generated(cls, "__hash__", _hash) if frozen else None
                if "__eq__" in written and written.get("__hash__") is None:
                    written.pop("__hash__", None)  # Python's own, beside a written __eq__
            if frozen:
                methods |= _FROZEN
            for name, method in methods.items():
                if name not in written:
                    setattr(cls, name, method)
            return cls

        return decorate


class _Generated:
    """Stands for a method of ``cls`` until that is first looked for."""

    def __init__(self, cls: type, name: str, generate: Callable[[type], Callable[..., Any]]) -> None:
        self._cls = cls
        self._name = name
        self._generate = generate

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        method = self._generate(self._cls)
        method.__name__ = self._name
        method.__qualname__ = f"{self._cls.__qualname__}.{self._name}"
        method.__module__ = self._cls.__module__
        setattr(self._cls, self._name, method)
        return method.__get__(instance, owner)


def _init(cls: type) -> Callable[..., Any]:
    return _initializer(cls, "self.{0} = {1}", {})


def _frozen_init(cls: type) -> Callable[..., Any]:
    # The setters of the slots, as the class itself lets nobody assign.
    setters = {f"_set_{field.name}": getattr(cls, field.name).__set__ for field in _fields(cls)}
    return _initializer(cls, "_set_{0}(self, {1})", setters)


def _initializer(cls: type, assignment: str, names: dict[str, Any]) -> Callable[..., Any]:
    """``__init__``; ``assignment`` is how the field {0} gets the value {1}."""
    positional: list[str] = []
    keyword: list[str] = []
    body: list[str] = []
    for field in _fields(cls):
        value = name = field.name
        parameter = name
        if field.default_factory is not MISSING:
            names[f"_make_{name}"] = field.default_factory
            parameter = f"{name}=_ABSENT"
            value = f"_make_{name}() if {name} is _ABSENT else {name}" if field.init else f"_make_{name}()"
        elif field.default is not MISSING:
            names[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
            value = name if field.init else f"_default_{name}"
        elif not field.init:
            continue  # __post_init__ assigns it
        body.append(assignment.format(name, value))
        if field.init:
            (keyword if field.kw_only else positional).append(parameter)
    if any("__post_init__" in vars(each) for each in cls.__mro__):
        body.append("self.__post_init__()")
    parameters = ["self", *positional, *(["*", *keyword] if keyword else [])]
    head = f"def method({', '.join(parameters)}):"
    method = _compiled(head, body or ["pass"], {"_ABSENT": _ABSENT, **names})
    types = {field.name: field.type for field in _fields(cls) if field.init}
    method.__annotations__ = {**types, "return": None}
    return method


def _eq(cls: type) -> Callable[..., Any]:
    compared = [field.name for field in _fields(cls) if field.compare]
    body = [
        "if other.__class__ is self.__class__:",
        f"    return {_values('self', compared)} == {_values('other', compared)}",
        "return NotImplemented",
    ]
    return _compiled("def method(self, other):", body, {})


def _hash(cls: type) -> Callable[..., Any]:
    hashed = [field.name for field in _fields(cls) if (field.compare if field.hash is None else field.hash)]
    return _compiled("def method(self):", [f"return hash({_values('self', hashed)})"], {})


def _values(of: str, names: list[str]) -> str:
    return "(" + "".join(f"{of}.{name}, " for name in names) + ")"


def _compiled(head: str, body: list[str], names: dict[str, Any]) -> Callable[..., Any]:
    exec("\n    ".join([head, *body]), names)  # noqa: S102 - of names in our own source
    method: Callable[..., Any] = names["method"]
    return method


def _fields(cls: Any) -> tuple[Field[Any], ...]:
    return dataclasses.fields(cls)


class _Absent:
    def __repr__(self) -> str:
        return "<factory>"


_ABSENT = _Absent()


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in _fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: Any, name: str, value: Any) -> None:  # noqa: ARG001
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:  # noqa: ARG001
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in _fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(_fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_FROZEN = {
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
"""Of every frozen class; the last two for copying and pickling."""
