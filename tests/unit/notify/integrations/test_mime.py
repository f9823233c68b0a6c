"""How a mail is written: as Go writes it, and so that what is read is what was said."""

from __future__ import annotations

import quopri
import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.notify.integrations.mime import as_data, header_value, multipart, quoted_printable

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("plain = text_?\t", "plain = text_?\t"),
        ("a\nBcc: evil@example.org", "=?utf-8?q?a=0ABcc:_evil@example.org?="),
        ("[Firing] (4/4) ä", "=?utf-8?q?[Firing]_(4/4)_=C3=A4?="),
        ("ä" * 11, f"=?utf-8?q?{'=C3=A4' * 10}?= =?utf-8?q?=C3=A4?="),
        ("ä" + "x" * 58, f"=?utf-8?q?=C3=A4{'x' * 57}?= =?utf-8?q?x?="),
        ("a=b?c_ ü", "=?utf-8?q?a=3Db=3Fc=5F_=C3=BC?="),
        ("\udcff", "=?utf-8?q?=FF?="),
    ],
)
def test_headers_in_gos_words(text: str, written: str) -> None:
    assert header_value(text) == written


@given(TEXTS)
def test_a_header_says_what_it_was_given_on_one_line(text: str) -> None:
    written = header_value(text)
    assert not re.search(r"[^\t\x20-\x7e]", written)
    words = written.split(" ") if written != text else []
    assert all(len(word) <= 75 for word in words)
    assert written == text or str(make_header(decode_header(written))) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd"),
        ("  = trailing \t\nlast ", "  =3D trailing =09\r\nlast=20"),
        ("x" * 75, "x" * 75),
        ("x" * 76, "x" * 75 + "=\r\nx"),
        ("x" * 74 + "=", "x" * 74 + "=\r\n=3D"),
        ("x" * 72 + "=", "x" * 72 + "=3D"),
        ("x" * 73 + "ä", "x" * 73 + "=\r\n=C3=A4"),
        ("x" * 71 + "ä", "x" * 71 + "=C3=\r\n=A4"),
    ],
)
def test_quoted_printable_as_go_breaks_it(text: str, written: str) -> None:
    assert quoted_printable(text.encode()) == written.encode()


@given(st.binary(max_size=400))
def test_quoted_printable_says_what_it_was_given(data: bytes) -> None:
    written = quoted_printable(data)
    lines = written.split(b"\r\n")
    assert all(len(line) <= 76 and not line.endswith((b" ", b"\t")) for line in lines)
    assert quopri.decodestring(written) == re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def test_dots_at_the_beginning_of_lines() -> None:
    assert as_data(b".\r\n..a\r\nb.\r\n") == b"..\r\n...a\r\nb.\r\n.\r\n"


def test_a_mail_without_parts_has_its_end_alone() -> None:
    assert multipart([], "b") == b"\r\n--b--\r\n"
    assert multipart([("text/plain", "x")], "b") == (
        b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b"Content-Type: text/plain\r\n\r\nx\r\n--b--\r\n"
    )
