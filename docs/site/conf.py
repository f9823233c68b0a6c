"""The documentation as a site: ``make docs``. Its source is the whole repository's Markdown."""

import re
from pathlib import Path

from sphinx.application import Sphinx

from tocsin import __version__

ROOT = Path(__file__).resolve().parents[2]

project = "Tocsin"
author = "Tocsin's maintainers"
copyright = author  # noqa: A001 (Sphinx's name for it)
release = version = __version__
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx"]
include_patterns = ["*.md", "docs/*.md", "docs/**/*.md", "mixin/*.md", "examples/*.md", "examples/**/*.md"]
exclude_patterns = ["**/node_modules", ".venv"]
html_theme = "furo"
html_title = f"Tocsin {__version__}"
html_copy_source = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
intersphinx_mapping = {}  # nothing is fetched: a build needs no network

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": False}
python_use_unqualified_type_names = True


suppress_warnings = ["myst.header"]  # a page that is made from measurements skips a level
_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#)([^)\s#]+)\)")


def unlink_folders(app: Sphinx, docname: str, source: list[str]) -> None:
    """A link to a folder of the repository is its text: a site has no page for it."""
    folder = (ROOT / docname).parent

    def shown(found: re.Match[str]) -> str:
        return found[1] if (folder / found[2]).is_dir() else found[0]

    source[0] = _LINK.sub(shown, source[0])


def list_runbooks(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the index of runbooks its pages, for the navigation alone."""
    if docname == "docs/runbooks/README":
        pages = sorted(path.stem for path in (ROOT / "docs/runbooks").glob("*.md") if path.stem != "README")
        source[0] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", unlink_folders)
    app.connect("source-read", list_runbooks)
