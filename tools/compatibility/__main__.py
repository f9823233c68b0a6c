"""Writes docs/compatibility.md."""

from pathlib import Path

from tools.compatibility.page import PAGE, page

Path(PAGE).write_text(page())
