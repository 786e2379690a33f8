"""Generated parts of the documentation are written, or with ``--check`` only named when they are stale."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def write_or_check(wanted: Mapping[Path, str], arguments: list[str]) -> int:
    """Write the files that are not as they should be.

    Args:
        wanted: path → text.
        arguments: of the command line; with ``--check`` nothing is written.

    Returns:
        The exit code: 1 if ``--check`` found a stale file.
    """
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    if "--check" in arguments:
        sys.stderr.writelines(f"{path} is stale; run scripts/docs\n" for path in stale)
        return int(bool(stale))
    for path in stale:
        path.write_text(wanted[path])
    return 0
