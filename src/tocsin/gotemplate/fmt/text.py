"""Strings and bytes as Go's ``fmt`` writes them."""

from __future__ import annotations

from tocsin.gotemplate.fmt.flags import Flags, Output
from tocsin.gotemplate.literals import quote


def write_string(output: Output, text: str, flags: Flags) -> None:
    """``%s``: the precision cuts runes off."""
    output.pad(_cut(text, flags), flags)


def write_quoted(output: Output, text: str, flags: Flags) -> None:
    """``%q``: as a constant of Go; ``#`` between backquotes if that can be, ``+`` in ASCII."""
    text = _cut(text, flags)
    output.reserve(len(text))
    if flags.sharp and _can_backquote(text):
        output.pad(f"`{text}`", flags)
    else:
        output.pad(quote(text, ascii_only=flags.plus), flags)


def write_hexadecimal(output: Output, raw: bytes, flags: Flags, *, upper: bool) -> None:
    """``%x`` and ``%X``: two digits a byte; the precision cuts bytes off; a space flag parts them."""
    if flags.precision is not None:
        raw = raw[: flags.precision]
    output.reserve(len(raw) * 5)
    prefix = "0x" if flags.sharp else ""
    if flags.space:
        text = " ".join(prefix + pair for pair in raw.hex(" ").split())
    else:
        text = prefix + raw.hex() if raw else ""
    output.pad(text.upper() if upper else text, flags)


def _cut(text: str, flags: Flags) -> str:
    return text if flags.precision is None else text[: flags.precision]


def _can_backquote(text: str) -> bool:
    return all(
        char == "\t" or (char >= " " and char not in "`\x7f\ufeff" and not "\udc80" <= char <= "\udcff")
        for char in text
    )
