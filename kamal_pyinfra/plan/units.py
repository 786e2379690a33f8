"""Sizes, CPU shares and durations as Docker's command line reads them, and as ``docker inspect`` shows them."""

from __future__ import annotations

import re

UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgtp]?)i?b?", re.IGNORECASE)
NANOSECONDS = {"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
DURATION = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")
NANO = 1_000_000_000


def to_bytes(text: str) -> int | None:
    """``256m`` → 268435456; ``None`` if it is no size."""
    found = SIZE.fullmatch(text.strip())
    return int(float(found[1]) * UNITS[found[2].lower()]) if found else None


def from_bytes(number: int) -> str:
    """268435456 → ``256m``; the largest unit that leaves no rest."""
    for unit in reversed(UNITS):
        if unit and number and number % UNITS[unit] == 0:
            return f"{number // UNITS[unit]}{unit}"
    return str(number)


def to_nano_cpus(text: str) -> int | None:
    """``1.5`` → 1500000000; ``None`` if it is no number."""
    try:
        return round(float(text) * NANO)
    except ValueError:
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
