"""The text of a Docker env file, which knows no quoting: one ``NAME=value`` per line, taken literally."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from kamal_pyinfra.errors import ConfigError


def env_file_problem(value: SecretStr) -> str | None:
    """Why Docker could not read a value back as it is; ``None`` when it can."""
    text = value.get_secret_value()
    if "\n" in text or "\r" in text:
        return "holds a line break, which a Docker env file cannot carry; store it encoded (base64) instead"
    if "\0" in text:
        return "holds a NUL character, which no environment can carry"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    return None


def env_file_text(values: Mapping[str, SecretStr]) -> SecretStr:
    """The whole file, as secret as its values; without any it is a single line break, as in Kamal.

    Raises:
        ConfigError: a value would not come out as it went in; a line break could even add a variable.
    """
    complaints = {name: env_file_problem(value) for name, value in values.items()}
    problems = [f"{name} {complaint}" for name, complaint in complaints.items() if complaint is not None]
    if problems:
        raise ConfigError(*problems)
    lines = [f"{name}={value.get_secret_value()}\n" for name, value in values.items()]
    return SecretStr("".join(lines) or "\n")
