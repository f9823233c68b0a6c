"""The web pages: an application of plain JavaScript modules, and one plain page for those without scripts.

Files are served as they lie in ``assets/``: nothing is built. See docs/pages.md.
"""

from typing import Final

PREFIX: Final = "/static/"
"""Of the paths of the files."""
