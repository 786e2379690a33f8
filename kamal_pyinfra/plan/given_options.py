"""What ``docker run`` options say that keys of the configuration could say too."""

from __future__ import annotations

from kamal_pyinfra.plan.state import Options


def are_given(options: Options, *names: str) -> bool:
    """Whether options say what a key of the configuration would."""
    return any(name in names for name, _ in options)


def given_names(options: Options, name: str) -> frozenset[str] | None:
    """Names of the variables or labels that options give themselves; ``None`` if a file may give more.

    Args:
        options: the options as written.
        name: ``env`` or ``label``.
    """
    written = dict(options)
    if f"{name}-file" in written:
        return None
    given = written.get(name, ())
    values = given if isinstance(given, list | tuple) else (given,)
    return frozenset(str(value).partition("=")[0] for value in values)
