"""What a regular expression may cost, found from its text before anything is compiled.

RE2 matches in linear time, but linear in size of the program *times* length of the text, and neither memory
nor time that it takes to read a pattern has a bound of RE2's own: ``\\pL`` written 20,000 times (60 KB) takes
seconds and 600 MB before its ``max_mem`` is checked. So patterns are weighed first, in one pass over their
text. The figures are upper bounds, the same on every node:

* ``size``: instructions of the compiled program, which time and memory of compiling follow;
* ``work``: instructions that are executed, at most, for one text of :data:`TEXT` characters;
* ``parts``: what there is to read, which takes longer than its instructions do to compile.

What is tried at one position only, such as each name of a long list of host names, counts once; what can be
tried at each position, such as what follows ``.*``, counts for each. That is why a list of thousands of names
is cheap and ``(a?){1000}`` is not.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tocsin.dataclass import dataclass

TEXT: Final = 256
"""Characters of text for which ``work`` is counted; few label values are longer."""
MAX_BYTES: Final = 64 * 1024
"""Of a pattern: some thousand host names."""
MAX_SIZE: Final = 1 << 16
"""Of a pattern: up to 50 ms to compile, which holds everything up, as RE2's binding keeps Python's lock."""
MAX_CHOICE: Final = 1 << 17
"""Of a choice of plain texts, which takes half as long for each."""
MAX_TOGETHER: Final = 1 << 17
"""Of all patterns in one silence."""
MAX_WORK: Final = 1 << 21
"""Of a pattern. RE2 takes up to 10 ns for each: 20 ms for a text of :data:`TEXT` characters. Time to compile
also grows with the square of how many parts in a row may be left out, which this bounds."""
SLOW_WORK: Final = 1 << 17
"""From here on a pattern is a slow one, of which there are few."""
MAX_TOKENS: Final = 6000
"""Parts of a pattern: some microseconds each to weigh it, and twice as much to read it."""
MAX_PARTS_TOGETHER: Final = 8192
"""Of all patterns in one silence, or of one request."""
PART: Final = 12
"""A part takes as long to weigh and read as so many instructions to compile, besides those in ``size``."""
MAX_NESTING: Final = 1000
MAX_REPEAT: Final = 1000
"""RE2's and Go's own limits; the second of ``{n}``, nested ones multiplied."""

_ENDLESS: Final = 1 << 30
_UNICODE: Final = 2600
"""Of a class like ``\\pL``: it has up to 1,196 instructions, and each takes twice as long as others."""
_TOKEN_COST: Final = 4
"""Of each part of a pattern, in the size that is counted together: weighing takes time, at restarts too."""
_DOT: Final = 8
_WIDE: Final = 24
"""Of a class that is not ASCII alone: ``.`` and ``[^a]`` have 8, one range from U+0080 up to 24."""
_FOLDED: Final = 6
"""Times that ``(?i)`` makes of a character: ``k`` has three forms, one of three bytes."""

_TOKEN: Final = re.compile(
    r"""
      (?P<text>(?:[^\\\[\](){}*+?|^$]++|\\[!-/:-@\[-`{-~])++)
    | \\Q(?P<quote>(?:[^\\]++|\\(?!E))*+)(?:\\E|\Z)
    | (?P<unicode>\\[pP](?:\{[^}]{0,64}\}|.))
    | (?P<escape>\\(?:x\{[^}]{0,8}\}|x..|[0-7]{1,3}|.))
    | (?P<set>\[\^?+\]?+(?:\[:\^?+[a-z]{1,8}+:\]|\\[pP]\{[^}]{0,64}\}|\\x\{[^}]{0,8}\}|\\.|[^\]\\])*+\])
    | \{(?P<least>[0-9]{1,4})(?P<range>,(?P<most>[0-9]{0,4}))?\}\??
    | (?P<open>\((?:\?P?<[^>]{0,256}>|\?[a-zA-Z-]{0,8}:?)?)
    | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
_MEMBER: Final = re.compile(
    r"\[:(\^?)[a-z]{1,8}:\]|\\([pP])(?:\{[^}]{0,64}\}|.)|\\(x\{[^}]{0,8}\}|.)|(.)", re.DOTALL
)
_PUNCTUATION: Final = re.compile(r"\\(.)", re.DOTALL)
_FLAT: Final = re.compile(r"[^\\\[\](){}*+?^$]*+", re.DOTALL)
_QUANTIFIERS: Final = ("*", "+", "?", "{")
_FOLDS: Final = re.compile(r"\(\?[a-zA-Z-]*i")


class PatternCostError(ValueError):
    """The pattern may cost more than is allowed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """See the module."""

    size: int
    work: int
    parts: int = 1
    slow: int = 0
    """Its work again, if that is more than SLOW_WORK: it may take milliseconds for each text."""

    @property
    def effort(self) -> int:
        """Time to read and compile it, and of a slow one to try a few texts, in instructions: some tenths of
        a microsecond each."""
        return self.size + PART * self.parts + self.slow // 16


class _Node(NamedTuple):
    """An expression: its size, its work when entered at one position, the least and most characters it takes
    (``_ENDLESS``: no bound), and a text that whatever it matches begins with."""

    size: int
    once: int
    least: int
    most: int
    prefix: str = ""
    fixed: bool = False
    """It is its prefix and no more."""
    copies: int = 1
    """How often something within it is there by ``{n}``."""


_EMPTY: Final = _Node(0, 0, 0, 0, "", True)


def cost_of(pattern: str, parts: int = MAX_TOKENS) -> Cost:
    """What ``pattern`` may cost. Raises PatternCostError when that is past a bound, with the bound in its
    message.

    A pattern that does not compile has a cost too, of what there is to read. ``parts``: of more none is
    weighed to its end.
    """
    if len(pattern) > MAX_BYTES or len(pattern.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise PatternCostError(f"of more than {MAX_BYTES} bytes")
    if _FLAT.fullmatch(pattern):  # a choice of names, maybe thousands: each is tried at one position
        size = _plain_size(pattern) + 4
        if size > MAX_CHOICE:
            raise PatternCostError(f"of more than {MAX_CHOICE} instructions")
        return Cost(size, size, 1 + pattern.count("|") // 4)  # it is tried at one position
    reader = _Reader(pattern, min(parts, MAX_TOKENS))
    node = reader.read()
    if node.once > MAX_WORK:
        raise PatternCostError(f"of more than {MAX_WORK} steps for a text of {TEXT} characters")
    work = node.once + 4
    return Cost(node.size + 4 + _TOKEN_COST * reader.tokens, work, reader.tokens, slow_part(work))


def slow_part(work: int) -> int:
    """:attr:`Cost.slow` of so much work."""
    return work if work > SLOW_WORK else 0


def is_choice(pattern: str) -> bool:
    """Whether it is a choice of texts, maybe with dots: there is no mistake that it could have."""
    return _FLAT.fullmatch(pattern) is not None


def shortened(pattern: str) -> str:
    """A small pattern that matches the empty text if, and only if, ``pattern`` does."""
    return _TOKEN.sub(_shortened, pattern)


def _shortened(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "unicode" | "set":
            return "a"
        case "least" | "range" | "most":
            lazy = "?" if found[0].endswith("?") else ""
            return ("{1}" if int(found["least"]) else "{0,1}") + lazy
        case _:
            return found[0]


def _plain_size(text: str) -> int:
    return (len(text) if text.isascii() else 4 * len(text)) + _DOT * text.count(".")


def _unescaped(text: str) -> str:
    return _PUNCTUATION.sub(lambda found: "\0" if found[1] == "." else found[1].replace("\\", "\1"), text)


class _Reader:
    """Reads a pattern, without recursion."""

    def __init__(self, pattern: str, most: int) -> None:
        self._pattern = pattern
        self._most = most
        self._folds = _FOLDED if _FOLDS.search(pattern) else 1
        self.tokens = 0
        self._spent = 0  # sizes as they are read, whatever becomes of them
        self._branches: list[_Node] = []
        self._row = _EMPTY  # what is before the last atom of this branch
        self._last: _Node | None = None
        self._outer: list[tuple[list[_Node], _Node]] = []

    def read(self) -> _Node:
        for found in _TOKEN.finditer(self._pattern):
            if found[0] == "[":  # not closed: the engine stops there too
                break
            self.tokens += 1
            if self.tokens > self._most:
                raise PatternCostError(f"of more than {self._most} parts")
            if not self._take(found):
                break
        while self._outer:  # not closed: it will not compile
            self._close()
        return self._whole()

    def _take(self, found: re.Match[str]) -> bool:
        """Whether there is a use in reading on: the engine ends at the first mistake too."""
        kind, text = found.lastgroup, found[0]
        match kind:
            case "text":
                if "\\" in text:  # A dot that stands for itself becomes a sign that nobody writes.
                    text = text.replace("\\.", "\0") if "\\\\" not in text else _unescaped(text)
                    text = _PUNCTUATION.sub(r"\1", text) if "\\" in text else text
                self._plain(text, self._pattern[found.end() : found.end() + 1])
            case "quote":
                self._plain(found["quote"].replace(".", "\0"), self._pattern[found.end() : found.end() + 1])
            case "unicode":
                self._atom(_UNICODE)
            case "escape":
                self._atom((_WIDE if text[1] in "WDSBx" else 4) * self._folds)
            case "set":
                self._atom(self._set_size(text))
            case "least" | "range" | "most":
                least = int(found["least"])
                most = least if found["range"] is None else int(found["most"] or -1)
                return self._repeat(least, most)
            case "open":
                self._open()
            case _:
                return self._sign(text)
        return True

    def _sign(self, sign: str) -> bool:
        match sign:
            case "*":
                return self._repeat(0, -1)
            case "+":
                return self._repeat(1, -1)
            case "?":
                return self._repeat(0, 1)
            case "|":
                self._branch()
            case ")":
                if self._outer:
                    self._close()
                else:  # "a)|(?:b" is what Go takes: each half counts
                    self._branch()
            case "^" | "$":
                self._push(_Node(1, 1, 0, 0))
            case _:
                self._atom(_WIDE)
        return True

    def _plain(self, text: str, follows: str) -> None:
        """Characters and dots; a quantifier that follows is for the last of them alone."""
        parts = (text[:-1], text[-1:]) if follows in _QUANTIFIERS else (text,)
        for part in parts:
            if part:
                size = _plain_size(part) * self._folds
                prefix = part.partition(".")[0] if self._folds == 1 else ""
                self._push(_Node(size, size, len(part), len(part), prefix, len(prefix) == len(part)))

    def _atom(self, size: int) -> None:
        self._push(_Node(size, size, 1, 1))

    def _push(self, node: _Node) -> None:
        self._charge(node.size)
        if self._last is not None:
            self._row = _joined(self._row, self._last)
        self._last = node

    def _charge(self, size: int) -> None:
        self._spent += size
        if self._spent > MAX_SIZE:
            raise PatternCostError(f"of more than {MAX_SIZE} instructions")

    def _repeat(self, least: int, most: int) -> bool:
        node = self._last
        if node is None:
            return False
        copies = max(least, most, 1)
        nested = node.copies * copies
        if nested > MAX_REPEAT:
            return False
        copies += most < 0
        size = node.size * copies + copies
        self._charge(size - node.size)
        # The bytes of one character may be at as many positions as there are copies before it.
        if most < 0 or node.most >= _ENDLESS:
            length = _ENDLESS
            once = TEXT * size
        else:
            length = node.most * most
            places = length - node.least * least + 1
            once = copies + node.once * copies * (1 if places == 1 else min(places, TEXT))
        self._last = _Node(size, min(once, TEXT * size), node.least * least, length, copies=nested)
        return True

    def _set_size(self, text: str) -> int:
        size, wide = 2, text.startswith("[^")
        for members in _MEMBER.finditer(text, 2 if wide else 1, len(text) - 1):
            negated, unicode, escape, character = members.groups()
            if unicode:
                size += _UNICODE
            elif negated or (escape and escape[0] in "WDSx") or (character and not character.isascii()):
                size += _WIDE * self._folds
            else:
                size += 2 * self._folds
        return size + (_WIDE if wide else 0)

    def _open(self) -> None:
        if len(self._outer) > MAX_NESTING:
            raise PatternCostError(f"nested more than {MAX_NESTING} deep")
        self._charge(2)
        if self._last is not None:
            self._row = _joined(self._row, self._last)
        self._outer.append((self._branches, self._row))
        self._branches, self._row, self._last = [], _EMPTY, None

    def _branch(self) -> None:
        self._charge(1)
        self._branches.append(self._row if self._last is None else _joined(self._row, self._last))
        self._row, self._last = _EMPTY, None

    def _whole(self) -> _Node:
        self._branch()
        return _chosen(self._branches)

    def _close(self) -> None:
        node = self._whole()
        self._branches, self._row = self._outer.pop()
        self._last = node._replace(size=node.size + 2)  # a group with a name has two of its own


def _joined(first: _Node, second: _Node) -> _Node:
    """One after the other."""
    if first is _EMPTY:
        return second
    size = first.size + second.size
    places = TEXT if first.most >= _ENDLESS else min(first.most - first.least + 1, TEXT)
    once = first.once + min(places * second.once, TEXT * second.size)
    prefix = first.prefix + second.prefix if first.fixed else first.prefix
    return _Node(
        size,
        min(once, TEXT * size),
        first.least + second.least,
        min(first.most + second.most, _ENDLESS),
        prefix,
        first.fixed and second.fixed,
        max(first.copies, second.copies),
    )


def _chosen(branches: list[_Node]) -> _Node:
    """One of them. All are tried up to where their prefixes end, but past it only those go on of which each
    prefix begins the next, as the text there begins with all of these."""
    if len(branches) == 1:
        return branches[0]
    size = sum(each.size for each in branches) + len(branches)
    together = most_together = 0
    chain: list[tuple[str, int]] = []
    for prefix, once in sorted((each.prefix, each.once) for each in branches):
        while chain and not prefix.startswith(chain[-1][0]):
            together -= chain.pop()[1]
        chain.append((prefix, once))
        together += once
        most_together = max(most_together, together)
    once = sum(len(each.prefix) for each in branches) + len(branches) + most_together
    return _Node(
        size,
        min(once, TEXT * size),
        min(each.least for each in branches),
        max(each.most for each in branches),
        copies=max(each.copies for each in branches),
    )
