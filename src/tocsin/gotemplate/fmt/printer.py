"""Prints one value by a verb: Go's rules for each kind, methods first, containers element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.fmt import number, text
from tocsin.gotemplate.fmt.flags import Flags, Output
from tocsin.gotemplate.values import (
    ANY,
    COMPLEX_KINDS,
    FLOAT_KINDS,
    INT_KINDS,
    STRING,
    UINT8,
    UINT_KINDS,
    Kind,
    Type,
    Value,
    fields_of,
    is_nil,
    sorted_keys,
    to_bytes,
    type_name,
    type_of,
)

_STRINGABLE: Final = frozenset("vsxXq")
_DEEPEST: Final = 100
_ADDRESS: Final = 0xC000012000
"""What a pointer prints as. Go's addresses differ from run to run; ours reveal nothing of the process."""
_BASES: Final = {"v": 10, "d": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_FLOAT_VERBS: Final = {"v": ("g", -1), "f": ("f", 6), "F": ("f", 6), "e": ("e", 6), "E": ("E", 6)} | {
    verb: (verb, -1) for verb in "bgGxX"
}


class Printer:
    """Prints values into an output. ``flags``: of the current directive."""

    def __init__(self, budget: Budget, output: Output) -> None:
        self.flags = Flags()
        self._budget = budget
        self._output = output
        self._complaining = False

    def print_argument(self, value: Value, verb: str) -> None:
        """An argument of a print function by the verb."""
        if value is None and verb in "Tv":
            self._output.pad("<nil>", self.flags)
        elif value is None or verb == "w":  # %w is for errors.Errorf alone
            self._complain(value, verb)
        elif verb == "T":
            text.write_string(self._output, type_name(value), self.flags)
        elif verb == "p":
            self._print_pointer(value, type_of(value), "p")
        else:
            self._print(value, verb, 0)

    def _print(self, value: Value, verb: str, depth: int) -> None:
        """A value that is not nil."""
        if depth > _DEEPEST:
            raise BoundError("depth", f"a value nested deeper than {_DEEPEST}: the bound of depth is reached")
        go_type = type_of(value)
        if (go_type.methods or go_type.kind == Kind.POINTER) and self._by_method(value, go_type, verb):
            return
        _PRINTERS[go_type.kind](self, value, go_type, verb, depth)

    def _by_method(self, value: Value, go_type: Type, verb: str) -> bool:
        """Prints what the value says of itself, if it has such a method."""
        if self._complaining:
            return False
        if self.flags.sharp_v:
            said = self._call(value, go_type, "GoString")
            if said is not None:
                text.write_string(self._output, said, self.flags)
            return said is not None
        if verb not in _STRINGABLE:
            return False
        for name in ("Error", "String"):
            said = self._call(value, go_type, name)
            if said is not None:
                self._print_string(said, verb)
                return True
        return False

    def _call(self, value: Value, go_type: Type, name: str) -> str | None:
        method = go_type.find_method(name)
        if method is None or method.signature.params or method.signature.results != (STRING,):
            return None
        receiver = value
        if go_type.kind == Kind.POINTER and name not in go_type.methods:
            if is_nil(value):
                return "<nil>"
            receiver = value.target
        said = method.impl(self._budget, receiver) if method.budgeted else method.impl(receiver)
        return str(said)

    def _complain(self, value: Value, verb: str) -> None:
        """``%!verb(type=value)``."""
        write = self._output.write
        before, self._complaining = self._complaining, True
        write(f"%!{verb}(")
        if value is None:
            write("<nil>")
        else:
            write(f"{type_name(value)}=")
            self._print(value, "v", 0)
        write(")")
        self._complaining = before

    def _print_element(self, value: Value, static: Type | None, verb: str, depth: int) -> None:
        """An element, key or field, whose type in the container is ``static``."""
        self._budget.spend()
        if value is not None:
            self._print(value, verb, depth)
        elif self.flags.sharp_v:
            self._output.write(f"{(static or ANY).name}(nil)")
        else:
            self._output.write("<nil>")

    def _print_bool(self, value: Value, _go_type: Type, verb: str, _depth: int) -> None:
        if verb in "tv":
            self._output.pad("true" if value else "false", self.flags)
        else:
            self._complain(value, verb)

    def _print_integer(self, value: Value, go_type: Type, verb: str, _depth: int) -> None:
        output, flags, plain = self._output, self.flags, int(value)
        if verb == "v" and flags.sharp_v and go_type.kind in UINT_KINDS:
            self._print_hexadecimal(plain, leading=True)
        elif verb in _BASES:
            number.write_integer(output, plain, _BASES[verb], verb, flags)
        elif verb == "c":
            number.write_rune(output, plain, flags)
        elif verb == "q":
            number.write_quoted_rune(output, plain, flags)
        elif verb == "U":
            number.write_unicode(output, plain, flags)
        else:
            self._complain(value, verb)

    def _print_hexadecimal(self, plain: int, *, leading: bool) -> None:
        sharp, self.flags.sharp = self.flags.sharp, leading
        number.write_integer(self._output, plain, 16, "v", self.flags)
        self.flags.sharp = sharp

    def _print_float(self, value: Value, go_type: Type, verb: str, _depth: int) -> None:
        if verb not in _FLOAT_VERBS:
            self._complain(value, verb)
            return
        bits = 32 if go_type.kind == Kind.FLOAT32 else 64
        letter, precision = _FLOAT_VERBS[verb]
        number.write_float(self._output, float(value), letter, precision, self.flags, bits)

    def _print_complex(self, value: Value, _go_type: Type, verb: str, _depth: int) -> None:
        if verb not in _FLOAT_VERBS:
            self._complain(value, verb)
            return
        letter, precision = _FLOAT_VERBS[verb]
        plain = complex(value)
        self._output.write("(")
        number.write_float(self._output, plain.real, letter, precision, self.flags)
        plus, self.flags.plus = self.flags.plus, True
        number.write_float(self._output, plain.imag, letter, precision, self.flags)
        self.flags.plus = plus
        self._output.write("i)")

    def _print_string_value(self, value: Value, _go_type: Type, verb: str, _depth: int) -> None:
        if verb in _STRINGABLE:
            self._print_string(str(value), verb)
        else:
            self._complain(value, verb)

    def _print_string(self, said: str, verb: str) -> None:
        if verb in "xX":
            text.write_hexadecimal(self._output, to_bytes(said), self.flags, upper=verb == "X")
        elif verb == "q" or self.flags.sharp_v:
            text.write_quoted(self._output, said, self.flags)
        else:
            text.write_string(self._output, said, self.flags)

    def _print_slice(self, value: Value, go_type: Type, verb: str, depth: int) -> None:
        raw = isinstance(value, bytes)
        if raw or (verb in "sqxX" and go_type.elem is UINT8):
            self._print_bytes(value if raw else bytes(value.items), verb)
            return
        write = self._output.write
        sharp_v = self.flags.sharp_v
        if sharp_v:
            write(go_type.name)
            if value.nil:
                write("(nil)")
                return
        write("{" if sharp_v else "[")
        for index, item in enumerate(value.items):
            if index:
                write(", " if sharp_v else " ")
            self._print_element(item, go_type.elem, verb, depth + 1)
        write("}" if sharp_v else "]")

    def _print_bytes(self, octets: bytes, verb: str) -> None:
        """A ``[]byte``: as a whole, or number by number."""
        if verb in "xX":
            text.write_hexadecimal(self._output, octets, self.flags, upper=verb == "X")
        elif verb in "sq":
            self._print_string(octets.decode("utf-8", "surrogateescape"), verb)
        elif verb in "vd":
            write = self._output.write
            sharp_v = self.flags.sharp_v
            write("[]byte{" if sharp_v else "[")
            for index, octet in enumerate(octets):
                if index:
                    write(", " if sharp_v else " ")
                if sharp_v:
                    self._print_hexadecimal(octet, leading=True)
                else:
                    number.write_integer(self._output, octet, 10, verb, self.flags)
            write("}" if sharp_v else "]")
        else:
            # The elements are plain numbers to Python, but bytes to Go.
            write = self._output.write
            write("[")
            for index, octet in enumerate(octets):
                if index:
                    write(" ")
                self._print_integer(UINT8.make(octet) if UINT8.make else octet, UINT8, verb, 0)
            write("]")

    def _print_map(self, value: Value, go_type: Type, verb: str, depth: int) -> None:
        write = self._output.write
        sharp_v = self.flags.sharp_v
        if sharp_v:
            write(go_type.name)
            if value.nil:
                write("(nil)")
                return
        write("{" if sharp_v else "map[")
        for index, key in enumerate(sorted_keys(value.items)):
            if index:
                write(", " if sharp_v else " ")
            self._print_element(key, go_type.key, verb, depth + 1)
            write(":")
            self._print_element(value.items[key], go_type.elem, verb, depth + 1)
        write("}" if sharp_v else "]")

    def _print_struct(self, value: Value, go_type: Type, verb: str, depth: int) -> None:
        write = self._output.write
        named = self.flags.sharp_v or self.flags.plus_v
        if self.flags.sharp_v:
            write(go_type.name)
        write("{")
        fields = fields_of(value)
        for index, (name, field) in enumerate(fields.items()):
            if index:
                write(", " if self.flags.sharp_v else " ")
            if named:
                write(f"{name}:")
            self._print_element(field, go_type.fields.get(name), verb, depth + 1)
        write("}")

    def _print_pointer_value(self, value: Value, go_type: Type, verb: str, depth: int) -> None:
        if depth == 0 and value.target is not None:
            target = type_of(value.target)
            if target.kind in (Kind.SLICE, Kind.STRUCT, Kind.MAP):
                self._output.write("&")
                self._print(value.target, verb, depth + 1)
                return
        self._print_pointer(value, go_type, verb)

    def _print_function(self, value: Value, go_type: Type, verb: str, _depth: int) -> None:
        self._print_pointer(value, go_type, verb)

    def _print_pointer(self, value: Value, go_type: Type, verb: str) -> None:
        if go_type.kind not in (Kind.FUNC, Kind.MAP, Kind.POINTER, Kind.SLICE):
            self._complain(value, verb)
            return
        address = 0 if is_nil(value) else _ADDRESS
        if verb == "v" and self.flags.sharp_v:
            self._output.write(f"({go_type.name})(")
            if address:
                self._print_hexadecimal(address, leading=True)
            else:
                self._output.write("nil")
            self._output.write(")")
        elif verb == "v" and not address:
            self._output.pad("<nil>", self.flags)
        elif verb in "vp":
            self._print_hexadecimal(address, leading=not self.flags.sharp)
        elif verb in "bodxX":
            number.write_integer(self._output, address, _BASES[verb], verb, self.flags)
        else:
            self._complain(value, verb)


_Print = Callable[[Printer, Any, Type, str, int], None]
_PRINTERS: Final[dict[Kind, _Print]] = {
    Kind.BOOL: Printer._print_bool,
    Kind.STRING: Printer._print_string_value,
    Kind.SLICE: Printer._print_slice,
    Kind.MAP: Printer._print_map,
    Kind.STRUCT: Printer._print_struct,
    Kind.POINTER: Printer._print_pointer_value,
    Kind.FUNC: Printer._print_function,
    **dict.fromkeys(INT_KINDS | UINT_KINDS, Printer._print_integer),
    **dict.fromkeys(FLOAT_KINDS, Printer._print_float),
    **dict.fromkeys(COMPLEX_KINDS, Printer._print_complex),
}
