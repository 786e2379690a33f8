"""Write what ``kp docs ERROR`` prints from docs/reference/troubleshooting.md: users of the wheel have no docs/.

``--check`` writes nothing and exits 1 when the pages are not what they would be.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path

from generated import write_or_check

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs/reference/troubleshooting.md"
PAGES = ROOT / "kamal_pyinfra/cli/pages/errors.md"
HEAD = "<!-- Written by scripts/error_pages.py from docs/reference/troubleshooting.md; do not edit. -->\n\n"


def for_terminals(text: str) -> str:
    """The text with links as a terminal's reader can follow them."""
    here = SOURCE.parent.relative_to(ROOT)

    def link(found: re.Match[str]) -> str:
        return f"{found[1]} ({posixpath.normpath(here / found[2])})"

    return re.sub(r"\[([^]]+)\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", link, text)


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check({PAGES: HEAD + for_terminals(SOURCE.read_text())}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
