"""The text of a Docker env file, which knows no quoting: one ``NAME=value`` per line, taken literally."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from kamal_pyinfra.errors import ConfigError

LONGEST_LINE = 65_535
"""Docker reads the file with Go's bufio.Scanner, whose buffer of 64 KiB has to hold the line break too."""


def env_file_problem(name: str, value: SecretStr) -> str | None:
    """Why Docker could not read a value back as it is; ``None`` when it can."""
    text = value.get_secret_value()
    if "\n" in text or "\r" in text:
        return (
            "holds a line break, which a Docker env file cannot carry; in single quotes in .env "
            rf"({name}='one\ntwo') each `\n` stays these two characters, as Kamal hands it over; "
            "or store it encoded (base64)"
        )
    if "\0" in text:
        return "holds a NUL character, which no environment can carry"
    try:
        length = len(f"{name}={text}".encode())
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if length > LONGEST_LINE:
        return f"is longer than the {LONGEST_LINE} bytes that a line of a Docker env file may have; pass it in a file"
    return None


def env_file_text(values: Mapping[str, SecretStr]) -> SecretStr:
    """The whole file, as secret as its values; without any it is a single line break, as in Kamal.

    Raises:
        ConfigError: a value would not come out as it went in; a line break could even add a variable.
    """
    complaints = {name: env_file_problem(name, value) for name, value in values.items()}
    problems = [f"{name} {complaint}" for name, complaint in complaints.items() if complaint is not None]
    if problems:
        raise ConfigError(*problems)
    lines = [f"{name}={value.get_secret_value()}\n" for name, value in values.items()]
    return SecretStr("".join(lines) or "\n")
