"""Values as Docker's command line reads and prints them: sizes, durations, options."""

from __future__ import annotations

import re
import shlex

from kamal_pyinfra.config import Logging
from kamal_pyinfra.config.values import networks

UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgtp]?)i?b?", re.IGNORECASE)
NANOSECONDS = {"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
DURATION = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")
NANO = 1_000_000_000
Options = tuple[tuple[str, object], ...]
"""``docker run`` options in the order of the configuration; a value may be a list or a boolean."""


def to_bytes(text: str) -> int | None:
    """``256m`` → 268435456; ``None`` if it is no size."""
    found = SIZE.fullmatch(text.strip())
    return int(float(found[1]) * UNITS[found[2].lower()]) if found else None


def from_bytes(number: int) -> str:
    """268435456 → ``256m``; the largest unit that leaves no rest."""
    units = (unit for unit in reversed(UNITS) if unit and number and number % UNITS[unit] == 0)
    unit = next(units, "")
    return f"{number // UNITS[unit]}{unit}"


def to_nano_cpus(text: str) -> int | None:
    """``1.5`` → 1500000000; ``None`` if it is no number."""
    try:
        return round(float(text) * NANO)
    except (ValueError, OverflowError):
        return None


def from_nano_cpus(number: int) -> str:
    """1500000000 → ``1.5``."""
    return f"{number / NANO:g}"


def to_seconds(text: str) -> float:
    """``1m30s`` → 90.0."""
    return sum(float(number) * NANOSECONDS[unit] for number, unit in DURATION.findall(text)) / NANO


def from_seconds(seconds: float) -> str:
    """90.0 → ``1m30s``; 0.5 → ``500ms``."""
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds // 1000, 60)
    return "".join((f"{minutes}m" if minutes else "", f"{rest}s" if rest or not minutes else ""))


def split_command(command: str) -> tuple[str, ...]:
    """The words of ``cmd`` as a shell splits them, without expansion; one with an open quote is refused before."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return tuple(command.split())


def is_in_options(options: Options, *names: str) -> bool:
    """Whether options say what a key of the configuration would."""
    return any(name in names for name, _ in options)


def names_in_options(options: Options, name: str) -> frozenset[str] | None:
    """Names of what options of that name (``env`` or ``label``) give themselves; ``None`` if a file may give more."""
    written = dict(options)
    names = frozenset(str(value).partition("=")[0] for value in as_items(written.get(name, ())))
    return None if f"{name}-file" in written else names


def given_networks(options: Options) -> tuple[str, ...]:
    """The networks that options name; none where Docker decides, or where the container has no address of its own."""
    values = list(networks(dict(options)))
    is_known = all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value) for value in values)
    return tuple(values) if is_known and not {"host", "none", "default"} & set(values) else ()


def published_ports(options: Options) -> frozenset[str]:
    """The ports of the host that options publish; not those that Docker chooses."""
    values = (str(value) for name, written in options if name in ("publish", "p") for value in as_items(written))
    ports = (value.partition("/")[0].rpartition(":")[0].rpartition(":")[2] for value in values)
    return frozenset(port for port in ports if port.isascii() and port.isdigit())


def as_items(value: object) -> tuple[object, ...]:
    """Return a value of an option as a list of texts."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def log_options(logging: Logging) -> Options:
    """Flags for the log driver; without configuration logs are bounded at 10 MB (Kamal 1.9)."""
    driver = [("--log-driver", logging.driver)] if logging.driver else []
    options = (("--log-opt", f"{key}={value}") for key, value in logging.options.items())
    return (*driver, *options) or (("--log-opt", "max-size=10m"),)


def registry_of_image(image: str) -> str:
    """The server in an image's name: the first part if it has a dot or a port, or is ``localhost``."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""
