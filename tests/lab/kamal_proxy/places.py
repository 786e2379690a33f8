"""Where the proxy keeps what it needs."""

from __future__ import annotations

import os
from pathlib import Path


def socket_path() -> Path:
    """Return the socket that the command line talks to."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    return Path(folder, "kamal-proxy.sock")


def data_folder() -> Path:
    """Return the folder of the state file, which is made if it is missing."""
    folder = Path(os.environ.get("HOME") or "/tmp", ".config/kamal-proxy")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return Path(os.environ.get("TMPDIR") or "/tmp")
    return folder


def state_path() -> Path:
    return data_folder() / "kamal-proxy.state"
