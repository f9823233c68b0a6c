"""Go's ``fmt``: Sprint, Sprintln and Sprintf for the values of :mod:`tocsin.gotemplate.values`.

Output is checked against the budget before it is made. Source: the documentation of Go's ``fmt`` package.
"""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.fmt.directives import Directive, Index, Size, parse_format
from tocsin.gotemplate.fmt.flags import Flags, Output
from tocsin.gotemplate.fmt.printer import Printer
from tocsin.gotemplate.values import INT_KINDS, UINT_KINDS, Kind, Value, type_name, type_of

_TOO_LARGE = 1_000_000


def sprint(budget: Budget, arguments: Sequence[Value]) -> str:
    """The values by ``%v``, with a blank between two of which neither is a string."""
    if len(arguments) == 1 and type(arguments[0]) is str:
        return arguments[0]
    output = Output(budget)
    printer = Printer(budget, output)
    after_string = True
    for index, value in enumerate(arguments):
        is_string = value is not None and type_of(value).kind == Kind.STRING
        if index and not is_string and not after_string:
            output.write(" ")
        printer.print_argument(value, "v")
        after_string = is_string
    return output.finish()


def sprintln(budget: Budget, arguments: Sequence[Value]) -> str:
    """The values by ``%v``, with blanks between them and a line feed at the end."""
    output = Output(budget)
    printer = Printer(budget, output)
    for index, value in enumerate(arguments):
        if index:
            output.write(" ")
        printer.print_argument(value, "v")
    output.write("\n")
    return output.finish()


def sprintf(budget: Budget, format_text: str, arguments: Sequence[Value]) -> str:
    """The format with its directives filled in. What is wrong with it shows in the text, as Go does it."""
    return _Formatting(budget, arguments).run(format_text)


class _Formatting:
    """One call of sprintf: which argument comes next, and what has been written."""

    def __init__(self, budget: Budget, arguments: Sequence[Value]) -> None:
        self._budget = budget
        self._arguments = arguments
        self._output = Output(budget)
        self._printer = Printer(budget, self._output)
        self._next = 0
        self._good_index = True

    def run(self, format_text: str) -> str:
        parsed = parse_format(format_text)
        for directive in parsed.directives:
            if directive.before:
                self._output.write(directive.before)
            self._directive(directive)
        self._output.write(parsed.after)
        if not parsed.indexed and self._next < len(self._arguments):
            self._extra()
        return self._output.finish()

    def _directive(self, directive: Directive) -> None:
        if directive.bare and self._at_once(directive.verb):
            return
        self._good_index = True
        flags = self._printer.flags = Flags(
            minus="-" in directive.flags,
            plus="+" in directive.flags,
            sharp="#" in directive.flags,
            space=" " in directive.flags,
            zero="0" in directive.flags,
        )
        indexed = self._go_to(directive.first)
        self._width(directive.width, flags)
        if indexed and directive.width.number is not None:
            self._good_index = False
        if directive.point:
            if indexed and not directive.width.star:
                self._good_index = False
            self._go_to(directive.second)
            self._precision(directive.precision, flags)
        self._go_to(directive.third)
        self._verb(directive.verb, flags)

    def _at_once(self, verb: str) -> bool:
        """Whether it was a simple case (a text by ``%s``, an int by ``%d``), which is written."""
        if self._next >= len(self._arguments):
            return False
        value = self._arguments[self._next]
        kind = value.__class__
        if kind is str and verb in ("s", "v"):
            self._output.write(value)
        elif kind is int and verb in ("d", "v"):
            self._output.write(str(value))
        else:
            return False
        self._next += 1
        return True

    def _verb(self, verb: str, flags: Flags) -> None:
        write = self._output.write
        if not verb:
            write("%!(NOVERB)")
        elif verb == "%":
            write("%")
        elif not self._good_index:
            write(f"%!{verb}(BADINDEX)")
        elif self._next >= len(self._arguments):
            write(f"%!{verb}(MISSING)")
        else:
            if verb in "vw":
                flags.sharp_v, flags.sharp = flags.sharp, False
                flags.plus_v, flags.plus = flags.plus, False
            value = self._arguments[self._next]
            self._next += 1
            self._printer.print_argument(value, verb)

    def _go_to(self, index: Index | None) -> bool:
        """Goes on with that argument. Whether there was a readable index."""
        if index is None:
            return False
        if index.valid and 0 <= index.argument < len(self._arguments):
            self._next = index.argument
        else:
            self._good_index = False
        return index.valid

    def _width(self, size: Size, flags: Flags) -> None:
        if not size.star:
            flags.width = size.number
            return
        flags.width = self._integer()
        if flags.width is None:
            self._output.write("%!(BADWIDTH)")
        elif flags.width < 0:
            flags.width = -flags.width
            flags.minus = True
            flags.zero = False

    def _precision(self, size: Size, flags: Flags) -> None:
        if not size.star:
            flags.precision = size.number or 0
            return
        precision = self._integer()
        if precision is None or precision < 0:
            self._output.write("%!(BADPREC)")
        else:
            flags.precision = precision

    def _integer(self) -> int | None:
        """The next argument as a width or precision; None if it is none."""
        if self._next >= len(self._arguments):
            return None
        value = self._arguments[self._next]
        self._next += 1
        if value is None or type_of(value).kind not in INT_KINDS | UINT_KINDS:
            return None
        return int(value) if -_TOO_LARGE <= value <= _TOO_LARGE else None

    def _extra(self) -> None:
        """Arguments that no directive asked for."""
        write = self._output.write
        self._printer.flags = Flags()
        write("%!(EXTRA ")
        for index, value in enumerate(self._arguments[self._next :]):
            if index:
                write(", ")
            if value is None:
                write("<nil>")
            else:
                write(f"{type_name(value)}=")
                self._printer.print_argument(value, "v")
        write(")")


__all__ = ["sprint", "sprintf", "sprintln"]
