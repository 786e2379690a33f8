"""Whether a .dockerignore leaves a file out, as Docker documents it; what each pattern does was tried with Docker."""

from __future__ import annotations

import pytest

from kamal_pyinfra.project.scan import is_ignored

LEAVES_OUT = [
    ".env",
    "/.env",
    "./.env",
    "  .env  ",
    ".env*",
    ".e?v",
    "*",
    "**",
    "**/.env",
    "**/.env*",
    ".[e]nv",
    ".[a-z]nv",
    ".[^a-d]nv",
    "\\\\.env".replace("\\\\", "\\"),
    "log/../.env",
    "!.env\n.env",
    "*\n!src",
    "# a comment\r\n.env\r\n",
    "\ufeff.env",
    "*\n!.env.example",
    ".env/",
]
TAKES_IN = [
    "",
    "# .env",
    "#.env",
    "log\ntmp",
    "env",
    ".env.*",
    ".ENV",
    ".env*\n!.env",
    "*\n!.env*",
    "*\n! .env",
    "**\n!**/.env",
    "*/.env",
    "config/.env",
    ".[a-d]nv",
    ".env ignored",
    ".env # a comment",
    "[",
]


@pytest.mark.parametrize("text", LEAVES_OUT)
def test_what_leaves_an_env_file_out(text: str) -> None:
    assert is_ignored(".env", text)


@pytest.mark.parametrize("text", TAKES_IN)
def test_what_does_not(text: str) -> None:
    assert not is_ignored(".env", text)
