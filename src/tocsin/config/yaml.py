"""YAML as a tree of text with locations; types are not guessed.

YAML's own resolver reads ``12:30`` as 750, ``no`` into false and ``2026-01-01`` into a date before a schema
could say what was meant. So every scalar stays the text that was written, with its line and column, and
:mod:`tocsin.config.schema` converts it to what the key asks for. The tree is built from libyaml's
events, not its recursive composer: depth, size and alias expansion are bounded here.
"""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Callable
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import yaml

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.files import read_regular

if TYPE_CHECKING:
    from tocsin.config.matchersyntax import MatcherSyntax

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Size of a configuration file. The largest alertmanager.yml in use have a few megabytes."""
MAX_NODES = 1_000_000
"""Nodes in one tree with every alias counted as what it stands for: stops the "billion laughs"."""
_TEXT_OF_A_VALUE = 64
"""Characters that count as one more value, so that a tree stands for 64 MB of text at most."""
MAX_DEPTH = 100
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
"""Nesting. A routing tree of 30 levels needs 60."""

_CORE = "tag:yaml.org,2002:"
MAX_MERGED = 64
"""Values under one key that ``<<`` brings together."""
_NULL_WORDS = frozenset(("", "~", "null", "Null", "NULL"))
_NUMBER = r"(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_WHOLE = r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]+"
_TYPED = {
    "int": re.compile(rf"[-+]?({_WHOLE})", re.ASCII),
    "float": re.compile(rf"[-+]?({_WHOLE}|{_NUMBER}|\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN", re.ASCII),
    "bool": re.compile("y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF"),
}
"""What the text under an explicit tag must match, quoted or not."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.ASCII)
_MERGE = "<<"


def _ignore(_warning: str) -> None:
    """Drop a warning."""


def _take(_template: str) -> str:
    return ""


class Keyed(Protocol):
    """Values by key."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of the key ``name``; ``KeyError``."""


@dataclass(slots=True)
class Reading:
    """What the reader of one file needs to know beside the text."""

    warn: Callable[[str], None] = _ignore
    """Called with a line for each value that is accepted and doubtful."""
    accept_unserved: bool = False
    """Whether keys that Tocsin does not support are accepted, with a warning."""
    compile: Callable[[str], str] = _take
    """Compiles a template; returns what is wrong with it, or an empty text."""
    globals: Keyed | None = None
    """The ``global`` section once it is read: what other sections inherit from, by key."""
    matcher_syntax: MatcherSyntax | None = None
    """How matchers and label names are to be read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A location in a file. ``line`` and ``column`` count from 1."""

    path: str
    line: int
    column: int
    reading: Reading = field(default_factory=Reading, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    def error(self, problem: str, hint: str = "") -> ConfigError:
        """A one-line error for the user."""
        return ConfigError(str(self), problem, hint)

    def beside(self, name: str) -> str:
        """The path ``name``, relative to the folder of the file; empty stays empty."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), name)) if name else ""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as written. ``plain`` distinguishes ``true`` from ``"true"``: only the first is a bool."""

    mark: Mark
    text: str
    plain: bool
    tag: str = ""
    """``int``, ``float``, ``bool``, ``null`` or ``merge`` of an explicit ``!!int``, ``str`` of any other tag;
    empty without one."""
    size: int = 1

    @property
    def is_null(self) -> bool:
        """Nothing, ``~`` or ``null``, not quoted."""
        return self.tag == "null" or (self.plain and not self.tag and self.text in _NULL_WORDS)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: tuple[Node, ...]
    size: int
    before: tuple[Sequence, ...] = ()
    """What ``<<`` has merged in under the same key, or what that has replaced: see :func:`gathered`."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map from text, in the file's order; keys are unique and ``<<`` is already merged in."""

    mark: Mark
    entries: dict[str, tuple[Scalar, Node]]
    size: int
    before: tuple[Mapping, ...] = ()
    """As of a list."""


Node: TypeAlias = Scalar | Sequence | Mapping
T = TypeVar("T")
Reader: TypeAlias = Callable[[Node], T]
"""Converts a node to a value, or raises :class:`ConfigError` at the node's location."""


def describe(node: Node) -> str:
    """What a node is, for an error. Never its text: it may be a secret under the wrong key."""
    if isinstance(node, Mapping):
        return "a map"
    if isinstance(node, Sequence):
        return "a list"
    if node.is_null:
        return "nothing"
    return "plain text" if node.plain else "quoted text"


def gathered(node: Node) -> Node:
    """A list or map with what ``<<`` has merged in under the same key, for values that Go's library appends
    to: matchers, and maps with free keys. Any other value is replaced by a later one."""
    if isinstance(node, Scalar) or not node.before:
        return node
    if isinstance(node, Sequence):
        return Sequence(node.mark, (*(item for each in node.before for item in each.items), *node.items), 1)
    found: dict[str, tuple[Scalar, Node]] = {}
    for each in (*node.before, node):
        for name, (key, value) in each.entries.items():
            if name in found:
                raise key.mark.error(
                    f"the key {name!r} is already set in this map", "leave one of the two out"
                )
            found[name] = key, value
    return Mapping(node.mark, found, 1)


def _after(value: Node, earlier: Node) -> Node:
    """``value`` under a key that had ``earlier``, a node of the same kind or not."""
    found: Sequence | Mapping
    if isinstance(value, Sequence) and isinstance(earlier, Sequence):  # noqa: SIM114 - each of its type
        found = replace(value, before=(*earlier.before, replace(earlier, before=()), *value.before))
    elif isinstance(value, Mapping) and isinstance(earlier, Mapping):
        found = replace(value, before=(*earlier.before, replace(earlier, before=()), *value.before))
    else:
        return value
    if len(found.before) > MAX_MERGED:
        raise value.mark.error(f"is merged from more than {MAX_MERGED} maps")
    return found


def read_file(path: Path) -> str:
    """The text of a configuration file of a node; :class:`ConfigError` if it cannot be read, is no regular
    file or is not UTF-8."""
    return decode(read_bytes(path), str(path))


def read_bytes(path: Path, *, pipes: bool = False) -> bytes:
    """What a configuration file holds; :class:`ConfigError` if it cannot be read or is too large. ``pipes``:
    wait for what somebody writes into a pipe, as a tool does."""
    try:
        if pipes:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        else:
            data = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(str(path), f"is larger than {MAX_FILE_BYTES} bytes")
    return data


def decode(data: bytes, path: str) -> str:
    """The text of a configuration file: UTF-8, or UTF-16 that begins with a byte order mark. Else
    :class:`ConfigError`."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}", "is not UTF-8 text", "save the file as UTF-8") from None


def load(text: str, path: str, reading: Reading | None = None) -> Node | None:
    """The first document of ``text`` as a tree, None when it is empty. ``path`` is only named in marks.

    What follows a second ``---`` is ignored, as by Go's library. :class:`ConfigError` when it is
    not YAML, repeats a key, has a key that is not text, a tag that its text does not fit, or passes a bound.
    Tags on lists and maps and unknown tags have no effect, as in Go's library.
    """
    try:
        return _Builder(path, reading or Reading()).build(text)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(path, at.line + 1, at.column + 1) if at is not None else Mark(path, 1, 1)
        problem = _one_line(error.problem or error.context or "syntax error")
        if "nesting depth" in problem:
            # libyaml as it comes with PyYAML 6.0.4 has a bound of its own, reached before it emits events.
            raise mark.error(_TOO_DEEP) from None
        if "cannot start any token" in problem and "\t" in _line(text, mark.line):
            raise mark.error("not valid YAML: a tab", "indent with spaces") from None
        raise mark.error(f"not valid YAML: {problem}") from None
    except yaml.YAMLError as error:
        raise Mark(path, 1, 1).error(f"not valid YAML: {_one_line(str(error))}") from None


def _line(text: str, number: int) -> str:
    """A line, from 1, as YAML breaks them."""
    return next(iter(_LINE_BREAK.split(text)[number - 1 :]), "")


def _binary(text: str, mark: Mark) -> str:
    """The text that ``!!binary`` holds."""
    try:
        return base64.b64decode(re.sub("[\r\n]", "", text), validate=True).decode()
    except ValueError:
        raise mark.error("is not text in base64", "remove !!binary, or encode the text") from None


def _size(text: str) -> int:
    """What a text counts for in a tree: an alias of a long one is as good as many values."""
    return 1 + len(text) // _TEXT_OF_A_VALUE


def _too_large(mark: Mark) -> ConfigError:
    return mark.error(f"holds more than {MAX_NODES} values", "use fewer aliases")


def _one_line(text: str) -> str:
    return " ".join(text.split())


@dataclass(slots=True)
class _Open:
    """A list or map whose end was not yet seen. ``key`` is the key that waits for its value."""

    mark: Mark
    anchor: str | None
    is_mapping: bool
    items: list[Node]
    pairs: list[tuple[Scalar, Node]]
    key: Scalar | None = None


class _Builder:
    """Events to nodes with a stack of its own, so that depth costs no recursion."""

    def __init__(self, path: str, reading: Reading) -> None:
        self._path = path
        self._reading = reading
        self._anchors: dict[str, Node] = {}
        self._open_anchors: list[str] = []
        self._stack: list[_Open] = []
        self._root: Node | None = None

    def build(self, text: str) -> Node | None:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            match event:
                case yaml.DocumentStartEvent(version=version) if version not in (None, (1, 1)):
                    raise self._mark(event).error("is YAML of another version than 1.1", "remove %YAML")
                case yaml.DocumentEndEvent():
                    break
                case yaml.ScalarEvent():
                    self._add(self._scalar(event), event.anchor)
                case yaml.AliasEvent():
                    self._add(self._alias(event), None)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._start(event)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._end()
        root = self._root
        return None if isinstance(root, Scalar) and root.is_null else root

    def _mark(self, event: Any) -> Mark:
        at = event.start_mark
        return Mark(self._path, at.line + 1, at.column + 1, self._reading)

    def _scalar(self, event: Any) -> Scalar:
        mark, tag = self._mark(event), event.tag or ""
        if not tag:
            return Scalar(mark, event.value, plain=event.style in (None, ""), size=_size(event.value))
        kind = tag.removeprefix(_CORE) if tag.startswith(_CORE) else ""
        text, fits = event.value, True
        if kind in _TYPED:
            fits = _TYPED[kind].fullmatch(text.replace("_", "")) is not None
        elif kind == "null":
            fits = text in _NULL_WORDS
        elif kind == "timestamp":
            fits = _DATE.fullmatch(text) is not None
        elif kind == "binary":
            text = _binary(text, mark)
        if not fits:
            raise mark.error(f"cannot be read as !!{kind}", "remove the tag, or write what it says")
        known = kind in _TYPED or kind in ("null", "merge")
        tag = kind if known else "str"
        return Scalar(mark, text, plain=kind in _TYPED, tag=tag, size=_size(text))

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is not None:
            return node
        if event.anchor in self._open_anchors:
            raise self._mark(event).error(f"the alias *{event.anchor} contains itself")
        raise self._mark(event).error(f"the alias *{event.anchor} has no anchor before it")

    def _start(self, event: Any) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise self._mark(event).error(_TOO_DEEP)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.anchor:
            self._open_anchors.append(event.anchor)
        self._stack.append(_Open(self._mark(event), event.anchor, is_mapping, [], []))

    def _end(self) -> None:
        opened = self._stack.pop()
        node: Node
        if opened.is_mapping:
            entries = self._entries(opened)
            size = 1 + sum(key.size + value.size for key, value in entries.values())
            node = Mapping(opened.mark, entries, size)
        else:
            node = Sequence(opened.mark, tuple(opened.items), 1 + sum(item.size for item in opened.items))
        if node.size > MAX_NODES:
            raise _too_large(opened.mark)
        if opened.anchor:
            self._open_anchors.remove(opened.anchor)
        self._add(node, opened.anchor)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if not parent.is_mapping:
            parent.items.append(node)
        elif parent.key is not None:
            parent.pairs.append((parent.key, node))
            parent.key = None
        elif isinstance(node, Scalar):
            parent.key = node
        else:
            raise node.mark.error("a key must be text", "put quotes around it if it begins with [ or {")

    @staticmethod
    def _entries(opened: _Open) -> dict[str, tuple[Scalar, Node]]:
        """In the file's order: what ``<<`` merges in replaces the keys before it and is replaced by those
        after it, as in Go's library. In a list of maps the first map that has a key wins."""
        entries: dict[str, tuple[Scalar, Node]] = {}
        own: dict[str, Scalar] = {}
        merged_in = 0
        for key, value in opened.pairs:
            if key.text == _MERGE and (key.plain or key.tag == "merge"):
                merged_in += value.size
                if merged_in > MAX_NODES:
                    raise _too_large(opened.mark)
                sources = value.items if isinstance(value, Sequence) else (value,)
                for source in reversed(sources):
                    if not isinstance(source, Mapping):
                        raise source.mark.error("<< merges maps only")
                    for name, (written, brought) in source.entries.items():
                        earlier = entries.get(name)
                        entries[name] = (written, _after(brought, earlier[1]) if earlier else brought)
                continue
            if key.text in own:
                first = own[key.text].mark
                raise key.mark.error(
                    f"the key {key.text!r} is here twice, first in line {first.line}", "remove one"
                )
            own[key.text] = key
            merged = entries.get(key.text)
            entries[key.text] = (key, _after(value, merged[1]) if merged else value)
        return entries
