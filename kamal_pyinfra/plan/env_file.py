"""The text of a Docker env file."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr


def env_file_text(secrets: Mapping[str, SecretStr]) -> SecretStr:
    """One ``NAME=value`` line for each secret; a single newline without secrets.

    Docker reads the value literally up to the end of the line, so nothing is escaped (Kamal 1.9 doubles
    backslashes there, which alters the secret). Values with a newline are refused by the configuration.
    """
    lines = [f"{name}={value.get_secret_value()}\n" for name, value in secrets.items()]
    return SecretStr("".join(lines) or "\n")
