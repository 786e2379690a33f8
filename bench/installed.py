"""Python with what a user's `pipx install` brings, and nothing else: each package of a venv costs time at the start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
VENV = TOP / ".cache/bench/venv"


def user_python() -> str:
    """The path of that Python; its venv is made when it is missing or the dependencies changed."""
    stamp = VENV / "pyproject.toml"
    wanted = (TOP / "pyproject.toml").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        pip = [str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, str(TOP)], check=True)
        stamp.write_text(wanted)
    return str(VENV / "bin/python")
