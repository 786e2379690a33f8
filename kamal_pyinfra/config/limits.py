"""Rules for single root values that are more than a type."""

from __future__ import annotations

import re

from kamal_pyinfra.config.values import problem

KAMAL_VERSION = "1.9.2"
"""The Kamal whose behaviour this package has."""


def check_service_name(name: str) -> str:
    """Letters, digits, hyphens and underscores only."""
    if not re.fullmatch(r"[a-z0-9_-]+", name, re.IGNORECASE | re.ASCII):
        raise problem("Service name can only include alphanumeric characters, hyphens, and underscores")
    return name


def check_run_directory(path: str) -> str:
    """Kamal's shells make a leading ``~/`` the home, below which a relative path lies in any case; ours do not."""
    relative = path.removeprefix("~/").lstrip("/") if path.startswith("~/") else path
    if not relative or relative.startswith("~") or "$" in relative:
        raise problem(
            "no shell expands `~` or `$NAME` here: write a path below the SSH user's home, or an absolute one"
        )
    return relative


def check_retained(count: int) -> int:
    """At least one container has to stay."""
    if count < 1:
        raise problem("Must retain at least 1 container")
    return count


def check_minimum_version(version: str) -> str:
    """A version of Kamal that is not newer than the one we are."""
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9A-Za-z]{1,20})*", version):
        raise problem("should be a version such as 1.9.2")
    if segments(version) > segments(KAMAL_VERSION):
        raise problem(f"Current version is {KAMAL_VERSION}, minimum required is {version}")
    return version


def segments(version: str) -> list[tuple[int, int, str]]:
    """What RubyGems compares: numbers by value, letters (a pre-release) below any number."""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", version)
    known = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
    while known and known[-1] == (1, 0, ""):
        known.pop()
    return [*known, (1, 0, "")]
