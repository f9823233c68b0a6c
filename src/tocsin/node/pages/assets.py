"""The files of the pages, served under a path that holds their common hash: they may be kept for ever."""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from starlette.responses import Response

from tocsin.node.pages import PREFIX

FOLDER: Final = Path(__file__).parent / "assets"
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_BARE: Final = b'from"preact"'
"""An import by bare name in a vendored module, where browsers need a path. The file on disk is as
published."""
_IMPORTED: Final = re.compile(r'(?:from|import)\s*"([^"]+)"')


class Assets:
    """All files, read once when the first is asked for: about 200 KB.

    The style sheets are one file, in the order of their names.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._zipped: dict[str, bytes] = {}

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The files that are served, by path below the hash."""
        found = {
            path.relative_to(self._folder).as_posix(): path.read_bytes().replace(_BARE, b'from"./preact.mjs"')
            for path in sorted(self._folder.rglob("*"))
            if path.suffix in _TYPES and path.is_file()
        }
        styles = [found.pop(name) for name in sorted(found) if name.endswith(".css")]
        return {**found, "style.css": b"".join(styles)} if styles else found

    @cached_property
    def digest(self) -> str:
        """The hash that stands in every path; another one whenever any file changes."""
        hashed = hashlib.sha256()
        for name, body in self.files.items():
            hashed.update(b"%d %b %d " % (len(name), name.encode(), len(body)))
            hashed.update(body)
        return hashed.hexdigest()[:16]

    def needed(self, *names: str) -> Sequence[str]:
        """These modules and all that they import statically; dynamic imports are not followed."""
        found: dict[str, None] = {}
        waiting = list(reversed(names))
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found[name] = None
            waiting += [
                posixpath.normpath(posixpath.join(posixpath.dirname(name), imported))
                for imported in _IMPORTED.findall(self.files[name].decode())
            ]
        return list(found)

    @property
    def root(self) -> str:
        """Where the files are, relative to the page."""
        return f"{PREFIX[1:]}{self.digest}/"

    def names(self, suffix: str) -> Sequence[str]:
        """The files that end with ``suffix``."""
        return [name for name in self.files if name.endswith(suffix)]

    def answer(self, path: str, *, zipped: bool) -> Response | None:
        """The answer to GET ``path``, which begins with :data:`PREFIX`; None if there is no such file.

        An older hash leads nowhere: the page that named it has been replaced, as pages are not kept.
        """
        digest, _, name = path.removeprefix(PREFIX).partition("/")
        body = self.files.get(name) if digest == self.digest else None
        if body is None:
            return None
        headers = {
            "Content-Type": _TYPES[Path(name).suffix],
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
            **SECURITY_HEADERS,
        }
        if zipped:
            if name not in self._zipped:
                self._zipped[name] = gzip.compress(body, 9, mtime=0)
            body = self._zipped[name]
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)
