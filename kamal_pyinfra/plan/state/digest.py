"""Fingerprints of settings and of secrets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.env import Env, is_for_host
from kamal_pyinfra.config.secrets import secret_value
from kamal_pyinfra.plan.state.desired import ContainerSpec


def digest_content(content: str | bytes) -> str:
    """SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def digest_values(values: Mapping[str, object]) -> str:
    """The fingerprint of named values, 32 hexadecimal digits; their order does not matter, that inside lists does."""
    return digest_content(json.dumps(values, sort_keys=True, default=list, ensure_ascii=True))[:32]


Spec = TypeVar("Spec", bound=ContainerSpec)


def completed(spec: Spec, config: Config, env: Env, *, keeps_secrets: bool) -> Spec:
    """The container with its variables, the checks of its secrets, and the fingerprint of its settings.

    The fingerprint is of what ``docker run`` is given; name and secrets are compared without it.
    """
    lines = None if keeps_secrets else watched_lines(config, env)
    spec = replace(
        spec,
        env=tuple(env.clear.items()),
        secret_names=env.secret,
        secrets=None if lines is None else digest_lines(lines),
        secret_checks=checks_of(lines or ()),
    )
    return replace(spec, digest=digest_values(spec.settings))


def watched_lines(config: Config, env: Env) -> tuple[str, ...]:
    """``NAME=VALUE`` of the watched variables that a container has, sorted as bytes.

    Of a clear value with several lines only the first is watched; all of it is in the container's digest.
    """
    secrets = {name: secret_value(config, name).get_secret_value() for name in env.secret}
    values = {**env.clear, **secrets}
    lines = (f"{name}={values[name]}".partition("\n")[0] for name in config.watched_names if name in values)
    return tuple(sorted(lines, key=str.encode))


def digest_lines(lines: Iterable[str]) -> str:
    """SHA-256 of lines, hexadecimal."""
    return digest_content("".join(f"{line}\n" for line in lines))


def checks_of(lines: Iterable[str]) -> dict[str, int]:
    """A small number for each ``NAME=VALUE``."""
    return {line.partition("=")[0]: check(line) for line in lines if "=" in line}


FIRST, FACTOR, MODULUS = 7, 31, 65521
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
LABEL_BYTES = 8000
"""Of names in a label: ``docker run`` is one argument on its way to a host, and has a limit."""


def clear_labels(env: Iterable[tuple[str, str]], secret_names: Collection[str]) -> tuple[str, ...]:
    """The names of a container's variables whose values anybody may see, joined by commas; none without any.

    One that a host's shell expands is not among them: what it holds is not known on this machine.
    """
    clear = (name for name, value in env if name not in secret_names and not is_for_host(value))
    label = ",".join(sorted(filter(NAME.fullmatch, clear)))
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
