"""Numbers print as Go prints them."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.fmt import sprint, sprintf
from tocsin.gotemplate.fmt.number import float_text
from tocsin.gotemplate.values import Float32, Int64, Uint8

INTEGERS = [
    ("%d", 42, "42"),
    ("%5d|", 42, "   42|"),
    ("%-5d|", 42, "42   |"),
    ("%05d", -42, "-0042"),
    ("%+05d", 42, "+0042"),
    ("% d", 42, " 42"),
    ("%.3d", 7, "007"),
    ("%8.3d|", 7, "     007|"),
    ("%08.3d|", 7, "     007|"),
    ("%-08d|", 7, "7       |"),
    ("%.0d|", 0, "|"),
    ("%3.0d|", 0, "   |"),
    ("%x", 255, "ff"),
    ("%X", 255, "FF"),
    ("%#x", 255, "0xff"),
    ("%#X", -255, "-0XFF"),
    ("%#08x", 255, "0x0000ff"[:2] + "000000ff"),
    ("%o", 8, "10"),
    ("%#o", 8, "010"),
    ("%#o", 0, "0"),
    ("%O", 8, "0o10"),
    ("%b", 5, "101"),
    ("%#b", 5, "0b101"),
    ("%c", 0x1F525, "🔥"),
    ("%c", -1, "\ufffd"),
    ("%c", 0xD800, "\ufffd"),
    ("%q", 65, "'A'"),
    ("%q", 39, r"'\''"),
    ("%+q", 0xE9, r"'\u00e9'"),
    ("%U", 0x1F525, "U+1F525"),
    ("%#U", 0x1F525, "U+1F525 '🔥'"),
    ("%#.6U|", 65, "U+000041 'A'|"),
    ("%12U|", 65, "      U+0041|"),
    ("%d", Int64(-1 << 63), "-9223372036854775808"),
    ("%v %T", Uint8(97), "97 %!T(MISSING)"),
    ("%#v", Uint8(97), "0x61"),
    ("%e", 42, "%!e(int=42)"),
    ("%t", 42, "%!t(int=42)"),
]


@pytest.mark.parametrize(("text", "value", "printed"), INTEGERS)
def test_an_integer(text: str, value: int, printed: str) -> None:
    assert sprintf(Budget(), text, [value]) == printed


FLOATS = [
    ("%v", 1.0, "1"),
    ("%v", 100000.0, "100000"),
    ("%v", 1e6, "1e+06"),
    ("%v", 123456789.0, "1.23456789e+08"),
    ("%v", 1e21, "1e+21"),
    ("%v", 0.0001, "0.0001"),
    ("%v", 0.00001, "1e-05"),
    ("%v", -0.0, "-0"),
    ("%v", math.inf, "+Inf"),
    ("%v", -math.inf, "-Inf"),
    ("%v", math.nan, "NaN"),
    ("%+f", math.nan, "+NaN"),
    ("%08v|", math.inf, "    +Inf|"),
    ("% f", math.inf, " Inf"),
    ("%f", 3.14159, "3.141590"),
    ("%.1f", 0.25, "0.2"),
    ("%.1f", 0.35, "0.3"),
    ("%.0f", 2.5, "2"),
    ("%8.2f|", 3.14159, "    3.14|"),
    ("%-8.2f|", 3.14159, "3.14    |"),
    ("%08.2f|", -3.14159, "-0003.14|"),
    ("%+.1f", 3.0, "+3.0"),
    ("%e", 314159.0, "3.141590e+05"),
    ("%E", 1e-100, "1.000000E-100"),
    ("%.3g", 1234567.0, "1.23e+06"),
    ("%.3g", 100.0, "100"),
    ("%g", 1e20, "1e+20"),
    ("%G", 1e-7, "1E-07"),
    ("%#g", 3.0, "3.00000"),
    ("%#.3g", 3.0, "3.00"),
    ("%#v", 3.0, "3"),
    ("%#.0f", 3.0, "3."),
    ("%x", 3.14159, "0x1.921f9f01b866ep+01"),
    ("%X", 2.5, "0X1.4P+01"),
    ("%.1x", 1.96875, "0x1.0p+01"),
    ("%x", 5e-324, "0x1p-1074"),
    ("%x", 0.0, "0x0p+00"),
    ("%b", 1.0, "4503599627370496p-52"),
    ("%v", Float32(struct.unpack("f", struct.pack("f", 0.1))[0]), "0.1"),
    ("%d", 1.5, "%!d(float64=1.5)"),
    ("%s", 1.5, "%!s(float64=1.5)"),
    ("%v", 1 + 2j, "(1+2i)"),
    ("%.1f", complex(1, -2), "(1.0-2.0i)"),
    ("%d", 1j, "%!d(complex128=(0+1i))"),
]


@pytest.mark.parametrize(("text", "value", "printed"), FLOATS)
def test_a_float(text: str, value: float, printed: str) -> None:
    assert sprintf(Budget(), text, [value]) == printed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_shortest_text_reads_back_as_the_same_number(number: float) -> None:
    for verb in "efgEG":
        assert float(float_text(number, verb, -1)) == number
    assert float.fromhex(float_text(number, "x", -1)) == number
    assert float(sprint(Budget(), [number])) == number


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 20))
def test_a_precision_is_that_of_c(number: float, precision: int) -> None:
    for verb in "efg":
        assert float_text(number, verb, precision) == f"%.{precision}{verb}" % number


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 30), st.sampled_from(["", "-", "0", "+", " "]))
def test_a_width_is_that_of_c(number: int, width: int, flag: str) -> None:
    assert sprintf(Budget(), f"%{flag}{width or ''}d", [number]) == f"%{flag}{width or ''}d" % number
