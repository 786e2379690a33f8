"""Write the pages that ``kp docs ERROR`` prints from docs/troubleshooting.md: users of the wheel have no docs/.

``--check`` writes nothing and exits 1 when the pages are not what they would be.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from generated import write_or_check

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs/troubleshooting.md"
PAGES = ROOT / "kamal_pyinfra/cli/pages/errors.md"
HEAD = "<!-- Written by scripts/error_pages.py from docs/troubleshooting.md; do not edit. -->\n\n"


def for_terminals(text: str) -> str:
    """The text with links as a terminal's reader can follow them."""
    return re.sub(r"\[([^]]+)\]\(([\w.-]+\.md)(?:#[\w-]+)?\)", r"\1 (docs/\2)", text)


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check({PAGES: HEAD + for_terminals(SOURCE.read_text())}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
