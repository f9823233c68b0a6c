"""tocsin.dataclass beside the standard library's: the same behaviour, generated later."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.dataclass import dataclass

Decorator = Callable[..., Callable[[type], type]]


def _classes(decorator: Decorator) -> dict[str, Any]:
    """One of each kind of declaration, made by ``decorator``."""

    @decorator(frozen=True, slots=True)
    class Point:
        """With defaults of both kinds, and a constant."""

        origin: ClassVar[int] = 7
        x: int
        y: int = 2
        tags: list[int] = field(default_factory=list, hash=False)
        secret: str = field(default="s", repr=False, compare=False)

    @decorator(slots=True)
    class Counter:
        """It changes."""

        value: int = 0
        made: int = field(init=False, default=5)
        found: list[int] = field(init=False, default_factory=list)
        late: int = field(init=False)

        def __post_init__(self) -> None:
            self.late = self.value + 1

    @decorator(frozen=True, slots=True, kw_only=True)
    class Named:
        """By name only."""

        b: int
        a: int = 1

    @decorator(eq=False, slots=True)
    class Thing:
        """Equal to itself alone."""

        value: int

    @decorator(frozen=True, slots=True)
    class Empty:
        """Of no fields."""

    @decorator(frozen=True, slots=True)
    class Written:
        """With methods of its own."""

        value: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and abs(self.value - other.value) < 2

        def __hash__(self) -> int:
            return 3

        def __repr__(self) -> str:
            return "<written>"

    @decorator(frozen=True, slots=True)
    class Equal:
        """With an equality of its own, and the generated hash."""

        value: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and self.value == other.value

    return {kind.__name__: kind for kind in (Point, Counter, Named, Thing, Empty, Written, Equal)}


OURS = _classes(dataclass)
STANDARD = _classes(dataclasses.dataclass)

MADE: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Point", (1,), {}),
    ("Point", (1, 3), {"secret": "t"}),
    ("Point", (), {"x": 1, "tags": [4]}),
    ("Counter", (), {}),
    ("Counter", (3,), {}),
    ("Named", (), {"b": 2}),
    ("Named", (), {"a": 3, "b": 2}),
    ("Thing", (1,), {}),
    ("Empty", (), {}),
    ("Written", (1,), {}),
    ("Equal", (1,), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), MADE)
def test_instances_are_as_the_standard_ones(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    ours, standard = OURS[name](*args, **kwargs), STANDARD[name](*args, **kwargs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(standard)
    assert repr(ours).replace("test_instances", "") == repr(standard)
    again = OURS[name](*args, **kwargs)
    assert (ours == again) is (standard == STANDARD[name](*args, **kwargs))
    assert ours != standard
    if name != "Thing":
        assert _outcome(lambda: hash(ours)) == _outcome(lambda: hash(standard))


@pytest.mark.parametrize("name", OURS)
def test_classes_are_as_the_standard_ones(name: str) -> None:
    ours, standard = OURS[name], STANDARD[name]
    assert str(inspect.signature(ours)) == str(inspect.signature(standard))
    assert ours.__match_args__ == standard.__match_args__
    assert ours.__slots__ == standard.__slots__
    assert ours.__doc__ == standard.__doc__
    assert ours.__init__.__qualname__ == standard.__init__.__qualname__
    assert [each.name for each in dataclasses.fields(ours)] == [
        each.name for each in dataclasses.fields(standard)
    ]
    assert (ours.__hash__ is None) is (standard.__hash__ is None)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("Point", (), {}),
        ("Point", (1, 2, [], "", 5), {}),
        ("Point", (1,), {"z": 2}),
        ("Counter", (1, 2), {}),
        ("Named", (1,), {}),
        ("Named", (), {}),
        ("Empty", (1,), {}),
    ],
)
def test_wrong_arguments_are_refused_in_the_same_words(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    ours = _outcome(lambda: OURS[name](*args, **kwargs))
    assert isinstance(ours, str)
    assert ours == _outcome(lambda: STANDARD[name](*args, **kwargs))


@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=2), st.lists(st.integers(0, 3), min_size=2, max_size=2)
)
def test_equality_and_hash_are_of_the_fields(one: list[int], other: list[int]) -> None:
    first, second = OURS["Point"](*one), OURS["Point"](*other)
    assert (first == second) is (one == other)
    assert hash(first) == hash(STANDARD["Point"](*one))


def test_what_is_frozen_cannot_be_changed() -> None:
    point = OURS["Point"](1)
    for name in ("x", "other"):
        with pytest.raises(FrozenInstanceError, match=name):
            setattr(point, name, 2)
        with pytest.raises(FrozenInstanceError, match=name):
            delattr(point, name)
    assert point.x == 1


def test_it_is_replaced_copied_and_matched() -> None:
    point = dataclasses.replace(OURS["Point"](1, 3), y=4)
    assert (point.x, point.y) == (1, 4)
    assert copy.copy(point) == copy.deepcopy(point) == point
    match point:
        case Module():
            pytest.fail("of another class")
        case object(x=1, y=y):
            assert y == 4
    module = Module(1, [2])
    assert pickle.loads(pickle.dumps(module)) == module
    match module:
        case Module(one, rest):
            assert (one, rest) == (1, [2])


@dataclass(frozen=True, slots=True)
class Module:
    """One that can be found by name."""

    one: int
    rest: list[int]


def test_a_subclass_has_the_fields_of_both() -> None:
    @dataclass(slots=True)
    class Base:
        """The base."""

        a: int = 1

    @dataclass(slots=True)
    class Derived(Base):
        """Another field."""

        b: int = 2

    assert repr(Derived(3)).endswith("Derived(a=3, b=2)")
    assert Derived(3) == Derived(3, 2)
    assert Derived(1) != Base(1)
    assert repr(Base(5)).endswith("Base(a=5)")


def test_an_object_within_itself_is_shown() -> None:
    thing = OURS["Thing"](1)
    thing.value = [thing]
    assert repr(thing).endswith("Thing(value=[...])")


def test_a_method_is_generated_once_and_only_when_it_is_used() -> None:
    kind = _classes(dataclass)["Point"]
    assert not any(inspect.isfunction(kind.__dict__[name]) for name in ("__init__", "__eq__", "__hash__"))
    point = kind(1)
    assert inspect.isfunction(kind.__dict__["__init__"])
    assert not inspect.isfunction(kind.__dict__["__eq__"])
    assert point == kind(1)
    assert inspect.isfunction(kind.__dict__["__eq__"])
    assert kind.__init__ is kind.__init__


def test_it_has_slots() -> None:
    with pytest.raises(TypeError, match="slots"):
        dataclass(slots=False)


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except TypeError as error:
        return str(error)
