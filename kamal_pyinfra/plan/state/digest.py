"""Fingerprints of settings and of secrets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.env import EffectiveEnv, is_for_host
from kamal_pyinfra.config.secrets import secret_value
from kamal_pyinfra.plan.state.desired import ContainerSpec


def digest_content(content: str | bytes) -> str:
    """SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def digest_values(values: Mapping[str, object]) -> str:
    """The fingerprint of named values; their order does not matter, the order inside lists does.

    Args:
        values: anything that JSON can hold, tuples and dataclass fields included.

    Returns:
        32 hexadecimal digits.
    """
    return digest_content(json.dumps(values, sort_keys=True, default=list, ensure_ascii=True))[:32]


Spec = TypeVar("Spec", bound=ContainerSpec)


def with_digest(spec: Spec) -> Spec:
    """The container with the fingerprint of its settings."""
    return replace(spec, digest=digest_of(spec))


def digest_of(spec: ContainerSpec) -> str:
    """The fingerprint of what ``docker run`` is given; name and secrets are compared without it."""
    return digest_values(spec.settings)


FIRST = 7

FACTOR = 31

MODULUS = 65521


def watched_lines(config: Config, env: EffectiveEnv) -> tuple[str, ...]:
    """``NAME=VALUE`` of the watched variables that a container has, sorted as bytes.

    Of a clear value with several lines only the first is watched; all of it is in the container's digest.
    """
    values: Mapping[str, str] = {
        **env.clear,
        **{name: secret_value(config, name).get_secret_value() for name in env.secret},
    }
    lines = (f"{name}={values[name]}".partition("\n")[0] for name in config.watched_names if name in values)
    return tuple(sorted(lines, key=str.encode))


def digest_lines(lines: Iterable[str]) -> str:
    """SHA-256 of lines, hexadecimal."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def checks_of(lines: Iterable[str]) -> dict[str, int]:
    """A small number for each ``NAME=VALUE``."""
    return {line.partition("=")[0]: check(line) for line in lines if "=" in line}


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)

LABEL_BYTES = 8000
"""Of names in a label: ``docker run`` is one argument on its way to a host, and has a limit."""


def clear_labels(env: Iterable[tuple[str, str]], secret_names: Collection[str]) -> tuple[str, ...]:
    """What a container says of itself: the variables whose values anybody may see, joined by commas; none without any.

    One that a host's shell expands is not among them: what it holds is not known here.
    """
    names = [
        name for name, value in env if name not in secret_names and not is_for_host(value) and NAME.fullmatch(name)
    ]
    label = ",".join(sorted(names))
    label = label if len(label) <= LABEL_BYTES else label[:LABEL_BYTES].rpartition(",")[0]
    return (label,) if label else ()


def clear_check(name: str, value: str) -> int:
    """A number that tells whether a variable changed that is clear today, as a host makes it, in hexadecimal."""
    return check(f"{name}={value}".encode().hex())


def check(line: str) -> int:
    """A number below 65521; of 65521 changes of a line all but one change it too."""
    number = FIRST
    for byte in line.encode():
        number = (number * FACTOR + byte) % MODULUS
    return number
