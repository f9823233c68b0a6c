"""Numbers as Go's ``fmt`` and ``strconv`` write them."""

from __future__ import annotations

import math
import re
import struct

from tocsin.gotemplate.fmt.flags import Flags, Output
from tocsin.gotemplate.literals import quote

_MAX_RUNE = 0x10FFFF
_UINT64 = 1 << 64
_PREFIXES = {2: "0b", 8: "0", 16: "0x"}
_LEADING_ZEROS = re.compile(r"[0.]*")


def write_integer(output: Output, number: int, base: int, verb: str, flags: Flags) -> None:
    """An integer in base 2, 8, 10 or 16. Capital letters for ``X``, a ``0o`` for ``O``."""
    size = abs(number)
    sign = "-" if number < 0 else "+" if flags.plus else " " if flags.space else ""
    least = 0
    if flags.precision is not None:
        least = flags.precision
        if least == 0 and number == 0:
            output.pad_with_blanks("", flags)
            return
    elif flags.zero and not flags.minus and flags.width is not None:
        least = flags.width - len(sign)
    output.reserve(max(least, flags.width or 0) + 68)
    digits = format(size, {2: "b", 8: "o", 10: "d", 16: "x"}[base]).rjust(least, "0")
    if flags.sharp and base in _PREFIXES and not (base == 8 and digits.startswith("0")):
        digits = _PREFIXES[base] + digits
    if verb == "X":
        digits = digits.upper()
    if verb == "O":
        digits = "0o" + digits
    output.pad_with_blanks(sign + digits, flags)


def rune(number: int) -> str:
    """The character with that code, U+FFFD if there is none."""
    if not 0 <= number <= _MAX_RUNE or 0xD800 <= number <= 0xDFFF:
        return "\ufffd"
    return chr(number)


def write_rune(output: Output, number: int, flags: Flags) -> None:
    """``%c``."""
    output.pad(rune(number), flags)


def write_quoted_rune(output: Output, number: int, flags: Flags) -> None:
    """``%q`` of an integer."""
    output.pad(quote(rune(number), "'", ascii_only=flags.plus), flags)


def write_unicode(output: Output, number: int, flags: Flags) -> None:
    """``%U``: at least four digits, and the character itself with ``#``."""
    digits = max(flags.precision or 0, 4)
    output.reserve(digits)
    code = number % _UINT64
    text = "U+" + format(code, "X").rjust(digits, "0")
    if flags.sharp and code <= _MAX_RUNE:
        char = rune(code)
        if char == " " or (char.isprintable() and not char.isspace()):
            text += f" '{char}'"
    output.pad_with_blanks(text, flags)


def write_float(
    output: Output, number: float, verb: str, precision: int, flags: Flags, bits: int = 64
) -> None:
    """A float by ``b e E f g G x X``. The precision is for directives without one; -1 is the shortest."""
    if flags.precision is not None:
        precision = flags.precision
    output.reserve(max(precision, 0) + 400)
    text = float_text(number, verb, precision, bits)
    if text[0] not in "+-":
        text = "+" + text
    if flags.space and text[0] == "+" and not flags.plus:
        text = " " + text[1:]
    if text[1] in "IN":
        if text[1] == "N" and not flags.space and not flags.plus:
            text = text[1:]
        output.pad_with_blanks(text, flags)
        return
    if flags.sharp and verb != "b":
        text = _with_point(text, verb, precision)
    if not flags.plus and text[0] == "+":
        output.pad(text[1:], flags)
        return
    if flags.zero and not flags.minus and flags.width is not None and flags.width > len(text):
        output.reserve(flags.width)
        output.write(text[0] + text[1:].rjust(flags.width - 1, "0"))
        return
    output.pad(text, flags)


def _with_point(text: str, verb: str, precision: int) -> str:
    """``#``: a decimal point always, and for ``g``, ``G`` and ``x`` the zeros at the end too."""
    mark = re.search(r"[pP]" if verb in "xX" else r"[eE]", text)
    number, tail = (text[: mark.start()], text[mark.start() :]) if mark else (text, "")
    wanted = 0
    if verb in "gGx":
        wanted = 6 if precision == -1 else precision
    digits = number[1:]
    # Digits count from the first one that is not a zero; all of 0x and its number count as they stand.
    zeros = _LEADING_ZEROS.match(digits)
    significant = digits[zeros.end() if zeros else 0 :].replace(".", "")
    wanted -= len(significant)
    if "." not in number:
        if digits == "0":
            wanted -= 1
        number += "."
    return number + "0" * max(wanted, 0) + tail


def float_text(number: float, verb: str, precision: int, bits: int = 64) -> str:
    """strconv.FormatFloat. Precision -1 is the shortest text that reads back as the same number."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    if verb in "xX":
        text = _hexadecimal(number, precision)
        return text.upper() if verb == "X" else text
    if verb == "b":
        return _binary(number, bits)
    if precision >= 0:
        text = format(number, f".{precision}{verb.lower()}")
    else:
        text = _shortest(number, verb.lower(), bits)
    return text.upper() if verb in "EG" else text


def _shortest(number: float, verb: str, bits: int) -> str:
    sign, digits, exponent = _shortest_digits(number, bits)
    if verb == "e" or (verb == "g" and not -4 <= exponent < 6):
        return sign + _scientific(digits, exponent)
    return sign + _positional(digits, exponent)


def _shortest_digits(number: float, bits: int) -> tuple[str, str, int]:
    """Sign, digits without zeros at the end, and the decimal exponent of the first digit."""
    text = repr(abs(number))
    if bits == 32:
        for count in range(1, 10):
            text = format(abs(number), f".{count}g")
            if struct.unpack("f", struct.pack("f", float(text)))[0] == abs(number):
                break
    mantissa, _, power = text.partition("e")
    front, _, fraction = mantissa.partition(".")
    digits = (front + fraction).lstrip("0")
    exponent = int(power or "0") + len(front) - 1 - (len(front + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    return (sign, digits, exponent) if digits else (sign, "0", 0)


def _scientific(digits: str, exponent: int) -> str:
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if exponent + 1 >= len(digits):
        return digits.ljust(exponent + 1, "0")
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"


def _mantissa_and_exponent(number: float, bits: int) -> tuple[int, int]:
    """The number without its sign as an integer times a power of two, as the format holds it."""
    width, least = (53, -1074) if bits == 64 else (24, -149)
    fraction, exponent = math.frexp(abs(number))
    if number == 0:
        return 0, least
    power = max(exponent - width, least)
    return int(math.ldexp(fraction, exponent - power)), power


def _binary(number: float, bits: int) -> str:
    mantissa, power = _mantissa_and_exponent(number, bits)
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    return f"{sign}{mantissa}p{'-' if power < 0 else '+'}{abs(power)}"


def _hexadecimal(number: float, precision: int) -> str:
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    mantissa, power = _mantissa_and_exponent(number, 64)
    if mantissa == 0:
        fraction = "0" * max(precision, 0)
        return f"{sign}0x0{'.' + fraction if fraction else ''}p+00"
    # One binary digit in front of the point, 60 (fifteen hexadecimal ones) behind it.
    shift = 61 - mantissa.bit_length()
    mantissa <<= shift
    power += 60 - shift
    if 0 <= precision < 15:
        drop = 60 - 4 * precision
        rest = mantissa & ((1 << drop) - 1)
        mantissa >>= drop
        if rest > 1 << (drop - 1) or (rest == 1 << (drop - 1) and mantissa & 1):
            mantissa += 1
        mantissa <<= drop
        if mantissa >> 61:
            mantissa >>= 1
            power += 1
    fraction = format(mantissa & ((1 << 60) - 1), "015x")
    fraction = fraction.rstrip("0") if precision < 0 else fraction[:precision].ljust(precision, "0")
    return f"{sign}0x1{'.' + fraction if fraction else ''}p{'-' if power < 0 else '+'}{abs(power):02d}"
