"""Types of single values, as lenient and as strict as Kamal, and the notation of hosts."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from kamal_pyinfra.config.document.tree import Map, Scalar, Seq, place_of

OptionScalar = str | int | float | bool | None
LONGEST_NAME, LONGEST_PATH = 255, 3800
TOO_LONG = f"is longer than a path may be: {LONGEST_NAME} bytes for a name, and {LONGEST_PATH} before what kp adds"
KAMAL_VERSION = "1.9.2"
"""The version of Kamal that kp behaves like."""
ADDRESS = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^\s/]+)@)?(?:\[(?P<bracketed>[^\]\s]+)\]|(?P<name>[^\s@/:,\[\]]+)|(?P<bare>[0-9A-Fa-f:.]*:[^\s@/,\[\]]*))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


class Section(BaseModel):
    """A section of deploy.yml: immutable, unknown keys refused, values never in messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=False)


def field(description: str, default: Any = None, **more: Any) -> Any:
    """A key of a section; ``...`` as its default requires it."""
    return Field(default, description=description, **more)


ours = partial(field, json_schema_extra={"x-kamal": False})
"""A key that Kamal 1.9 does not have."""


def problem(message: str, at: object = None) -> PydanticCustomError:
    """An error in one value; ``at`` is the node to point to if it is another one."""
    return PydanticCustomError("config", "{message}", {"message": message, "place": place_of(at)})


def plain(value: object) -> object:
    """The value of a scalar; any other value unchanged."""
    return value.value if isinstance(value, Scalar) else value


def to_text(value: object) -> str:
    """Text, number or boolean, as written."""
    if isinstance(value, Scalar) and value.value is not None:
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise problem("should be a string", at=value)


def to_filled_text(value: object) -> str:
    """Text that holds more than white space; Kamal treats anything less as missing."""
    text = to_text(value)
    if not text.strip():
        raise problem("is required", at=value)
    return text


def to_int(value: object, least: float = -math.inf, message: str = "") -> int:
    """An integer; text that looks like one is refused, and what is below ``least`` with a message."""
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise problem("should be an integer")
    if number < least:
        raise problem(message)
    return number


def to_port(value: object) -> int:
    """A port, as a number or as text."""
    text = to_text(value)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise problem("should be a port between 1 and 65535")
    return int(text)


def to_bool(value: object) -> bool:
    """A boolean; text is refused."""
    flag = plain(value)
    if not isinstance(flag, bool):
        raise problem("should be a boolean")
    return flag


def to_option(value: object) -> str | bool | tuple[str, ...] | None:
    """The value of a command-line option: text, a switch, nothing, or a list of texts."""
    if isinstance(value, Seq | list | tuple):
        return tuple(to_text(item) for item in value)
    if isinstance(value, Map | dict):
        raise problem("should be a string or an array")
    simple = plain(value)
    return simple if simple is None or isinstance(simple, bool) else to_text(value)


def networks(options: Mapping[str, object]) -> dict[str, str]:
    """Network → the option that names it; Docker takes it bare, or as ``name=NETWORK`` among other fields."""
    found = {}
    for option in ("network", "net"):
        value = options.get(option, ())
        for text in value if isinstance(value, list | tuple) else (value,):
            fields = str(text).split(",")
            found[next((field[5:] for field in fields if field.startswith("name=")), str(text))] = option
    return found


def to_names(value: object) -> object:
    """Text, or a list of exactly one name of an environment variable."""
    if not isinstance(value, Seq | list | tuple):
        return to_filled_text(value)
    if len(value) != 1 or isinstance(value[0], Map | Seq):
        raise problem("should be a string or an array with one string (for secret lookup)")
    return (to_filled_text(value[0]),)


def to_share(value: object, least: int, message: str) -> int | str:
    """A number, also as text, or a percentage; what is below ``least`` is refused with a message."""
    text = to_text(value)
    if not re.fullmatch(r"[0-9]{1,9}%?", text, re.ASCII) or (text.isdigit() and int(text) < least):
        raise problem(message)
    return int(text) if text.isdigit() else text


Text = Annotated[str, BeforeValidator(to_text, json_schema_input_type=str | int | float | bool)]
FilledText = Annotated[str, BeforeValidator(to_filled_text, json_schema_input_type=str | int | float | bool)]
Int = Annotated[int, BeforeValidator(to_int)]
Positive = Annotated[int, BeforeValidator(partial(to_int, least=1, message="should be a positive number"))]
Count = Annotated[int, BeforeValidator(partial(to_int, least=0, message="should not be negative"))]
Retained = Annotated[int, BeforeValidator(partial(to_int, least=1, message="Must retain at least 1 container"))]
Seconds = Annotated[int, BeforeValidator(partial(to_int, least=1, message="should be a positive number of seconds"))]
Limit = Annotated[
    int | str,
    BeforeValidator(partial(to_share, least=1, message="should be a positive number or a percentage such as 25%")),
]
Share = Annotated[
    int | str, BeforeValidator(partial(to_share, least=0, message="should be a number or a percentage such as 25%"))
]
Port = Annotated[int, BeforeValidator(to_port, json_schema_input_type=int | str)]
Flag = Annotated[bool, BeforeValidator(to_bool)]
SecretText = Annotated[SecretStr, BeforeValidator(to_text, json_schema_input_type=str)]
Option = Annotated[
    str | bool | tuple[str, ...] | None,
    BeforeValidator(to_option, json_schema_input_type=OptionScalar | list[OptionScalar]),
]
Lookup = Annotated[
    str | tuple[str], BeforeValidator(to_names, json_schema_input_type=str | int | float | bool | list[str])
]
SecretLookup = Annotated[SecretStr | tuple[str], BeforeValidator(to_names, json_schema_input_type=str | list[str])]


def check_service_name(name: str) -> str:
    """Accept letters, digits, hyphens and underscores."""
    if not re.fullmatch(r"[a-z0-9_-]+", name, re.IGNORECASE | re.ASCII):
        raise problem("Service name can only include alphanumeric characters, hyphens, and underscores")
    return name


def check_run_directory(path: str) -> str:
    """Resolve a leading ``~/``: relative paths are below the home, and kp's own commands leave it to no shell."""
    relative = path.removeprefix("~/").lstrip("/") if path.startswith("~/") else path
    if not relative or relative.startswith("~") or "$" in relative:
        raise problem(
            "no shell expands `~` or `$NAME` here: write a path below the SSH user's home, or an absolute one"
        )
    if relative.startswith("-"):
        raise problem(f"commands would take this for an option; write ./{relative}")
    if is_too_long(relative):
        raise problem(TOO_LONG)
    return relative


def is_too_long(path: str) -> bool:
    """Whether no host takes a path: Linux allows 255 bytes for a name, and 4096 for all."""
    names = [len(name.encode(errors="replace")) for name in path.split("/")]
    return max(names) > LONGEST_NAME or sum(names) > LONGEST_PATH


def check_minimum_version(version: str) -> str:
    """Accept a version of Kamal up to the one that kp stands in for."""
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9A-Za-z]{1,20})*", version):
        raise problem("should be a version such as 1.9.2")
    if segments(version) > segments(KAMAL_VERSION):
        raise problem(f"Current version is {KAMAL_VERSION}, minimum required is {version}")
    return version


def segments(version: str) -> list[tuple[int, int, str]]:
    """The segments that RubyGems compares: numbers by value, letters (a pre-release) below any number."""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", version)
    known = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
    while known and known[-1] == (1, 0, ""):
        known.pop()
    return [*known, (1, 0, "")]


ServiceName = Annotated[FilledText, AfterValidator(check_service_name)]
RunDirectory = Annotated[FilledText, AfterValidator(check_run_directory)]
KamalVersion = Annotated[Text, AfterValidator(check_minimum_version)]


class Address(NamedTuple):
    """A host in the notation of ``ssh`` and Kamal: ``[ssh://][user@]host[:port]``; IPv6 with a port in brackets."""

    host: str
    user: str | None = None
    port: int | None = None


def parse_address(text: str) -> Address | None:
    """The parts of an address; ``None`` if the text is none."""
    if is_ipv6(text.removeprefix("ssh://").rpartition("@")[2]):
        user, _, host = text.removeprefix("ssh://").rpartition("@")
        return Address(host, user or None)
    found = ADDRESS.fullmatch(text)
    if found is None or found["bare"] is not None:
        return None
    host = found["bracketed"] or found["name"]
    port = int(found["port"]) if found["port"] else None
    if (found["bracketed"] and not is_ipv6(host)) or (port is not None and not 0 < port < 65536) or host[0] == "-":
        return None
    return Address(host, found["user"], port)


def is_ipv6(text: str) -> bool:
    """Whether a text is an IPv6 address, with or without a zone."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
