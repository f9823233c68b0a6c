"""The one HTML document: it loads the modules, and holds the plain page for browsers without scripts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from tocsin.node.pages.assets import SECURITY_HEADERS, Assets
from tocsin.node.pages.plain import plain_page

if TYPE_CHECKING:
    from tocsin.node.api.backend import Backend

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""No exceptions: no inline script or style, nothing from other origins, no text as markup (trusted types)."""


MANY: Final = 1000
"""Alerts from which on a page asks for the worst of them first."""


class Pages:
    """The document and the files."""

    def __init__(self, backend: Backend) -> None:
        """Reads the files, which takes a while."""
        self._backend = backend
        self._assets = Assets()
        self._assets.digest  # noqa: B018 - has them read

    def document(self, *, read_only: bool = False, creator: str = "") -> Response:
        """The page as the node is now. ``creator``: the name under which silences are made, if the node knows
        it; empty: the form asks for it."""
        return Response(
            _document(
                self._assets,
                read_only,
                creator,
                plain_page(self._backend),
                many=len(self._backend.alerts) >= MANY,
            ),
            headers={
                "Cache-Control": "no-store",
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "Cross-Origin-Opener-Policy": "same-origin",
                **SECURITY_HEADERS,
            },
            media_type="text/html",
        )

    def file(self, request: Request, path: str, *, zipped: bool) -> Response | None:
        """One of the files; None if ``path``, which begins with PREFIX, names none."""
        if request.method not in ("GET", "HEAD"):
            return None
        return self._assets.answer(path, zipped=zipped)


def _document(assets: Assets, read_only: bool, creator: str, plain: str, *, many: bool) -> str:
    root = assets.root
    preloads = "".join(
        f'<link rel="modulepreload" href="{root}{name}">\n'
        for name in assets.needed("main.js", "pages/alerts.js")
        if name != "main.js"
    )
    styles = "".join(f'<link rel="stylesheet" href="{root}{name}">\n' for name in assets.names(".css"))
    # A script waits for the style sheets before it: early.js, which requests the alerts, comes first.
    told = f' data-creator="{escape(creator)}"' if creator else ""
    if read_only:
        told += " data-read-only"
    first = ""
    if many:
        told += " data-many"
        first = f'<script type="module" async src="{root}core/first.js"></script>\n'
    return f"""<!doctype html>
<html lang="en"{told}>
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Tocsin</title>
<script src="{root}early.js"></script>
{first}<link rel="icon" type="image/svg+xml" href="{root}icon.svg">
{styles}{preloads}<script type="module" src="{root}main.js"></script></head>
<body>
<div id="app"></div>
<noscript>{plain}</noscript>
</body>
</html>
"""
