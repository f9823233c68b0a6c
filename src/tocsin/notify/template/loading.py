"""From ``templates:`` of a configuration to :class:`~tocsin.notify.template.templates.Templates`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Final

from tocsin.errors import ConfigError
from tocsin.files import read_regular
from tocsin.gotemplate import TemplateSet
from tocsin.gotemplate.bounds import DEFAULT_BOUNDS, Bounds
from tocsin.gotemplate.errors import ParseError
from tocsin.gotemplate.gotime.bindings import Time
from tocsin.gotemplate.html import FUNCTIONS as HTML_FUNCTIONS
from tocsin.notify.template.errors import hint_of
from tocsin.notify.template.files import BadPatternError, glob
from tocsin.notify.template.functions import FUNCTIONS
from tocsin.notify.template.templates import Templates

LARGEST_FILE: Final = 4 << 20
"""Bytes of a template file; more is refused."""
LARGEST_ALL: Final = 16 << 20
"""Bytes of all template files together."""
MOST_FILES: Final = 10_000
"""Of all globs; one that several name counts as often, as it is read as often."""

_DEFAULTS: Final = ("default.tmpl", "email.tmpl")


def load_templates(
    globs: Iterable[str],
    base: str = "",
    *,
    defaults: bool = True,
    bounds: Bounds = DEFAULT_BOUNDS,
    on_bound: Callable[[str], None] = lambda _bound: None,
    present: Callable[[], Time] | None = None,
) -> Templates:
    """The built-in templates, unless ``defaults`` says no, and over them what the globs' files define.

    Relative globs are of the folder ``base``. The globs count in their order, the files of one by name, and a
    later definition replaces an earlier one, unless it is blank. A glob may name no file at all. Raises
    ConfigError with file, line and hint for a file that cannot be read or is not a template.
    """
    loaded = _built_in().clone() if defaults else _set()
    size = count = 0
    for pattern in globs:
        for path in _files(_joined(base, pattern), pattern):
            count += 1
            if count > MOST_FILES:
                raise ConfigError(
                    f"templates: {pattern}", f"more than {MOST_FILES:,} files", "name fewer, or join them"
                )
            size += _add(loaded, path)
            if size > LARGEST_ALL:
                raise ConfigError(path, f"all template files have more than {LARGEST_ALL >> 20} MiB")
    html = loaded.clone(HTML_FUNCTIONS)
    return Templates(loaded, html, bounds=bounds, on_bound=on_bound, present=present)


def _set() -> TemplateSet:
    return TemplateSet(FUNCTIONS, missing_key="zero")


@lru_cache(maxsize=1)
def _built_in() -> TemplateSet:
    made = _set()
    folder = package_files("tocsin.notify.template") / "defaults"
    for name in _DEFAULTS:
        made.parse("", (folder / name).read_text("utf-8"))
    return made


def _joined(base: str, pattern: str) -> str:
    # Path would remove a trailing or a double /, which a pattern may need.
    return f"{base.rstrip('/')}/{pattern}" if base and not pattern.startswith("/") else pattern


def _files(path: str, pattern: str) -> list[str]:
    try:
        return glob(path)
    except BadPatternError as error:
        raise ConfigError(
            f"templates: {pattern}", str(error), "a [ has no ], or the pattern ends with \\"
        ) from None


def _add(loaded: TemplateSet, path: str) -> int:
    try:
        raw = read_regular(path, LARGEST_FILE)
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror or error}") from None
    try:
        loaded.parse(Path(path).name, raw.decode("utf-8", "surrogateescape"))
    except ParseError as error:
        place = f"{path}:{error.line}" if error.line else path
        raise ConfigError(place, error.message, hint_of(error, loaded.functions, loaded.names())) from None
    return len(raw)
